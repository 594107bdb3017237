/*
 * Time limits: what they end and what not, whom they blame, how they nest, move and meet with requests to stop.
 */
#include "harness/harness.h"

#include <parexec.h>

#include "harness/async.h"

#define NEVER_NS PE_SECONDS(1000)

struct scene {
    struct diary diary;
    pe_limit limits[4];
    pe_task *child;
    pe_call_link link;
    int64_t begin_ns;
    int i;
};

static void note(pe_task *t, void *frame)
{
    diary_add(&((struct scene *)frame)->diary, "%c", async_letter(t->result));
}

/* What the task notes when it runs alone. */
static void assert_run(pe_task_fn *fn, const char *diary)
{
    struct scene f = { .i = 0 };

    MUST(pe_run(fn, &f, NULL), 0);
    DIARY_MUST_BE(&f.diary, diary);
}

/* ---- children ---- */

/* Cleans up for 10 ms when it is stopped. */
static int clean_up(pe_task *t, void *frame)
{
    struct diary *diary = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    PE_AWAIT(t, pe_sleep(t, PE_MS(10)));
    diary_add(diary, "clean");
    PE_RETURN(t, PE_ECANCELED);
    PE_END(t);
}

static int ignore(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    PE_RETURN(t, 5);
    PE_END(t);
}

static int return_six(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_RETURN(t, 6);
    PE_END(t);
}

static int fail_stopped(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    PE_RETURN(t, -77);
    PE_END(t);
}

/* ---- one limit ---- */

static int limit_of_50_ms(pe_task *t, void *frame)
{
    struct scene *f = frame;

    PE_BEGIN(t);
    MUST(pe_spawn(pe_task_loop(t), clean_up, &f->diary, 0, &f->child), 0);
    PE_YIELD(t);
    f->begin_ns = pe_now();
    PE_AWAIT(t, pe_timeout(t, &f->limits[0], f->begin_ns + PE_MS(30), f->child));
    note(t, f);
    ck_assert_int_ge(pe_now() - f->begin_ns, PE_MS(40));
    MUST(pe_task_has_ended(f->child), 1);
    MUST(pe_task_result(f->child), PE_ECANCELED);
    MUST(pe_limit_is_to_blame(t, &f->limits[0]), 1);
    MUST(pe_limit_leave(t, &f->limits[0]), PE_EINVAL); /* it has been */
    pe_task_free(f->child);
    PE_END(t);
}

PE_TEST(i07_a_limit_is_told_of_when_the_cleaning_up_has_ended)
{
    assert_run(limit_of_50_ms, "clean T");
}

static const int64_t passed[] = { 0, 1 }; /* 0, and some time in the past */

static int limits_that_have_passed(pe_task *t, void *frame)
{
    struct scene *f = frame;

    PE_BEGIN(t);
    f->begin_ns = passed[f->i] == 0 ? 0 : pe_now() - 1;
    MUST(pe_spawn(pe_task_loop(t), return_six, NULL, 0, &f->child), 0);
    PE_AWAIT(t, pe_timeout(t, &f->limits[0], f->begin_ns, f->child)); /* it has not begun, and never does */
    note(t, f);
    MUST(pe_task_result(f->child), PE_ECANCELED);
    pe_task_free(f->child);
    MUST(pe_spawn(pe_task_loop(t), return_six, NULL, 0, &f->child), 0);
    PE_YIELD(t);
    PE_AWAIT(t, pe_timeout(t, &f->limits[0], f->begin_ns, f->child)); /* it has ended */
    note(t, f);
    MUST(pe_limit_is_to_blame(t, &f->limits[0]), 0);
    PE_AWAIT_UNTIL(t, &f->limits[0], f->begin_ns, pe_await(t, f->child));
    note(t, f);
    PE_AWAIT_UNTIL(t, &f->limits[0], f->begin_ns, pe_sleep(t, PE_FOREVER));
    note(t, f);
    MUST(pe_limit_is_to_blame(t, &f->limits[0]), 1);
    PE_AWAIT_UNTIL(t, &f->limits[0], f->begin_ns, pe_yield(t)); /* would have to wait, for its turn */
    note(t, f);
    PE_AWAIT_UNTIL(t, &f->limits[0], f->begin_ns, pe_shield(t, f->child));
    note(t, f);
    pe_task_free(f->child);
    MUST(pe_spawn(pe_task_loop(t), return_six, NULL, 0, &f->child), 0);
    PE_AWAIT_UNTIL(t, &f->limits[0], f->begin_ns, pe_shield(t, f->child)); /* which goes on */
    note(t, f);
    PE_AWAIT(t, pe_await(t, f->child));
    note(t, f);
    pe_task_free(f->child);
    PE_END(t);
}

