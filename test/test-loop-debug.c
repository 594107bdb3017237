/*
 * Looking at a loop: what holds it up is reported by name, figures count what went on, and its text shows the tasks and
 * who waits for whom. Failures that nobody looked at are reported once.
 */
#include "harness/harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <parexec.h>

#include "harness/async.h"

static void be_busy(int64_t for_ns)
{
    int64_t end_ns = pe_after(for_ns);

    while (pe_now() < end_ns)
        continue;
}

/* ---- slow ---- */

#define REPORTS_MOST 8

static struct {
    int count;
    uint32_t what[REPORTS_MOST];
    char names[REPORTS_MOST][70];
    int64_t durations_ns[REPORTS_MOST];
} slow;

static void on_slow(pe_loop *loop, uint32_t what, const char *name, int64_t duration_ns, void *context)
{
    int i = slow.count++;

    ck_assert_int_lt(i, REPORTS_MOST);
    ck_assert_ptr_eq(context, &slow);
    ck_assert_int_eq(pe_loop_run(loop), PE_EINLOOP);
    slow.what[i] = what;
    snprintf(slow.names[i], sizeof slow.names[i], "%s", name);
    slow.durations_ns[i] = duration_ns;
}

static int busy_between_waits(pe_task *t, void *frame)
{
    int64_t *busy_ns = frame;

    PE_BEGIN(t);
    PE_YIELD(t);
    be_busy(*busy_ns);
    PE_YIELD(t);
    PE_END(t);
}

/* Its memory is gone when it is reported. */
static int busy_to_the_end(pe_task *t, void *frame)
{
    (void)t;
    be_busy(*(int64_t *)frame);
    return 0;
}

static void busy_post(void *context)
{
    be_busy(*(int64_t *)context);
}

static int set_on_slow(pe_loop *loop, int64_t threshold_ns)
{
    slow.count = 0;
    return pe_loop_on_slow(loop, threshold_ns, on_slow, &slow);
}

PE_TEST(a31_a_slow_step_is_reported_by_the_name_of_its_task)
{
    pe_loop *loop = async_loop();
    int64_t busy_ns = PE_MS(30), quick_ns = 0;
    pe_task *task;

    MUST(set_on_slow(loop, PE_MS(25)), 0);
    MUST(pe_spawn(loop, busy_between_waits, &busy_ns, sizeof busy_ns, &task), 0);
    MUST(pe_task_set_name(task, "the busy one"), 0);
    MUST(pe_spawn(loop, busy_between_waits, &quick_ns, sizeof quick_ns, NULL), 0);
    MUST(pe_spawn(loop, busy_to_the_end, &busy_ns, sizeof busy_ns, NULL), 0);
    MUST(pe_loop_run(loop), 0);
    ck_assert_int_ge(slow.count, 2);
    MUST((int)slow.what[0], PE_SLOW_STEP);
    ck_assert_str_eq(slow.names[0], "busy_to_the_end");
    ck_assert_str_eq(slow.names[1], "the busy one");
    ck_assert_int_ge(slow.durations_ns[0], PE_MS(30));
    pe_task_free(task);
    pe_loop_free(loop);
}

PE_TEST(a31_a_slow_post_is_reported)
{
    pe_loop *loop = async_loop();
    static int64_t busy_ns = PE_MS(30), quick_ns = 0;

    MUST(set_on_slow(loop, PE_MS(25)), 0);
    MUST(pe_loop_post(loop, busy_post, &quick_ns), 0);
    MUST(pe_loop_post(loop, busy_post, &busy_ns), 0);
    MUST(pe_loop_run(loop), 0);
    ck_assert_int_ge(slow.count, 1);
    MUST((int)slow.what[slow.count - 1], PE_SLOW_POST);
    ck_assert_str_eq(slow.names[slow.count - 1], "busy_post");
    pe_loop_free(loop);
}

/* None of its steps was slow. */
PE_TEST(a32_a_slow_turn_is_reported)
{
    pe_loop *loop = async_loop();
    int64_t busy_ns = PE_US(20);

    /* 20 us each: a turn has three or so, and is over by then. */
    MUST(set_on_slow(loop, PE_US(45)), 0);
    for (int i = 0; i < 3; i++)
        MUST(pe_spawn(loop, busy_to_the_end, &busy_ns, sizeof busy_ns, NULL), 0);
    MUST(pe_loop_run(loop), 0);
    ck_assert_int_ge(slow.count, 1);
    for (int i = 0; i < slow.count; i++)
        ck_assert_int_ge(slow.durations_ns[i], PE_US(45));
    if (slow.what[0] == PE_SLOW_TURN) /* else the machine was busy with something else */
        ck_assert_str_eq(slow.names[0], "");
    pe_loop_free(loop);
}

