/*
 * Waiting for several tasks: for all, for the first, for one after the other.
 */
#include "harness/harness.h"

#include <stdlib.h>

#include <parexec.h>

#include "harness/async.h"
#include "harness/told.h"

/* A task that makes one of the waits, and what it saw. */
struct waiting {
    pe_task *const *tasks;
    size_t count;
    uint32_t flags;
    pe_completed *completed;
    size_t index;
    int turns_after; /* how its next wait ends: a yield */
};

static int wait_for_all(pe_task *t, void *frame)
{
    struct waiting *w = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_gather(t, w->tasks, w->count, w->flags));
    PE_RETURN(t, t->result);
    PE_END(t);
}

static int wait_for_first(pe_task *t, void *frame)
{
    struct waiting *w = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_wait_first(t, w->tasks, w->count, &w->index));
    PE_RETURN(t, t->result);
    PE_END(t);
}

static int wait_for_next(pe_task *t, void *frame)
{
    struct waiting *w = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_completed_next(t, w->completed, &w->index));
    PE_RETURN(t, t->result);
    PE_END(t);
}

#define TASKS 3

static pe_loop *loop;
static pe_task *tasks[TASKS];

static void begin(void)
{
    MUST(pe_loop_new(NULL, &loop), 0);
    for (int i = 0; i < TASKS; i++)
        tasks[i] = told_new(loop);
    told_settle(loop);
}

static void end(void)
{
    for (int i = 0; i < TASKS; i++)
        pe_task_free(tasks[i]);
    pe_loop_free(loop);
}

/* Starts it, and lets it wait. */
static pe_task *start(pe_task_fn *fn, struct waiting *waiting)
{
    pe_task *task = told_start(loop, fn, waiting);

    told_settle(loop);
    return task;
}

static void end_one(int i, int value)
{
    told_end(tasks[i], value);
    told_settle(loop);
}

/* ---- all of them ---- */

PE_TEST(i04_results_come_in_the_order_of_the_array)
{
    struct waiting waiting = { .tasks = tasks, .count = TASKS };

    begin();
    pe_task *waiter = start(wait_for_all, &waiting);
    for (int i = TASKS - 1; i >= 0; i--) {
        MUST(pe_task_has_ended(waiter), 0);
        end_one(i, 10 + i);
    }
    async_assert_ended(waiter, 0);
    for (int i = 0; i < TASKS; i++)
        MUST(pe_task_result(tasks[i]), 10 + i);
    end();
}

PE_TEST(i04_the_first_failure_ends_it_at_once_and_cancels_the_others)
{
    struct waiting waiting = { .tasks = tasks, .count = TASKS };

    begin();
    told_frame(tasks[0])->cleans_up = 1;
    pe_task *waiter = start(wait_for_all, &waiting);
    end_one(1, -7);
    async_assert_ended(waiter, -7);
    MUST(pe_task_result(tasks[0]), PE_EAGAIN); /* it cleans up by itself */
    MUST(told_frame(tasks[0])->cancelled, 1);
    MUST(pe_task_result(tasks[2]), PE_ECANCELED);
    end_one(0, 5);
    MUST(pe_task_result(tasks[0]), 5);
    end();
}

PE_TEST(i04_all_are_collected_with_their_results)
{
    struct waiting waiting = { .tasks = tasks, .count = TASKS, .flags = PE_GATHER_ALL };

    begin();
    pe_task *waiter = start(wait_for_all, &waiting);
    end_one(2, -9);
    end_one(0, 1);
    MUST(pe_task_has_ended(waiter), 0);
    MUST(pe_task_cancels(tasks[1]), 0);
    end_one(1, -8);
    async_assert_ended(waiter, -8); /* the first in the array */
    MUST(pe_task_result(tasks[0]), 1);
    MUST(pe_task_result(tasks[1]), -8);
    MUST(pe_task_result(tasks[2]), -9);
    end();
}

