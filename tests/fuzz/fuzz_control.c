// sources: whole
// options: -max_len=1024
/* SPDX-License-Identifier: GPL-2.0-only */
/* What dom0's tools and guests ask of the machine: domctl, sysctl and platform_op, their structures
 * filled in by the input. */
#include "whole_play.h"

static const u8 kinds[16] = {PLAY_DOMCTL, PLAY_DOMCTL, PLAY_DOMCTL,   PLAY_DOMCTL,
                             PLAY_DOMCTL, PLAY_DOMCTL, PLAY_DOMCTL,   PLAY_SYSCTL,
                             PLAY_SYSCTL, PLAY_SYSCTL, PLAY_PLATFORM, PLAY_PLATFORM,
                             PLAY_WRITE,  PLAY_WRITE,  PLAY_WRITE,    PLAY_TIME};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    play(data, size, kinds);
    return 0;
}
