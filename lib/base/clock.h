/*
 * Time: the monotonic clock in nanoseconds, deadlines on it, and a cheaper tick counter for measuring.
 *
 * A deadline is absolute: 0 means do not wait, PE_FOREVER no end. Ticks are only good for differences
 * taken in one process tree; pe__base_ticks_to_ns turns a difference into nanoseconds. Any thread, any
 * process of the tree; nothing here takes a lock.
 */
#ifndef PE__BASE_CLOCK_H
#define PE__BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Whether ticks are the processor's time-stamp counter; written once, before main. Hidden, so that
 * reading it is one load and not a walk through the offset table. */
extern int pe__base_clock_tsc __attribute__((visibility("hidden")));

/* Runs by itself as a constructor; calling it again changes nothing. */
void pe__base_clock_init(void);

/* CLOCK_MONOTONIC. Async-signal-safe. */
int64_t pe__base_now_ns(void);

/* For short measurements on hot paths: a load, a branch, a read of the counter. */
static inline uint64_t pe__base_ticks(void)
{
#if defined(__x86_64__)
    if (__builtin_expect(pe__base_clock_tsc, 1))
        return __builtin_ia32_rdtsc();
#endif
    return (uint64_t)pe__base_now_ns();
}

/* A difference of ticks in nanoseconds; 0 for one that is negative (as unsigned: huge) or does not fit.
 * May sleep once for at most 1 ms, when less than that has passed since the library was loaded. */
int64_t pe__base_ticks_to_ns(uint64_t ticks_delta);

/* 0, or PE_EINVAL: negative, or above 0 and from before the library was loaded (a duration by mistake). */
int pe__base_deadline_check(int64_t deadline_ns);

bool pe__base_deadline_passed(int64_t deadline_ns);

/* The sum, or PE_FOREVER where it does not fit. */
int64_t pe__base_later(int64_t time_ns, int64_t by_ns);

/* False for PE_FOREVER, *ret_left untouched: wait without a time-out. Else true and what is left, 0 when
 * passed. */
bool pe__base_deadline_left(int64_t deadline_ns, struct timespec *ret_left);

#endif
