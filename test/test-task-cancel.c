/*
 * Cancelling tasks in each of their states: a request ends exactly one wait, is never lost, and waits while it is held
 * back. Operations of the program's own are stopped, and waited for.
 */
#include "harness/harness.h"

#include <stdbool.h>

#include <parexec.h>
#include <uv.h>

#include "harness/async.h"

/* One that notes how each of its waits ended: 0, C for cancelled, T for timed out, ? for anything else. */
struct victim {
    struct diary diary;
    pe_task *child;
    pe_call_link link;
    pe_limit limit;
    int i;
};

static void note(pe_task *t, void *frame)
{
    diary_add(&((struct victim *)frame)->diary, "%c", async_letter(t->result));
}

static int sleep_three_times(pe_task *t, void *frame)
{
    struct victim *f = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    note(t, f);
    PE_AWAIT(t, pe_sleep(t, PE_MS(1)));
    note(t, f);
    PE_YIELD(t);
    note(t, f);
    PE_RETURN(t, PE_ECANCELED);
    PE_END(t);
}

PE_TEST(a09_a_cancelled_task_cleans_up_with_waits)
{
    struct victim f = { .i = 0 };
    pe_loop *loop = async_loop();
    pe_task *task;

    async_start(loop, sleep_three_times, &f, &task);
    async_settle(loop);
    DIARY_MUST_BE(&f.diary, "");
    MUST(pe_task_cancel(task), 0);
    DIARY_MUST_BE(&f.diary, ""); /* in a later turn */
    async_finish(loop);
    DIARY_MUST_BE(&f.diary, "C 0 0");
    MUST(pe_task_result(task), PE_ECANCELED);
    MUST(pe_task_cancels(task), 1);
    MUST(pe_task_cancel(task), PE_EALREADY);
    pe_task_free(task);
    MUST(pe_task_cancel(NULL), PE_EINVAL);
    MUST(pe_task_cancels(NULL), PE_EINVAL);
}

PE_TEST(a10_requests_that_come_before_one_is_seen_are_one)
{
    struct victim f = { .i = 0 };
    pe_loop *loop = async_loop();
    pe_task *task;

    async_start(loop, sleep_three_times, &f, &task);
    async_settle(loop);
    for (int i = 0; i < 300; i++)
        MUST(pe_task_cancel(task), 0);
    MUST(pe_task_cancels(task), 255);
    async_finish(loop);
    DIARY_MUST_BE(&f.diary, "C 0 0");
    pe_task_free(task);
}

PE_TEST(a10_one_that_comes_after_another_was_seen_is_seen_too)
{
    struct victim f = { .i = 0 };
    pe_loop *loop = async_loop();
    pe_task *task;

    async_start(loop, sleep_three_times, &f, &task);
    async_settle(loop);
    MUST(pe_task_cancel(task), 0);
    async_settle(loop);
    DIARY_MUST_BE(&f.diary, "C");
    MUST(pe_task_cancel(task), 0);
    async_finish(loop);
    DIARY_MUST_BE(&f.diary, "C C 0");
    MUST(pe_task_cancels(task), 2);
    pe_task_free(task);
}

static int await_child(pe_task *t, void *frame)
{
    struct victim *f = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_await(t, f->child));
    note(t, f);
    PE_END(t);
}

PE_TEST(i05_a_task_cancelled_before_its_first_step_never_runs)
{
    struct victim f = { .i = 0 }, first = { .i = 0 }, second = { .i = 0 };
    pe_loop *loop = async_loop();
    pe_task *task;

    async_start(loop, await_child, &first, NULL); /* waits before the other's turn would come */
    async_start(loop, sleep_three_times, &f, &task);
    async_start(loop, await_child, &second, NULL);
    first.child = second.child = task;
    MUST(pe_task_cancel(task), 0);
    MUST(pe_task_cancel(task), 0);
    MUST(pe_task_result(task), PE_EAGAIN);
    ck_assert_str_eq(pe_task_name(task), "sleep_three_times");
    ck_assert_ptr_eq(pe_task_frame(task), &f);
    async_finish(loop);
    DIARY_MUST_BE(&f.diary, "");
    DIARY_MUST_BE(&first.diary, "C");
    DIARY_MUST_BE(&second.diary, "C");
    MUST(pe_task_result(task), PE_ECANCELED);
    ck_assert_str_eq(pe_task_name(task), "sleep_three_times");
    ck_assert_ptr_eq(pe_task_frame(task), &f);
    pe_task_free(task);
}

