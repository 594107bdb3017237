/*
 * Loops that are closed while tasks live: each is cancelled and cleans up, with waits; one that does not stop is
 * dropped when the time for that is over; they are counted, and what they waited for is given back.
 */
#include "harness/harness.h"

#include <pthread.h>
#include <unistd.h>

#include <parexec.h>

#include "harness/async.h"

#define GUARD_NS PE_SECONDS(20)

static pe_loop *loop_of(int64_t grace_ns)
{
    pe_loop *loop;

    MUST(pe_loop_new(NULL, &loop), 0);
    MUST(pe_loop_set_grace(loop, grace_ns), 0);
    return loop;
}

static pe_task *start(pe_loop *loop, pe_task_fn *fn, const void *frame, size_t frame_bytes)
{
    pe_task *task;

    MUST(pe_spawn(loop, fn, frame, frame_bytes, &task), 0);
    return task;
}

/* ---- every kind of wait ---- */

struct outside {
    pe_task *task;
    int asked;
};

static void stop_outside(pe_task *t, void *object)
{
    struct outside *outside = object;

    outside->asked++;
    MUST(pe_wait_end(t, PE_ECANCELED), 0);
}

struct any_wait {
    int kind;
    pe_task *other;
    struct outside outside;
    pe_limit limit;
    pe_call_link link;
    int *ended;
};

enum { SLEEP, SLEEP_FOR_EVER, YIELD, AWAIT, SHIELD, TIMEOUT, CALL, LIMITED, EXTERNAL, SHIELDED_SECTION, KINDS };

static int sleep_long(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep(t, PE_SECONDS(3600)));
    PE_RETURN(t, t->result);
    PE_END(t);
}

static int wait_somehow(pe_task *t, void *frame)
{
    struct any_wait *w = frame;

    PE_BEGIN(t);
    if (w->kind == SHIELDED_SECTION)
        ck_assert_int_eq(pe_shield_enter(t), 0);
    switch (w->kind) {
    case SLEEP: PE_AWAIT(t, pe_sleep(t, PE_SECONDS(3600))); break;
    case SLEEP_FOR_EVER:
    case SHIELDED_SECTION: PE_AWAIT(t, pe_sleep(t, PE_FOREVER)); break;
    case YIELD:
        do
            PE_YIELD(t);
        while (t->result == 0);
        break;
    case AWAIT: PE_AWAIT(t, pe_await(t, w->other)); break;
    case SHIELD: PE_AWAIT(t, pe_shield(t, w->other)); break;
    case TIMEOUT: PE_AWAIT(t, pe_timeout(t, &w->limit, pe_after(PE_SECONDS(3600)), w->other)); break;
    case CALL: PE_AWAIT(t, pe_call(t, &w->link, sleep_long, NULL)); break;
    case LIMITED: PE_AWAIT_UNTIL(t, &w->limit, pe_after(PE_SECONDS(3600)), pe_sleep(t, PE_FOREVER)); break;
    default: PE_AWAIT(t, pe_wait_external(t, 0, stop_outside, &w->outside)); break;
    }
    ck_assert_int_eq(t->result, PE_ECANCELED);
    ++*w->ended;
    PE_RETURN(t, PE_ECANCELED);
    PE_END(t);
}

PE_TEST_LOOP(tasks_in_every_kind_of_wait_are_cancelled, 0, KINDS)
{
    /* A shielded section is held to the end of the grace. */
    pe_loop *loop = loop_of(_i == SHIELDED_SECTION ? PE_MS(20) : 0);
    int ended = 0;
    uint64_t cancelled;
    pe_task *tasks[10];

    for (int i = 0; i < 10; i++) {
        struct any_wait w = { .kind = _i, .ended = &ended };
        w.other = start(loop, sleep_long, NULL, 0);
        tasks[i] = start(loop, wait_somehow, &w, sizeof w);
        pe_task_free(w.other);
    }
    for (int i = 0; i < 3; i++)
        ck_assert_int_ge(pe_loop_poll(loop), 0);
    MUST(pe_loop_close(loop, &cancelled), 0);
    ck_assert_uint_eq(cancelled, 20);
    MUST(ended, 10);
    pe_loop_free(loop);
    for (int i = 0; i < 10; i++) {
        MUST(pe_task_result(tasks[i]), PE_ECANCELED);
        pe_task_free(tasks[i]);
    }
}

