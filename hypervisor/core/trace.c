/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns the trace buffers: a ring in each CPU's own pages, and the pages of
 * struct t_info that say where they are. All of them become the idle domain's,
 * which is what tools call DOMID_XEN: the rings can be mapped writable (the tool
 * moves `cons`), t_info only for reading, and no other page of ours at all.
 * Once made they stay.
 *
 * A ring holds `ring_bytes` bytes (no power of two) behind its struct t_buf;
 * both indices run from 0 to twice that. A record never crosses the end: one
 * that does not fit there is preceded by a record that fills up the rest. When
 * there is no room records are counted, and a record says so once there is.
 *
 * What the tool can write is hostile: `prod` in the ring is only a copy of our
 * own, the contents are never read, t_info cannot be written, and `cons` is read
 * once for each record: out of range, or further behind than the ring is long,
 * it ends all tracing.
 *
 * Locks: making and steering is under LOCK_CONTROL (or at boot). A ring is only
 * written by its own CPU with interrupts off, never from an NMI.
 */
#include "core/trace.h"

#include "core/event.h"
#include "cpu/percpu.h"
#include "cpu/work.h"
#include "lib/option.h"

#define RECORD_BYTES(words) ((u32)sizeof(u32) * (3 + (words))) /* with a time stamp */
#define LOST_WORDS          4
#define SUBCLASS_BITS       0xf000U
/* More for all CPUs together is certainly a mistake: 128 MiB. */
#define PAGES_MAX 32768U

struct trace_ring {
    u32 prod;    /* the truth, of which the tool sees a copy */
    u32 lost;    /* records since the ring filled up */
    u64 lost_at; /* time stamp of the first of them */
};
static DEFINE_PER_CPU(struct trace_ring, trace_ring);

u32 trace_events;
static u32 wanted = TRC_ALL;
static bool enabled;
static cpumask_t traced_cpus;
static struct t_info *info; /* NULL: no buffers */
static u32 info_order, ring_bytes;

static u32 size_option __initdata;
CMDLINE_UINT("tbuf_size", size_option);
CMDLINE_UINT("tevt_mask", wanted);

/* ---- one CPU's ring ---- */

/* The word at a byte of the CPU's pages; only we can write the list of them. */
static u32 *ring_word(u32 cpu, u32 byte)
{
    const u32 *pages = (const u32 *)info + info->mfn_offset[cpu];

    return (u32 *)((char *)mfn_to_virt(mfn(pages[byte >> PAGE_SHIFT])) + (byte & ~PAGE_MASK));
}

static struct t_buf *ring_head(u32 cpu)
{
    return (struct t_buf *)ring_word(cpu, 0);
}

static u32 bytes_to_end(u32 index)
{
    return index >= ring_bytes ? 2 * ring_bytes - index : ring_bytes - index;
}

/* What a record takes from an index on, with what has to fill up the end. */
static u32 bytes_needed(u32 index, u32 bytes)
{
    u32 end = bytes_to_end(index);

    return bytes > end ? end + bytes : bytes;
}

static u32 advance(u32 index, u32 bytes)
{
    index += bytes;
    return index >= 2 * ring_bytes ? index - 2 * ring_bytes : index;
}

static void put_word(struct trace_ring *r, u32 cpu, u32 word)
{
    u32 at = r->prod >= ring_bytes ? r->prod - ring_bytes : r->prod;

    WRITE_ONCE(*ring_word(cpu, at + (u32)sizeof(struct t_buf)), word);
    r->prod = advance(r->prod, sizeof(u32));
}

/* The beginning of a record, with its time unless that is 0. */
static void put_head(struct trace_ring *r, u32 cpu, u32 event, u64 now, u32 words)
{
    put_word(r, cpu, event | words << TRACE_EXTRA_SHIFT | (now ? TRC_HD_CYCLE_FLAG : 0));
    if (now) {
        put_word(r, cpu, (u32)now);
        put_word(r, cpu, (u32)(now >> 32));
    }
}

