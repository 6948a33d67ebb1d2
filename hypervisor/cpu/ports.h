/* SPDX-License-Identifier: GPL-2.0-only */
/* I/O ports and caches for layers that execute no privileged instruction themselves. */
#pragma once

#include "lib/types.h"

/* bytes: 1, 2 or 4. */
u32 port_in(u16 port, u32 bytes);
void port_out(u16 port, u32 bytes, u32 value);
/* WBINVD on this CPU. */
void cpu_write_back_caches(void);
