/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The public interface, from libxen-dev, as the tools see it. Include this
 * before any other <xen/...> header.
 */
#pragma once

#include <stdint.h>
#define __XEN_TOOLS__             1
#define __XEN_INTERFACE_VERSION__ 0x00041100
#include <xen/xen.h>
