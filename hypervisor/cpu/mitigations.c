/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns the decision which protections PV guests run with: what xpti= says, else what the
 * processor says of itself (Intel SDM vol. 4, IA32_ARCH_CAPABILITIES). No locks: written by
 * the boot CPU before the others run. Callers: cpu/features.c.
 */
#include "cpu/mitigations.h"
#include "cpu/features.h"
#include "lib/option.h"

bool pv_isolated[2] __ro_after_init, shield_on __ro_after_init;

enum { AUTO = 2 };
static u8 xpti[2] __initdata = {AUTO, AUTO};

/* A list of: default, a boolean, dom0=boolean, domu=boolean. */
static __init int parse_xpti(const char *list, void *)
{
    char item[16];
    int more;

    while ((more = cmdline_item(&list, item, sizeof(item))) == 1) {
        bool dom0 = strncmp(item, "dom0=", 5) == 0, domu = strncmp(item, "domu=", 5) == 0;
        int value = strcmp(item, "default") == 0 ? AUTO
                    : *item                      ? cmdline_bool(item + (dom0 || domu ? 5 : 0))
                                                 : true;

        if (value < 0)
            return value;
        for (u32 i = domu; i < 2 - (u32)dom0; i++)
            xpti[i] = (u8)value;
    }
    return more;
}
CMDLINE_CUSTOM("xpti", parse_xpti, NULL);

__init void mitigations_init(void)
{
    bool intel = cpu_vendor == VENDOR_INTEL;
    u64 safe = cpu_has(FEATURE_CAPABILITIES) ? rdmsr(MSR_CAPABILITIES) : 0;

    for (u32 i = 0; i < 2; i++)
        pv_isolated[i] = xpti[i] == AUTO ? intel && !(safe & CAPABILITIES_RDCL_NO) : xpti[i];
    shield_on = pv_isolated[0] || pv_isolated[1] ||
                (intel && !(safe & CAPABILITIES_MDS_NO) && cpu_has(FEATURE_MD_CLEAR));
}