PE_TEST_LOOP(i09_limits_of_nothing_and_in_the_past, 0, 2)
{
    struct scene f = { .i = _i };

    MUST(pe_run(limits_that_have_passed, &f, NULL), 0);
    DIARY_MUST_BE(&f.diary, "T 6 6 T T 6 T 6");
}

static int one_limit_several_waits(pe_task *t, void *frame)
{
    struct scene *f = frame;

    PE_BEGIN(t);
    MUST(pe_limit_enter(t, &f->limits[0], pe_after(NEVER_NS)), 0);
    PE_YIELD(t);
    note(t, f);
    MUST(pe_limit_move(t, &f->limits[0], pe_after(PE_MS(2))), 0);
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    note(t, f);
    PE_AWAIT(t, pe_sleep(t, PE_MS(3))); /* not again */
    note(t, f);
    MUST(pe_limit_move(t, &f->limits[0], pe_after(NEVER_NS)), PE_EALREADY);
    MUST(pe_limit_is_to_blame(t, &f->limits[0]), 1);
    MUST(pe_limit_leave(t, &f->limits[0]), 1);
    MUST(pe_limit_is_to_blame(t, &f->limits[0]), 1);
    PE_AWAIT(t, pe_sleep(t, PE_MS(1)));
    note(t, f);
    PE_END(t);
}

PE_TEST(a06_a_limit_ends_one_wait_of_several)
{
    assert_run(one_limit_several_waits, "0 T 0 0");
}

static int yield_under_a_limit(pe_task *t, void *frame)
{
    struct scene *f = frame;

    PE_BEGIN(t);
    MUST(pe_limit_enter(t, &f->limits[0], pe_after(PE_MS(2))), 0);
    do {
        PE_YIELD(t);
    } while (t->result == 0);
    note(t, f);
    PE_YIELD(t);
    note(t, f);
    MUST(pe_limit_leave(t, &f->limits[0]), 1);
    PE_END(t);
}

/* Would not end if yields took no notice. */
PE_TEST(a06_a_limit_ends_a_task_that_only_yields)
{
    assert_run(yield_under_a_limit, "T 0");
}

/* Keeps the task busy till then, so that no timer has been looked at. */
static void work_until(int64_t deadline_ns)
{
    while (pe_now() < deadline_ns)
        ;
}

static int leave_unseen(pe_task *t, void *frame)
{
    struct scene *f = frame;

    PE_BEGIN(t);
    MUST(pe_limit_enter(t, &f->limits[0], 0), 0);
    MUST(pe_limit_leave(t, &f->limits[0]), 0);
    MUST(pe_limit_is_to_blame(t, &f->limits[0]), 0);
    PE_YIELD(t);
    note(t, f);
    MUST(pe_limit_enter(t, &f->limits[0], pe_after(PE_MS(1))), 0);
    MUST(pe_shield_enter(t), 0);
    PE_AWAIT(t, pe_sleep(t, PE_MS(3)));
    note(t, f);
    MUST(pe_shield_leave(t), 0);
    MUST(pe_limit_leave(t, &f->limits[0]), 0);
    PE_YIELD(t);
    note(t, f);
    MUST(pe_limit_enter(t, &f->limits[0], pe_after(PE_MS(1))), 0);
    work_until(pe_after(PE_MS(2)));
    MUST(pe_limit_leave(t, &f->limits[0]), 0);
    PE_AWAIT(t, pe_sleep(t, PE_MS(1)));
    note(t, f);
    PE_END(t);
}