/* ---- clean-up ---- */

struct cleaner {
    int64_t clean_ns;
    int *cleaned, *dropped;
    pe_task *helper;
};

static int clean_up(pe_task *t, void *frame)
{
    struct cleaner *c = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    PE_AWAIT(t, pe_sleep(t, c->clean_ns));
    ++*(t->result == 0 ? c->cleaned : c->dropped);
    PE_RETURN(t, 5);
    PE_END(t);
}

PE_TEST(clean_up_may_wait)
{
    pe_loop *loop = loop_of(PE_FOREVER);
    int cleaned = 0, dropped = 0;
    struct cleaner c = { PE_MS(30), &cleaned, &dropped, NULL };
    pe_task *task = start(loop, clean_up, &c, sizeof c);
    uint64_t cancelled = 99;

    async_settle(loop);
    int64_t begin_ns = pe_now();
    MUST(pe_loop_close(loop, &cancelled), 0);
    ck_assert_int_ge(pe_now() - begin_ns, PE_MS(30));
    ck_assert_uint_eq(cancelled, 1);
    MUST(cleaned, 1);
    MUST(pe_loop_close(loop, &cancelled), 0);
    ck_assert_uint_eq(cancelled, 0);
    pe_loop_free(loop);
    MUST(pe_task_result(task), 5);
    MUST(pe_task_has_ended(task), 1);
    pe_task_free(task);
}

PE_TEST(grace_ends_clean_up_that_takes_too_long)
{
    pe_loop *loop = loop_of(PE_MS(20));
    int cleaned = 0, dropped = 0;
    struct cleaner c = { PE_SECONDS(3600), &cleaned, &dropped, NULL };

    pe_task_free(start(loop, clean_up, &c, sizeof c));
    async_settle(loop);
    int64_t begin_ns = pe_now();
    MUST(pe_loop_close(loop, NULL), 0);
    ck_assert_int_ge(pe_now() - begin_ns, PE_MS(20));
    MUST(dropped, 1);
    pe_loop_free(loop);
}

PE_TEST(no_grace_is_no_wait_at_all)
{
    pe_loop *loop = loop_of(PE_NOW);
    int cleaned = 0, dropped = 0;
    struct cleaner c = { PE_US(1), &cleaned, &dropped, NULL };

    pe_task_free(start(loop, clean_up, &c, sizeof c));
    async_settle(loop);
    MUST(pe_loop_close(loop, NULL), 0);
    MUST(cleaned, 0);
    MUST(dropped, 1);
    pe_loop_free(loop);
}

/* ---- tasks that do not stop ---- */

struct stubborn {
    int kind, waits;
    struct outside outside;
    int *ended;
};

static int ignore_all(pe_task *t, void *frame)
{
    struct stubborn *s = frame;

    PE_BEGIN(t);
    for (;;) {
        if (s->kind == 0) {
            PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
        } else if (s->kind == 1) {
            PE_YIELD(t);
        } else if (s->kind == 2) {
            PE_AWAIT(t, pe_wait_external(t, 0, stop_outside, &s->outside));
        } else {
            ck_assert_int_eq(pe_shield_enter(t), 0);
            PE_AWAIT(t, pe_sleep(t, PE_MS(1)));
            ck_assert_int_eq(pe_shield_leave(t), 0);
        }
        s->waits++;
    }
    PE_END(t);
}

