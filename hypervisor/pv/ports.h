/* SPDX-License-Identifier: GPL-2.0-only */
/* I/O ports as a PV guest sees them. */
#pragma once

#include "pv/pv.h"

/* May code in v's present mode use these ports at all (virtual IOPL, I/O bitmap)? */
bool pv_port_allowed(struct pv_vcpu *v, u16 port, u32 bytes);
/* bytes 1, 2, 4. Ports that are not the domain's read as ones and ignore writes. */
u32 pv_port_in(struct domain *d, u16 port, u32 bytes);
void pv_port_out(struct domain *d, u16 port, u32 bytes, u32 value);
