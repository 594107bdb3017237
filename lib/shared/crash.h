/*
 * crash.h - what a worker that crashes notes down while it dies (worker/crash.c).
 *
 * One place for each worker number. The keeper clears `signal` before it forks the number's next process; the worker's
 * handler fills the place in, `signal` last but for the frames; the keeper reads it once the worker is reaped, which
 * orders everything. The handler may itself be killed between any two stores: without `signal` nothing counts,
 * without `frame_count` there are no frames. Whoever reads it checks `pid` and `signal` against what the kernel says
 * of the death, and takes addresses for numbers.
 */
#ifndef PE__SHARED_CRASH_H
#define PE__SHARED_CRASH_H

#include <stdatomic.h>
#include <stdint.h>

#define PE__CRASH_FRAMES_MAX 100

struct pe__crash {
    _Atomic int32_t signal; /* 0: nothing was noted */
    int32_t code;           /* si_code */
    int32_t pid;
    _Atomic uint32_t frame_count;
    uint64_t address; /* that the signal is about; 0 where it is about none */
    uint64_t frames[PE__CRASH_FRAMES_MAX]; /* where the signal came, then return addresses outwards */
    uint64_t pad;
};

_Static_assert(sizeof(struct pe__crash) % 64 == 0, "whole lines");

/* Before a process is forked that may fill it in. */
static inline void pe__crash_forget(struct pe__crash *crash)
{
    atomic_store_explicit(&crash->signal, 0, memory_order_relaxed);
}

#endif
