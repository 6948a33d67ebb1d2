/* SPDX-License-Identifier: GPL-2.0-only */
/* Port accesses by size. Callers have checked whose port it is; no locks. */
#include "cpu/ports.h"
#include "cpu/instructions.h"

u32 port_in(u16 port, u32 bytes)
{
    return bytes == 1 ? in8(port) : bytes == 2 ? in16(port) : in32(port);
}

void port_out(u16 port, u32 bytes, u32 value)
{
    if (bytes == 1)
        out8(port, (u8)value);
    else if (bytes == 2)
        out16(port, (u16)value);
    else
        out32(port, value);
}

void cpu_write_back_caches(void)
{
    wbinvd();
}
