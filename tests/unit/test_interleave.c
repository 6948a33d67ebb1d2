// sources: lib/bitmap.c
// libs: -Wl,--gc-sections
/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts that hold no lock while others look, in every order of their accesses (interleave.h):
 * FIFO events, work bits, references of domains and frames, uses of frames and of grants. Each is
 * also tried with accesses torn in two, where something has to go wrong.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

/* First: what is inline in headers has its accesses seen, too. */
#include "host/interleave.h"

#include "core/event_table.h"
#include "core/grant_private.h"
#include "cpu/perfc.h"
#include "memory/internal.h"

#define byte_lock   interleave_lock
#define byte_unlock interleave_unlock
#define STACK_AT    ((u64)&host_cpu_local + sizeof(struct cpu_local) - STACK_SIZE)
#undef STACK_AREA_START
#define STACK_AREA_START STACK_AT
#include "core/event_fifo.c"
#include "core/grant_map.c"
#include "cpu/work.c"
#include "memory/frame.c"
#include "core/domain.c"

struct cpu_local host_cpu_local;
struct frame *host_frame_table;
cpumask_t cpus_online = {{1}};
mfn_t virt_to_mfn(const void *p)
{
    (void)p;
    return mfn(0);
}

/* In every order it is good; and the torn accesses are found. */
static void in_every_order(const char *what, u32 count, void (*const fns[])(void),
                           void (*begin)(void), bool (*good)(void), bool breaks)
{
    torn = false;
    assert_true(explore(count, fns, begin, good));
    printf("# %s: %lu orders\n", what, orders);
    assert_true(orders > 1);
    torn = true;
    assert_true(explore(count, fns, begin, good) != breaks);
    torn = false;
}

/* ---- FIFO events: two that raise, and the guest that takes ---- */

static struct {
    struct domain d;
    struct vcpu v;
    struct vcpu *vcpus[1];
    struct event_table table;
    struct fifo_domain fifo;
    struct fifo_vcpu queue;
    struct evtchn_fifo_control_block control;
    event_word_t words[4];
    struct event_port ports[4];
    bool told, taken[4];
    u32 head, raised;
} ev;

void vcpu_mark_events_pending(struct vcpu *v)
{
    ASSERT(v == &ev.v);
    WRITE_ONCE(ev.told, true);
}

static void ev_begin(void)
{
    memset(&ev, 0, sizeof(ev));
    ev.vcpus[0] = &ev.v;
    ev.d.vcpus = ev.vcpus;
    ev.d.max_vcpus = 1;
    ev.d.events = &ev.table;
    ev.table.fifo = &ev.fifo;
    ev.fifo.array[0] = ev.words;
    ev.v.fifo = &ev.queue;
    ev.queue.control = &ev.control;
    for (u32 port = 1; port < 4; port++)
        ev.ports[port] = (struct event_port){.number = port, .priority = 7, .last_priority = 7};
}

static void raise_1(void)
{
    fifo_raise(&ev.d, &ev.ports[1]);
}
static void raise_2(void)
{
    fifo_raise(&ev.d, &ev.ports[2]);
}

/* As the interface says how a guest does it, for the one priority there is. */
static void guest_takes(void)
{
    u32 ready = atomic_xchg(&ev.control.ready, 0);

    while (ready) {
        u32 port = ev.head ? ev.head : READ_ONCE(ev.control.head[7]);
        u32 old = atomic_fetch_and(&ev.words[port], ~(WORD_LINKED | WORD_LINK));

        ev.head = old & WORD_LINK;
        if (!ev.head)
            ready = 0;
        if ((old & (WORD_PENDING | WORD_MASKED)) == WORD_PENDING) {
            atomic_and(&ev.words[port], ~WORD_PENDING);
            ev.taken[port] = true;
        }
        ready |= atomic_xchg(&ev.control.ready, 0);
    }
}
static void guest(void)
{
    WRITE_ONCE(ev.told, false);
    guest_takes();
}

/* What is not taken yet the guest has been told of since it began to look, and finds. */
static bool ev_good(void)
{
    bool left = ((ev.words[1] | ev.words[2]) & WORD_PENDING) != 0;

    if (left && !ev.told)
        return false;
    if (ev.told)
        guest_takes();
    for (u32 port = 1; port < 3; port++)
        if (ev.ports[port].state != ev.taken[port] || (ev.words[port] & WORD_PENDING))
            return false;
    return true;
}

