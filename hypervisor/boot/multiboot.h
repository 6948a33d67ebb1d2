/* SPDX-License-Identifier: GPL-2.0-only */
/* Multiboot 0.6.96 and Multiboot2 2.0: the numbers that headers and readers need. */
#pragma once

#define MULTIBOOT1_HEADER      0x1badb002
#define MULTIBOOT1_LOADED      0x2badb002
#define MULTIBOOT1_WANT_ALIGN  1
#define MULTIBOOT1_WANT_MEMORY 2

#define MULTIBOOT2_HEADER      0xe85250d6
#define MULTIBOOT2_LOADED      0x36d76289

/* Information tags. */
#define MB2_TAG_END          0
#define MB2_TAG_COMMAND_LINE 1
#define MB2_TAG_LOADER       2
#define MB2_TAG_MODULE       3
#define MB2_TAG_BASIC_MEMORY 4
#define MB2_TAG_MEMORY       6
#define MB2_TAG_VBE          7
#define MB2_TAG_FRAMEBUFFER  8
#define MB2_TAG_EFI64        12
#define MB2_TAG_RSDP_OLD     14
#define MB2_TAG_RSDP_NEW     15
#define MB2_TAG_EFI_MEMORY   17

/* Header tags. */
#define MB2_WANT_INFORMATION 1
#define MB2_WANT_CONSOLE     4
#define MB2_WANT_FRAMEBUFFER 5
#define MB2_WANT_ALIGN       6
#define MB2_OPTIONAL         1
