/**
 * @file debug.h
 * What a loop is doing: callbacks that hold it up, figures, its tasks and who waits for whom.
 *
 *     static void on_slow(pe_loop *loop, uint32_t what, const char *name, int64_t duration_ns, void *context)
 *     {
 *         fprintf(stderr, "%s held everything up for %lld ms\n", name, (long long)duration_ns / 1000000);
 *     }
 *
 *     pe_loop_on_slow(loop, PE_MS(10), on_slow, NULL);
 *     ...
 *     pe_loop_dump(loop, stderr);
 *
 * Threads and forks: as in loop.h. All of it may be called inside tasks; a program that wants to look at a loop from
 * another thread posts a call of pe_loop_dump.
 */
#ifndef PAREXEC_DEBUG_H
#define PAREXEC_DEBUG_H

#include <stdio.h>

#include <parexec/export.h>
#include <parexec/task.h>

/** @name What was slow
 * @{ */
#define PE_SLOW_STEP 1u /**< a task, from one wait to the next */
#define PE_SLOW_POST 2u /**< a call of pe_loop_post */
#define PE_SLOW_TURN 3u /**< the steps of several tasks together, before the loop could look at anything else */
/** @} */

/** Figures of a loop, since it was made. */
typedef struct pe_loop_figures {
    size_t size;             /**< sizeof(pe_loop_figures), set by the caller */
    uint64_t live;           /**< tasks that have not ended */
    uint64_t spawned;        /**< tasks started */
    uint64_t ended;          /**< tasks ended, in whatever way */
    uint64_t steps;          /**< calls of task functions by the loop: one for each start and each wait */
    uint64_t turns;          /**< times that tasks ran between two looks at timers and descriptors */
    int64_t turn_longest_ns; /**< nanoseconds of the longest turn */
    int64_t turn_mean_ns;    /**< nanoseconds of a turn on average */
    uint64_t timers;         /**< times that the loop woke for timers */
    int64_t lag_longest_ns;  /**< nanoseconds by which it woke later than the first of them was due, at most */
    int64_t lag_mean_ns;     /**< the same on average; up to 1 ms is the grain of libuv's clock */
} pe_loop_figures;

/** To be filled in. */
#define PE_LOOP_FIGURES_INIT { sizeof(pe_loop_figures), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

PE_BEGIN_DECLS

/**
 * Told of what held the loop up, just afterwards.
 *
 * @param loop          the loop.
 * @param what          PE_SLOW_*.
 * @param name          of the task as it began, or of the posted function as far as symbols tell; "" for a turn. Valid
 *                      during the call.
 * @param duration_ns   nanoseconds, at least the threshold.
 * @param context       handed to it; may be NULL.
 *
 * It runs on the loop's thread, outside any task.
 */
typedef void pe_slow_fn(pe_loop *loop, uint32_t what, const char *name, int64_t duration_ns, void *context);

/**
 * Has tasks and posts reported that hold the loop up: everything on it waits meanwhile. A turn is reported where none
 * of its steps was. While this is on the clock is read for each step.
 *
 * @param loop           the loop.
 * @param threshold_ns   nanoseconds from which on something is slow; 0: nothing is reported any more.
 * @param fn             NULL: the log hook (log.h).
 * @param context        handed to it; may be NULL.
 * @return 0.
 * @errors PE_EINVAL: loop NULL, or a negative threshold. PE_ECLOSED. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_loop_on_slow(pe_loop *loop, int64_t threshold_ns, pe_slow_fn *fn, void *context);

/**
 * Figures of a loop. What is going on is not in them: inside a task, its own turn is not.
 *
 * @param loop      the loop.
 * @param figures   its size set before (PE_LOOP_FIGURES_INIT); filled in.
 * @return 0.
 * @errors PE_EINVAL: loop or figures NULL, a wrong size. PE_ECLOSED. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_loop_stats(const pe_loop *loop, pe_loop_figures *figures);

/**
 * Writes down the tasks that live, in the order of their start, and below each those that it waits for; then what is
 * open on the loop. The text is for people and may change.
 *
 *     loop: 4 tasks, 1 object
 *       #1 main waits for all of several tasks
 *         #2 fetch in read_header waits for input of a socket
 *         #3 fetch waits for a time, 120 ms
 *       #4 watchdog is ready
 *       1 signal
 *
 * @param loop   the loop.
 * @param file   where to; is flushed.
 * @return 0.
 * @errors PE_EINVAL: loop or file NULL. -EIO: it could not be written. PE_ENOMEM. PE_ECLOSED. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_loop_dump(const pe_loop *loop, FILE *file);

PE_END_DECLS

#endif
