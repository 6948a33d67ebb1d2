/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owns the decision which protections PV guests run with: what the command line says, else
 * what the processor says of itself (Intel SDM vol. 4, IA32_ARCH_CAPABILITIES). No locks:
 * written by the boot CPU before the others run. Callers: cpu/features.c.
 */
#include "cpu/mitigations.h"
#include "cpu/features.h"
#include "cpu/instructions.h"
#include "lib/option.h"
#include "lib/string.h"

struct pv_mitigations pv_mitigations[2] __ro_after_init;
bool shield_on __ro_after_init;

enum { AUTO = 2 };
static u8 xpti[2] __initdata = {AUTO, AUTO}, l1tf[2] __initdata = {AUTO, AUTO},
                  verw __initdata = AUTO;

/* "name", "no-name" and "name=value" of a list: true and the value, or that it is another. */
static __init bool item_is(const char *item, const char *name, int *value)
{
    bool no = strncmp(item, "no-", 3) == 0;
    size_t length = strlen(name);

    item += no ? 3 : 0;
    if (strncmp(item, name, length) != 0 || (item[length] && (no || item[length] != '=')))
        return false;
    *value = item[length] ? cmdline_bool(item + length + 1) : !no;
    return true;
}

/* xpti=, pv-l1tf=: a list of default, a boolean, dom0[=boolean], domu[=boolean]. */
static __init int parse_pair(const char *list, void *where)
{
    u8 *pair = where;
    char item[16];
    int error, value;

    while ((error = cmdline_item(&list, item, sizeof(item))) > 0) {
        u32 first = 0, last = 1;

        if (item_is(item, "dom0", &value))
            last = 0;
        else if (item_is(item, "domu", &value) || item_is(item, "domU", &value))
            first = 1;
        else
            value = !*item ? 1 : strcmp(item, "default") == 0 ? AUTO : cmdline_bool(item);
        if (value < 0)
            return value;
        for (u32 i = first; i <= last; i++)
            pair[i] = (u8)value;
    }
    return error;
}
CMDLINE_CUSTOM("xpti", parse_pair, xpti);
CMDLINE_CUSTOM("pv-l1tf", parse_pair, l1tf);

/* Of spec-ctrl= what there is a choice about: all off, VERW on or off. */
static __init int parse_spec_ctrl(const char *list, void *where __unused)
{
    char item[32];
    int error, value;

    while ((error = cmdline_item(&list, item, sizeof(item))) > 0) {
        if (item_is(item, "md-clear", &value) && value >= 0)
            verw = (u8)value;
        else if (item_is(item, "xen", &value) ? value == 0 : cmdline_bool(item) == 0)
            xpti[0] = xpti[1] = l1tf[0] = l1tf[1] = verw = 0;
        else
            error = -EINVAL;
        if (error < 0)
            return error;
    }
    return error;
}
CMDLINE_CUSTOM("spec-ctrl", parse_spec_ctrl, NULL);

__init void mitigations_init(void)
{
    bool intel = cpu_vendor == VENDOR_INTEL;
    u64 safe = cpu_has(FEATURE_CAPABILITIES) ? rdmsr(MSR_CAPABILITIES) : 0;
    bool leaks = intel && !(safe & CAPABILITIES_RDCL_NO);

    for (u32 i = 0; i < 2; i++) {
        pv_mitigations[i].xpti = xpti[i] == AUTO ? leaks : xpti[i];
        /* Dom0 has other ways to all memory. */
        pv_mitigations[i].l1tf = l1tf[i] == AUTO ? leaks && i : l1tf[i];
        shield_on |= pv_mitigations[i].xpti;
    }
    if (verw == AUTO)
        verw = intel && !(safe & CAPABILITIES_MDS_NO) && cpu_has(FEATURE_MD_CLEAR);
    shield_on |= verw;
}
