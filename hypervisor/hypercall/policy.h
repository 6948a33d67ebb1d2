/* SPDX-License-Identifier: GPL-2.0-only */
/* May domain A do this to domain B? Answered in hypercall/policy.c and nowhere else. */
#pragma once

#include "core/policy.h"