PE_TEST(a10_a_limit_that_no_wait_has_seen_leaves_nothing_behind)
{
    assert_run(leave_unseen, "0 0 0 0");
}

static int work_over_a_limit(pe_task *t, void *frame)
{
    struct scene *f = frame;

    PE_BEGIN(t);
    MUST(pe_limit_enter(t, &f->limits[0], pe_after(PE_MS(1))), 0);
    work_until(pe_after(PE_MS(2)));
    PE_AWAIT(t, pe_sleep(t, PE_MS(1))); /* both times are over then, the limit's first */
    note(t, f);
    MUST(pe_limit_leave(t, &f->limits[0]), 1);
    PE_END(t);
}

PE_TEST(a06_a_limit_that_passes_while_the_task_computes)
{
    assert_run(work_over_a_limit, "T");
}

static int wrong_limits(pe_task *t, void *frame)
{
    struct scene *f = frame;

    PE_BEGIN(t);
    MUST(pe_limit_enter(t, NULL, PE_FOREVER), PE_EINVAL);
    MUST(pe_limit_enter(t, &f->limits[0], -1), PE_EINVAL);
    MUST(pe_limit_enter(t, &f->limits[0], 5), PE_EINVAL); /* a duration */
    MUST(pe_limit_leave(t, &f->limits[0]), PE_EINVAL);
    MUST(pe_limit_enter(t, &f->limits[0], PE_FOREVER), 0);
    MUST(pe_limit_enter(t, &f->limits[0], PE_FOREVER), PE_EINVAL);
    MUST(pe_limit_enter(t, &f->limits[1], PE_FOREVER), 0);
    MUST(pe_limit_enter(t, &f->limits[0], 0), PE_EINVAL); /* further out */
    MUST(pe_limit_move(t, &f->limits[0], -1), PE_EINVAL);
    MUST(pe_limit_move(t, &f->limits[2], 0), PE_EINVAL);
    MUST(pe_limit_move(t, NULL, 0), PE_EINVAL);
    MUST(pe_limit_leave(t, NULL), PE_EINVAL);
    MUST(pe_limit_is_to_blame(t, NULL), PE_EINVAL);
    MUST(pe_limit_leave(t, &f->limits[0]), 0);
    MUST(pe_limit_leave(t, &f->limits[1]), PE_EINVAL); /* left with the outer one */
    MUST(pe_limit_leave(t, &f->limits[0]), PE_EINVAL);
    MUST(pe_timeout(t, NULL, PE_FOREVER, t), PE_EINVAL);
    MUST(pe_timeout(t, &f->limits[0], PE_FOREVER, NULL), PE_EINVAL);
    MUST(pe_timeout(t, &f->limits[0], PE_FOREVER, t), PE_EDEADLK);
    MUST(pe_timeout(t, &f->limits[0], 5, t), PE_EINVAL);
    PE_AWAIT_UNTIL(t, &f->limits[0], -1, pe_sleep(t, PE_FOREVER));
    MUST(t->result, PE_EINVAL);
    PE_AWAIT(t, pe_sleep(t, PE_MS(1)));
    note(t, f);
    PE_END(t);
}

PE_TEST(a06_limits_that_are_wrong_change_nothing)
{
    assert_run(wrong_limits, "0");
}

/* ---- moved ---- */