static int yield_twice(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    PE_YIELD(t);
    note(t, frame);
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    note(t, frame);
    PE_YIELD(t);
    note(t, frame);
    PE_END(t);
}

static int cancel_other(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    MUST(pe_task_cancel(*(pe_task **)frame), 0);
    PE_END(t);
}

/* Its wait has its value already: the task gets that, and the next wait is refused. */
PE_TEST(a10_cancelled_when_it_is_ready)
{
    struct victim f = { .i = 0 };
    pe_loop *loop = async_loop();
    pe_task *task;

    async_start(loop, yield_twice, &f, &task);
    async_start(loop, cancel_other, &task, NULL);
    async_finish(loop);
    DIARY_MUST_BE(&f.diary, "0 C 0");
    pe_task_free(task);
}

static int cancel_itself(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    MUST(pe_task_cancel(t), 0);
    MUST(pe_task_cancel(t), 0);
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    note(t, frame);
    PE_YIELD(t);
    note(t, frame);
    MUST(pe_task_cancel(t), 0);
    PE_YIELD(t);
    note(t, frame);
    PE_YIELD(t);
    note(t, frame);
    MUST(pe_task_cancel(t), 0); /* seen by nobody */
    PE_RETURN(t, 6);
    PE_END(t);
}

PE_TEST(a10_cancelled_by_itself)
{
    struct victim f = { .i = 0 };
    int value = 0;

    MUST(pe_run(cancel_itself, &f, &value), 0);
    ck_assert_int_eq(value, 6);
    DIARY_MUST_BE(&f.diary, "C 0 C 0");
}

static int call_sleeps(pe_task *t, void *frame)
{
    struct victim *f = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_call(t, &f->link, sleep_three_times, f));
    note(t, f);
    PE_YIELD(t);
    note(t, f);
    PE_END(t);
}

PE_TEST(a09_cancelled_inside_a_call)
{
    struct victim f = { .i = 0 };
    pe_loop *loop = async_loop();
    pe_task *task;

    async_start(loop, call_sleeps, &f, &task);
    async_settle(loop);
    MUST(pe_task_cancel(task), 0);
    async_finish(loop);
    DIARY_MUST_BE(&f.diary, "C 0 0 C 0");
    pe_task_free(task);
}

/* ---- held back ---- */

static int wait_shielded(pe_task *t, void *frame)
{
    struct victim *f = frame;

    PE_BEGIN(t);
    MUST(pe_shield_enter(t), 0);
    MUST(pe_shield_enter(t), 0);
    PE_AWAIT(t, pe_sleep(t, PE_MS(2)));
    note(t, f);
    MUST(pe_shield_leave(t), 0);
    PE_AWAIT(t, pe_sleep(t, PE_MS(1)));
    note(t, f);
    PE_YIELD(t);
    note(t, f);
    MUST(pe_shield_leave(t), 0);
    MUST(pe_shield_leave(t), PE_EINVAL);
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    note(t, f);
    PE_YIELD(t);
    note(t, f);
    PE_END(t);
}

PE_TEST_LOOP(a11_a_request_is_held_back_inside_sections, 0, 3)
{
    struct victim f = { .i = 0 };
    pe_loop *loop = async_loop();
    pe_task *task;

    async_start(loop, wait_shielded, &f, &task);
    async_settle(loop);
    for (int i = 0; i <= _i; i++)
        MUST(pe_task_cancel(task), 0);
    async_finish(loop);
    DIARY_MUST_BE(&f.diary, "0 0 0 C 0");
    pe_task_free(task);
}

