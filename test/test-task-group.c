/*
 * Groups of tasks: left only when all have ended.
 */
#include "harness/harness.h"

#include <parexec.h>

#include "harness/async.h"
#include "harness/told.h"

static pe_loop *loop;
static pe_group *group;
static void begin(uint32_t flags)
{
    async_failures = 0;
    MUST(pe_loop_new(NULL, &loop), 0);
    MUST(pe_loop_on_failure(loop, async_count_failure, NULL), 0);
    MUST(pe_group_new(loop, flags, &group), 0);
}

static void end(void)
{
    pe_group_free(group);
    pe_loop_free(loop);
}

static int wait_for_group(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_AWAIT(t, pe_group_wait(t, group));
    PE_RETURN(t, t->result);
    PE_END(t);
}

static int wait_for_next(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    PE_AWAIT(t, pe_group_next(t, group, frame));
    PE_RETURN(t, t->result);
    PE_END(t);
}

static pe_task *start(pe_task_fn *fn, void *frame)
{
    pe_task *task = told_start(loop, fn, frame);

    told_settle(loop);
    return task;
}

static pe_task *spawn_told(void)
{
    pe_task *task;

    MUST(pe_group_spawn(group, told_run, NULL, sizeof(struct told), &task), 0);
    told_settle(loop);
    return task;
}

static void tell(pe_task *task, int value)
{
    told_end(task, value);
    told_settle(loop);
}

static int return_number(pe_task *t, void *frame)
{
    (void)t;
    return (int)(intptr_t)frame;
}

/* ---- waiting for all ---- */

PE_TEST(the_wait_ends_with_the_last_task)
{
    begin(0);
    async_assert_ended(start(wait_for_group, NULL), 0); /* of nothing */
    pe_task *a = spawn_told(), *b = spawn_told();
    pe_task *waiters[2] = { start(wait_for_group, NULL), start(wait_for_group, NULL) };
    tell(b, 1);
    pe_task *c = spawn_told(); /* meanwhile */
    tell(a, 2);
    MUST(pe_task_has_ended(waiters[0]), 0);
    tell(c, 3);
    async_assert_ended(waiters[0], 0);
    async_assert_ended(waiters[1], 0);
    async_assert_ended(a, 2);
    async_assert_ended(b, 1);
    async_assert_ended(c, 3);
    end();
}

PE_TEST(the_first_failure_cancels_the_others_and_is_returned_when_all_have_ended)
{
    begin(0);
    pe_task *a = spawn_told(), *b = spawn_told(), *c = spawn_told();
    told_frame(a)->cleans_up = 1;
    pe_task *waiter = start(wait_for_group, NULL);
    tell(b, -7);
    async_assert_ended(c, PE_ECANCELED);
    MUST(pe_task_has_ended(waiter), 0);
    MUST(pe_group_spawn(group, return_number, NULL, 0, NULL), PE_ECANCELED);
    tell(a, -8);
    async_assert_ended(waiter, -7);
    pe_task_free(b);
    MUST(async_failures, 0);
    pe_task_free(a); /* nobody has asked for that one */
    MUST(async_failures, 1);
    pe_task *again = spawn_told(); /* the group is as new */
    waiter = start(wait_for_group, NULL);
    tell(again, 5);
    async_assert_ended(waiter, 0);
    async_assert_ended(again, 5);
    end();
}

PE_TEST(failures_cancel_nothing_where_they_are_to_be_kept)
{
    begin(PE_GROUP_KEEP);
    pe_task *a = spawn_told(), *b = spawn_told(), *c = spawn_told();
    pe_task *waiter = start(wait_for_group, NULL);
    tell(b, -7);
    tell(a, -6);
    MUST(pe_task_cancels(c), 0);
    MUST(pe_group_spawn(group, return_number, (void *)1, 0, NULL), 0);
    tell(c, 1);
    async_assert_ended(waiter, -7);
    async_assert_ended(a, -6);
    async_assert_ended(b, -7);
    async_assert_ended(c, 1);
    end();
    MUST(async_failures, 0);
}

PE_TEST(a_task_that_is_cancelled_by_itself_is_no_failure)
{
    begin(0);
    pe_task *a = spawn_told(), *b = spawn_told();
    pe_task *waiter = start(wait_for_group, NULL);
    pe_task_cancel(a);
    told_settle(loop);
    async_assert_ended(a, PE_ECANCELED);
    MUST(pe_task_cancels(b), 0);
    tell(b, 0);
    async_assert_ended(waiter, 0);
    async_assert_ended(b, 0);
    end();
}

