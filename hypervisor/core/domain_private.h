/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by core/domain.c, core/domain_end.c and core/init.c only. */
#pragma once

#include "core/domain.h"

struct domain *domain_create_idle(const struct guest_ops *ops, u32 cpus); /* NULL: no memory */
void domain_leave_table(struct domain *d);
void domain_free(struct domain *d);
void domain_unshare_info(struct domain *d); /* nobody writes there from now on */
void domain_watchdog_init(struct domain *d);
void domain_watchdog_kill(struct domain *d); /* none runs out any more */
