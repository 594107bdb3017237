/**
 * @file limit.h
 * Time limits of tasks.
 *
 * A limit is a deadline around a stretch of a task, whatever it waits for in it. When it is over, the wait that goes
 * on, or the next that would have to wait, ends with PE_ETIMEDOUT, once: the task may then clean up, with waits that
 * this limit does not end again. What the task waited for is stopped first and sees to its own clean-up, so a limit
 * can come late, but nothing goes on behind it.
 *
 *     PE_AWAIT_UNTIL(t, &f->limit, pe_after(PE_MS(50)), pe_await(t, f->child));
 *     if (t->result == PE_ETIMEDOUT)
 *         ...
 *
 * or around several waits:
 *
 *     pe_limit_enter(t, &f->limit, pe_after(PE_SECONDS(2)));
 *     PE_AWAIT(t, ...);
 *     if (t->result >= 0)
 *         PE_AWAIT(t, ...);
 *     if (pe_limit_leave(t, &f->limit) == 1)
 *         puts("too slow");
 *
 * Limits nest, and each has an identity: each PE_ETIMEDOUT is the doing of one of them, which pe_limit_leave and
 * pe_limit_is_to_blame tell. Where the time of several is over by then, it is the outermost. A wait that ends with a
 * request by pe_task_cancel is no limit's doing; limits whose time was over by then do not end another.
 *
 * Threads, forks, signals: as task.h says.
 */
#ifndef PAREXEC_LIMIT_H
#define PAREXEC_LIMIT_H

#include <parexec/export.h>
#include <parexec/task.h>

/** A time limit, in the task's frame from enter to leave. Its contents are the library's. */
typedef struct pe_limit {
    uint64_t opaque[12]; /**< the library's */
} pe_limit;

/**
 * One wait with a time limit of its own. A thing that is there already is taken whatever the time is; with a deadline
 * that has passed, one that is not there is not even begun. t->result is how the wait ended, PE_ETIMEDOUT if the limit,
 * or one around it, ended it.
 *
 * @param t             the task, a plain variable.
 * @param limit         memory in the frame; not one that is entered.
 * @param deadline_ns   as of pe_limit_enter.
 * @param start         as of PE_AWAIT.
 */
#define PE_AWAIT_UNTIL(t, limit, deadline_ns, start) \
    do { \
        (t)->result = pe_limit_enter((t), (limit), (deadline_ns)); \
        if ((t)->result >= 0) { \
            PE_AWAIT(t, start); \
            (void)pe_limit_leave((t), (limit)); \
        } \
    } while (0)

PE_BEGIN_DECLS

/**
 * Begins a time limit, inside those that the task has entered before.
 *
 * @param t             the task that runs.
 * @param limit         memory that lasts until it is left; one that is not entered. A task that ends leaves all of its,
 *                      and a function called by pe_call those that it has entered.
 * @param deadline_ns   as of pe_after; 0, and what has passed: the next wait that would have to wait is refused.
 *                      PE_FOREVER: none, till pe_limit_move sets one.
 * @return 0.
 * @errors PE_EINVAL: limit NULL or entered already, a negative deadline or a duration by mistake; t is not the task
 *         that runs. PE_ENOMEM. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_limit_enter(pe_task *t, pe_limit *limit, int64_t deadline_ns);

/**
 * Sets another deadline of a limit that the task is in.
 *
 * @param t             the task that runs.
 * @param limit         the limit.
 * @param deadline_ns   as of pe_limit_enter.
 * @return 0.
 * @errors PE_EALREADY: its time is over, and the loop has seen that; one that ran out since the task was called last is
 *         still moved. PE_EINVAL: the task is not in it; a negative deadline or a duration by mistake; t is not the
 *         task that runs. PE_ENOMEM. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_limit_move(pe_task *t, pe_limit *limit, int64_t deadline_ns);

/**
 * Ends a time limit, and those inside it that have not been left.
 *
 * @param t       the task that runs.
 * @param limit   the limit.
 * @return 1: a wait has ended with PE_ETIMEDOUT for it. 0: else; a limit whose time was over but which no wait has seen
 *         leaves nothing behind.
 * @errors PE_EINVAL: the task is not in it; t is not the task that runs. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_limit_leave(pe_task *t, pe_limit *limit);

/**
 * Whether a limit has ended a wait with PE_ETIMEDOUT: of one that has been left too, and so after PE_AWAIT_UNTIL and
 * pe_timeout, as long as its memory has not been used for anything else.
 *
 * @param t       the task that runs.
 * @param limit   the limit.
 * @return 1 or 0.
 * @errors PE_EINVAL: limit NULL; t is not the task that runs. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_limit_is_to_blame(const pe_task *t, const pe_limit *limit);

/**
 * Waits for a task, at most until then: the task is cancelled at that time, and the wait ends when it has ended. What
 * PE_AWAIT_UNTIL does with pe_await, as one call.
 *
 * @param t             the task that waits.
 * @param limit         memory in the frame that lasts until the wait has ended.
 * @param deadline_ns   as of pe_limit_enter.
 * @param task          the task.
 * @return in PE_AWAIT: what the task returned.
 * @errors PE_ETIMEDOUT: it was stopped for its time. Those of pe_await and pe_limit_enter.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_timeout(pe_task *t, pe_limit *limit, int64_t deadline_ns, pe_task *task);

PE_END_DECLS

#endif