PE_TEST(a_wait_that_is_cancelled_cancels_them_and_ends_with_the_last)
{
    begin(0);
    pe_task *a = spawn_told(), *b = spawn_told();
    told_frame(a)->cleans_up = 1;
    pe_task *waiter = start(wait_for_group, NULL), *other = start(wait_for_group, NULL);
    pe_task_cancel(waiter);
    told_settle(loop);
    MUST(pe_task_has_ended(waiter), 0);
    async_assert_ended(b, PE_ECANCELED);
    tell(a, -9);
    async_assert_ended(waiter, PE_ECANCELED);
    async_assert_ended(other, -9); /* it was not meant */
    pe_task_free(a);
    end();
    MUST(async_failures, 0);
}

static int wait_though_cancelled(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    MUST(pe_task_cancel(t), 0);
    PE_AWAIT(t, pe_group_wait(t, group));
    *(int *)frame = t->result;
    PE_AWAIT(t, pe_group_wait(t, group));
    PE_RETURN(t, t->result);
    PE_END(t);
}

PE_TEST(a_request_that_came_before_cancels_them_and_waits_too)
{
    int first = 0;

    begin(0);
    pe_task *a = spawn_told();
    told_frame(a)->cleans_up = 1;
    pe_task *waiter = start(wait_though_cancelled, &first);
    MUST(pe_task_has_ended(waiter), 0);
    MUST(pe_task_cancels(a), 1);
    tell(a, -4);
    MUST(first, PE_ECANCELED);
    async_assert_ended(waiter, -4); /* the failure was left for the next wait */
    pe_task_free(a);
    end();
    MUST(async_failures, 0);
}

PE_TEST(a_failure_that_no_wait_returned_is_reported)
{
    begin(0);
    MUST(pe_group_spawn(group, return_number, (void *)-3, 0, NULL), 0);
    told_settle(loop);
    MUST(async_failures, 0);
    MUST(pe_group_spawn(group, return_number, NULL, 0, NULL), PE_ECANCELED);
    pe_group_free(group);
    MUST(async_failures, 1);
    MUST(pe_group_new(loop, 0, &group), 0);
    MUST(pe_group_spawn(group, return_number, (void *)-3, 0, NULL), 0);
    told_settle(loop);
    async_assert_ended(start(wait_for_group, NULL), -3);
    end();
    MUST(async_failures, 1);
}

/* ---- cancelling and freeing ---- */

PE_TEST(a_group_is_cancelled_once)
{
    begin(0);
    pe_task *a = spawn_told(), *b = spawn_told();
    told_frame(a)->cleans_up = 1;
    MUST(pe_group_cancel(group), 0);
    MUST(pe_group_cancel(group), 0);
    told_settle(loop);
    MUST(pe_task_cancels(a), 1);
    async_assert_ended(b, PE_ECANCELED);
    MUST(pe_group_spawn(group, return_number, NULL, 0, NULL), PE_ECANCELED);
    pe_task *waiter = start(wait_for_group, NULL);
    pe_task_cancel(waiter);
    MUST(pe_task_cancels(a), 1); /* its clean-up is not disturbed */
    tell(a, 0);
    async_assert_ended(waiter, PE_ECANCELED);
    async_assert_ended(a, 0);
    MUST(pe_group_spawn(group, return_number, NULL, 0, NULL), 0);
    end();
}

PE_TEST(a_group_that_is_freed_lives_until_its_tasks_have_ended)
{
    begin(0);
    pe_task *a = spawn_told(), *b = spawn_told();
    told_frame(a)->cleans_up = 1;
    pe_task *waiter = start(wait_for_group, NULL);
    pe_group_free(group);
    group = NULL;
    told_settle(loop);
    async_assert_ended(b, PE_ECANCELED);
    MUST(pe_task_has_ended(waiter), 0);
    tell(a, 0);
    async_assert_ended(waiter, 0);
    async_assert_ended(a, 0);
    end();
}

static void free_group(pe_task *t, void *object)
{
    pe_group_free(object);
    group = NULL;
    MUST(pe_wait_end(t, PE_ECANCELED), 0);
}

static int free_when_cancelled(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_AWAIT(t, pe_wait_external(t, 0, free_group, group));
    PE_RETURN(t, t->result);
    PE_END(t);
}

