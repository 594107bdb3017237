/*
 * crash.h - what a worker that crashes notes down while it dies (worker/crash.c).
 *
 * One place for each worker number, written only by the process that has it. It clears `signal` when it begins; its
 * handler fills the place in, `signal` last but for the frames; the keeper reads it once the process is reaped, which
 * orders everything. The handler may itself be killed between any two stores: without `signal` nothing counts,
 * without `frame_count` there are no frames. Whoever reads it compares `signal` with what the kernel says of the
 * death; addresses are numbers to everybody.
 */
#ifndef PE__SHARED_CRASH_H
#define PE__SHARED_CRASH_H

#include <stdatomic.h>
#include <stdint.h>

#define PE__CRASH_FRAMES_MAX 100

struct pe__crash {
    _Atomic int32_t signal; /* 0: nothing was noted */
    int32_t code;           /* si_code */
    _Atomic uint32_t frame_count;
    _Atomic uint32_t out_of_memory; /* it had used up its memory limit; without `signal`: and left by exit. The keeper
                                       takes it back */
    uint64_t address; /* that the signal is about; 0 where it is about none */
    uint64_t frames[PE__CRASH_FRAMES_MAX]; /* where the signal came, then return addresses outwards */
    uint64_t pad;
};

_Static_assert(sizeof(struct pe__crash) % 64 == 0, "whole lines");

#endif
