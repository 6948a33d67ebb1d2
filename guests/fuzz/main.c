/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two unprivileged guests at a time, PV, PVH or HVM, do all they can to break the hypervisor and
 * each other, each with a second vCPU that changes memory under the first one's calls; after a
 * moment they are destroyed and the next two come. A witness domain's memory must not change, free
 * memory and our event channels must be what they were. Words: "seed=N", "seconds=N", "slice=MS"
 * for each pair, "rounds=N" pairs at most: pair R of seed S is the first of seed S + R.
 */
#include "fuzz.h"

#define WITNESS_PAGES 1024
#define MS            1000000UL

struct fuzzer {
    u32 domain;
    bool translated;
    struct desk *window;
    u64 entry; /* of the window */
};
static struct fuzzer pair[2];
static u32 witness;
static xen_pfn_t witness_frames[WITNESS_PAGES];
static u64 *witness_window;
static u64 calls, good;
static u32 ended;
static bool nested; /* there is nested paging */

/* Of all of the witness's memory; wrong in a way that depends on the place, too. */
static u64 witness_hash(void)
{
    struct mmu_update u = {.ptr = pte_machine_address(witness_window)};
    u64 hash = 0xcbf29ce484222325;

    for (u32 i = 0; i < WITNESS_PAGES; i++) {
        u.val = witness_frames[i] << PAGE_SHIFT | 7;
        CHECK_EQUAL(call4(__HYPERVISOR_mmu_update, &u, 1, 0, witness), 0);
        table_op(MMUEXT_TLB_FLUSH_LOCAL, 0);
        for (u32 j = 0; j < PAGE_SIZE / 8; j++)
            hash = (hash ^ witness_window[j]) * 0x100000001b3;
    }
    map_page(witness_window, 0);
    return hash;
}

static void witness_make(void)
{
    witness_window = page_new();
    map_page(witness_window, 0);
    witness = (u32)domain_create(1, BUILD_KIB);
    build_memory(witness);
    for (u64 i = 0; i < WITNESS_PAGES; i++)
        witness_frames[i] = build_frame(i);
    for (u64 i = 0; i < 200; i++)
        memset(build_page(witness, i), (int)i + 1, PAGE_SIZE);
    build_done();
}

static void make(struct fuzzer *f, const struct fuzzer *other, u64 seed)
{
    if (f->translated) {
        translated_tables();
        build_translated(f->domain);
    } else {
        build_memory(f->domain);
    }
    *(struct desk *)build_page(f->domain, virt_to_pfn(&desk)) =
        (struct desk){.seed = seed, .peer = other->domain, .translated = f->translated};
    CHECK_EQUAL(build_map(f->domain, virt_to_pfn(&desk), f->entry), 0);
    if (f->translated)
        translated_start(f->domain, TRANSLATED_VCPUS, fuzz_translated);
    else
        build_context(f->domain, fuzz_pv);
    build_done();
}

/* False: it has ended itself. */
static bool lives(const struct fuzzer *f)
{
    struct xen_domctl_getdomaininfo info;

    return !domain_info(f->domain, &info) && !(info.flags & XEN_DOMINF_shutdown);
}

static void let_run(u64 time)
{
    u64 start = system_time();

    while (system_time() - start < time && (lives(&pair[0]) || lives(&pair[1])))
        nap(20 * MS);
}

static void one_pair(u64 seed, u64 slice)
{
    static const struct {
        bool translated, hvm;
    } kinds[] = {{false, false}, {true, false}, {true, true}};

    for (u32 i = 0; i < 2; i++) {
        u32 kind = (seed / (i ? 3 : 1)) % 3;

        pair[i].translated = kinds[kind].translated && nested;
        pair[i].domain = pair[i].translated ? translated_create(kinds[kind].hvm, TRANSLATED_VCPUS)
                                            : (u32)domain_create(TRANSLATED_VCPUS, BUILD_KIB);
    }
    for (u32 i = 0; i < 2; i++)
        make(&pair[i], &pair[!i], 2 * seed + i);
    for (u32 i = 0; i < 2; i++)
        CHECK_EQUAL(simple_domctl(XEN_DOMCTL_unpausedomain, pair[i].domain), 0);
    let_run(slice);
    for (u32 i = 0; i < 2; i++)
        ended += !lives(&pair[i]);
    for (u32 i = 0; i < 2; i++)
        domain_destroy(pair[i].domain);
    for (u32 i = 0; i < 2; i++) {
        const struct desk *d = pair[i].window;
        /* What it says of itself, if it has not written over it. */
        if (d->proof == ~(d->calls ^ d->good) && d->good <= d->calls &&
            d->calls < 1000 * slice / MS) {
            calls += d->calls;
            good += d->good;
        }
        CHECK_EQUAL(map_page(pair[i].window, 0), 0);
        CHECK(domain_gone(pair[i].domain));
    }
}

void guest_main(void)
{
    u64 seed = word_value("seed=", 1), seconds = word_value("seconds=", 30),
        most = word_value("rounds=", ~0UL);
    u64 slice = word_value("slice=", 1500) * MS, start = system_time(), free, hash, rounds = 0;
    struct xen_sysctl machine = {0};
    u32 ports;

    CHECK_EQUAL(sysctl(XEN_SYSCTL_physinfo, &machine), 0);
    nested = machine.u.physinfo.capabilities & XEN_SYSCTL_PHYSCAP_hap;
    for (u32 i = 0; i < 2; i++) {
        pair[i].window = page_new();
        pair[i].entry = pte_machine_address(pair[i].window);
        map_page(pair[i].window, 0);
    }
    witness_make();
    hash = witness_hash();
    one_pair(0, 20 * MS); /* what dom0 keeps from the first ones on */
    free = settled_free_pages();
    ports = open_ports(1024);
    while (rounds < most && system_time() - start < seconds * 1000 * MS && !checks_failed) {
        one_pair(seed + rounds, slice);
        rounds++;
        u64 now = settled_free_pages();
        check(now == free, __FILE__, __LINE__, "seed %lu: %lu pages free, not %lu",
              seed + rounds - 1, now, free);
    }
    say("fuzz: from seed %lu: %lu pairs, %lu calls, %lu succeeded, %u ended "
        "themselves\n",
        seed, rounds, calls, good, ended);
    CHECK(rounds > 0 && calls > 50 * rounds && good > 0);
    CHECK(witness_hash() == hash);
    CHECK_EQUAL(open_ports(1024), ports);
    domain_destroy(witness);
    CHECK(domain_gone(witness));
}