static int shield_deeply(pe_task *t, void *frame)
{
    struct victim *f = frame;

    PE_BEGIN(t);
    for (f->i = 0; f->i < 255; f->i++)
        MUST(pe_shield_enter(t), 0);
    MUST(pe_shield_enter(t), PE_EINVAL);
    MUST(pe_task_cancel(t), 0);
    PE_YIELD(t);
    note(t, f);
    for (f->i = 0; f->i < 255; f->i++)
        MUST(pe_shield_leave(t), 0);
    MUST(pe_shield_leave(t), PE_EINVAL);
    PE_YIELD(t);
    note(t, f);
    PE_END(t);
}

PE_TEST(a11_sections_up_to_the_bound)
{
    struct victim f = { .i = 0 };

    MUST(pe_run(shield_deeply, &f, NULL), 0);
    DIARY_MUST_BE(&f.diary, "0 C");
}

static int shield_child(pe_task *t, void *frame)
{
    struct victim *f = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_shield(t, f->child));
    note(t, f);
    PE_AWAIT(t, pe_await(t, f->child));
    note(t, f);
    PE_END(t);
}

static int sleep_and_return(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep(t, PE_MS(30)));
    PE_RETURN(t, t->result == 0 ? 4 : t->result);
    PE_END(t);
}

PE_TEST(a11_a_shielded_wait_ends_and_leaves_the_other_alone)
{
    struct victim f = { .i = 0 }, other = { .i = 0 };
    pe_loop *loop = async_loop();
    pe_task *task;

    async_start(loop, sleep_and_return, NULL, &f.child);
    other.child = f.child;
    async_start(loop, await_child, &other, NULL);
    async_start(loop, shield_child, &f, &task);
    async_settle(loop);
    MUST(pe_task_cancel(task), 0);
    async_settle(loop);
    DIARY_MUST_BE(&f.diary, "C");
    async_finish(loop);
    DIARY_MUST_BE(&f.diary, "C 4");
    DIARY_MUST_BE(&other.diary, "4");
    MUST(pe_task_cancels(f.child), 0);
    pe_task_free(task);
    pe_task_free(f.child);
}

/* ---- with what it waits for ---- */

PE_TEST(a09_a_task_that_waits_for_another_stops_it_and_waits_for_its_end)
{
    struct victim child = { .i = 0 }, f = { .i = 0 }, second = { .i = 0 };
    pe_loop *loop = async_loop();
    pe_task *task;

    async_start(loop, sleep_three_times, &child, &f.child);
    second.child = f.child;
    async_start(loop, await_child, &f, &task);
    async_start(loop, await_child, &second, NULL);
    async_settle(loop);
    MUST(pe_task_cancel(task), 0);
    MUST(pe_task_cancel(task), 0); /* asked once */
    MUST(pe_task_cancels(f.child), 1);
    async_settle(loop);
    DIARY_MUST_BE(&child.diary, "C");
    DIARY_MUST_BE(&f.diary, "");
    async_finish(loop);
    DIARY_MUST_BE(&child.diary, "C 0 0");
    DIARY_MUST_BE(&f.diary, "C");
    DIARY_MUST_BE(&second.diary, "C");
    MUST(pe_task_cancels(f.child), 1);
    pe_task_free(task);
    pe_task_free(f.child);
}

static int ignore_all(pe_task *t, void *frame)
{
    struct victim *f = frame;

    PE_BEGIN(t);
    for (f->i = 0; f->i < 3; f->i++) {
        PE_AWAIT(t, pe_sleep(t, f->i == 0 ? PE_FOREVER : PE_MS(1)));
        note(t, f);
    }
    PE_RETURN(t, 8);
    PE_END(t);
}

static int await_and_sleep(pe_task *t, void *frame)
{
    struct victim *f = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_await(t, f->child));
    note(t, f);
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    note(t, f);
    PE_YIELD(t);
    note(t, f);
    PE_END(t);
}

