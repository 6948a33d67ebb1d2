// sources: whole
// options: -max_len=1024
/* SPDX-License-Identifier: GPL-2.0-only */
/* Every hypercall of every kind of guest, and the exceptions and entries of PV guests. */
#include "whole_play.h"

static const u8 kinds[16] = {PLAY_OP,   PLAY_OP,   PLAY_OP,     PLAY_OP,    PLAY_OP,    PLAY_OP,
                             PLAY_OP,   PLAY_CALL, PLAY_CALL,   PLAY_WRITE, PLAY_WRITE, PLAY_TRAP,
                             PLAY_TRAP, PLAY_TRAP, PLAY_MEMORY, PLAY_TIME};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    play(data, size, kinds);
    return 0;
}
