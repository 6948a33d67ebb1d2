/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copies between the hypervisor and the address space that is loaded now (a
 * PV guest's), surviving faults. Addresses inside our own window are refused.
 * core/access.h is what hypercall handlers use; it chooses by guest kind.
 */
#pragma once

#include "lib/types.h"

/* Each returns the number of bytes NOT copied: 0 is success. */
__must_check size_t copy_from_guest_va(void *to, guest_va_t from, size_t length);
__must_check size_t copy_to_guest_va(guest_va_t to, const void *from, size_t length);
__must_check size_t clear_guest_va(guest_va_t to, size_t length);