/* It got a value, so the request is still to be seen. */
PE_TEST(a10_a_request_that_the_other_ignored_is_not_lost)
{
    struct victim child = { .i = 0 }, f = { .i = 0 };
    pe_loop *loop = async_loop();
    pe_task *task;

    async_start(loop, ignore_all, &child, &f.child);
    async_start(loop, await_and_sleep, &f, &task);
    async_settle(loop);
    MUST(pe_task_cancel(task), 0);
    async_finish(loop);
    DIARY_MUST_BE(&child.diary, "C 0 0");
    DIARY_MUST_BE(&f.diary, "8 C 0");
    pe_task_free(task);
    pe_task_free(f.child);
}

static int cancel_and_await(pe_task *t, void *frame)
{
    struct victim *f = frame;

    PE_BEGIN(t);
    MUST(pe_task_cancel(t), 0);
    PE_AWAIT(t, pe_await(t, f->child));
    note(t, f);
    PE_YIELD(t);
    note(t, f);
    PE_END(t);
}

/* As if the request had come in the middle of the wait. */
PE_TEST(a10_a_request_that_came_before_stops_the_other_too)
{
    struct victim child = { .i = 0 }, f = { .i = 0 };
    pe_loop *loop = async_loop();

    async_start(loop, sleep_three_times, &child, &f.child);
    async_settle(loop);
    async_start(loop, cancel_and_await, &f, NULL);
    async_finish(loop);
    DIARY_MUST_BE(&child.diary, "C 0 0");
    DIARY_MUST_BE(&f.diary, "C 0");
    MUST(pe_task_result(f.child), PE_ECANCELED);
    pe_task_free(f.child);
}

PE_TEST(a10_a_request_refuses_what_is_there_already)
{
    struct victim f = { .i = 0 };
    pe_loop *loop = async_loop();

    async_start(loop, sleep_and_return, NULL, &f.child);
    MUST(pe_loop_run(loop), 0);
    async_start(loop, cancel_and_await, &f, NULL);
    async_finish(loop);
    DIARY_MUST_BE(&f.diary, "C 0");
    MUST(pe_task_result(f.child), 4);
    pe_task_free(f.child);
}

static int cancelled_by_nobody(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep(t, PE_MS(30)));
    PE_RETURN(t, PE_ECANCELED);
    PE_END(t);
}

static int await_shielded_and_wait(pe_task *t, void *frame)
{
    struct victim *f = frame;

    PE_BEGIN(t);
    MUST(pe_shield_enter(t), 0);
    PE_AWAIT(t, pe_await(t, f->child));
    note(t, f);
    MUST(pe_shield_leave(t), 0);
    PE_YIELD(t);
    note(t, f);
    PE_YIELD(t);
    note(t, f);
    PE_END(t);
}

/* What the other ended with answers no request that was held back. */
PE_TEST(a10_an_end_with_the_same_code_does_not_take_the_request)
{
    struct victim f = { .i = 0 };
    pe_loop *loop = async_loop();
    pe_task *task;

    async_start(loop, cancelled_by_nobody, NULL, &f.child);
    async_start(loop, await_shielded_and_wait, &f, &task);
    async_settle(loop);
    MUST(pe_task_cancel(task), 0);
    async_finish(loop);
    DIARY_MUST_BE(&f.diary, "C C 0");
    MUST(pe_task_cancels(f.child), 0);
    pe_task_free(task);
    pe_task_free(f.child);
}

/* ---- operations of the program's own ---- */

struct operation {
    struct diary diary;
    pe_task *t;
    int asked;
    bool ends_at_once;
    int result; /* with which it ends when it is asked */
    pe_limit limit;
};

static void stop_operation(pe_task *t, void *object)
{
    struct operation *f = object;

    ck_assert_ptr_eq(t, f->t);
    f->asked++;
    if (f->ends_at_once)
        MUST(pe_wait_end(t, f->result), 0);
}

