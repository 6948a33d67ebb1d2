/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtual machine control block (AMD APM vol. 2, appendix B) and the
 * numbers around it (chapter 15, appendix C). Only hvm/svm/ includes this.
 */
#pragma once

#include "lib/types.h"

struct vmcb_segment {
    u16 selector, attributes;
    u32 limit;
    u64 base;
};

struct vmcb {
    u32 cr_intercepts, dr_intercepts, exception_intercepts, intercepts, intercepts2;
    u8 reserved0[0x40 - 0x14];
    u64 io_permissions, msr_permissions, tsc_offset;
    u32 asid;
    u8 tlb_control, reserved1[3];
    u64 interrupt; /* V_TPR, V_IRQ... below */
    u64 shadow;    /* bit 0 */
    u64 exit_code, exit_info1, exit_info2, exit_event;
    u64 nested;
    u8 reserved2[0xa8 - 0x98];
    u64 inject, nested_cr3;
    u8 reserved3[0xc0 - 0xb8];
    u32 clean, reserved4;
    u64 next_rip;
    u8 reserved5[0x400 - 0xd0];

    struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    u8 reserved6[0x4cb - 0x4a0], cpl, reserved7[4];
    u64 efer;
    u8 reserved8[0x548 - 0x4d8];
    u64 cr4, cr3, cr0, dr7, dr6, rflags, rip;
    u8 reserved9[0x5d8 - 0x580];
    u64 rsp;
    u8 reserved10[0x5f8 - 0x5e0];
    u64 rax, star, lstar, cstar, sfmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip,
        cr2;
    u8 reserved11[0x668 - 0x648];
    u64 pat;
    u8 reserved12[0x1000 - 0x670];
};
_Static_assert(sizeof(struct vmcb) == 4096, "a control block is a page");
_Static_assert(offsetof(struct vmcb, next_rip) == 0xc8 && offsetof(struct vmcb, cr4) == 0x548 &&
                   offsetof(struct vmcb, rax) == 0x5f8 && offsetof(struct vmcb, pat) == 0x668,
               "APM appendix B");

/* vmcb.interrupt */
#define V_TPR_MASK     0xfUL
#define V_IRQ          BIT(8)
#define V_IGNORE_TPR   BIT(20)
#define V_INTR_MASKING BIT(24)
#define V_VECTOR_SHIFT 32
#define V_VECTOR       (0xffUL << V_VECTOR_SHIFT)
/* vmcb.inject, exit_event */
#define EVENT_HAS_ERROR BIT(11)
#define EVENT_VALID     BIT(31)

/* intercepts, intercepts2: one bit for each; in the order of the exit codes from 0x60 on. */
#define INTERCEPT(code) (1U << (((code)-0x60) % 32))
enum { EXIT_CR8_WRITE = 0x18, EXIT_DR0_READ = 0x20, EXIT_DR3_WRITE = 0x33, EXIT_EXCEPTION = 0x40 };
enum { EXIT_INTR = 0x60, EXIT_NMI, EXIT_SMI, EXIT_INIT, EXIT_VINTR, EXIT_RDTSC = 0x6e };
enum { EXIT_RDPMC = 0x6f, EXIT_CPUID = 0x72, EXIT_IRET = 0x74, EXIT_INVD = 0x76, EXIT_HLT = 0x78 };
enum { EXIT_INVLPGA = 0x7a, EXIT_IOIO, EXIT_MSR, EXIT_TASK_SWITCH };
enum { EXIT_SHUTDOWN = 0x7f, EXIT_VMRUN, EXIT_VMMCALL, EXIT_VMLOAD, EXIT_VMSAVE };
enum { EXIT_STGI = 0x84, EXIT_CLGI, EXIT_SKINIT, EXIT_RDTSCP };
enum { EXIT_WBINVD = 0x89, EXIT_MONITOR, EXIT_MWAIT, EXIT_MWAIT_ARMED, EXIT_XSETBV, EXIT_RDPRU };
enum { EXIT_NPF = 0x400, EXIT_INVALID = ~0UL };

/* exit_info1 of EXIT_IOIO */
#define IOIO_IN     BIT(0)
#define IOIO_STRING BIT(2)
#define IOIO_REP    BIT(3)
/* exit_info2 of EXIT_TASK_SWITCH; below it the error code */
#define TASK_BY_IRET   BIT(36)
#define TASK_BY_JMP    BIT(38)
#define TASK_HAS_ERROR BIT(44)
#define TASK_RF        BIT(48)
/* exit_info1 of EXIT_NPF */
#define NPF_WRITE       BIT(1)
#define NPF_FETCH       BIT(4)

#define MSR_VM_CR       0xc0010114U
#define VM_CR_SVM_OFF   BIT(4)
#define MSR_VM_HSAVE_PA 0xc0010117U
#define SVM_LEAF        0x8000000aU
#define SVM_NESTED      BIT(0) /* edx */