static int logs;
static char last_log[200];

static void note_log(int level, const char *message, void *context)
{
    (void)context;
    logs++;
    MUST(level, PE_LOG_WARNING);
    snprintf(last_log, sizeof last_log, "%s", message);
}

PE_TEST(slow_without_a_function_goes_to_the_log_and_off_is_off)
{
    pe_loop *loop = async_loop();
    int64_t busy_ns = PE_MS(30);

    logs = 0;
    pe_set_log(note_log, NULL);
    MUST(pe_loop_on_slow(loop, -1, NULL, NULL), PE_EINVAL);
    MUST(pe_loop_on_slow(loop, PE_MS(25), NULL, NULL), 0);
    MUST(pe_spawn(loop, busy_to_the_end, &busy_ns, sizeof busy_ns, NULL), 0);
    MUST(pe_loop_run(loop), 0);
    MUST(logs, 1);
    ck_assert_ptr_nonnull(strstr(last_log, "busy_to_the_end"));
    MUST(pe_loop_on_slow(loop, 0, NULL, NULL), 0);
    MUST(pe_spawn(loop, busy_to_the_end, &busy_ns, sizeof busy_ns, NULL), 0);
    MUST(pe_loop_run(loop), 0);
    MUST(logs, 1);
    pe_set_log(NULL, NULL);
    pe_loop_free(loop);
}

static int count_turns(pe_task *t, void *frame)
{
    int *left = frame;

    PE_BEGIN(t);
    while ((*left)-- > 0)
        PE_YIELD(t);
    PE_END(t);
}

/* Turns that are looked at are the same turns. */
PE_TEST_LOOP(figures_of_tasks_and_steps, 0, 2)
{
    pe_loop *loop = async_loop();
    pe_loop_figures figures = PE_LOOP_FIGURES_INIT, wrong = { .size = 3 };
    int left = 1000, none = 0;

    if (_i == 1)
        MUST(set_on_slow(loop, PE_SECONDS(100)), 0);
    MUST(pe_loop_stats(loop, NULL), PE_EINVAL);
    MUST(pe_loop_stats(loop, &wrong), PE_EINVAL);
    MUST(pe_loop_stats(loop, &figures), 0);
    ck_assert_uint_eq(figures.turns + figures.steps + figures.spawned + figures.timers, 0);
    MUST(pe_spawn(loop, count_turns, &left, sizeof left, NULL), 0);
    for (int i = 0; i < 9; i++)
        MUST(pe_spawn(loop, count_turns, &none, sizeof none, NULL), 0);
    MUST(pe_loop_stats(loop, &figures), 0);
    ck_assert_uint_eq(figures.live, 10);
    MUST(pe_loop_run(loop), 0);
    MUST(pe_loop_stats(loop, &figures), 0);
    ck_assert_uint_eq(figures.live, 0);
    ck_assert_uint_eq(figures.spawned, 10);
    ck_assert_uint_eq(figures.ended, 10);
    ck_assert_uint_eq(figures.steps, 1010);
    ck_assert_uint_ge(figures.turns, 1);
    ck_assert_int_gt(figures.turn_longest_ns, 0);
    ck_assert_int_gt(figures.turn_mean_ns, 0);
    ck_assert_int_le(figures.turn_mean_ns, figures.turn_longest_ns);
    pe_loop_free(loop);
}

static int sleep_a_little(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_TRY(t, pe_sleep(t, PE_MS(2)));
    PE_END(t);
}

static int hold_up(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_YIELD(t);
    be_busy(PE_MS(40));
    PE_END(t);
}

/* The timer is due while another task has the loop to itself. */
PE_TEST(a32_lag_is_how_late_timers_were)
{
    pe_loop *loop = async_loop();
    pe_loop_figures figures = PE_LOOP_FIGURES_INIT;

    MUST(pe_spawn(loop, sleep_a_little, NULL, 0, NULL), 0);
    MUST(pe_spawn(loop, hold_up, NULL, 0, NULL), 0);
    MUST(pe_loop_run(loop), 0);
    MUST(pe_loop_stats(loop, &figures), 0);
    ck_assert_uint_eq(figures.timers, 1);
    ck_assert_int_ge(figures.lag_longest_ns, PE_MS(36));
    ck_assert_int_eq(figures.lag_mean_ns, figures.lag_longest_ns);
    ck_assert_int_ge(figures.turn_longest_ns, PE_MS(40));
    pe_loop_free(loop);
}