static int operate(pe_task *t, void *frame)
{
    struct operation *f = frame;

    PE_BEGIN(t);
    f->t = t;
    PE_AWAIT(t, pe_wait_external(t, 0, stop_operation, f));
    diary_add(&f->diary, "%c", async_letter(t->result));
    PE_YIELD(t);
    diary_add(&f->diary, "%c", async_letter(t->result));
    PE_YIELD(t);
    diary_add(&f->diary, "%c", async_letter(t->result));
    PE_END(t);
}

static void start_operation(struct operation *f, pe_loop **ret_loop, pe_task **ret_task)
{
    *ret_loop = async_loop();
    async_start(*ret_loop, operate, f, ret_task);
    async_settle(*ret_loop);
    DIARY_MUST_BE(&f->diary, "");
}

PE_TEST(a09_an_operation_that_ends_by_itself)
{
    struct operation f = { .asked = 0 };
    pe_loop *loop;
    pe_task *task;

    start_operation(&f, &loop, &task);
    MUST(pe_wait_end(task, PE_WAIT), PE_EINVAL);
    MUST(pe_wait_end(NULL, 0), PE_EINVAL);
    MUST(pe_wait_end(task, 5), 0);
    MUST(pe_wait_end(task, 6), PE_EINVAL);
    async_finish(loop);
    DIARY_MUST_BE(&f.diary, "5 0 0");
    MUST(pe_wait_end(task, 6), PE_EINVAL);
    pe_task_free(task);
}

/* However it ends: asked once; the request is answered by PE_ECANCELED and by nothing else. */
PE_TEST_LOOP(a09_an_operation_is_stopped_at_once_or_later, 0, 4)
{
    struct operation f = { .ends_at_once = _i & 1, .result = _i & 2 ? PE_ECANCELED : 3 };
    pe_loop *loop;
    pe_task *task;

    start_operation(&f, &loop, &task);
    MUST(pe_task_cancel(task), 0);
    MUST(pe_task_cancel(task), 0);
    MUST(f.asked, 1);
    async_settle(loop);
    if (!f.ends_at_once) {
        DIARY_MUST_BE(&f.diary, "");
        MUST(pe_task_cancel(task), 0);
        MUST(pe_wait_end(task, f.result), 0);
    }
    async_finish(loop);
    MUST(f.asked, 1);
    /* At once with a value: the second request came when the wait had it, and is the first's. */
    DIARY_MUST_BE(&f.diary, _i & 2 ? "C 0 0" : "3 C 0");
    pe_task_free(task);
}

PE_TEST(a10_an_operation_that_ends_in_the_same_turn_as_a_request)
{
    struct operation f = { .asked = 0 };
    pe_loop *loop;
    pe_task *task;

    start_operation(&f, &loop, &task);
    MUST(pe_wait_end(task, 2), 0);
    MUST(pe_task_cancel(task), 0);
    MUST(f.asked, 0);
    async_finish(loop);
    DIARY_MUST_BE(&f.diary, "2 C 0");
    pe_task_free(task);
}

static int operate_cancelled(pe_task *t, void *frame)
{
    struct operation *f = frame;

    PE_BEGIN(t);
    f->t = t;
    MUST(pe_task_cancel(t), 0);
    PE_AWAIT(t, pe_wait_external(t, -9, stop_operation, f)); /* it has not been started: nothing to stop */
    MUST(t->result, -9);
    PE_AWAIT(t, pe_wait_external(t, PE_WAIT, stop_operation, f));
    MUST(t->result, PE_EINVAL);
    MUST(f->asked, 0);
    PE_AWAIT(t, pe_wait_external(t, 0, stop_operation, f));
    MUST(f->asked, 1);
    diary_add(&f->diary, "%c", async_letter(t->result));
    PE_YIELD(t);
    diary_add(&f->diary, "%c", async_letter(t->result));
    PE_END(t);
}

