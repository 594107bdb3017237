/*
 * Tasks that wait for tasks: many for one, chains, circles, handles that go meanwhile; and what is due when.
 */
#include "harness/harness.h"

#include <stdlib.h>
#include <sys/resource.h>

#include <parexec.h>

#include "harness/async.h"

struct waiter {
    struct diary *diary;
    pe_task *other;
    char name;
};

static int await_other(pe_task *t, void *frame)
{
    struct waiter *f = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_await(t, f->other));
    diary_add(f->diary, "%c%d", f->name, t->result);
    PE_RETURN(t, t->result);
    PE_END(t);
}

static int shield_other(pe_task *t, void *frame)
{
    struct waiter *f = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_shield(t, f->other));
    diary_add(f->diary, "%c%d", f->name, t->result);
    PE_RETURN(t, t->result);
    PE_END(t);
}

static int return_after_a_while(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep(t, PE_MS(30)));
    PE_RETURN(t, 7);
    PE_END(t);
}

PE_TEST(a02_waiters_go_on_in_the_order_in_which_they_came)
{
    struct diary diary = { .bytes = 0 };
    struct waiter waiters[8];
    pe_loop *loop = async_loop();
    pe_task *other;

    async_start(loop, return_after_a_while, NULL, &other);
    for (int i = 0; i < 8; i++) {
        waiters[i] = (struct waiter){ &diary, other, (char)('a' + i) };
        async_start(loop, i % 3 == 1 ? shield_other : await_other, &waiters[i], NULL);
    }
    async_finish(loop);
    DIARY_MUST_BE(&diary, "a7 b7 c7 d7 e7 f7 g7 h7");
    pe_task_free(other);
}

/* The first, one in the middle, the last, the only one. */
PE_TEST_LOOP(a09_a_waiter_is_cancelled_while_others_wait, 0, 5)
{
    static const char *const wanted[] = { "a-125 b7 c7", "b-125 a7 c7", "c-125 a7 b7", "a-125 c-125 b7",
                                          "a-125 b-125 c-125" };
    struct diary diary = { .bytes = 0 };
    struct waiter waiters[3];
    pe_task *tasks[3], *other;
    pe_loop *loop = async_loop();

    async_start(loop, return_after_a_while, NULL, &other);
    for (int i = 0; i < 3; i++) {
        waiters[i] = (struct waiter){ &diary, other, (char)('a' + i) };
        async_start(loop, shield_other, &waiters[i], &tasks[i]);
    }
    async_settle(loop);
    for (int i = 0; i < 3; i++) {
        if (_i == i || (_i == 3 && i != 1) || _i == 4)
            MUST(pe_task_cancel(tasks[i]), 0);
    }
    async_finish(loop);
    DIARY_MUST_BE(&diary, wanted[_i]);
    MUST(pe_task_result(other), 7);
    pe_task_free(other);
    for (int i = 0; i < 3; i++)
        pe_task_free(tasks[i]);
}

static int await_twice(pe_task *t, void *frame)
{
    struct waiter *f = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_await(t, f->other));
    diary_add(f->diary, "%c%d", f->name, t->result);
    PE_AWAIT(t, pe_await(t, f->other));
    diary_add(f->diary, "%c%d", f->name, t->result);
    PE_AWAIT(t, pe_shield(t, f->other));
    diary_add(f->diary, "%c%d", f->name, t->result);
    PE_END(t);
}

/* Ends while the task that waits has its turn no more than once. */
PE_TEST(a02_awaiting_what_has_ended_goes_on_at_once)
{
    struct diary diary = { .bytes = 0 };
    struct waiter waiters[2];
    pe_loop *loop = async_loop();
    pe_task *other;

    async_start(loop, return_after_a_while, NULL, &other);
    MUST(pe_loop_run(loop), 0);
    for (int i = 0; i < 2; i++) {
        waiters[i] = (struct waiter){ &diary, other, (char)('a' + i) };
        async_start(loop, await_twice, &waiters[i], NULL);
    }
    async_finish(loop);
    DIARY_MUST_BE(&diary, "a7 a7 a7 b7 b7 b7");
    pe_task_free(other);
}