/* Fills the ring up to its end: less than the longest record. */
static void put_wrap(struct trace_ring *r, u32 cpu, u64 now)
{
    u32 words = bytes_to_end(r->prod) / sizeof(u32) - 1;

    if (words > TRACE_EXTRA_MAX)
        words -= 2;
    else
        now = 0; /* no room for the time */
    put_head(r, cpu, TRC_TRACE_WRAP_BUFFER, now, words);
    while (words--)
        put_word(r, cpu, 0);
}

static void put_record(struct trace_ring *r, u32 cpu, u32 event, u64 now, u32 words,
                       const u32 *data)
{
    if (RECORD_BYTES(words) > bytes_to_end(r->prod))
        put_wrap(r, cpu, now);
    put_head(r, cpu, event, now, words);
    for (u32 i = 0; i < words; i++)
        put_word(r, cpu, data[i]);
}

/* Bytes the tool has not read yet, or ~0 if it says what cannot be. */
static u32 bytes_used(const struct trace_ring *r, u32 cpu)
{
    u32 cons = READ_ONCE(ring_head(cpu)->cons), used;

    if (cons >= 2 * ring_bytes || cons % sizeof(u32))
        return ~0U;
    used = r->prod >= cons ? r->prod - cons : r->prod + 2 * ring_bytes - cons;
    return used <= ring_bytes ? used : ~0U;
}

void trace_write(u32 event, u32 words, const u32 *data)
{
    u32 cpu = this_cpu_id(), events = READ_ONCE(trace_events), used, need = 0;
    struct trace_ring *r = &this_cpu(trace_ring);
    u64 now = __builtin_ia32_rdtsc();

    if (!(events & event & SUBCLASS_BITS) || !cpumask_test(&traced_cpus, cpu))
        return;
    ASSERT(words <= TRACE_EXTRA_MAX);
    used = bytes_used(r, cpu);
    if (unlikely(used == ~0U)) {
        WRITE_ONCE(trace_events, 0);
        printk(LOG_WARNING, "Trace buffer of CPU %u: impossible consumer index, tracing ends\n",
               cpu);
        return;
    }
    if (r->lost)
        need = bytes_needed(r->prod, RECORD_BYTES(LOST_WORDS));
    need += bytes_needed(advance(r->prod, need), RECORD_BYTES(words));
    if (used + need > ring_bytes) {
        if (!r->lost++)
            r->lost_at = now;
        return;
    }
    if (r->lost) {
        const u32 lost[LOST_WORDS] = {r->lost, current->domain->id | current->id << 16,
                                      TRACE_LONG(r->lost_at)};

        put_record(r, cpu, TRC_LOST_RECORDS, now, LOST_WORDS, lost);
        r->lost = 0;
    }
    put_record(r, cpu, event, now, words, data);
    store_release(&ring_head(cpu)->prod, r->prod);
    /* Whoever calls may hold any lock: the event goes out on the way out. */
    if (used < ring_bytes / 2 && used + need >= ring_bytes / 2)
        cpu_raise_work(cpu, WORK_TRACE);
}

void trace_words(u32 event, u32 words, ...)
{
    u32 data[TRACE_EXTRA_MAX];
    va_list list;

    ASSERT(words <= TRACE_EXTRA_MAX);
    va_start(list, words);
    for (u32 i = 0; i < words; i++)
        data[i] = va_arg(list, u32);
    va_end(list);
    trace_write(event, words, data);
}

void trace_work(void)
{
    event_send_global_virq(VIRQ_TBUF);
}

/* ---- control ---- */

static void apply(void)
{
    WRITE_ONCE(trace_events, enabled ? wanted & TRC_ALL : 0);
}