PE_TEST(what_has_ended_before_counts)
{
    struct waiting waiting = { .tasks = tasks, .count = TASKS };

    begin();
    end_one(1, -3);
    async_assert_ended(start(wait_for_all, &waiting), -3);
    told_settle(loop);
    MUST(pe_task_result(tasks[0]), PE_ECANCELED);
    MUST(pe_task_result(tasks[2]), PE_ECANCELED);
    async_assert_ended(start(wait_for_all, &waiting), PE_ECANCELED); /* the first in the array that failed */
    waiting.flags = PE_GATHER_ALL;
    async_assert_ended(start(wait_for_all, &waiting), PE_ECANCELED);
    end();
}

PE_TEST(nothing_to_wait_for)
{
    struct waiting waiting = { .tasks = tasks, .count = 0 };

    begin();
    async_assert_ended(start(wait_for_all, &waiting), 0);
    waiting.tasks = NULL;
    async_assert_ended(start(wait_for_all, &waiting), 0);
    waiting = (struct waiting){ .tasks = tasks, .count = TASKS };
    for (int i = 0; i < TASKS; i++)
        end_one(i, i);
    async_assert_ended(start(wait_for_all, &waiting), 0);
    end();
}

PE_TEST_LOOP(a_wait_that_is_cancelled_cancels_all_and_ends_with_the_last, 0, 2)
{
    struct waiting waiting = { .tasks = tasks, .count = TASKS, .flags = _i ? PE_GATHER_ALL : 0 };

    begin();
    told_frame(tasks[0])->cleans_up = told_frame(tasks[2])->cleans_up = 1;
    pe_task *waiter = start(wait_for_all, &waiting);
    MUST(pe_task_cancel(waiter), 0);
    told_settle(loop);
    for (int i = 0; i < TASKS; i++)
        MUST(pe_task_cancels(tasks[i]), 1);
    MUST(pe_task_has_ended(tasks[1]), 1);
    MUST(pe_task_has_ended(waiter), 0);
    end_one(0, -5); /* a failure does not end it sooner */
    MUST(pe_task_has_ended(waiter), 0);
    end_one(2, 6);
    async_assert_ended(waiter, PE_ECANCELED);
    MUST(pe_task_result(tasks[0]), -5);
    MUST(pe_task_result(tasks[2]), 6);
    end();
}

/* Is to be stopped before it waits. */
static int wait_for_all_though_cancelled(pe_task *t, void *frame)
{
    struct waiting *w = frame;

    PE_BEGIN(t);
    MUST(pe_task_cancel(t), 0);
    PE_AWAIT(t, pe_gather(t, w->tasks, w->count, w->flags));
    PE_RETURN(t, t->result);
    PE_END(t);
}

PE_TEST_LOOP(a_request_before_the_wait_cancels_all_too, 0, 2)
{
    struct waiting waiting = { .tasks = tasks, .count = TASKS, .flags = _i ? PE_GATHER_ALL : 0 };

    begin();
    told_frame(tasks[1])->cleans_up = 1;
    pe_task *waiter = start(wait_for_all_though_cancelled, &waiting);
    MUST(pe_task_has_ended(tasks[0]), 1);
    MUST(pe_task_has_ended(waiter), 0);
    end_one(1, PE_ECANCELED);
    async_assert_ended(waiter, PE_ECANCELED);
    end();
}

struct limited {
    pe_limit limit;
    int to_blame;
};

static int wait_for_all_in_time(pe_task *t, void *frame)
{
    struct limited *f = frame;

    PE_BEGIN(t);
    MUST(pe_limit_enter(t, &f->limit, pe_after(PE_MS(5))), 0);
    PE_AWAIT(t, pe_gather(t, tasks, TASKS, 0));
    f->to_blame = pe_limit_leave(t, &f->limit);
    PE_RETURN(t, t->result);
    PE_END(t);
}

PE_TEST(a_time_limit_stops_all_and_is_blamed)
{
    struct limited limited = { .to_blame = -1 };

    begin();
    pe_task *waiter = told_start(loop, wait_for_all_in_time, &limited);
    while (pe_task_has_ended(waiter) == 0)
        pe_loop_poll(loop);
    async_assert_ended(waiter, PE_ETIMEDOUT);
    MUST(limited.to_blame, 1);
    for (int i = 0; i < TASKS; i++)
        MUST(pe_task_result(tasks[i]), PE_ECANCELED);
    end();
}