/* ---- the text ---- */

static char text[1 << 16];

static const char *dump_of(pe_loop *loop)
{
    FILE *file = fmemopen(text, sizeof text, "w");

    ck_assert_ptr_nonnull(file);
    MUST(pe_loop_dump(loop, file), 0);
    fclose(file);
    return text;
}

struct caller {
    pe_call_link link;
    pe_task *tasks[3];
    size_t index;
    int how;
};

static int wait_for_hours(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep(t, PE_SECONDS(3600 * 3)));
    PE_RETURN(t, t->result);
    PE_END(t);
}

static int call_and_wait(pe_task *t, void *frame)
{
    struct caller *c = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_call(t, &c->link, wait_for_hours, NULL));
    PE_RETURN(t, t->result);
    PE_END(t);
}

static int wait_for_tasks(pe_task *t, void *frame)
{
    struct caller *c = frame;

    PE_BEGIN(t);
    if (c->how == 0)
        PE_AWAIT(t, pe_gather(t, c->tasks, 3, 0));
    else if (c->how == 1)
        PE_AWAIT(t, pe_wait_first(t, c->tasks, 2, &c->index));
    else
        PE_AWAIT(t, pe_await(t, c->tasks[2]));
    PE_RETURN(t, t->result);
    PE_END(t);
}

PE_TEST(a33_the_text_of_a_loop)
{
    pe_loop *loop = async_loop();
    struct caller c = { .how = 0 };
    pe_signal *signal;

    ck_assert_str_eq(dump_of(loop), "loop: 0 tasks, 0 objects\n");
    MUST(pe_spawn(loop, async_sleep_for_ever, NULL, 8, &c.tasks[0]), 0);
    MUST(pe_spawn(loop, call_and_wait, NULL, sizeof c, &c.tasks[1]), 0);
    MUST(pe_spawn(loop, async_sleep_for_ever, NULL, 8, &c.tasks[2]), 0);
    MUST(pe_task_set_name(c.tasks[2], "the third"), 0);
    for (c.how = 0; c.how < 3; c.how++)
        MUST(pe_spawn(loop, wait_for_tasks, &c, sizeof c, NULL), 0);
    MUST(pe_signal_new(loop, SIGUSR1, &signal), 0);
    ck_assert_ptr_nonnull(strstr(dump_of(loop), "\n  #1 async_sleep_for_ever has not begun\n"));
    async_settle(loop);
    MUST(pe_spawn(loop, async_sleep_for_ever, NULL, 0, NULL), 0);
    memcpy(strstr(dump_of(loop), " ms\n") - 5, "99999", 5); /* 10,799,999 or some less */
    ck_assert_str_eq(text, "loop: 7 tasks, 1 object\n"
                           "  #4 wait_for_tasks waits for all of several tasks\n"
                           "    #1 async_sleep_for_ever waits for a time\n"
                           "    #2 call_and_wait in wait_for_hours waits for a time, 10799999 ms\n"
                           "    #3 the third waits for a time\n"
                           "  #5 wait_for_tasks waits for the first of several tasks\n"
                           "    #1 async_sleep_for_ever, see there\n"
                           "    #2 call_and_wait, see there\n"
                           "  #6 wait_for_tasks waits for a task\n"
                           "    #3 the third, see there\n"
                           "  #7 async_sleep_for_ever has not begun\n"
                           "  1 signal\n");
    pe_signal_free(signal);
    for (int i = 0; i < 3; i++)
        pe_task_free(c.tasks[i]);
    pe_loop_free(loop);
}

static int wait_for_group(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    PE_AWAIT(t, pe_group_wait(t, *(pe_group **)frame));
    PE_RETURN(t, t->result);
    PE_END(t);
}

PE_TEST(the_text_shows_members_of_groups)
{
    pe_loop *loop = async_loop();
    pe_group *group, *other;

    MUST(pe_group_new(loop, 0, &group), 0);
    MUST(pe_group_new(loop, 0, &other), 0);
    MUST(pe_group_spawn(group, async_sleep_for_ever, NULL, 8, NULL), 0);
    MUST(pe_group_spawn(other, async_sleep_for_ever, NULL, 8, NULL), 0);
    MUST(pe_group_spawn(group, async_sleep_for_ever, NULL, 8, NULL), 0);
    MUST(pe_spawn(loop, wait_for_group, &group, sizeof group, NULL), 0);
    async_settle(loop);
    ck_assert_str_eq(dump_of(loop), "loop: 4 tasks, 0 objects\n"
                                    "  #2 async_sleep_for_ever waits for a time\n"
                                    "  #4 wait_for_group waits for a group\n"
                                    "    #1 async_sleep_for_ever waits for a time\n"
                                    "    #3 async_sleep_for_ever waits for a time\n");
    pe_loop_free(loop);
    pe_group_free(group);
    pe_group_free(other);
}