static int move_limits(pe_task *t, void *frame)
{
    struct scene *f = frame;

    PE_BEGIN(t);
    MUST(pe_limit_enter(t, &f->limits[0], PE_FOREVER), 0);
    MUST(pe_limit_move(t, &f->limits[0], pe_after(PE_MS(2))), 0);
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    note(t, f);
    MUST(pe_limit_leave(t, &f->limits[0]), 1);

    MUST(pe_limit_enter(t, &f->limits[0], pe_after(PE_MS(1))), 0);
    MUST(pe_limit_move(t, &f->limits[0], pe_after(NEVER_NS)), 0);
    PE_AWAIT(t, pe_sleep(t, PE_MS(3)));
    note(t, f);
    MUST(pe_limit_move(t, &f->limits[0], PE_FOREVER), 0);
    MUST(pe_limit_move(t, &f->limits[0], pe_after(PE_MS(1))), 0);
    work_until(pe_after(PE_MS(2)));
    MUST(pe_limit_move(t, &f->limits[0], pe_after(NEVER_NS)), 0); /* over, but nobody has looked */
    PE_AWAIT(t, pe_sleep(t, PE_MS(1)));
    note(t, f);
    MUST(pe_limit_move(t, &f->limits[0], 0), 0);
    MUST(pe_limit_move(t, &f->limits[0], PE_FOREVER), PE_EALREADY);
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    note(t, f);
    MUST(pe_limit_leave(t, &f->limits[0]), 1);
    PE_END(t);
}

PE_TEST(a06_limits_are_moved)
{
    assert_run(move_limits, "T 0 0 T");
}

/* ---- nested ---- */

enum nesting { INNER_FIRST, OUTER_FIRST, BOTH_AT_ONCE, INNER_THEN_OUTER, NESTINGS };

static const char *const nested_diaries[] = { "T 1 0 0", "T 0 1 0", "T 0 1 0", "T T 1 1 0" };

static int nest(pe_task *t, void *frame)
{
    struct scene *f = frame;

    PE_BEGIN(t);
    f->begin_ns = pe_now();
    MUST(pe_limit_enter(t, &f->limits[0],
                        pe_after(f->i == OUTER_FIRST || f->i == BOTH_AT_ONCE ? PE_MS(4) : NEVER_NS)), 0);
    MUST(pe_limit_enter(t, &f->limits[1], pe_after(f->i == OUTER_FIRST ? NEVER_NS : PE_MS(2))), 0);
    if (f->i == BOTH_AT_ONCE)
        work_until(f->begin_ns + PE_MS(8));
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    note(t, f);
    if (f->i == INNER_THEN_OUTER) {
        MUST(pe_limit_move(t, &f->limits[0], pe_after(PE_MS(1))), 0);
        PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
        note(t, f);
    }
    diary_add(&f->diary, "%d", pe_limit_leave(t, &f->limits[1]));
    diary_add(&f->diary, "%d", pe_limit_leave(t, &f->limits[0]));
    PE_YIELD(t);
    note(t, f);
    PE_END(t);
}

PE_TEST_LOOP(a07_nested_limits_blame_the_right_one, 0, NESTINGS)
{
    struct scene f = { .i = _i };

    MUST(pe_run(nest, &f, NULL), 0);
    DIARY_MUST_BE(&f.diary, nested_diaries[_i]);
}

static int nest_with_time_over(pe_task *t, void *frame)
{
    struct scene *f = frame;

    PE_BEGIN(t);
    /* All of these are over before a wait begins: one wait sees them. */
    MUST(pe_limit_enter(t, &f->limits[0], PE_FOREVER), 0);
    for (f->i = 1; f->i < 4; f->i++)
        MUST(pe_limit_enter(t, &f->limits[f->i], 0), 0);
    PE_YIELD(t);
    note(t, f);
    PE_YIELD(t);
    note(t, f);
    for (f->i = 0; f->i < 4; f->i++)
        diary_add(&f->diary, "%d", pe_limit_is_to_blame(t, &f->limits[f->i]));
    MUST(pe_limit_leave(t, &f->limits[2]), 0);
    MUST(pe_limit_leave(t, &f->limits[1]), 1);
    /* The inner one has been seen; the outer one comes later and has a wait of its own. */
    MUST(pe_limit_enter(t, &f->limits[1], 0), 0);
    PE_YIELD(t);
    note(t, f);
    MUST(pe_limit_move(t, &f->limits[0], 0), 0);
    MUST(pe_limit_leave(t, &f->limits[1]), 1);
    PE_YIELD(t);
    note(t, f);
    MUST(pe_limit_leave(t, &f->limits[0]), 1);
    PE_YIELD(t);
    note(t, f);
    PE_END(t);
}

