/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * May domain A do this to domain B? Supplied by hypercall/policy.c; declared
 * here because pv/ asks too.
 */
#pragma once

#include "core/domain.h"

enum policy_op {
    POLICY_MEMORY,      /* change or read its reservation, memory map, p2m */
    POLICY_MAP_FOREIGN, /* map its frames */
    POLICY_PAGE_TABLES, /* write its page tables (the domain builder) */
    POLICY_EVENTS,      /* allocate ports for it, read their state */
    POLICY_GRANTS,      /* query or set up its grant table */
    POLICY_DOMCTL,      /* control operations on it */
    POLICY_IRQ,         /* map interrupts for it */
};

/* 0, or -EPERM. by == target is allowed for all but POLICY_DOMCTL and POLICY_IRQ. */
int policy_check(const struct domain *by, const struct domain *target, enum policy_op op);
/* The whole system: sysctl, platform_op, physdev of the hardware: 0 or -EPERM. */
int policy_system(const struct domain *by);
int policy_hardware(const struct domain *by);
/* Resolves a domid argument (DOMID_SELF too) and checks; reference taken on success.
 * -ESRCH: no such domain. */
int policy_target(domid_t id, enum policy_op op, struct domain **target);