static void ev_begin_two(void)
{
    ev_begin();
    ev.ports[1].state = ev.ports[2].state = 1; /* will be raised */
}
static void ev_begin_same(void)
{
    ev_begin();
    ev.ports[1].state = 1;
}
/* Port 3 has been taken out and is the tail still. */
static void ev_begin_used(void)
{
    ev_begin_two();
    fifo_raise(&ev.d, &ev.ports[3]);
    guest_takes();
}
static void guest_masks(void)
{
    atomic_or(&ev.words[1], WORD_MASKED);
    guest();
    fifo_unmask(&ev.d, &ev.ports[1]);
}

static void fifo_events(void **state)
{
    void (*two[])(void) = {raise_1, raise_2, guest};
    void (*same[])(void) = {raise_1, raise_1, guest};
    void (*masked[])(void) = {raise_1, guest_masks};

    (void)state;
    in_every_order("two ports are raised while the guest takes", 3, two, ev_begin_two, ev_good,
                   true);
    in_every_order("the same behind a port that was taken", 3, two, ev_begin_used, ev_good, true);
    in_every_order("one port is raised twice", 3, same, ev_begin_same, ev_good, true);
    in_every_order("a port is masked and unmasked", 2, masked, ev_begin_same, ev_good, true);
}

/* ---- work bits ---- */

static u32 work_data[2], work_seen[2], work_interrupts;

void watchdog_look(void)
{
}
void apic_send_ipi(u32 cpu, u32 vector)
{
    ASSERT(cpu == 0 && vector == CPU_WORK_VECTOR);
    WRITE_ONCE(work_interrupts, 1);
}
static void work_one(void)
{
    work_seen[0] = READ_ONCE(work_data[0]);
}
static void work_two(void)
{
    work_seen[1] = READ_ONCE(work_data[1]);
}
void (*const work_handlers[WORK_COUNT])(void) = {work_one, work_two};

static void work_begin(void)
{
    host_cpu_local.work = work_data[0] = work_data[1] = work_seen[0] = work_seen[1] =
        work_interrupts = 0;
    host_cpu_local.cpu = 1; /* who raises is another one */
}
static void raise_one(void)
{
    WRITE_ONCE(work_data[0], 1);
    cpu_raise_work(0, 0);
}
static void raise_two(void)
{
    WRITE_ONCE(work_data[1], 1);
    cpu_raise_work(0, 1);
}
static void work_do(void)
{
    cpu_do_work();
}
/* What was not done has an interrupt, and is done with what was written before. */
static bool work_good(void)
{
    if (host_cpu_local.work && !work_interrupts)
        return false;
    cpu_do_work();
    return work_seen[0] && work_seen[1] && !host_cpu_local.work;
}

static void work_bits(void **state)
{
    void (*all[])(void) = {raise_one, raise_two, work_do};

    (void)state;
    in_every_order("two bits are raised while the CPU works", 3, all, work_begin, work_good, true);
}

/* ---- references ---- */

static struct frame frames[4];
static struct frame_owner *owner;
static u32 given_back, got, used_after;

void frame_give_back(struct frame *f)
{
    WRITE_ONCE(f->owner, 0);
    atomic_inc(&given_back);
}

static void frame_begin(void)
{
    static struct frame_owner o;

    host_frame_table = frames;
    owner = &o;
    given_back = got = used_after = 0;
    frames[0] = (struct frame){.count = FRAME_ALLOCATED | 1, .owner = frame_owner_number(owner)};
}
static void frame_user(void)
{
    if (!frame_get(&frames[0], owner))
        return;
    atomic_inc(&got);
    if (READ_ONCE(given_back))
        used_after = 1;
    frame_put(&frames[0]);
}
static void frame_ends(void)
{
    ASSERT(frame_release(&frames[0]));
}
static bool frame_good(void)
{
    return given_back == 1 && !used_after && !(frames[0].count & FRAME_COUNT_MASK);
}