PE_TEST(a07_each_end_of_a_wait_is_one_limits)
{
    assert_run(nest_with_time_over, "T 0 0 1 0 0 T T 0");
}

static int time_out_in_a_limit(pe_task *t, void *frame)
{
    struct scene *f = frame;

    PE_BEGIN(t);
    MUST(pe_spawn(pe_task_loop(t), clean_up, &f->diary, 0, &f->child), 0);
    PE_YIELD(t);
    MUST(pe_limit_enter(t, &f->limits[0], pe_after(PE_MS(2))), 0);
    PE_AWAIT(t, pe_timeout(t, &f->limits[1], pe_after(NEVER_NS), f->child));
    note(t, f);
    MUST(pe_limit_is_to_blame(t, &f->limits[1]), 0);
    MUST(pe_limit_leave(t, &f->limits[0]), 1);
    pe_task_free(f->child);
    PE_END(t);
}

PE_TEST(a07_a_time_out_ended_by_a_limit_around_it)
{
    assert_run(time_out_in_a_limit, "clean T");
}

/* ---- what the other task does ---- */

static int time_out_others(pe_task *t, void *frame)
{
    struct scene *f = frame;

    PE_BEGIN(t);
    MUST(pe_spawn(pe_task_loop(t), ignore, NULL, 0, &f->child), 0);
    PE_YIELD(t);
    PE_AWAIT(t, pe_timeout(t, &f->limits[0], pe_after(PE_MS(1)), f->child));
    note(t, f); /* its value, and nothing is left of the limit */
    MUST(pe_limit_is_to_blame(t, &f->limits[0]), 0);
    pe_task_free(f->child);
    MUST(pe_spawn(pe_task_loop(t), fail_stopped, NULL, 0, &f->child), 0);
    PE_YIELD(t);
    PE_AWAIT(t, pe_timeout(t, &f->limits[0], pe_after(PE_MS(1)), f->child));
    MUST(t->result, -77);
    pe_task_free(f->child);
    MUST(pe_spawn(pe_task_loop(t), return_six, NULL, 0, &f->child), 0);
    PE_AWAIT(t, pe_timeout(t, &f->limits[0], pe_after(NEVER_NS), f->child));
    note(t, f);
    PE_AWAIT(t, pe_sleep(t, PE_MS(2)));
    note(t, f);
    PE_AWAIT(t, pe_timeout(t, &f->limits[0], PE_FOREVER, f->child));
    note(t, f);
    pe_task_free(f->child);
    PE_END(t);
}

PE_TEST(a08_what_the_other_makes_of_its_end)
{
    assert_run(time_out_others, "5 6 0 6");
}

static int ignore_under_a_limit(pe_task *t, void *frame)
{
    struct scene *f = frame;

    PE_BEGIN(t);
    MUST(pe_spawn(pe_task_loop(t), ignore, NULL, 0, &f->child), 0);
    PE_YIELD(t);
    MUST(pe_limit_enter(t, &f->limits[0], pe_after(PE_MS(1))), 0);
    PE_AWAIT(t, pe_await(t, f->child));
    note(t, f);
    PE_AWAIT(t, pe_await(t, f->child)); /* there already: no wait */
    note(t, f);
    PE_YIELD(t);
    note(t, f);
    MUST(pe_limit_leave(t, &f->limits[0]), 1);
    pe_task_free(f->child);
    PE_END(t);
}

PE_TEST(a10_a_limit_that_the_other_ignored_is_not_lost)
{
    assert_run(ignore_under_a_limit, "5 5 T");
}

/* ---- with requests to stop ---- */

static int sleep_under_a_limit(pe_task *t, void *frame)
{
    struct scene *f = frame;

    PE_BEGIN(t);
    MUST(pe_limit_enter(t, &f->limits[0], pe_after(PE_MS(1))), 0);
    PE_AWAIT(t, pe_await(t, f->child));
    note(t, f);
    PE_YIELD(t);
    note(t, f);
    PE_YIELD(t);
    note(t, f);
    diary_add(&f->diary, "%d", pe_limit_leave(t, &f->limits[0]));
    PE_END(t);
}

