/* SPDX-License-Identifier: GPL-2.0-only */
/* Bits of control and debug registers, and of a page fault's error code; numbers of MSRs. What
 * more than one file knows. */
#pragma once

#include "lib/types.h"

#define CR0_PE         BIT(0)
#define CR0_MP         BIT(1)
#define CR0_TS         BIT(3)
#define CR0_ET         BIT(4)
#define CR0_NE         BIT(5)
#define CR0_WP         BIT(16)
#define CR0_AM         BIT(18)
#define CR0_PG         BIT(31)

#define CR4_DE         BIT(3)
#define CR4_PSE        BIT(4)
#define CR4_PAE        BIT(5)
#define CR4_MCE        BIT(6)
#define CR4_PGE        BIT(7)
#define CR4_OSFXSR     BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP       BIT(11)
#define CR4_FSGSBASE   BIT(16)
#define CR4_OSXSAVE    BIT(18)
#define CR4_SMEP       BIT(20)
#define CR4_SMAP       BIT(21)

#define DR6_BS         BIT(14)
#define DR6_BT         BIT(15)

/* Intel SDM vol. 3, 4.7 */
#define PF_PRESENT           BIT(0)
#define PF_WRITE             BIT(1)
#define PF_USER              BIT(2)
#define PF_RESERVED          BIT(3)
#define PF_FETCH             BIT(4)

#define EFER_SCE             BIT(0)
#define EFER_LME             BIT(8)
#define EFER_LMA             BIT(10)
#define EFER_NXE             BIT(11)
#define EFER_SVME            BIT(12)
#define EFER_AUTO_IBRS       BIT(21)

#define CAPABILITIES_RDCL_NO BIT(0)
#define CAPABILITIES_MDS_NO  BIT(5)

#define MSR_TSC              0x10U
#define MSR_APIC_BASE        0x1bU
#define MSR_TSC_ADJUST       0x3bU
#define MSR_PRED_CMD         0x49U  /* bit 0: IBPB */
#define MSR_CAPABILITIES     0x10aU /* CAPABILITIES_ */
#define MSR_SYSENTER_CS      0x174U
#define MSR_SYSENTER_ESP     0x175U
#define MSR_SYSENTER_EIP     0x176U
#define MSR_PAT              0x277U
#define MSR_TSC_DEADLINE     0x6e0U
#define MSR_X2APIC           0x800U /* the first of its registers */
#define MSR_EFER             0xc0000080U
#define MSR_STAR             0xc0000081U
#define MSR_LSTAR            0xc0000082U
#define MSR_CSTAR            0xc0000083U
#define MSR_FMASK            0xc0000084U
#define MSR_FS_BASE          0xc0000100U
#define MSR_GS_BASE          0xc0000101U
#define MSR_KERNEL_GS_BASE   0xc0000102U
#define MSR_TSC_AUX          0xc0000103U