PE_TEST(a_task_that_is_there_several_times_is_cancelled_once)
{
    pe_task *array[5];
    struct waiting waiting = { .tasks = array, .count = 5 };

    begin();
    told_frame(tasks[0])->cleans_up = 1;
    array[0] = array[2] = array[4] = tasks[0];
    array[1] = array[3] = tasks[1];
    pe_task *waiter = start(wait_for_all, &waiting);
    end_one(1, -4);
    async_assert_ended(waiter, -4);
    MUST(pe_task_cancels(tasks[0]), 1);
    MUST(told_frame(tasks[0])->cancelled, 1);
    MUST(pe_task_has_ended(tasks[0]), 0); /* its clean-up has not been disturbed */
    waiter = start(wait_for_all, &(struct waiting){ .tasks = array, .count = 1 });
    end_one(0, 2);
    async_assert_ended(waiter, 0);
    end();
}

PE_TEST(handles_may_be_freed_meanwhile)
{
    struct waiting waiting = { .tasks = tasks, .count = TASKS };

    begin();
    pe_task *waiter = start(wait_for_all, &waiting);
    for (int i = 0; i < TASKS; i++) {
        pe_task_free(tasks[i]);
        tasks[i] = NULL;
    }
    MUST(pe_task_cancel(waiter), 0);
    told_settle(loop);
    async_assert_ended(waiter, PE_ECANCELED);
    end();
}

static int wait_for_oneself(pe_task *t, void *frame)
{
    struct waiting *w = frame;
    pe_task *array[2];

    PE_BEGIN(t);
    array[0] = tasks[0];
    array[1] = t;
    MUST(pe_gather(t, array, 2, 0), PE_EDEADLK);
    MUST(pe_wait_first(t, array, 2, NULL), PE_EDEADLK);
    array[1] = w->tasks[0]; /* waits for this one */
    MUST(pe_gather(t, array, 2, 0), PE_EDEADLK);
    PE_END(t);
}

PE_TEST(a_task_that_waits_for_itself_is_refused)
{
    pe_task *array[2];
    struct waiting waiting = { .tasks = array };

    begin();
    array[0] = told_start(loop, async_await_other, &array[1]);
    array[1] = told_start(loop, wait_for_oneself, &waiting);
    told_settle(loop);
    async_assert_ended(array[1], 0);
    async_assert_ended(array[0], 0);
    end();
}

static int misuse(pe_task *t, void *frame)
{
    pe_loop *other_loop = frame;
    pe_task *array[2] = { tasks[0], NULL };
    pe_completed *completed = NULL;
    size_t index = 77;

    MUST(pe_gather(NULL, array, 1, 0), PE_EINVAL);
    MUST(pe_gather(tasks[0], array, 1, 0), PE_EINVAL);
    MUST(pe_gather(t, NULL, 1, 0), PE_EINVAL);
    MUST(pe_gather(t, array, 2, 0), PE_EINVAL);
    MUST(pe_gather(t, array, SIZE_MAX, 0), PE_EINVAL);
    MUST(pe_gather(t, array, SIZE_MAX / 32, 0), PE_EINVAL);
    MUST(pe_gather(t, array, 1, 2), PE_EINVAL);
    MUST(pe_wait_first(t, array, 0, &index), PE_EINVAL);
    MUST(pe_wait_first(t, NULL, 1, &index), PE_EINVAL);
    MUST(pe_wait_first(t, array, 2, &index), PE_EINVAL);
    MUST(pe_wait_first(t, array, SIZE_MAX, &index), PE_EINVAL);
    MUST(pe_completed_new(NULL, array, 1, &completed), PE_EINVAL);
    MUST(pe_completed_new(loop, array, 1, NULL), PE_EINVAL);
    MUST(pe_completed_new(loop, NULL, 1, &completed), PE_EINVAL);
    MUST(pe_completed_new(loop, array, 2, &completed), PE_EINVAL);
    MUST(pe_completed_next(t, NULL, &index), PE_EINVAL);
    MUST(pe_spawn(other_loop, misuse, NULL, 0, &array[1]), 0);
    MUST(pe_gather(t, array, 2, 0), PE_EINVAL);
    MUST(pe_wait_first(t, array, 2, &index), PE_EINVAL);
    MUST(pe_completed_new(loop, array, 2, &completed), PE_EINVAL);
    MUST(pe_completed_new(other_loop, array + 1, 1, &completed), 0);
    MUST(pe_completed_next(t, completed, &index), PE_EINVAL);
    pe_completed_free(completed);
    pe_completed_free(NULL);
    MUST(pe_task_cancel(array[1]), 0);
    pe_task_free(array[1]);
    ck_assert_uint_eq(index, 77);
    return 0;
}

