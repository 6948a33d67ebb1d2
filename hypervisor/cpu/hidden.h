/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Put in front of every file by the Makefile: what is declared is in this image
 * too, so that its address needs no table. (-fvisibility=hidden says so of
 * definitions only.)
 */
#pragma GCC visibility push(hidden)
