/**
 * @file options.h
 * What all options and all waits share: sized structs, durations and deadlines.
 *
 * Options are structs whose first member is their own size, and zero in any other member means the
 * default. So there are two ways to write them, an initialiser that names every member (C and C++), and a
 * literal in place (C):
 *
 *     pe_map_options options = PE_MAP_OPTIONS_INIT;
 *     options.chunk = 8;
 *
 *     pe_pool_map(pool, fn, in, 8, out, 8, n, &(pe_map_options){ PE_SIZED(pe_map_options), .chunk = 8 });
 *
 * A struct that is shorter than the first release's, longer than 4096 bytes, or that has something other
 * than zero in members which this library does not know, gives PE_EINVAL. Where options may be NULL, that
 * means all defaults.
 *
 * Time is int64_t nanoseconds on the monotonic clock. A parameter named deadline_ns is a point in time: 0
 * does not wait at all, PE_FOREVER waits without end, pe_after(PE_MS(200)) waits 200 ms. What is named
 * _ns alone is a duration. A deadline above 0 that lies before the library was loaded is a duration
 * passed by mistake: PE_EINVAL.
 *
 *     int error = pe_pool_wait(pool, pe_after(PE_SECONDS(2)));
 *
 *     if (error == PE_ETIMEDOUT)
 *         puts("still working");
 *
 * Threads, forks, signals: the functions read the clock and nothing else. Any thread and any process may
 * call them, a signal handler too.
 */
#ifndef PAREXEC_OPTIONS_H
#define PAREXEC_OPTIONS_H

#include <parexec/export.h>

/**
 * The first member of a sized struct in a C compound literal.
 *
 * @param type   the struct's.
 */
#define PE_SIZED(type) .size = sizeof(type)

/** @name Durations in nanoseconds, of whole units
 * @{ */
#define PE_US(n) ((int64_t)(n) * INT64_C(1000)) /**< so many microseconds */
#define PE_MS(n) ((int64_t)(n) * INT64_C(1000000)) /**< so many milliseconds */
#define PE_SECONDS(n) ((int64_t)(n) * INT64_C(1000000000)) /**< so many seconds */
/** @} */

/** As a deadline: wait without end. */
#define PE_FOREVER INT64_MAX

/** As a duration in options, where 0 is the default: none at all. Not a deadline; to not wait, pass 0. */
#define PE_NOW INT64_C(-1)

PE_BEGIN_DECLS

/**
 * The time on the clock that all deadlines refer to (CLOCK_MONOTONIC).
 *
 * @return nanoseconds since some point before the program started, above 0.
 * @errors none.
 * @threads any. @child yes, it is the same clock. @since 1.0
 */
PE_EXPORT int64_t pe_now(void);

/**
 * A deadline some time from now.
 *
 * @param duration_ns   nanoseconds from now; 0 and below: now.
 * @return the deadline in nanoseconds, above 0; PE_FOREVER when the sum does not fit, thus also for PE_FOREVER itself.
 * @errors none.
 * @threads any. @child yes, it is the same clock. @since 1.0
 */
PE_EXPORT int64_t pe_after(int64_t duration_ns);

PE_END_DECLS

#endif
