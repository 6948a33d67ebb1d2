/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Atomic operations on plain int, u32, u64 (any integer or pointer where it
 * makes sense) through a pointer. All are full barriers except the loads and
 * stores, which are as strong as their names say.
 */
#pragma once

#include "lib/types.h"

#define atomic_load(p)      __atomic_load_n((p), __ATOMIC_RELAXED)
#define atomic_store(p, v)  __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define load_acquire(p)     __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

#define atomic_inc(p)       ((void)__atomic_add_fetch((p), 1, __ATOMIC_SEQ_CST))
#define atomic_dec(p)       ((void)__atomic_sub_fetch((p), 1, __ATOMIC_SEQ_CST))
#define atomic_add(p, v)    ((void)__atomic_add_fetch((p), (v), __ATOMIC_SEQ_CST))
#define atomic_sub(p, v)    ((void)__atomic_sub_fetch((p), (v), __ATOMIC_SEQ_CST))
#define atomic_or(p, v)     ((void)__atomic_or_fetch((p), (v), __ATOMIC_SEQ_CST))
#define atomic_and(p, v)    ((void)__atomic_and_fetch((p), (v), __ATOMIC_SEQ_CST))
/* The new value. */
#define atomic_add_return(p, v) __atomic_add_fetch((p), (v), __ATOMIC_SEQ_CST)
/* The old value. */
#define atomic_fetch_add(p, v) __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define atomic_fetch_or(p, v)  __atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST)
#define atomic_fetch_and(p, v) __atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST)
/* True when the counter reached zero. */
#define atomic_dec_and_test(p) (__atomic_sub_fetch((p), 1, __ATOMIC_SEQ_CST) == 0)
/* Stores v, returns the old value. */
#define atomic_xchg(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
/* Stores `new` if *p is `old`; returns the value found (== old means stored). */
#define atomic_cmpxchg(p, old, new)                                              \
    ({                                                                           \
        __typeof__(*(p)) seen_ = (old);                                          \
        __atomic_compare_exchange_n((p), &seen_, (new), false, __ATOMIC_SEQ_CST, \
                                    __ATOMIC_SEQ_CST);                           \
        seen_;                                                                   \
    })
#define memory_barrier() __atomic_thread_fence(__ATOMIC_SEQ_CST)
