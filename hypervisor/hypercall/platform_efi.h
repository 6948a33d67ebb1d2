/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of platform_op that is about EFI; the caller has been found to be the hardware domain.
 */
#pragma once

#include "lib/types.h"

struct xenpf_efi_runtime_call;
struct xenpf_firmware_info;

/* Both: 0, the structure is to be copied out; or the refusal. */
s64 platform_efi_info(struct xenpf_firmware_info *info);
s64 platform_efi_call(struct xenpf_efi_runtime_call *op);
