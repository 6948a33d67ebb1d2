/* SPDX-License-Identifier: GPL-2.0-only */
#include "translated.h"
#include <xen/hvm/save.h>

#define TABLE 0x67UL /* present, writable, user, accessed, dirty */
#define LARGE 0x80UL

/* They reach it with the image. */
static u64 __aligned_to(4096) l4[512], low_l3[512], high_l3[512], ram_l2[512], devices_l2[512];
static u64 __aligned_to(4096) idt[512];
static u64 gdt[4] = {0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0};
static u8 __aligned_to(16) stacks[TRANSLATED_VCPUS][8192];

static u64 physical(const void *p)
{
    return (u64)p - VIRT_BASE;
}

/* All RAM where it is and at VIRT_BASE; the devices' GiB where it is. */
void translated_tables(void)
{
    for (u64 i = 0; i < 512; i++) {
        ram_l2[i] = i << 21 | TABLE | LARGE;
        devices_l2[i] = 3UL << 30 | i << 21 | TABLE | LARGE;
    }
    low_l3[0] = high_l3[510] = physical(ram_l2) | TABLE;
    low_l3[3] = physical(devices_l2) | TABLE;
    l4[0] = physical(low_l3) | TABLE;
    l4[511] = physical(high_l3) | TABLE;
}

static void *record(u8 **at, u16 code, u16 instance, u32 length)
{
    struct hvm_save_descriptor d = {code, instance, length};
    void *data = *at + sizeof(d);

    memcpy(*at, &d, sizeof(d));
    *at += sizeof(d) + length;
    return data;
}

void translated_start(u32 domain, u32 vcpus, void (*entry)(u64 vcpu))
{
    static u8 buffer[4096] __aligned_to(16);
    struct xen_domctl op = {0};
    u8 *at = buffer;

    memset(buffer, 0, sizeof(buffer));
    struct hvm_save_header *h = record(&at, HVM_SAVE_CODE(HEADER), 0, sizeof(*h));
    *h = (struct hvm_save_header){.magic = HVM_FILE_MAGIC, .version = HVM_FILE_VERSION};
    for (u16 vcpu = 0; vcpu < vcpus; vcpu++) {
        struct hvm_hw_cpu *c = record(&at, HVM_SAVE_CODE(CPU), vcpu, sizeof(*c));
        c->rip = (u64)entry;
        c->rsp = (u64)stacks[vcpu] + sizeof(stacks[vcpu]) - 8;
        c->rdi = vcpu;
        c->rflags = 2;
        c->cr0 = 0x80050033;
        c->cr3 = physical(l4);
        c->cr4 = 0x6a0; /* PAE, global pages, SSE */
        c->msr_efer = 0xd00;
        c->dr6 = 0xffff0ff0;
        c->dr7 = 0x400;
        c->cs_sel = 8;
        c->cs_arbytes = 0xa9b;
        c->ds_sel = c->es_sel = c->ss_sel = 16;
        c->ds_arbytes = c->es_arbytes = c->fs_arbytes = c->gs_arbytes = c->ss_arbytes = 0xc93;
        c->cs_limit = c->ds_limit = c->es_limit = c->fs_limit = c->gs_limit = c->ss_limit = ~0U;
        c->tr_arbytes = 0x8b;
        c->tr_limit = 0x67;
        c->ldtr_arbytes = 0x82;
        c->gdtr_base = (u64)gdt;
        c->gdtr_limit = sizeof(gdt) - 1;
        c->idtr_base = (u64)idt;
        c->idtr_limit = PAGE_SIZE - 1;
    }
    record(&at, HVM_SAVE_CODE(END), 0, 0);
    op.u.hvmcontext.size = (u32)(at - buffer);
    set_xen_guest_handle(op.u.hvmcontext.buffer, buffer);
    CHECK_EQUAL(domctl(XEN_DOMCTL_sethvmcontext, domain, &op), 0);
}

u32 translated_create(bool hvm, u32 vcpus)
{
    struct xen_domctl op = {0};

    op.u.createdomain.flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap;
    op.u.createdomain.max_vcpus = vcpus;
    op.u.createdomain.max_evtchn_port = 1023;
    op.u.createdomain.max_grant_frames = 4;
    op.u.createdomain.max_maptrack_frames = 4;
    op.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(1);
    op.u.createdomain.arch.emulation_flags = hvm ? XEN_X86_EMU_ALL & ~XEN_X86_EMU_VPCI
                                                 : XEN_X86_EMU_LAPIC;
    CHECK_EQUAL(domctl(XEN_DOMCTL_createdomain, DOMID_INVALID & 0xffff, &op), 0);
    u32 domain = op.domain;
    op = (struct xen_domctl){0};
    op.u.paging_mempool.size = 8 << 20;
    CHECK_EQUAL(domctl(XEN_DOMCTL_set_paging_mempool_size, domain, &op), 0);
    op = (struct xen_domctl){0};
    op.u.max_vcpus.max = vcpus;
    CHECK_EQUAL(domctl(XEN_DOMCTL_max_vcpus, domain, &op), 0);
    op = (struct xen_domctl){0};
    op.u.max_mem.max_memkb = BUILD_KIB;
    CHECK_EQUAL(domctl(XEN_DOMCTL_max_mem, domain, &op), 0);
    return domain;
}

void translated_gate(u32 vector, const void *handler)
{
    u64 at = (u64)handler;

    idt[2 * vector] = (at & 0xffff) | 8 << 16 | 0x8e00UL << 32 | (at & 0xffff0000) << 32;
    idt[2 * vector + 1] = at >> 32;
}