PE_TEST(a14_a_handle_is_freed_while_somebody_waits)
{
    struct diary diary = { .bytes = 0 };
    struct waiter waiters[2];
    pe_loop *loop = async_loop();
    pe_task *other;

    async_start(loop, return_after_a_while, NULL, &other);
    for (int i = 0; i < 2; i++) {
        waiters[i] = (struct waiter){ &diary, other, (char)('a' + i) };
        async_start(loop, await_other, &waiters[i], NULL);
    }
    async_settle(loop);
    pe_task_free(other);
    async_finish(loop);
    DIARY_MUST_BE(&diary, "a7 b7");
}

static int await_and_free(pe_task *t, void *frame)
{
    struct waiter *f = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_await(t, f->other));
    pe_task_free(f->other);
    PE_RETURN(t, t->result + 1);
    PE_END(t);
}

static int return_when_stopped(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    PE_RETURN(t, 7);
    PE_END(t);
}

#define CHAIN 300000

/* Each waits for the one before it, whose handle it gives back. Looking all the way for a circle would take hours, and
 * a request that went all the way in calls of calls would need more than this stack. */
PE_TEST_LOOP(a02_a_long_chain_of_tasks, 0, 2)
{
    struct waiter *waiters = calloc(CHAIN, sizeof *waiters);
    pe_loop *loop = async_loop();
    pe_task *last;

    ck_assert_ptr_nonnull(waiters);
    async_start(loop, _i == 0 ? return_after_a_while : return_when_stopped, NULL, &last);
    for (int i = 0; i < CHAIN; i++) {
        waiters[i].other = last;
        async_start(loop, await_and_free, &waiters[i], &last);
    }
    if (_i == 1) {
        struct rlimit before, little = { 1 << 20, 1 << 20 };

        async_settle(loop);
        MUST(getrlimit(RLIMIT_STACK, &before), 0);
        little.rlim_max = before.rlim_max;
        MUST(setrlimit(RLIMIT_STACK, &little), 0);
        MUST(pe_task_cancel(last), 0); /* and so all of them */
        MUST(setrlimit(RLIMIT_STACK, &before), 0);
    }
    async_finish(loop);
    MUST(pe_task_result(last), 7 + CHAIN);
    MUST(pe_task_cancels(last), _i);
    pe_task_free(last);
    free(waiters);
}

static int await_in_a_call(pe_task *t, void *frame)
{
    struct waiter *f = frame;
    static pe_call_link link;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_call(t, &link, await_other, f));
    PE_RETURN(t, t->result);
    PE_END(t);
}

/* a for b, b for c, c for a: the last one is told, and so the others get an error. */
PE_TEST_LOOP(a02_tasks_that_wait_in_a_circle, 0, 3)
{
    struct diary diary = { .bytes = 0 };
    struct waiter waiters[3];
    pe_task *tasks[3];
    pe_loop *loop = async_loop();

    for (int i = 0; i < 3; i++) {
        waiters[i] = (struct waiter){ &diary, NULL, (char)('a' + i) };
        async_start(loop, i == _i ? shield_other : i == (_i + 1) % 3 ? await_in_a_call : await_other, &waiters[i],
                    &tasks[i]);
    }
    for (int i = 0; i < 3; i++)
        waiters[i].other = tasks[(i + 1) % 3];
    async_finish(loop);
    DIARY_MUST_BE(&diary, "c-35 b-35 a-35");
    for (int i = 0; i < 3; i++)
        pe_task_free(tasks[i]);
}

static int await_itself(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_AWAIT(t, pe_await(t, t));
    MUST(t->result, PE_EDEADLK);
    PE_AWAIT(t, pe_shield(t, t));
    MUST(t->result, PE_EDEADLK);
    PE_AWAIT(t, pe_await(t, NULL));
    MUST(t->result, PE_EINVAL);
    PE_AWAIT(t, pe_shield(t, NULL));
    MUST(t->result, PE_EINVAL);
    PE_YIELD(t);
    MUST(t->result, 0);
    PE_END(t);
}