static void free_pages(struct t_info *made, u32 cpus)
{
    for (u32 cpu = 0; cpu < cpus; cpu++)
        for (u32 i = 0; made->mfn_offset[cpu] && i < made->tbuf_size; i++) {
            u32 frame = ((u32 *)made)[made->mfn_offset[cpu] + i];

            if (frame)
                page_free(mfn_to_virt(mfn(frame)));
        }
    pages_free(made, info_order);
}

/* All pages of all rings, and the list of them; NULL: no memory. */
static struct t_info *make_pages(u32 pages, u32 cpus, u32 first_word)
{
    struct t_info *made = pages_alloc(info_order, ALLOC_ZERO);
    u32 next = first_word;

    if (!made)
        return NULL;
    made->tbuf_size = (u16)pages;
    for_each_online_cpu (cpu) {
        made->mfn_offset[cpu] = (u16)next;
        for (u32 i = 0; i < pages; i++) {
            void *page = page_alloc(ALLOC_ZERO);

            if (!page) {
                free_pages(made, cpus);
                return NULL;
            }
            ((u32 *)made)[next++] = (u32)virt_to_mfn(page).raw;
        }
    }
    return made;
}

/* Lets tools map them as DOMID_XEN's. */
static void share_pages(struct t_info *made)
{
    for_each_online_cpu (cpu)
        for (u32 i = 0; i < made->tbuf_size; i++)
            frame_share(mfn_to_virt(mfn(((u32 *)made)[made->mfn_offset[cpu] + i])),
                        &idle_domain->frames, true);
    for (u32 i = 0; i < 1U << info_order; i++)
        frame_share((char *)made + i * PAGE_SIZE, &idle_domain->frames, false);
}

int trace_set_size(u32 pages)
{
    u32 cpus = 0, count = MAX(cpus_online_count, 1U), first_word;
    struct t_info *made;

    if (info)
        return pages == info->tbuf_size ? reject(-EBUSY, "trace buffers are there already")
                                        : reject(-EINVAL, "trace buffers of another size");
    if (!pages)
        return reject(-EINVAL, "trace buffers of no size");
    for_each_online_cpu (cpu)
        cpus = cpu + 1;
    first_word = (u32)((sizeof(*made) + cpus * sizeof(u16) + sizeof(u32) - 1) / sizeof(u32));
    /* The list's offsets have 16 bits. Too much is cut, as the stock hypervisor does. */
    pages = MIN(pages, MIN(PAGES_MAX, 0xffffU - first_word) / count);
    info_order = page_order((first_word + pages * count) * sizeof(u32));
    made = make_pages(pages, cpus, first_word);
    if (!made)
        return reject(-ENOMEM, "no memory for trace buffers");
    share_pages(made);
    ring_bytes = pages * (u32)PAGE_SIZE - (u32)sizeof(struct t_buf);
    traced_cpus = cpus_online;
    store_release(&info, made);
    return 0;
}

int trace_enable(bool on)
{
    if (on && !info)
        return reject(-EINVAL, "no trace buffers");
    enabled = on;
    apply();
    /* What was lost before is no news to the next session. */
    if (!on)
        for_each_online_cpu (cpu)
            WRITE_ONCE(per_cpu(trace_ring, cpu).lost, 0);
    return 0;
}

void trace_set_cpus(const cpumask_t *cpus)
{
    traced_cpus = *cpus;
}

void trace_set_events(u32 events)
{
    wanted = events;
    apply();
}

struct trace_info trace_get_info(void)
{
    return (struct trace_info){
        .events = wanted,
        .info = info ? virt_to_mfn(info) : mfn(0),
        .info_bytes = info ? (u32)(PAGE_SIZE << info_order) : 0,
    };
}

void __init trace_init(void)
{
    if (!size_option)
        return;
    if (trace_set_size(size_option) || trace_enable(true))
        printk(LOG_WARNING, "tbuf_size=%u: no memory for trace buffers\n", size_option);
    else
        printk(LOG_INFO, "Trace buffers: %u pages for each CPU\n", info->tbuf_size);
}
