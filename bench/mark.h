/* How a program in a measured guest tells the counter (bench/host/count.c) where it is: by instructions that do nothing
 * (nopl) with displacements that the counter knows. A mark is its kind and the time, bit by bit, the lowest first; the
 * instructions until then are counted at its first. */
#pragma once

#include <stdint.h>

#define MARK_NOP 0x6b736800 /* and a kind of mark, or a bit of the time */
#define MARK_BITS 48        /* of nanoseconds: three days */
/* MARK_COUNT is no mark with a time: from some moment after it on there is counting. */
enum { MARK_ZERO, MARK_ONE, MARK_COUNT, MARK_BEGIN, MARK_PROGRAM, MARK_OTHER, MARK_KINDS };

#if defined(__x86_64__)
/* 0f 1f 80 and the displacement */
#define MARK(what) __asm__ volatile("nopl %c0(%%rax)" : : "i"(MARK_NOP + (what)))
#else
#define MARK(what) ((void)(what)) /* nobody counts here yet */
#endif

/* What follows the MARK() of a kind. */
static inline void mark_time(int64_t nanoseconds) {
    for (int i = 0; i < MARK_BITS; ++i)
        if (nanoseconds >> i & 1) MARK(MARK_ONE);
        else MARK(MARK_ZERO);
}
