/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See symbols.h. Two tables: one for the code that stays, and one for boot
 * code, which lies in the init region and goes with it. A table is an array
 * of rising offsets from the start of its text, and as many names, each ended
 * by a zero, one behind the other. Read-only; any context.
 */
#include "cpu/symbols.h"

extern const u32 symbols_offsets[], symbols_init_offsets[];
extern const u32 symbols_count, symbols_init_count;
extern const char symbols_names[], symbols_init_names[];
extern const char __text_start[], __text_end[], __init_text_start[], __init_text_end[];

static bool init_gone;

void symbols_drop_init(void)
{
    init_gone = true;
}

static bool in_text(u64 address)
{
    return address >= (u64)__text_start && address < (u64)__text_end;
}

bool symbol_is_text(u64 address)
{
    return in_text(address) ||
           (!init_gone && address >= (u64)__init_text_start && address < (u64)__init_text_end);
}

/* Linear: only a crash asks. */
const char *symbol_find(u64 address, u32 *offset)
{
    bool init = !in_text(address);
    const u32 *offsets = init ? symbols_init_offsets : symbols_offsets;
    const char *name = init ? symbols_init_names : symbols_names;
    u32 at = (u32)(address - (u64)(init ? __init_text_start : __text_start)), i = 0;
    u32 count = init ? symbols_init_count : symbols_count;

    if (!symbol_is_text(address) || !count || at < offsets[0])
        return NULL;
    for (; i + 1 < count && offsets[i + 1] <= at; i++)
        name += strlen(name) + 1;
    *offset = at - offsets[i];
    return name;
}