static void poll_until(pe_loop *loop, int64_t deadline_ns)
{
    while (pe_now() < deadline_ns)
        (void)pe_loop_poll(loop);
}

/* The limit, then the request, then the end of the wait; and the request first. */
PE_TEST_LOOP(a10_a_limit_and_a_request_at_once, 0, 2)
{
    struct scene f = { .i = 0 };
    struct diary cleaned = { .bytes = 0 };
    pe_loop *loop = async_loop();
    pe_task *task;

    async_start(loop, clean_up, &cleaned, &f.child);
    async_start(loop, sleep_under_a_limit, &f, &task);
    while (pe_loop_poll(loop) > 0)
        ;
    if (_i == 0)
        poll_until(loop, pe_after(PE_MS(3)));
    MUST(pe_task_cancel(task), 0);
    async_finish(loop);
    DIARY_MUST_BE(&cleaned, "clean");
    DIARY_MUST_BE(&f.diary, "C 0 0 0"); /* no limit's doing, and it ends no other */
    MUST(pe_task_cancels(f.child), 1);
    pe_task_free(task);
    pe_task_free(f.child);
}

static int sleep_for_ever_under_a_limit(pe_task *t, void *frame)
{
    struct scene *f = frame;

    PE_BEGIN(t);
    MUST(pe_limit_enter(t, &f->limits[0], f->begin_ns), 0);
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    note(t, f);
    PE_YIELD(t);
    note(t, f);
    PE_YIELD(t);
    note(t, f);
    diary_add(&f->diary, "%d", pe_limit_leave(t, &f->limits[0]));
    PE_END(t);
}

static int cancel_at(pe_task *t, void *frame)
{
    struct scene *f = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep_until(t, f->begin_ns));
    MUST(pe_task_cancel(f->child), 0);
    PE_END(t);
}

/* The wait has ended for the limit, and the task has not seen that yet: it has to see the request too. */
PE_TEST(a10_a_request_after_the_end_by_a_limit_in_the_same_turn)
{
    struct scene f = { .i = 0 }, canceller;
    pe_loop *loop = async_loop();

    canceller = (struct scene){ .begin_ns = pe_after(PE_MS(50)) };
    f.begin_ns = canceller.begin_ns + 1000;
    async_start(loop, cancel_at, &canceller, NULL); /* its time is over first, so its turn is */
    async_start(loop, sleep_for_ever_under_a_limit, &f, &canceller.child);
    while (pe_loop_poll(loop) > 0)
        ;
    work_until(f.begin_ns + PE_MS(3)); /* both times are over when the loop looks */
    async_finish(loop);
    DIARY_MUST_BE(&f.diary, "T C 0 1");
    pe_task_free(canceller.child);
}

/* ---- held back ---- */

static int limits_and_sections(pe_task *t, void *frame)
{
    struct scene *f = frame;

    PE_BEGIN(t);
    MUST(pe_limit_enter(t, &f->limits[0], 0), 0);
    MUST(pe_shield_enter(t), 0);
    PE_AWAIT(t, pe_sleep(t, PE_MS(1))); /* set outside: held back */
    note(t, f);
    PE_AWAIT_UNTIL(t, &f->limits[1], pe_after(PE_MS(1)), pe_sleep(t, PE_FOREVER)); /* set inside */
    note(t, f);
    MUST(pe_limit_is_to_blame(t, &f->limits[1]), 1);
    MUST(pe_limit_is_to_blame(t, &f->limits[0]), 0);
    MUST(pe_task_cancel(t), 0);
    PE_AWAIT_UNTIL(t, &f->limits[1], 0, pe_sleep(t, PE_FOREVER));
    note(t, f);
    MUST(pe_shield_leave(t), 0);
    PE_AWAIT(t, pe_sleep(t, PE_MS(1)));
    note(t, f);
    PE_YIELD(t);
    note(t, f);
    MUST(pe_limit_leave(t, &f->limits[0]), 0);
    PE_END(t);
}