PE_TEST(a10_an_operation_that_has_been_started_is_stopped_not_refused)
{
    struct operation f = { .ends_at_once = true, .result = PE_ECANCELED };

    MUST(pe_run(operate_cancelled, &f, NULL), 0);
    DIARY_MUST_BE(&f.diary, "C 0");
}

static int operate_for_ever(pe_task *t, void *frame)
{
    struct operation *f = frame;

    PE_BEGIN(t);
    f->t = t;
    PE_AWAIT(t, pe_wait_external(t, 0, NULL, NULL));
    diary_add(&f->diary, "%c", async_letter(t->result));
    PE_YIELD(t);
    diary_add(&f->diary, "%c", async_letter(t->result));
    PE_END(t);
}

PE_TEST(a10_an_operation_that_cannot_be_stopped)
{
    struct operation f = { .asked = 0 };
    pe_loop *loop = async_loop();
    pe_task *task;

    async_start(loop, operate_for_ever, &f, &task);
    async_settle(loop);
    MUST(pe_task_cancel(task), 0);
    async_settle(loop);
    DIARY_MUST_BE(&f.diary, "");
    MUST(pe_wait_end(task, 1), 0);
    async_finish(loop);
    DIARY_MUST_BE(&f.diary, "1 C");
    pe_task_free(task);
}

/* The adapter of task.h, as it stands there. */
struct random {
    uv_random_t request;
    unsigned char bytes[16];
    int result;
};

static void on_random(uv_random_t *request, int status, void *bytes, size_t count)
{
    (void)bytes, (void)count;
    pe_wait_end(request->data, status);
}

static int draw(pe_task *t, void *frame)
{
    struct random *f = frame;

    PE_BEGIN(t);
    f->request.data = t;
    PE_AWAIT(t, pe_wait_external(t, uv_random(pe_loop_uv(pe_task_loop(t)), &f->request, f->bytes, 16, 0,
                                           on_random), NULL, NULL));
    f->result = t->result;
    PE_RETURN(t, t->result);
    PE_END(t);
}

static bool is_all_zero(const struct random *f)
{
    static const unsigned char zeros[16];

    return memcmp(f->bytes, zeros, sizeof zeros) == 0;
}

PE_TEST(a09_any_call_of_libuv_by_the_adapter_of_the_header)
{
    struct random f = { .result = 1 };

    MUST(pe_run(draw, &f, NULL), 0);
    MUST(f.result, 0);
    ck_assert(!is_all_zero(&f));
    f = (struct random){ .result = 1 };
    harness_leaks_mark(); /* the threads that libuv keeps for it, and what they use */
    MUST(pe_run(draw, &f, NULL), 0);
    ck_assert(!is_all_zero(&f));
}

static void stop_random(pe_task *t, void *object)
{
    (void)t;
    uv_cancel(object);
}

static int draw_stopped(pe_task *t, void *frame)
{
    struct random *f = frame;

    PE_BEGIN(t);
    f->request.data = t;
    MUST(pe_task_cancel(t), 0);
    PE_AWAIT(t, pe_wait_external(t, uv_random(pe_loop_uv(pe_task_loop(t)), &f->request, f->bytes, 16, 0,
                                           on_random), stop_random, &f->request));
    f->result = t->result;
    PE_YIELD(t);
    /* It may have begun already, and then ends with its value. */
    ck_assert(t->result == (f->result == 0 ? PE_ECANCELED : 0));
    PE_END(t);
}

PE_TEST(a10_a_call_of_libuv_that_is_stopped_or_too_late_for_that)
{
    struct random f = { .result = 1 };

    MUST(pe_run(draw_stopped, &f, NULL), 0);
    ck_assert(f.result == 0 || f.result == PE_ECANCELED);
    ck_assert(f.result != 0 || !is_all_zero(&f));
    harness_leaks_mark();
}

/* ---- the end of a loop ---- */

static void end_with_value(pe_task *t, void *object)
{
    (void)object;
    MUST(pe_wait_end(t, 3), 0);
}

