/* SPDX-License-Identifier: GPL-2.0-only */
/* What entry.S and the IDT's builder both know about vectors. */
#pragma once

/* Bytes of code per vector. */
#define VECTOR_STUB 16
/* Exceptions for which the processor pushes an error code: #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX.
 */
#define VECTORS_WITH_ERROR 0x60227d00
/* Those with a stack of their own: #DB NMI #DF #MC. */
#define VECTORS_WITH_IST 0x00040106
#define VECTOR_NUMBER_DB 1
