/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupts from a translated domain's devices, in here or in a device model,
 * to its interrupt controllers. Any CPU may call. -EINVAL: no such line, or
 * the domain has no interrupt controllers but its local APICs.
 */
#pragma once

#include "core/domain.h"

struct hvm_vcpu;

int hvm_isa_irq_set(struct domain *d, u32 irq, bool level);
int hvm_pci_intx_set(struct domain *d, u32 device, u32 intx, bool level);
int hvm_pci_link_set(struct domain *d, u32 link, u32 isa_irq); /* 0: nowhere */
int hvm_msi_deliver(struct domain *d, u64 address, u32 data);

/* HVM_PARAM_CALLBACK_IRQ: a line that is up while vCPU 0 has an upcall pending, if it says so. */
void hvm_callback_set(struct domain *d, u64 value);
/* Brings that line up to date, if v is vCPU 0. */
void hvm_callback_update(struct hvm_vcpu *v);

/* Is the PIC's interrupt the next that v takes? pic_acknowledge gives its vector, -1: it is gone.
 */
bool pic_pending(const struct hvm_vcpu *v);
s32 pic_acknowledge(struct hvm_vcpu *v);
/* A local APIC is done with a level-triggered vector. */
void ioapic_eoi(struct domain *d, u32 vector);

/* xl trigger: the domain's power button, or its sleep button. */
int hvm_press_button(struct domain *d, bool sleep);
