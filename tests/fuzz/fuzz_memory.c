// sources: whole
// options: -max_len=1024
/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory operations of all kinds of domains, with claims, exchanges and maps; grants and dom0's
 * limits among them. */
#include "whole_play.h"

static const u8 kinds[16] = {PLAY_MEMORY, PLAY_MEMORY, PLAY_MEMORY, PLAY_MEMORY,
                             PLAY_MEMORY, PLAY_MEMORY, PLAY_MEMORY, PLAY_MEMORY,
                             PLAY_MEMORY, PLAY_MEMORY, PLAY_WRITE,  PLAY_WRITE,
                             PLAY_WRITE,  PLAY_DOMCTL, PLAY_CALL,   PLAY_TIME};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    play(data, size, kinds);
    return 0;
}