PE_TEST(wrong_arguments_change_nothing)
{
    pe_loop *other_loop;

    begin();
    MUST(pe_loop_new(NULL, &other_loop), 0);
    pe_task *task = told_start(loop, misuse, other_loop);
    told_settle(loop);
    async_assert_ended(task, 0);
    for (int i = 0; i < TASKS; i++) {
        MUST(pe_task_cancels(tasks[i]), 0);
        end_one(i, i);
        MUST(pe_task_result(tasks[i]), i);
    }
    pe_loop_free(other_loop);
    end();
}

/* Larger than what the loop has at hand. */
#define LARGE 1000

static int wait_without_memory(pe_task *t, void *frame)
{
    pe_task **array = frame;
    pe_completed *completed = NULL;

    harness_fail_from(HARNESS_MALLOC, 1, ENOMEM);
    MUST(pe_gather(t, array, LARGE, 0), PE_ENOMEM);
    MUST(pe_wait_first(t, array, LARGE, NULL), PE_ENOMEM);
    MUST(pe_completed_new(loop, array, LARGE, &completed), PE_ENOMEM);
    ck_assert_ptr_null(completed);
    harness_fail_reset();
    return 0;
}

PE_TEST(without_memory_nothing_is_begun)
{
    pe_task *array[LARGE];

    begin();
    for (int i = 0; i < LARGE; i++)
        array[i] = tasks[i % TASKS];
    pe_task *task = told_start(loop, wait_without_memory, array);
    told_settle(loop);
    async_assert_ended(task, 0);
    end_one(0, -1);
    MUST(pe_task_cancels(tasks[1]), 0);
    end();
}

PE_TEST(failures_that_were_waited_for_are_not_reported)
{
    struct waiting waiting = { .tasks = tasks, .count = TASKS, .flags = PE_GATHER_ALL };

    async_failures = 0;
    begin();
    MUST(pe_loop_on_failure(loop, async_count_failure, NULL), 0);
    end_one(0, -1);
    pe_task *waiter = start(wait_for_all, &waiting);
    end_one(1, -2);
    end_one(2, -3);
    async_assert_ended(waiter, -1);
    end();
    MUST(async_failures, 0);
}

/* They go on after the first failure, and nobody looks at their own. */
PE_TEST(failures_after_the_first_are_reported)
{
    struct waiting waiting = { .tasks = tasks, .count = TASKS };

    async_failures = 0;
    begin();
    MUST(pe_loop_on_failure(loop, async_count_failure, NULL), 0);
    told_frame(tasks[2])->cleans_up = 1;
    pe_task *waiter = start(wait_for_all, &waiting);
    end_one(0, -1);
    async_assert_ended(waiter, -1);
    end_one(2, -3);
    end();
    MUST(async_failures, 1);
}

/* ---- many ---- */

#define MANY 100000

static int return_number(pe_task *t, void *frame)
{
    (void)t;
    return (int)(intptr_t)frame;
}