/* Neither the width nor the stack grows with it. */
PE_TEST(the_text_of_a_long_chain)
{
    pe_loop *loop = async_loop();
    enum { LENGTH = 100 };
    pe_task *tasks[LENGTH];
    int lines = 0;

    MUST(pe_spawn(loop, async_sleep_for_ever, NULL, 8, &tasks[0]), 0);
    for (int i = 1; i < LENGTH; i++)
        MUST(pe_spawn(loop, async_await_other, &tasks[i - 1], sizeof tasks[0], &tasks[i]), 0);
    async_settle(loop);
    for (char *at = strtok((char *)(uintptr_t)dump_of(loop), "\n"); at != NULL; at = strtok(NULL, "\n")) {
        ck_assert_uint_lt(strlen(at), 120);
        lines++;
    }
    ck_assert_int_eq(lines, LENGTH + 1);
    pe_loop_free(loop);
    for (int i = 0; i < LENGTH; i++)
        pe_task_free(tasks[i]);
}

static int dump_itself(pe_task *t, void *frame)
{
    (void)frame;
    ck_assert_ptr_nonnull(strstr(dump_of(pe_task_loop(t)), "#1 dump_itself runs\n"));
    return 0;
}

PE_TEST(the_text_inside_a_task_and_where_it_cannot_be_written)
{
    pe_loop *loop = async_loop();
    FILE *full = fopen("/dev/full", "w");

    MUST(pe_spawn(loop, dump_itself, NULL, 0, NULL), 0);
    MUST(pe_loop_run(loop), 0);
    MUST(pe_loop_dump(loop, NULL), PE_EINVAL);
    MUST(pe_loop_dump(loop, full), -EIO);
    for (int nth = 1; nth <= 2; nth++) {
        harness_fail_nth(HARNESS_MALLOC, (uint64_t)nth, ENOMEM);
        MUST(pe_loop_dump(loop, full), PE_ENOMEM);
        harness_fail_reset();
    }
    fclose(full);
    pe_loop_free(loop);
}

/* ---- failures ---- */

#define FAILURES_MOST 16

static struct {
    int count;
    char names[FAILURES_MOST][70];
    int errors[FAILURES_MOST];
} failures;

static void on_failure(pe_loop *loop, const char *name, int error, void *context)
{
    int i = failures.count++;

    ck_assert_int_lt(i, FAILURES_MOST);
    ck_assert_ptr_eq(context, &failures);
    MUST(pe_loop_run(loop), PE_EINLOOP);
    MUST(pe_loop_close(loop, NULL), PE_EINLOOP);
    snprintf(failures.names[i], sizeof failures.names[i], "%s", name);
    failures.errors[i] = error;
}

static pe_loop *watched_loop(void)
{
    pe_loop *loop = async_loop();

    failures.count = 0;
    MUST(pe_loop_on_failure(loop, on_failure, &failures), 0);
    return loop;
}

static int fail_with(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    PE_YIELD(t);
    PE_RETURN(t, *(int *)frame);
    PE_END(t);
}

static pe_task *start_failing(pe_loop *loop, int error, const char *name)
{
    pe_task *task;

    MUST(pe_spawn(loop, fail_with, &error, sizeof error, &task), 0);
    MUST(pe_task_set_name(task, name), 0);
    return task;
}

PE_TEST(i18_failures_that_nobody_looks_at_are_reported_once)
{
    pe_loop *loop = watched_loop();
    pe_task *held = start_failing(loop, -7, "held"), *dropped = start_failing(loop, PE_ETIMEDOUT, "dropped");

    pe_task_free(dropped);
    MUST(pe_loop_run(loop), 0);
    MUST(failures.count, 1); /* nobody can look any more */
    ck_assert_str_eq(failures.names[0], "dropped");
    MUST(failures.errors[0], PE_ETIMEDOUT);
    MUST(pe_loop_close(loop, NULL), 0);
    MUST(failures.count, 2); /* nobody has */
    ck_assert_str_eq(failures.names[1], "held");
    MUST(failures.errors[1], -7);
    pe_loop_free(loop);
    pe_task_free(held);
    MUST(failures.count, 2);
}