static int never_give_up(pe_task *t, void *frame)
{
    struct victim *f = frame;

    PE_BEGIN(t);
    for (;; f->i++) {
        if (f->i % 4 == 0)
            PE_YIELD(t);
        else if (f->i % 4 == 1)
            PE_AWAIT(t, pe_sleep(t, PE_MS(1)));
        else if (f->i % 4 == 2)
            PE_AWAIT(t, pe_await(t, f->child));
        else
            PE_AWAIT(t, pe_wait_external(t, 0, end_with_value, NULL));
        pe_shield_leave(t);
        pe_shield_enter(t);
        pe_shield_leave(t);
    }
    PE_END(t);
}

static int never_give_up_in_calls(pe_task *t, void *frame)
{
    struct victim *f = frame;

    PE_BEGIN(t);
    for (;;)
        PE_AWAIT(t, pe_call(t, &f->link, cancelled_by_nobody, NULL));
    PE_END(t);
}

static int never_give_up_operations(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    for (;;)
        PE_AWAIT(t, pe_wait_external(t, 0, end_with_value, NULL));
    PE_END(t);
}

static int start_another(pe_task *t, void *frame)
{
    int *refused = frame;

    PE_BEGIN(t);
    int result = pe_spawn(pe_task_loop(t), start_another, frame, 0, NULL);
    if (result == PE_ECLOSED)
        ++*refused;
    else
        MUST(result, 0);
    PE_END(t);
}

/* Would hang if any of them could go on. */
PE_TEST(a09_no_task_holds_a_loop_that_is_closed_without_grace)
{
    struct victim f = { .i = 0 }, child = { .i = 0 }, calls = { .i = 0 };
    pe_loop *loop = async_loop();
    uint64_t cancelled = 0;
    int refused = 0;
    pe_task *task;

    async_start(loop, sleep_three_times, &child, &f.child);
    async_start(loop, never_give_up, &f, &task);
    async_start(loop, never_give_up_in_calls, &calls, NULL);
    async_start(loop, never_give_up_operations, NULL, NULL);
    async_start(loop, start_another, &refused, NULL);
    MUST(pe_loop_set_grace(loop, PE_NOW), 0);
    for (int i = 0; i < 3; i++)
        MUST(pe_loop_poll(loop), 1);
    MUST(pe_loop_close(loop, &cancelled), 0);
    ck_assert_uint_eq(cancelled, 5);
    MUST(refused, 0); /* it had not begun, as ever */
    pe_loop_free(loop);
    MUST(pe_task_result(task), PE_ECANCELED);
    MUST(pe_task_result(f.child), PE_ECANCELED);
    DIARY_MUST_BE(&child.diary, "C C C");
    ck_assert_str_eq(pe_task_name(task), "never_give_up");
    pe_task_free(f.child);
    pe_task_free(task);
}

static int start_when_closed(pe_task *t, void *frame)
{
    struct victim *f = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    note(t, f);
    MUST(pe_spawn(pe_task_loop(t), sleep_and_return, NULL, 0, &f->child), 0);
    PE_AWAIT(t, pe_await(t, f->child));
    note(t, f);
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    note(t, f);
    MUST(pe_spawn(pe_task_loop(t), sleep_and_return, NULL, 0, NULL), PE_ECLOSED);
    PE_END(t);
}

PE_TEST(a09_tasks_start_others_for_their_cleaning_up_as_long_as_there_is_grace)
{
    struct victim f = { .i = 0 };
    pe_loop *loop = async_loop();

    async_start(loop, start_when_closed, &f, NULL);
    MUST(pe_loop_set_grace(loop, PE_MS(300)), 0);
    async_settle(loop);
    MUST(pe_loop_close(loop, NULL), 0);
    DIARY_MUST_BE(&f.diary, "C 4 C");
    MUST(pe_spawn(loop, sleep_and_return, NULL, 0, NULL), PE_ECLOSED);
    pe_loop_free(loop);
    pe_task_free(f.child);
}

HARNESS_MAIN("task-cancel")
