/* SPDX-License-Identifier: GPL-2.0-only */
/* The other PV domain: grants some pages to dom0, and answers each of its events. */
#include "bench.h"
#include <xen/grant_table.h>

struct mailbox __aligned_to(4096) mailbox;
static u8 __aligned_to(4096) granted[GRANTS][4096];
static u8 __aligned_to(4096) table[4096];

/* Its first instruction: a stack, then C. */
__asm__(
    ".text\n.globl peer_entry\npeer_entry:\n"
    "cld; lea boot_stack_top(%rip), %rsp; mov %rsi, %rdi; xor %ebp, %ebp; call peer_start; ud2\n");

void peer_start(struct start_info *si);
void peer_start(struct start_info *si)
{
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 1};
    grant_entry_v1_t *grants = (void *)table;
    xen_pfn_t frame;

    trap_hook = NULL;
    runtime_adopt(si);
    events_off();
    set_xen_guest_handle(setup.frame_list, &frame);
    call3(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &setup, 1);
    map_page(table, frame << PAGE_SHIFT | 7);
    for (u32 i = 0; i < GRANTS; i++)
        grants[REF + i] = (grant_entry_v1_t){GTF_permit_access, 0, (u32)frame_of(granted[i])};
    for (;;) {
        notify(mailbox.port);
        wait_port(mailbox.port);
    }
}