/* In the middle of cancelling its tasks. */
PE_TEST(a_group_that_is_freed_by_what_it_cancels)
{
    begin(PE_GROUP_COLLECT);
    pe_task *a = spawn_told(), *b, *c;
    MUST(pe_group_spawn(group, free_when_cancelled, NULL, 0, &b), 0);
    told_settle(loop);
    c = spawn_told();
    tell(a, -1);
    async_assert_ended(a, -1);
    async_assert_ended(b, PE_ECANCELED);
    async_assert_ended(c, PE_ECANCELED);
    end();
}

PE_TEST(a_loop_is_closed_with_groups_that_have_tasks_and_waits)
{
    pe_task *next;

    begin(PE_GROUP_COLLECT);
    pe_task *a = spawn_told();
    pe_task *waiter = start(wait_for_group, NULL), *nexter = start(wait_for_next, &next);
    MUST(pe_loop_close(loop, NULL), 0);
    async_assert_ended(a, PE_ECANCELED);
    async_assert_ended(waiter, PE_ECANCELED);
    async_assert_ended(nexter, PE_ECANCELED);
    end();
}

/* A task of the group waits for the one that waits for the group. */
PE_TEST(a_loop_is_closed_though_a_group_waits_for_itself)
{
    pe_task *waiter, *inner;

    begin(0);
    MUST(pe_loop_set_grace(loop, PE_MS(1)), 0);
    MUST(pe_group_spawn(group, async_await_other, &waiter, 0, &inner), 0);
    waiter = told_start(loop, wait_for_group, NULL);
    told_settle(loop);
    MUST(pe_loop_close(loop, NULL), 0);
    async_assert_ended(waiter, PE_ECANCELED);
    async_assert_ended(inner, PE_ECANCELED);
    end();
}

/* ---- one after the other ---- */

PE_TEST(tasks_are_given_in_the_order_of_their_ends_and_then_there_are_none)
{
    pe_task *next = NULL;

    begin(PE_GROUP_COLLECT | PE_GROUP_KEEP);
    async_assert_ended(start(wait_for_next, &next), PE_ENODATA);
    pe_task *a = spawn_told(), *b = spawn_told();
    MUST(pe_group_spawn(group, return_number, (void *)4, 0, NULL), 0); /* of which nobody has a handle */
    told_settle(loop);
    tell(b, -2);
    async_assert_ended(start(wait_for_next, &next), 0);
    async_assert_ended(next, 4);
    async_assert_ended(start(wait_for_next, &next), 0);
    ck_assert_ptr_eq(next, b);
    async_assert_ended(next, -2);
    pe_task *waiter = start(wait_for_next, &next), *cancelled = start(wait_for_next, NULL);
    async_assert_ended(cancelled, PE_EINVAL);
    cancelled = start(wait_for_next, &cancelled);
    pe_task *late = start(wait_for_next, &cancelled);
    tell(a, 6);
    async_assert_ended(waiter, 0);
    ck_assert_ptr_eq(next, a);
    async_assert_ended(next, 6);
    async_assert_ended(cancelled, PE_ENODATA);
    async_assert_ended(late, PE_ENODATA);
    pe_task_free(a);
    pe_task_free(b);
    end();
    MUST(async_failures, 0);
}

PE_TEST(a_wait_for_the_next_that_is_cancelled_takes_none)
{
    pe_task *next = NULL;

    begin(PE_GROUP_COLLECT);
    pe_task *a = spawn_told();
    pe_task *waiter = start(wait_for_next, &next);
    pe_task_cancel(waiter);
    told_end(a, 1);
    told_settle(loop);
    async_assert_ended(waiter, PE_ECANCELED);
    ck_assert_ptr_null(next);
    async_assert_ended(start(wait_for_next, &next), 0);
    async_assert_ended(next, 1);
    pe_task_free(a);
    end();
}

PE_TEST(what_was_not_taken_goes_with_the_group)
{
    pe_task *next = NULL;

    begin(PE_GROUP_COLLECT);
    for (int i = 0; i < 5; i++)
        MUST(pe_group_spawn(group, return_number, NULL, 0, NULL), 0);
    told_settle(loop);
    async_assert_ended(start(wait_for_group, NULL), 0);
    async_assert_ended(start(wait_for_next, &next), 0);
    async_assert_ended(next, 0);
    pe_task *a = spawn_told();
    for (int i = 0; i < 4; i++) {
        async_assert_ended(start(wait_for_next, &next), 0);
        pe_task_free(next);
    }
    pe_task *waiter = start(wait_for_next, &next);
    MUST(pe_group_spawn(group, return_number, NULL, 0, NULL), 0);
    pe_group_free(group);
    group = NULL;
    told_settle(loop);
    async_assert_ended(waiter, PE_ECLOSED);
    async_assert_ended(a, PE_ECANCELED);
    end();
}

