/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * System operations for looking inside: trace buffers (xentrace) and
 * performance counters (xenperf). Called from sysctl.c for the control domain, tbuf_op with
 * LOCK_CONTROL.
 */
#include "hypercall/control.h"

#include "core/trace.h"
#include "cpu/perfc.h"

s64 sysctl_tbuf_op(struct xen_sysctl *op)
{
    struct xen_sysctl_tbuf_op *tbuf = &op->u.tbuf_op;
    struct trace_info info;
    cpumask_t cpus;

    switch (tbuf->cmd) {
    case XEN_SYSCTL_TBUFOP_get_info:
        info = trace_get_info();
        tbuf->evt_mask = info.events;
        tbuf->buffer_mfn = info.info.raw;
        tbuf->size = info.info_bytes;
        return 0;
    case XEN_SYSCTL_TBUFOP_set_cpu_mask:
        TRY(cpumask_from_guest(&cpus, &tbuf->cpu_mask));
        trace_set_cpus(&cpus);
        return 0;
    case XEN_SYSCTL_TBUFOP_set_evt_mask:
        trace_set_events(tbuf->evt_mask);
        return 0;
    case XEN_SYSCTL_TBUFOP_set_size:
        return trace_set_size(tbuf->size);
    case XEN_SYSCTL_TBUFOP_enable:
        return trace_enable(true);
    case XEN_SYSCTL_TBUFOP_disable:
        return trace_enable(false);
    default:
        return reject(-EINVAL, "no such trace operation");
    }
}

/* The values of a counter, to the guest's array from entry `at` on: of each CPU, or sums. */
static int copy_values(const struct perfc_info *counter, u64 to, u32 at)
{
    u32 i = 0;

    if (counter->values) {
        for (; i < counter->values; i++) {
            u32 value = perfc_sum(counter->index + i);

            TRY(guest_copy_out_at(to, at + i, &value, sizeof(value)));
        }
        return 0;
    }
    for_each_online_cpu (cpu) {
        u32 value = perfc_value(cpu, counter->index);

        TRY(guest_copy_out_at(to, at + i++, &value, sizeof(value)));
    }
    return 0;
}

s64 sysctl_perfc_op(struct xen_sysctl *op)
{
    struct xen_sysctl_perfc_op *perfc = &op->u.perfc_op;
    u64 descriptions = handle_address(perfc->desc), values = handle_address(perfc->val);
    u32 cpus = cpus_online_count, at = 0;

    if (perfc->cmd != XEN_SYSCTL_PERFCOP_query && perfc->cmd != XEN_SYSCTL_PERFCOP_reset)
        return reject(-EINVAL, "no such operation on counters");
    for (u32 i = 0; i < perfc_count; i++) {
        const struct perfc_info *counter = &perfc_info[i];
        struct xen_sysctl_perfc_desc text = {
            .nr_vals = counter->values ? counter->values : cpus,
        };

        strlcpy(text.name, counter->text, sizeof(text.name));
        if (descriptions)
            TRY(guest_copy_out_at(descriptions, i, &text, sizeof(text)));
        if (values)
            TRY(copy_values(counter, values, at));
        at += text.nr_vals;
    }
    perfc->nr_counters = perfc_count;
    perfc->nr_vals = at;
    /* Reset also tells what they were, as the stock hypervisor does. */
    if (perfc->cmd == XEN_SYSCTL_PERFCOP_reset)
        perfc_reset();
    return 0;
}