PE_TEST(a02_a_task_cannot_wait_for_itself_or_for_nothing)
{
    MUST(pe_run(await_itself, NULL, NULL), 0);
}

static int await_of_another_loop(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    PE_AWAIT(t, pe_await(t, *(pe_task **)frame));
    MUST(t->result, PE_EINVAL);
    PE_AWAIT(t, pe_shield(t, *(pe_task **)frame));
    MUST(t->result, PE_EINVAL);
    PE_END(t);
}

PE_TEST(a35_a_task_of_another_loop_cannot_be_waited_for)
{
    pe_loop *loop = async_loop(), *other = async_loop();
    pe_task *task;

    async_start(other, return_after_a_while, NULL, &task);
    async_start(loop, await_of_another_loop, &task, NULL);
    async_finish(loop);
    async_finish(other);
    MUST(pe_task_result(task), 7);
    pe_task_free(task);
}

/* ---- times ---- */

struct sleeper {
    struct diary *diary;
    int64_t deadline_ns;
    char name;
};

static int sleep_until(pe_task *t, void *frame)
{
    struct sleeper *f = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep_until(t, f->deadline_ns));
    MUST(t->result, 0);
    ck_assert_int_ge(pe_now(), f->deadline_ns);
    diary_add(f->diary, "%c", f->name);
    PE_END(t);
}

PE_TEST(a15_sleepers_wake_in_the_order_of_deadlines_and_equal_ones_in_theirs)
{
    static const int after_ms[] = { 5, 3, 3, 4, 1, 3, 5, 2, 3, 1 };
    struct diary diary = { .bytes = 0 };
    struct sleeper sleepers[10];
    int64_t begin_ns = pe_after(PE_MS(60));
    pe_loop *loop = async_loop();

    for (int i = 0; i < 10; i++) {
        sleepers[i] = (struct sleeper){ &diary, begin_ns + PE_MS(after_ms[i]), (char)('a' + i) };
        async_start(loop, sleep_until, &sleepers[i], NULL);
    }
    async_finish(loop);
    DIARY_MUST_BE(&diary, "e j h b c f i d a g");
}

static int sleep_much(pe_task *t, void *frame)
{
    int64_t *f = frame; /* a count, and when it began */

    PE_BEGIN(t);
    for (f[0] = 0; f[0] < 20; f[0]++) {
        f[1] = pe_now();
        PE_AWAIT(t, pe_sleep(t, f[0] * 97001)); /* no whole milliseconds */
        MUST(t->result, 0);
        ck_assert_int_ge(pe_now() - f[1], f[0] * 97001);
    }
    PE_AWAIT(t, pe_sleep_until(t, 0));
    MUST(t->result, 0);
    PE_AWAIT(t, pe_sleep_until(t, pe_now() - 1));
    MUST(t->result, 0);
    PE_END(t);
}

PE_TEST(a15_sleeps_are_never_short)
{
    pe_loop *loop = async_loop();

    for (int i = 0; i < 10; i++)
        MUST(pe_spawn(loop, sleep_much, NULL, 2 * sizeof(int64_t), NULL), 0);
    async_finish(loop);
}

static int sleep_far(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep(t, *(int64_t *)frame));
    PE_RETURN(t, t->result);
    PE_END(t);
}

PE_TEST(a15_sleeps_that_have_no_end_within_reach)
{
    static int64_t times[] = { PE_FOREVER, PE_FOREVER - 1, PE_FOREVER / 2, PE_SECONDS(86400) * 365 };
    pe_loop *loop = async_loop();
    pe_task *tasks[4];

    for (int i = 0; i < 4; i++)
        async_start(loop, sleep_far, &times[i], &tasks[i]);
    async_settle(loop);
    for (int i = 0; i < 4; i++)
        MUST(pe_task_cancel(tasks[i]), 0);
    async_finish(loop);
    for (int i = 0; i < 4; i++) {
        MUST(pe_task_result(tasks[i]), PE_ECANCELED);
        pe_task_free(tasks[i]);
    }
}

HARNESS_MAIN("task-await")
