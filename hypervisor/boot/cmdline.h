/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hypervisor's command line. Each file declares the options it owns with
 * one of the CMDLINE_ macros of lib/option.h; the linker gathers them into the section
 * tenon_options, and cmdline_parse() fills in the variables once, early in
 * boot, before any other core runs.
 *
 * What is understood, with Xen's meanings:
 *   name          booleans: true; custom: value ""
 *   no-name       booleans: false; custom: value "no"
 *   name=value    quotes ("...") may stand around a value or parts of it
 *   --            the words behind it are for dom0
 */
#pragma once

#include "lib/option.h"

/* Longest word; a longer one is reported and skipped. */
#define CMDLINE_WORD_MAX 512

/*
 * Applies the options of `line` (zero-terminated, not kept, not changed).
 * report, if not NULL, hears of every word that had no effect, with the reason
 * ("unknown option", "malformed value", "too long"); the word is valid during
 * the call only. Returns where dom0's words begin inside `line` (behind " -- "),
 * or NULL.
 */
const char *cmdline_parse(const char *line, void (*report)(const char *word, const char *why));