PE_TEST(a_hundred_thousand_tasks_in_one_wait)
{
    pe_task **many = malloc(MANY * sizeof(pe_task *));
    struct waiting waiting = { .tasks = many, .count = MANY };

    MUST(pe_loop_new(NULL, &loop), 0);
    ck_assert_ptr_nonnull(many);
    pe_task *waiter = told_start(loop, wait_for_all, &waiting);
    for (intptr_t i = 0; i < MANY; i++)
        MUST(pe_spawn(loop, return_number, (void *)i, 0, &many[i]), 0);
    told_settle(loop);
    async_assert_ended(waiter, 0);
    for (int i = 0; i < MANY; i++) {
        MUST(pe_task_result(many[i]), i);
        pe_task_free(many[i]);
        many[i] = told_new(loop);
    }
    waiter = told_start(loop, wait_for_all, &waiting);
    told_settle(loop);
    told_end(many[MANY / 2], -6);
    told_settle(loop);
    async_assert_ended(waiter, -6);
    for (int i = 0; i < MANY; i++)
        pe_task_free(many[i]);
    pe_loop_free(loop);
    free(many);
}

/* ---- the first of them ---- */

PE_TEST(the_first_that_ends_is_told_and_the_others_go_on)
{
    struct waiting waiting = { .tasks = tasks, .count = TASKS };

    begin();
    pe_task *waiter = start(wait_for_first, &waiting);
    end_one(1, -3);
    async_assert_ended(waiter, 0);
    ck_assert_uint_eq(waiting.index, 1);
    MUST(pe_task_result(tasks[1]), -3);
    MUST(pe_task_cancels(tasks[0]) + pe_task_cancels(tasks[2]), 0);
    end_one(0, 1);
    waiting.index = 77;
    async_assert_ended(start(wait_for_first, &waiting), 0);
    ck_assert_uint_eq(waiting.index, 0); /* of those that have ended, the first in the array */
    end();
}

PE_TEST(the_first_wait_that_is_cancelled_leaves_them_alone)
{
    struct waiting waiting = { .tasks = tasks, .count = TASKS, .index = 77 };

    begin();
    pe_task *waiter = start(wait_for_first, &waiting);
    pe_task_cancel(waiter);
    told_settle(loop);
    async_assert_ended(waiter, PE_ECANCELED);
    ck_assert_uint_eq(waiting.index, 77);
    for (int i = 0; i < TASKS; i++) {
        MUST(pe_task_cancels(tasks[i]), 0);
        end_one(i, i);
    }
    end();
}

/* The value comes first, the request is seen by the next wait. */
static int wait_for_first_and_yield(pe_task *t, void *frame)
{
    struct waiting *w = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_wait_first(t, w->tasks, w->count, &w->index));
    MUST(t->result, 0);
    PE_YIELD(t);
    w->turns_after = t->result;
    PE_END(t);
}

PE_TEST(a_cancel_in_the_turn_of_the_end_is_seen_by_the_next_wait)
{
    struct waiting waiting = { .tasks = tasks, .count = TASKS };

    begin();
    pe_task *waiter = start(wait_for_first_and_yield, &waiting);
    told_end(tasks[2], 0);
    while (pe_task_has_ended(tasks[2]) == 0)
        pe_loop_poll(loop);
    pe_task_cancel(waiter);
    told_settle(loop);
    async_assert_ended(waiter, 0);
    end();
}

/* ---- one after the other ---- */

PE_TEST(completed_gives_each_once_in_the_order_of_their_ends)
{
    struct waiting waiting = { .index = 77 };

    begin();
    end_one(1, 5);
    MUST(pe_completed_new(loop, tasks, TASKS, &waiting.completed), 0);
    async_assert_ended(start(wait_for_next, &waiting), 0);
    ck_assert_uint_eq(waiting.index, 1);
    pe_task *waiter = start(wait_for_next, &waiting);
    end_one(2, 6);
    async_assert_ended(waiter, 0);
    ck_assert_uint_eq(waiting.index, 2);
    end_one(0, -7);
    async_assert_ended(start(wait_for_next, &waiting), 0);
    ck_assert_uint_eq(waiting.index, 0);
    async_assert_ended(start(wait_for_next, &waiting), PE_ENODATA);
    async_assert_ended(start(wait_for_next, &waiting), PE_ENODATA);
    pe_completed_free(waiting.completed);
    MUST(pe_task_result(tasks[0]), -7);
    end();
}