/* ---- wrong use ---- */

static int wait_for_own_group(pe_task *t, void *frame)
{
    pe_task *next = NULL;

    (void)frame;
    MUST(pe_group_wait(t, group), PE_EDEADLK);
    MUST(pe_group_next(t, group, &next), PE_EDEADLK);
    return 0;
}

static int misuse(pe_task *t, void *frame)
{
    pe_group *other = frame;
    pe_task *next = NULL;

    MUST(pe_group_wait(NULL, group), PE_EINVAL);
    MUST(pe_group_wait(t, NULL), PE_EINVAL);
    MUST(pe_group_wait(t, other), PE_EINVAL);
    MUST(pe_group_next(t, NULL, &next), PE_EINVAL);
    MUST(pe_group_next(t, other, &next), PE_EINVAL);
    MUST(pe_group_next(t, group, &next), PE_EINVAL); /* it collects nothing */
    return 0;
}

PE_TEST(wrong_use_is_refused)
{
    pe_loop *other_loop;
    pe_group *other;

    begin(0);
    MUST(pe_loop_new(NULL, &other_loop), 0);
    MUST(pe_group_new(other_loop, PE_GROUP_COLLECT, &other), 0);
    MUST(pe_group_new(NULL, 0, &other), PE_EINVAL);
    MUST(pe_group_new(loop, 0, NULL), PE_EINVAL);
    MUST(pe_group_new(loop, 4, &other), PE_EINVAL);
    MUST(pe_group_spawn(group, NULL, NULL, 0, NULL), PE_EINVAL);
    MUST(pe_group_spawn(NULL, misuse, NULL, 0, NULL), PE_EINVAL);
    MUST(pe_group_cancel(NULL), PE_EINVAL);
    pe_group_free(NULL);
    async_assert_ended(start(misuse, other), 0);
    MUST(pe_group_spawn(group, wait_for_own_group, NULL, 0, NULL), 0);
    told_settle(loop);
    async_assert_ended(start(wait_for_group, NULL), 0);
    pe_group_free(other);
    pe_loop_free(other_loop);
    end();
}

PE_TEST(without_memory_nothing_is_started)
{
    pe_task *task = NULL;
    int started = 0;

    begin(0);
    MUST(pe_group_spawn(group, return_number, NULL, 0, NULL), 0);
    harness_fail_from(HARNESS_MALLOC, 1, ENOMEM);
    MUST(pe_group_spawn(group, return_number, NULL, 1 << 20, &task), PE_ENOMEM);
    ck_assert_ptr_null(task);
    while (pe_group_spawn(group, return_number, NULL, 0, NULL) == 0)
        ck_assert_int_lt(++started, 100000);
    harness_fail_reset();
    told_settle(loop);
    async_assert_ended(start(wait_for_group, NULL), 0);
    end();
}

PE_TEST(a_group_outlives_its_loop)
{
    begin(PE_GROUP_COLLECT);
    MUST(pe_group_spawn(group, return_number, (void *)-1, 0, NULL), 0);
    pe_task *a = spawn_told();
    pe_loop_free(loop);
    loop = NULL;
    async_assert_ended(a, PE_ECANCELED);
    MUST(pe_group_cancel(group), PE_ECLOSED);
    MUST(pe_group_spawn(group, return_number, NULL, 0, NULL), PE_ECLOSED);
    end();
}

#if !defined(__SANITIZE_ADDRESS__) /* which has each block allocated by itself */
/* Nothing is left of those that have ended: their memory is used again. */
PE_TEST(a_group_that_lives_long_does_not_grow)
{
    begin(0);
    for (int i = 0; i < 200000; i++) {
        MUST(pe_group_spawn(group, return_number, (void *)1, 0, NULL), 0);
        if (i == 1000)
            harness_fail_from(HARNESS_MALLOC, 1, ENOMEM);
        if (i % 100 == 99)
            told_settle(loop);
    }
    harness_fail_reset();
    end();
}
#endif

HARNESS_MAIN("task-group")