PE_TEST_LOOP(tasks_that_never_stop_are_dropped, 0, 4)
{
    pe_loop *loop = loop_of(PE_MS(10));
    struct stubborn s = { .kind = _i };
    pe_task *task = start(loop, ignore_all, &s, sizeof s);
    uint64_t cancelled;

    MUST(pe_spawn(loop, ignore_all, &s, sizeof s, NULL), 0);
    ck_assert_int_ge(pe_loop_poll(loop), 0);
    int64_t begin_ns = pe_now();
    MUST(pe_loop_close(loop, &cancelled), 0);
    ck_assert_int_ge(pe_now() - begin_ns, PE_MS(10));
    ck_assert_int_lt(pe_now() - begin_ns, GUARD_NS);
    ck_assert_uint_eq(cancelled, 2);
    MUST(pe_task_result(task), PE_ECANCELED);
    ck_assert_int_gt(((struct stubborn *)pe_task_frame(task))->waits, 10);
    pe_task_free(task);
    pe_loop_free(loop);
}

/* ---- tasks that start others ---- */

struct breeder {
    int *children, *refused;
    int awaits;
    pe_task *child;
};

static int breed(pe_task *t, void *frame)
{
    struct breeder *b = frame;
    int result;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep(t, b->awaits ? PE_FOREVER : 0));
    result = pe_spawn(pe_task_loop(t), b->awaits ? sleep_long : breed, b, sizeof *b, &b->child);
    if (result < 0) {
        ck_assert_int_eq(result, PE_ECLOSED);
        ++*b->refused;
        PE_RETURN(t, 0);
    }
    ++*b->children;
    if (b->awaits)
        PE_AWAIT(t, pe_await(t, b->child));
    pe_task_free(b->child);
    PE_END(t);
}

/* One in whose clean-up another works. It is stopped with the grace too, since nobody else does. */
PE_TEST(clean_up_may_start_tasks)
{
    pe_loop *loop = loop_of(PE_MS(10));
    int children = 0, refused = 0;
    struct breeder b = { &children, &refused, 1, NULL };
    uint64_t cancelled;

    MUST(pe_spawn(loop, breed, &b, sizeof b, NULL), 0);
    async_settle(loop);
    MUST(pe_loop_close(loop, &cancelled), 0);
    ck_assert_uint_eq(cancelled, 1);
    MUST(children, 1);
    MUST(refused, 0);
    pe_loop_free(loop);
}

/* An endless line of them has an end. */
PE_TEST(tasks_that_start_their_successors_come_to_an_end)
{
    pe_loop *loop = loop_of(PE_MS(10));
    int children = 0, refused = 0;
    struct breeder b = { &children, &refused, 0, NULL };

    MUST(pe_spawn(loop, breed, &b, sizeof b, NULL), 0);
    ck_assert_int_ge(pe_loop_poll(loop), 0);
    ck_assert_int_ge(pe_loop_poll(loop), 0);
    MUST(pe_loop_close(loop, NULL), 0);
    ck_assert_int_ge(children, 1);
    ck_assert_int_le(refused, 1);
    pe_loop_free(loop);
}

/* ---- what is not called, what is counted ---- */

static int must_not_run(pe_task *t, void *frame)
{
    (void)t, (void)frame;
    ck_abort_msg("a task that had not begun was called");
    return 0;
}

PE_TEST(tasks_that_have_not_begun_never_do)
{
    pe_loop *loop = loop_of(0);
    pe_task *task = start(loop, must_not_run, NULL, 0);
    uint64_t cancelled;

    MUST(pe_loop_close(loop, &cancelled), 0);
    ck_assert_uint_eq(cancelled, 1);
    MUST(pe_task_result(task), PE_ECANCELED);
    pe_loop_free(loop);
    pe_task_free(task);
}

PE_TEST(an_empty_loop_closes_with_nothing)
{
    pe_loop *loop = loop_of(0);
    uint64_t cancelled = 9;

    MUST(pe_loop_close(loop, &cancelled), 0);
    ck_assert_uint_eq(cancelled, 0);
    MUST(pe_spawn(loop, sleep_long, NULL, 0, NULL), PE_ECLOSED);
    MUST(pe_loop_run(loop), PE_ECLOSED);
    MUST(pe_loop_close(loop, NULL), 0);
    pe_loop_free(loop);
}

static int free_task(pe_task *t, void *frame)
{
    (void)t;
    pe_task_free(*(pe_task **)frame);
    return 0;
}

static void *free_handle(void *task)
{
    pe_task_free(task);
    return NULL;
}

