/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every refusal of a guest's request names itself: reject(-EINVAL, "why")
 * evaluates to the errno and notes reason, file and line in the current
 * vCPU's ring, which the crash report, the tests and debug-key 'r' read.
 */
#pragma once

#include "lib/types.h"

struct rejection {
    const char *why, *file;
    u16 line;
    s16 error;
};
#define REJECTIONS_KEPT 8

__attribute__((cold)) void reject_record(const char *why, const char *file, int line, int error);
void reject_dump(void); /* the last ones of this CPU's current vCPU, newest first */

#define reject(error, why)                                     \
    ({                                                         \
        int reject_error_ = (error);                           \
        reject_record(why, __FILE__, __LINE__, reject_error_); \
        reject_error_;                                         \
    })
