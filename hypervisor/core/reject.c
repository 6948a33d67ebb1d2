/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns the record of refusals: a small ring in each vCPU, written only by the
 * CPU that the vCPU is current on, hence without locks.
 */
#include "core/domain.h"
#include "platform/console.h"

void reject_record(const char *why, const char *file, int line, int error)
{
    struct vcpu *v = current;

    if (!v)
        return; /* while booting */
    v->rejections[v->rejection_next++ % REJECTIONS_KEPT] =
        (struct rejection){why, file, (u16)line, (s16)error};
}

void reject_dump(void)
{
    const struct vcpu *v = current;

    if (!v)
        return;
    for (u32 i = 1; i <= REJECTIONS_KEPT; i++) {
        const struct rejection *r = &v->rejections[(v->rejection_next - i) % REJECTIONS_KEPT];

        if (!r->why)
            break;
        printk(LOG_INFO, "  refused d%dv%u: %s (%d) at %s:%u\n", v->domain->id, v->id, r->why,
               r->error, r->file, r->line);
    }
}
