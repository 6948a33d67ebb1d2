/* SPDX-License-Identifier: GPL-2.0-only */
/* How much memory and how many vCPUs domain 0 gets, and its frames. Boot only, one CPU. */
#include "boot/dom0.h"
#include "lib/option.h"

/* dom0_mem=SIZE | min:SIZE | max:SIZE, comma separated; -SIZE: all but that. Bytes. */
static s64 __initdata wanted, wanted_min;
static s64 __initdata wanted_max;

static int __init parse_amount(const char *text, s64 *amount)
{
    bool negative = *text == '-';
    const char *start = text + negative, *end;
    u64 bytes = parse_size(start, &end, 10);

    if (end == start || *end || bytes > (u64)INT64_MAX)
        return -EINVAL;
    *amount = negative ? -(s64)bytes : (s64)bytes;
    return 0;
}

static int __init parse_dom0_mem(const char *value, void *)
{
    char item[32];
    int more;

    while ((more = cmdline_item(&value, item, sizeof(item))) > 0) {
        if (!strncmp(item, "min:", 4))
            TRY(parse_amount(item + 4, &wanted_min));
        else if (!strncmp(item, "max:", 4))
            TRY(parse_amount(item + 4, &wanted_max));
        else
            TRY(parse_amount(item, &wanted));
    }
    return more;
}
CMDLINE_CUSTOM("dom0_mem", parse_dom0_mem, NULL);

static u32 __initdata vcpus_min = 1, vcpus_max;

/* dom0_max_vcpus=N | MIN-MAX | MIN- | -MAX */
static int __init parse_dom0_max_vcpus(const char *value, void *)
{
    const char *end = value;
    u64 low = 1, high = 0;

    if (*value != '-')
        low = parse_u64(value, &end);
    if (*end == '-') {
        value = end + 1;
        high = *value ? parse_u64(value, &end) : 0;
    } else {
        high = low;
    }
    if (*end && *end != '-')
        return -EINVAL;
    if (low < 1 || low > MAX_VCPUS || high > MAX_VCPUS)
        return -EINVAL;
    vcpus_min = (u32)low;
    vcpus_max = (u32)high;
    return 0;
}
CMDLINE_CUSTOM("dom0_max_vcpus", parse_dom0_max_vcpus, NULL);

u32 __init dom0_vcpus(void)
{
    u32 n = cpus_online_count;

    if (vcpus_max && n > vcpus_max)
        n = vcpus_max;
    if (n < vcpus_min)
        n = vcpus_min;
    return MIN(n, (u32)MAX_VCPUS);
}

static s64 __init to_pages(s64 amount, s64 available)
{
    s64 pages = amount / (s64)PAGE_SIZE;
    return amount < 0 ? available + pages : pages;
}

u64 __init dom0_pages(void)
{
    s64 available = (s64)memory_free();
    s64 pages;

    if (wanted) {
        pages = to_pages(wanted, available);
    } else {
        /* As much as there is, but a sixteenth (at most 128 MiB) for us and for DMA. */
        s64 reserve = MIN(available / 16, (s64)(128UL << 20 >> PAGE_SHIFT));
        pages = available - reserve;
    }
    if (wanted_min)
        pages = MAX(pages, to_pages(wanted_min, available));
    if (wanted_max)
        pages = MIN(pages, to_pages(wanted_max, available));
    return pages > 0 ? (u64)pages : 0;
}

u32 __init dom0_max_pages(void)
{
    if (!wanted_max)
        return ~0u;
    s64 pages = to_pages(wanted_max, (s64)memory_free());
    return pages > 0 && pages < (s64)UINT32_MAX ? (u32)pages : ~0u;
}

int __init dom0_memory_take(struct dom0_memory *m)
{
    u64 pfn = 0;
    u32 order = MAX_ORDER;

    m->extent_count = 0;
    while (pfn < m->pages) {
        while (order && (1UL << order) > m->pages - pfn)
            order--;
        struct frame *f = frames_alloc(&m->d->frames, order, 0, 0);
        if (!f) {
            if (!order)
                return -ENOMEM;
            order--;
            continue;
        }
        struct dom0_extent *last = m->extent_count ? &m->extents[m->extent_count - 1] : NULL;
        mfn_t first = frame_to_mfn(f);
        if (last && mfn_equal(mfn_add(last->first, last->count), first)) {
            last->count += 1UL << order;
        } else {
            if (m->extent_count == ARRAY_SIZE(m->extents))
                return -ENOMEM;
            m->extents[m->extent_count++] = (struct dom0_extent){pfn, first, 1UL << order};
        }
        for (u64 i = 0; i < 1UL << order; i++)
            m2p_set(mfn_add(first, i), pfn + i);
        pfn += 1UL << order;
    }
    return 0;
}

mfn_t __init dom0_mfn(const struct dom0_memory *m, u64 pfn)
{
    for (u64 i = 0; i < m->extent_count; i++) {
        const struct dom0_extent *e = &m->extents[i];
        if (pfn - e->pfn < e->count)
            return mfn_add(e->first, pfn - e->pfn);
    }
    panic("dom0 builder: pfn %lx of %lx", pfn, m->pages);
}

void *__init dom0_frame(const struct dom0_memory *m, u64 pfn)
{
    return mfn_to_virt(dom0_mfn(m, pfn));
}

void __init dom0_copy(const struct dom0_memory *m, u64 address, const void *bytes, u64 length)
{
    const u8 *from = bytes;

    while (length) {
        u64 offset = address & ~PAGE_MASK;
        u64 chunk = MIN(length, PAGE_SIZE - offset);
        u8 *to = (u8 *)dom0_frame(m, address >> PAGE_SHIFT) + offset;
        if (from) {
            memcpy(to, from, chunk);
            from += chunk;
        } else {
            memset(to, 0, chunk);
        }
        address += chunk;
        length -= chunk;
    }
}
