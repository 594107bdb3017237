/*
 * clock.h - the clock of regions: base/clock.h's ticks, with the one reading that waits for what came before it.
 *
 * Where the counters of the CPUs turn out to disagree, regions use nanoseconds of CLOCK_MONOTONIC instead
 * (PE__MODE_NS), in the host as in its workers, which hear of it by the mode.
 */
#ifndef PE__REGION_CLOCK_H
#define PE__REGION_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/wide.h"
#include "region/mode.h"

/* Nanoseconds per tick, 32 bits after the point. Set before measuring begins. */
extern uint64_t pe__region_clock_scale __attribute__((visibility("hidden")));

/* Ticks that an enter and a leave show beyond what is between them: from the first one's moment to its end, and from
 * the second one's begin to its moment. 0 where that is not known; pair.c measures it. */
extern _Atomic uint64_t pe__region_clock_lag __attribute__((visibility("hidden")));

/* Ticks that go on behind the first reading: what takes no longer shows as that, be it nothing at all. */
extern _Atomic uint64_t pe__region_clock_hidden __attribute__((visibility("hidden")));

/* Sets the scale for ticks as that mode has them. */
void pe__region_clock_begin(uint32_t mode);

/* Whether the time-stamp counters of all CPUs that this thread may use agree; true where ticks are none. Moves the
 * thread over up to 16 of them, and back. */
bool pe__region_clock_agrees(void);

/* Of this process's mode, for readers: now, and a duration, 0 for one that is negative or does not fit. */
uint64_t pe__region_clock_now(void);
int64_t pe__region_clock_to_ns(uint64_t ticks);

/* A duration on the hot path. */
static inline uint64_t pe__region_clock_ns(uint64_t ticks)
{
    return pe__base_scale(ticks, pe__region_clock_scale);
}

/* The counter, as it is read at the begin: right away, and as the last thing. */
static inline uint64_t pe__region_clock_counter(void)
{
#if defined(__x86_64__)
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
#else
    return pe__base_ticks();
#endif
}

/* And at an end: once everything before it is done. */
static inline uint64_t pe__region_clock_counter_after(void)
{
#if defined(__x86_64__)
    uint32_t low, high, cpu;

    __asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(cpu) : : "memory");
    return (uint64_t)high << 32 | low;
#else
    return pe__base_ticks();
#endif
}

/* Either, whichever clock the mode has. */
static inline uint64_t pe__region_clock_begin_of(uint32_t mode)
{
    return mode & PE__MODE_NS ? (uint64_t)pe__base_now_ns() : pe__region_clock_counter();
}

static inline uint64_t pe__region_clock_end_of(uint32_t mode)
{
    if (mode & PE__MODE_NS)
        return (uint64_t)pe__base_now_ns();
    return mode & PE__MODE_QUICK ? pe__region_clock_counter() : pe__region_clock_counter_after();
}

#endif