PE_TEST(a11_limits_from_outside_are_held_back_in_sections)
{
    assert_run(limits_and_sections, "0 T T C 0");
}

static int shield_under_a_limit(pe_task *t, void *frame)
{
    struct scene *f = frame;

    PE_BEGIN(t);
    MUST(pe_spawn(pe_task_loop(t), ignore, NULL, 0, &f->child), 0);
    PE_YIELD(t);
    PE_AWAIT_UNTIL(t, &f->limits[0], pe_after(PE_MS(1)), pe_shield(t, f->child));
    note(t, f);
    MUST(pe_task_cancels(f->child), 0);
    MUST(pe_task_cancel(f->child), 0);
    PE_AWAIT(t, pe_shield(t, f->child));
    note(t, f);
    pe_task_free(f->child);
    PE_END(t);
}

PE_TEST(a11_a_limit_around_a_shielded_wait)
{
    assert_run(shield_under_a_limit, "T 5");
}

/* ---- left open ---- */

static int leave_open(pe_task *t, void *frame)
{
    struct scene *f = frame;

    PE_BEGIN(t);
    MUST(pe_limit_enter(t, &f->limits[0], pe_after(PE_MS(1))), 0);
    MUST(pe_limit_enter(t, &f->limits[1], 0), 0);
    MUST(pe_limit_enter(t, &f->limits[2], pe_after(NEVER_NS)), 0);
    PE_RETURN(t, 3);
    PE_END(t);
}

/* The frames are used again at once: a timer that went on would write into them. */
PE_TEST(a06_limits_that_are_left_open_end_with_the_task)
{
    pe_loop *loop = async_loop();

    for (int i = 0; i < 100; i++) {
        MUST(pe_spawn(loop, leave_open, NULL, sizeof(struct scene), NULL), 0);
        MUST(pe_loop_run(loop), 0);
    }
    poll_until(loop, pe_after(PE_MS(3)));
    ck_assert_int_eq(pe_loop_next_ns(loop), PE_FOREVER);
    pe_loop_free(loop);
}

struct called {
    struct scene scene;
    pe_limit inner;
    int depth;
};

static int leave_the_callers(pe_task *t, void *frame)
{
    struct called *f = frame;

    PE_BEGIN(t);
    MUST(pe_limit_enter(t, &f->inner, pe_after(PE_MS(1))), 0);
    if (f->depth == 1)
        MUST(pe_limit_leave(t, &f->scene.limits[1]), 0); /* and so the one inside it */
    PE_YIELD(t);
    if (f->depth == 2)
        MUST(pe_limit_move(t, &f->scene.limits[1], pe_after(PE_MS(1))), 0);
    PE_END(t);
}

static int call_under_limits(pe_task *t, void *frame)
{
    struct called *f = frame;

    PE_BEGIN(t);
    MUST(pe_limit_enter(t, &f->scene.limits[0], pe_after(NEVER_NS)), 0);
    MUST(pe_limit_enter(t, &f->scene.limits[1], pe_after(NEVER_NS)), 0);
    PE_AWAIT(t, pe_call(t, &f->scene.link, leave_the_callers, f));
    MUST(t->result, 0);
    PE_AWAIT(t, pe_sleep(t, PE_MS(3)));
    note(t, f);
    MUST(pe_limit_leave(t, &f->inner), PE_EINVAL);
    MUST(pe_limit_leave(t, &f->scene.limits[1]), f->depth == 0 ? 0 : f->depth == 1 ? PE_EINVAL : 1);
    MUST(pe_limit_leave(t, &f->scene.limits[0]), 0);
    PE_END(t);
}

static const char *const called_diaries[] = { "0", "0", "T" };

PE_TEST_LOOP(a06_limits_and_called_functions, 0, 3)
{
    struct called f = { .depth = _i };

    MUST(pe_run(call_under_limits, &f, NULL), 0);
    DIARY_MUST_BE(&f.scene.diary, called_diaries[_i]);
}

HARNESS_MAIN("task-limit")
