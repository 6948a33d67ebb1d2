/* SPDX-License-Identifier: GPL-2.0-only */
/* Guest memory for handlers: the functions live in core/, where pv/ reaches them too. */
#pragma once

#include "core/access.h"
