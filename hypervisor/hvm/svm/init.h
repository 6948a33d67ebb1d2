/* SPDX-License-Identifier: GPL-2.0-only */
/* Turns SVM on, on all CPUs; NULL: this machine has none that we can use. Boot only. */
#pragma once

#include "lib/types.h"

const struct hvm_machine *svm_init(void);