/* Many, with frames of all sizes; the last ones in another thread. */
PE_TEST(handles_outlive_the_loop)
{
    pe_loop *loop = loop_of(0);
    pe_task *tasks[100];
    pthread_t thread;

    for (size_t i = 0; i < 100; i++)
        tasks[i] = start(loop, sleep_long, NULL, i * 50);
    MUST(pe_spawn(loop, free_task, &tasks[0], sizeof tasks[0], NULL), 0);
    MUST(pe_task_set_name(tasks[1], "named"), 0);
    async_settle(loop);
    pe_loop_free(loop);
    for (int i = 1; i < 99; i++) {
        MUST(pe_task_result(tasks[i]), PE_ECANCELED);
        ck_assert_ptr_null(pe_task_loop(tasks[i]));
        ck_assert_ptr_eq(pe_task_ref(tasks[i]), tasks[i]);
        pe_task_free(tasks[i]);
        if (i == 1)
            ck_assert_str_eq(pe_task_name(tasks[i]), "named");
        else
            ck_assert_int_ne(*pe_task_name(tasks[i]), '\0');
        pe_task_free(tasks[i]);
    }
    MUST(pthread_create(&thread, NULL, free_handle, tasks[99]), 0);
    MUST(pthread_join(thread, NULL), 0);
}

/* ---- pe_run ---- */

struct main_frame {
    int *cleaned, *dropped, started;
};

static int leave_tasks_behind(pe_task *t, void *frame)
{
    struct main_frame *m = frame;
    struct cleaner c = { PE_MS(5), m->cleaned, m->dropped, NULL };

    PE_BEGIN(t);
    for (m->started = 0; m->started < 10; m->started++)
        ck_assert_int_eq(pe_spawn(pe_task_loop(t), clean_up, &c, sizeof c, NULL), 0);
    PE_AWAIT(t, pe_sleep(t, PE_MS(1)));
    PE_RETURN(t, 42);
    PE_END(t);
}

PE_TEST(run_sees_tasks_that_are_left_to_their_ends)
{
    int cleaned = 0, dropped = 0, value = 0;
    struct main_frame m = { &cleaned, &dropped, 0 };

    MUST(pe_run(leave_tasks_behind, &m, &value), 0);
    MUST(value, 42);
    MUST(cleaned, 10);
    MUST(dropped, 0);
}

static int fail_at_once(pe_task *t, void *frame)
{
    (void)t;
    return frame == NULL ? -7 : 3;
}

PE_TEST(what_run_returns)
{
    int value = 1;

    MUST(pe_run(fail_at_once, NULL, NULL), -7);
    MUST(pe_run(fail_at_once, NULL, &value), 0);
    MUST(value, -7);
    MUST(pe_run(fail_at_once, &value, NULL), 0);
    MUST(pe_run(fail_at_once, &value, &value), 0);
    MUST(value, 3);
}

static int run_inside(pe_task *t, void *frame)
{
    pe_loop *loop = *(pe_loop **)frame;
    int value = 77;

    PE_BEGIN(t);
    ck_assert_int_eq(pe_run(fail_at_once, NULL, &value), PE_EINLOOP);
    ck_assert_int_eq(value, 77);
    ck_assert_int_eq(pe_loop_run(pe_task_loop(t)), PE_EINLOOP);
    ck_assert_int_eq(pe_loop_run(loop), PE_EINLOOP);
    ck_assert_int_eq(pe_loop_poll(loop), PE_EINLOOP);
    ck_assert_int_eq(pe_loop_close(loop, NULL), PE_EINLOOP);
    pe_loop_free(loop); /* left as it is */
    PE_TRY(t, pe_sleep(t, PE_MS(1)));
    PE_RETURN(t, 11);
    PE_END(t);
}

PE_TEST(i02_run_inside_a_loop_is_refused)
{
    pe_loop *other = loop_of(0);
    int value = 0;

    MUST(pe_run(run_inside, &other, &value), 0);
    MUST(value, 11);
    MUST(pe_loop_run(other), 0);
    pe_loop_free(other);
}

HARNESS_MAIN("closing")