static void writable_begin(void)
{
    frame_begin();
    frames[0].type = TYPE_WRITABLE | TYPE_VALIDATED | 1;
}
static void writable_user(void)
{
    if (frame_get_writable(&frames[0]))
        frame_put_writable(&frames[0]);
}
static void writable_last(void)
{
    frame_put_writable(&frames[0]);
}
static bool writable_good(void)
{
    return (frames[0].type & (TYPE_MASK | TYPE_COUNT_MASK)) == TYPE_WRITABLE;
}

static struct domain domain_x;
static void domain_begin(void)
{
    memset(&domain_x, 0, sizeof(domain_x));
    domain_x.references = 1;
    given_back = got = used_after = 0;
}
static void domain_drop(void)
{
    if (atomic_dec_and_test(&domain_x.references))
        atomic_inc(&given_back);
}
static void domain_user(void)
{
    if (!get_live(&domain_x))
        return;
    if (READ_ONCE(given_back))
        used_after = 1;
    domain_drop();
}
static bool domain_good(void)
{
    return given_back == 1 && !used_after && !domain_x.references;
}

static void references(void **state)
{
    void (*of_frame[])(void) = {frame_user, frame_user, frame_ends};
    void (*writable[])(void) = {writable_user, writable_user, writable_last};
    void (*of_domain[])(void) = {domain_user, domain_user, domain_drop};

    (void)state;
    in_every_order("a frame is used while its owner gives it up", 3, of_frame, frame_begin,
                   frame_good, true);
    in_every_order("writable uses begin while others end", 3, writable, writable_begin,
                   writable_good, true);
    in_every_order("a domain is looked up while its last reference goes", 3, of_domain,
                   domain_begin, domain_good, true);
}

/* ---- grants: a use begins while the guest ends access ---- */

static struct grant_table grants;
static struct grant_entry_v1 entry_v1;
static union grant_entry_v2 entry_v2;
static grant_status_t status_v2;
static bool ended, claimed;

void reject_record(const char *why, const char *file, int line, int error)
{
    (void)why, (void)file, (void)line, (void)error;
}
static void grant_begin(u32 version)
{
    static void *shared[1];
    static grant_status_t *status[1] = {&status_v2};

    memset(&grants, 0, sizeof(grants));
    memset(&entry_v2, 0, sizeof(entry_v2));
    shared[0] = version == 1 ? (void *)&entry_v1 : &entry_v2;
    grants = (struct grant_table){
        .version = version, .frames = 1, .status_frames = 1, .shared = shared, .status = status};
    entry_v1 = (struct grant_entry_v1){.flags = GTF_permit_access, .domid = 5};
    entry_v2.hdr.flags = GTF_permit_access;
    entry_v2.hdr.domid = 5;
    status_v2 = 0;
    ended = claimed = false;
}
static void grant_begin_v1(void)
{
    grant_begin(1);
}
static void grant_begin_v2(void)
{
    grant_begin(2);
}
static void claims_v1(void)
{
    struct claim c;

    claimed = claim_v1(&grants, 0, false, 5, GTF_type_mask, true, &c) == GNTST_okay;
}
static void claims_v2(void)
{
    struct claim c;

    claimed = claim_v2(&grants, 0, false, 5, GTF_type_mask, true, &c) == GNTST_okay;
}
/* As the interface wants it: by exchange, while nobody uses it; or take the right away, then look.
 */
static void ends_v1(void)
{
    u16 flags = READ_ONCE(entry_v1.flags);

    ended = !(flags & (GTF_reading | GTF_writing)) &&
            atomic_cmpxchg(&entry_v1.flags, flags, (u16)0) == flags;
}
static void ends_v2(void)
{
    (void)atomic_xchg(&entry_v2.hdr.flags, (u16)0);
    ended = !(READ_ONCE(status_v2) & (GTF_reading | GTF_writing));
}
/* Never both: the guest gives the page to somebody else when it has ended. */
static bool grant_good(void)
{
    return !(ended && claimed);
}

static void grant_uses(void **state)
{
    void (*v1[])(void) = {claims_v1, ends_v1};
    void (*v2[])(void) = {claims_v2, ends_v2};

    (void)state;
    in_every_order("a grant of version 1 is used while access ends", 2, v1, grant_begin_v1,
                   grant_good, true);
    in_every_order("a grant of version 2 is used while access ends", 2, v2, grant_begin_v2,
                   grant_good, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fifo_events),
        cmocka_unit_test(work_bits),
        cmocka_unit_test(references),
        cmocka_unit_test(grant_uses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