PE_TEST(i18_the_last_handle_of_a_failure_reports_it)
{
    pe_loop *loop = watched_loop();
    pe_task *task = start_failing(loop, -7, "held");

    ck_assert_ptr_eq(pe_task_ref(task), task);
    MUST(pe_loop_run(loop), 0);
    pe_task_free(task);
    MUST(failures.count, 0);
    pe_task_free(task);
    MUST(failures.count, 1);
    pe_loop_free(loop);
    MUST(failures.count, 1);
}

struct looker {
    pe_task *tasks[2];
};

static int await_both(pe_task *t, void *frame)
{
    struct looker *l = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_await(t, l->tasks[0]));
    ck_assert_int_eq(t->result, -8);
    PE_AWAIT(t, pe_await(t, l->tasks[1])); /* it had failed before */
    ck_assert_int_eq(t->result, -9);
    PE_END(t);
}

PE_TEST(i18_what_was_cancelled_awaited_or_asked_for_is_no_report)
{
    pe_loop *loop = watched_loop();
    struct looker looker = { { start_failing(loop, -8, "awaited"), start_failing(loop, -9, "awaited late") } };
    pe_task *asked = start_failing(loop, -10, "asked"), *cancelled;

    MUST(pe_spawn(loop, async_sleep_for_ever, NULL, 8, &cancelled), 0);
    MUST(pe_spawn(loop, await_both, &looker, sizeof looker, NULL), 0);
    async_settle(loop);
    MUST(pe_task_result(asked), -10);
    MUST(pe_task_cancel(cancelled), 0);
    MUST(pe_loop_run(loop), 0);
    pe_task_free(asked);
    pe_task_free(cancelled);
    pe_task_free(looker.tasks[0]);
    pe_task_free(looker.tasks[1]);
    MUST(pe_spawn(loop, async_sleep_for_ever, NULL, 8, NULL), 0);
    pe_loop_free(loop);
    MUST(failures.count, 0);
}

PE_TEST(failures_without_a_function_go_to_the_log)
{
    pe_loop *loop = async_loop();

    logs = 0;
    pe_set_log(note_log, NULL);
    pe_task_free(start_failing(loop, -7, "unlucky"));
    MUST(pe_loop_run(loop), 0);
    MUST(logs, 1);
    ck_assert_ptr_nonnull(strstr(last_log, "unlucky"));
    pe_set_log(NULL, NULL);
    pe_loop_free(loop);
}

/* While an attached one is given back, too. */
static void start_another(pe_loop *loop, const char *name, int error, void *context)
{
    (void)name, (void)error;
    ++*(int *)context;
    MUST(pe_spawn(loop, fail_with, NULL, 0, NULL), PE_ECLOSED);
    MUST(pe_loop_post(loop, busy_post, NULL), PE_ECLOSED);
    MUST(pe_loop_stop(loop), 0);
}

PE_TEST(a_report_at_the_end_starts_nothing_any_more)
{
    pe_loop *loop = async_loop();
    int calls = 0;
    pe_task *task = start_failing(loop, -7, "held");

    MUST(pe_loop_on_failure(loop, start_another, &calls), 0);
    MUST(pe_loop_run(loop), 0);
    pe_loop_free(loop);
    MUST(calls, 1);
    pe_task_free(task);
}

static void yield_for(pe_loop *loop, const char *name, int error, void *context)
{
    (void)loop, (void)name, (void)error;
    MUST(pe_yield(*(pe_task **)context), PE_EINVAL);
    *(pe_task **)context = NULL;
}

static int forget(pe_task *t, void *frame)
{
    pe_task *running = t;

    PE_BEGIN(t);
    MUST(pe_loop_on_failure(pe_task_loop(t), yield_for, &running), 0);
    pe_task_free(*(pe_task **)frame);
    ck_assert_ptr_null(running);
    PE_YIELD(t);
    PE_END(t);
}

PE_TEST(a_report_that_a_task_caused_is_made_outside_it)
{
    pe_loop *loop = async_loop();
    pe_task *failed = start_failing(loop, -7, "forgotten");

    MUST(pe_loop_run(loop), 0);
    MUST(pe_spawn(loop, forget, &failed, sizeof failed, NULL), 0);
    MUST(pe_loop_run(loop), 0);
    pe_loop_free(loop);
}

HARNESS_MAIN("loop-debug")