PE_TEST(several_waiters_of_completed_are_served_in_their_order)
{
    struct waiting waiting[5];
    pe_task *waiters[5];
    pe_completed *completed;

    begin();
    MUST(pe_completed_new(loop, tasks, TASKS, &completed), 0);
    for (int i = 0; i < 5; i++) {
        waiting[i] = (struct waiting){ .completed = completed, .index = 77 };
        waiters[i] = start(wait_for_next, &waiting[i]);
    }
    pe_task_cancel(waiters[1]);
    end_one(2, 0);
    end_one(1, 0);
    told_end(tasks[0], 0);
    told_settle(loop);
    async_assert_ended(waiters[0], 0);
    async_assert_ended(waiters[1], PE_ECANCELED);
    async_assert_ended(waiters[2], 0);
    async_assert_ended(waiters[3], 0);
    async_assert_ended(waiters[4], PE_ENODATA);
    ck_assert_uint_eq(waiting[0].index, 2);
    ck_assert_uint_eq(waiting[1].index, 77);
    ck_assert_uint_eq(waiting[2].index, 1);
    ck_assert_uint_eq(waiting[3].index, 0);
    ck_assert_uint_eq(waiting[4].index, 77);
    pe_completed_free(completed);
    end();
}

PE_TEST(completed_that_is_freed_ends_its_waits)
{
    struct waiting waiting = { 0 };

    begin();
    MUST(pe_completed_new(loop, tasks, TASKS, &waiting.completed), 0);
    pe_task *waiter = start(wait_for_next, &waiting);
    pe_completed_free(waiting.completed);
    told_settle(loop);
    async_assert_ended(waiter, PE_ECLOSED);
    MUST(pe_task_cancels(tasks[0]), 0);
    end();
}

PE_TEST(completed_outlives_its_loop)
{
    pe_completed *completed;

    begin();
    MUST(pe_completed_new(loop, tasks, TASKS, &completed), 0);
    end();
    pe_completed_free(completed);
}

PE_TEST(completed_of_nothing_and_of_one_twice)
{
    pe_task *array[2];
    struct waiting waiting = { .index = 77 };

    begin();
    MUST(pe_completed_new(loop, NULL, 0, &waiting.completed), 0);
    async_assert_ended(start(wait_for_next, &waiting), PE_ENODATA);
    pe_completed_free(waiting.completed);
    array[0] = array[1] = tasks[0];
    MUST(pe_completed_new(loop, array, 2, &waiting.completed), 0);
    end_one(0, 0);
    async_assert_ended(start(wait_for_next, &waiting), 0);
    ck_assert_uint_eq(waiting.index, 0);
    async_assert_ended(start(wait_for_next, &waiting), 0);
    ck_assert_uint_eq(waiting.index, 1);
    async_assert_ended(start(wait_for_next, &waiting), PE_ENODATA);
    pe_completed_free(waiting.completed);
    end();
}

/* ---- loops that are closed ---- */

PE_TEST(a_loop_is_closed_though_tasks_wait_for_each_other_in_a_ring)
{
    pe_task *array[1], *waiter;
    struct waiting waiting = { .tasks = array, .count = 1 };
    uint64_t cancelled;

    begin();
    MUST(pe_loop_set_grace(loop, PE_MS(1)), 0);
    waiter = told_start(loop, wait_for_all, &waiting);
    array[0] = told_start(loop, async_await_other, &waiter);
    told_settle(loop);
    MUST(pe_task_cancel(waiter), 0);
    told_settle(loop);
    MUST(pe_task_has_ended(waiter), 0);
    MUST(pe_loop_close(loop, &cancelled), 0);
    ck_assert_uint_eq(cancelled, TASKS + 2);
    async_assert_ended(waiter, PE_ECANCELED);
    async_assert_ended(array[0], PE_ECANCELED);
    end();
}

HARNESS_MAIN("gather")
