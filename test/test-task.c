/*
 * Tasks: how they begin, take turns, call each other and end; their handles, frames and names. What a task function
 * does that it must not gives an error, and nothing else is hurt.
 */
#include "harness/harness.h"

#include <stdalign.h>
#include <stdlib.h>

#include <parexec.h>

#include "harness/async.h"

static int return_seven(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep(t, PE_MS(10)));
    PE_RETURN(t, t->result == 0 ? 7 : t->result);
    PE_END(t);
}

PE_TEST(i01_main_task_sleeps_and_returns_seven)
{
    int64_t begin_ns = pe_now();
    int value = 0;

    ck_assert_int_eq(pe_run(return_seven, NULL, &value), 0);
    ck_assert_int_eq(value, 7);
    ck_assert_int_ge(pe_now() - begin_ns, PE_MS(10));
}

/* PE_TRY would end the task with anything below 0. */
static int try_turns(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_TRY(t, pe_yield(t));
    PE_TRY(t, pe_sleep(t, 0));
    PE_RETURN(t, t->result == 0 ? 3 : -1);
    PE_END(t);
}

PE_TEST(a_turn_ends_with_zero)
{
    int value = 0;

    ck_assert_int_eq(pe_run(try_turns, NULL, &value), 0);
    ck_assert_int_eq(value, 3);
}

/* ---- run ---- */

static int return_frame(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    PE_YIELD(t);
    PE_RETURN(t, *(const int *)frame);
    PE_END(t);
}

PE_TEST(a01_run_gives_values_and_errors)
{
    int frame = -77, value = 1;

    MUST(pe_run(return_frame, &frame, &value), 0);
    ck_assert_int_eq(value, -77);
    MUST(pe_run(return_frame, &frame, NULL), -77);
    frame = 5;
    MUST(pe_run(return_frame, &frame, NULL), 0);
    value = 1;
    MUST(pe_run(NULL, &frame, &value), PE_EINVAL);
    ck_assert_int_eq(value, 1);
}

struct inside {
    pe_loop *loop;
    struct diary diary;
};

static int run_inside(pe_task *t, void *frame)
{
    struct inside *f = frame;

    PE_BEGIN(t);
    MUST(pe_run(return_seven, NULL, NULL), PE_EINLOOP);
    MUST(pe_loop_run(pe_task_loop(t)), PE_EINLOOP);
    diary_add(&f->diary, "refused");
    PE_AWAIT(t, pe_sleep(t, PE_MS(1)));
    MUST(t->result, 0);
    diary_add(&f->diary, "on");
    PE_END(t);
}

PE_TEST(i02_run_inside_a_running_loop_is_refused_and_that_goes_on)
{
    struct inside f = { 0 };

    MUST(pe_run(run_inside, &f, NULL), 0);
    DIARY_MUST_BE(&f.diary, "refused on");
}

static int sleep_till_cancelled(pe_task *t, void *frame)
{
    struct inside *f = frame;

    PE_BEGIN(t);
    diary_add(&f->diary, "refused");
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    diary_add(&f->diary, t->result == PE_ECANCELED ? "cancelled" : "?");
    PE_END(t);
}

static int leave_another(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    MUST(pe_spawn(pe_task_loop(t), sleep_till_cancelled, frame, 0, NULL), 0);
    PE_YIELD(t);
    PE_RETURN(t, 3);
    PE_END(t);
}

PE_TEST(a01_run_cancels_what_is_left)
{
    struct inside f = { 0 };
    int value = 0;

    MUST(pe_run(leave_another, &f, &value), 0);
    ck_assert_int_eq(value, 3);
    DIARY_MUST_BE(&f.diary, "refused cancelled");
}

/* ---- turns ---- */

struct turn {
    struct diary *diary;
    char name;
    int count;
    int i;
};

static int take_turns(pe_task *t, void *frame)
{
    struct turn *f = frame;

    PE_BEGIN(t);
    for (f->i = 0; f->i < f->count; f->i++) {
        diary_add(f->diary, "%c%d", f->name, f->i);
        if (f->i % 2)
            PE_AWAIT(t, pe_sleep(t, 0));
        else
            PE_YIELD(t);
        MUST(t->result, 0);
    }
    PE_END(t);
}

PE_TEST(a15_yield_and_sleep_of_nothing_take_turns)
{
    struct diary diary = { .bytes = 0 };
    struct turn turns[] = { { &diary, 'a', 3, 0 }, { &diary, 'b', 2, 0 }, { &diary, 'c', 3, 0 } };
    pe_loop *loop = async_loop();

    for (int i = 0; i < 3; i++)
        async_start(loop, take_turns, &turns[i], NULL);
    async_finish(loop);
    DIARY_MUST_BE(&diary, "a0 b0 c0 a1 b1 c1 a2 c2");
}

static int yield_until(pe_task *t, void *frame)
{
    const int *stop = frame;

    PE_BEGIN(t);
    while (!*stop)
        PE_YIELD(t);
    PE_END(t);
}

static int set_after_a_while(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep(t, PE_MS(2)));
    *(int *)frame = 1;
    PE_END(t);
}

/* Would never end if tasks that are always ready kept the loop from its timers. */
PE_TEST(a15_tasks_that_yield_do_not_hold_up_timers)
{
    int stop = 0;
    pe_loop *loop = async_loop();

    async_start(loop, yield_until, &stop, NULL);
    async_start(loop, yield_until, &stop, NULL);
    async_start(loop, set_after_a_while, &stop, NULL);
    async_finish(loop);
    ck_assert_int_eq(stop, 1);
}

static int spawn_never_runs_inside(pe_task *t, void *frame)
{
    struct inside *f = frame;
    static struct inside other;

    PE_BEGIN(t);
    other = (struct inside){ 0 };
    MUST(pe_spawn(pe_task_loop(t), run_inside, &other, 0, NULL), 0);
    DIARY_MUST_BE(&other.diary, "");
    PE_YIELD(t);
    DIARY_MUST_BE(&other.diary, "refused");
    diary_add(&f->diary, "done");
    PE_END(t);
}

PE_TEST(a02_a_task_begins_in_a_later_turn)
{
    struct inside f = { 0 };
    pe_loop *loop = async_loop();

    async_start(loop, spawn_never_runs_inside, &f, NULL);
    DIARY_MUST_BE(&f.diary, "");
    async_finish(loop);
    DIARY_MUST_BE(&f.diary, "done");
}

/* ---- handles ---- */

PE_TEST(a02_a_handle_tells_the_result)
{
    int frame = 9;
    pe_loop *loop = async_loop();
    pe_task *task;

    async_start(loop, return_frame, &frame, &task);
    MUST(pe_task_result(task), PE_EAGAIN);
    MUST(pe_task_has_ended(task), 0);
    ck_assert_ptr_eq(pe_task_loop(task), loop);
    async_finish(loop);
    MUST(pe_task_has_ended(task), 1);
    MUST(pe_task_result(task), 9);
    MUST(pe_task_result(task), 9);
    MUST(pe_task_cancel(task), PE_EALREADY);
    MUST(pe_task_cancels(task), 0);
    ck_assert_ptr_null(pe_task_loop(task));
    ck_assert_ptr_eq(pe_task_frame(task), &frame);
    pe_task_free(task);
    pe_task_free(NULL);
}

PE_TEST(a14_a_task_that_nobody_holds_runs_to_its_end)
{
    int stop = 0;
    pe_loop *loop = async_loop();
    pe_task *task;

    async_start(loop, set_after_a_while, &stop, &task);
    pe_task_free(task);
    async_finish(loop);
    ck_assert_int_eq(stop, 1);
}

PE_TEST(a02_handles_up_to_the_bound)
{
    int frame = 4;
    pe_loop *loop = async_loop();
    pe_task *task;

    async_start(loop, return_frame, &frame, &task);
    for (int i = 1; i < 65534; i++)
        ck_assert_ptr_eq(pe_task_ref(task), task);
    ck_assert_ptr_null(pe_task_ref(task));
    ck_assert_ptr_null(pe_task_ref(NULL));
    pe_task_free(task);
    ck_assert_ptr_eq(pe_task_ref(task), task);
    async_finish(loop);
    for (int i = 1; i < 65534; i++)
        pe_task_free(task);
    MUST(pe_task_result(task), 4);
    pe_task_free(task);
}

static int free_own_handle(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    pe_task_free(*(pe_task **)frame);
    PE_YIELD(t);
    MUST(pe_task_has_ended(t), 0);
    *(pe_task **)frame = NULL;
    PE_END(t);
}

PE_TEST(a14_a_task_frees_its_own_handle)
{
    pe_loop *loop = async_loop();
    pe_task *task;

    async_start(loop, free_own_handle, &task, &task);
    async_finish(loop);
    ck_assert_ptr_null(task);
}

/* ---- frames ---- */

struct wanted {
    size_t bytes;
    unsigned char filled;
};

static struct wanted wanted_frame;

static size_t count_of(const void *frame, unsigned char byte)
{
    const unsigned char *bytes = frame;
    size_t count = 0;

    for (size_t i = 0; i < wanted_frame.bytes; i++)
        count += bytes[i] == byte;
    return count;
}

static int look_at_frame(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    ck_assert_uint_eq((uintptr_t)frame % alignof(max_align_t), 0);
    ck_assert_ptr_eq(pe_task_frame(t), frame);
    ck_assert_uint_eq(count_of(frame, wanted_frame.filled), wanted_frame.bytes);
    memset(frame, 0x55, wanted_frame.bytes);
    PE_YIELD(t);
    ck_assert_uint_eq(count_of(frame, 0x55), wanted_frame.bytes);
    PE_END(t);
}

static const size_t frame_sizes[] = { 1, 15, 16, 17, 100, 879, 880, 881, 4096, 1048559, 1048560, 1048561, 3 << 20 };

PE_TEST_LOOP(a02_frames_of_many_sizes_copied_and_zeroed, 0, sizeof frame_sizes / sizeof *frame_sizes)
{
    size_t bytes = frame_sizes[_i];
    char *original = malloc(bytes);
    pe_loop *loop = async_loop();
    pe_task *tasks[4];

    ck_assert_ptr_nonnull(original);
    for (int with = 0; with < 2; with++) {
        wanted_frame = (struct wanted){ bytes, with ? 0xaa : 0 };
        memset(original, 0xaa, bytes);
        for (int i = 0; i < 4; i++)
            MUST(pe_spawn(loop, look_at_frame, with ? original : NULL, bytes, &tasks[i]), 0);
        memset(original, 0, bytes);
        MUST(pe_loop_run(loop), 0);
        for (int i = 0; i < 4; i++) {
            MUST(pe_task_result(tasks[i]), 0);
            ck_assert_uint_eq(((unsigned char *)pe_task_frame(tasks[i]))[bytes - 1], 0x55);
            pe_task_free(tasks[i]);
        }
    }
    pe_loop_free(loop);
    free(original);
}

static int has_no_frame(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    ck_assert_ptr_null(frame);
    ck_assert_ptr_null(pe_task_frame(t));
    PE_YIELD(t);
    ck_assert_ptr_null(frame);
    PE_END(t);
}

PE_TEST(a02_a_frame_may_be_none_and_is_bounded)
{
    pe_loop *loop = async_loop();
    pe_task *task = NULL;

    async_start(loop, has_no_frame, NULL, NULL);
    MUST(pe_spawn(loop, has_no_frame, NULL, (UINT64_C(1) << 30) + 1, &task), PE_EINVAL);
    MUST(pe_spawn(loop, has_no_frame, NULL, SIZE_MAX, &task), PE_EINVAL);
    MUST(pe_spawn(loop, NULL, NULL, 0, &task), PE_EINVAL);
    MUST(pe_spawn(NULL, has_no_frame, NULL, 0, &task), PE_EINVAL);
    ck_assert_ptr_null(task);
    async_finish(loop);
}

/* ---- calls ---- */

struct call {
    pe_call_link link;
    int depth;
    int waits;
    struct call *inner;
};

static int call_deeper(pe_task *t, void *frame)
{
    struct call *f = frame;

    PE_BEGIN(t);
    if (f->waits & 1)
        PE_YIELD(t);
    if (f->inner != NULL) {
        f->inner->waits = f->waits >> 1;
        f->inner->depth = f->depth + 1;
        PE_AWAIT(t, pe_call(t, &f->link, call_deeper, f->inner));
        MUST(t->result, f->depth + 2);
        ck_assert_str_eq(pe_task_name(t), "call_deeper");
    }
    if (f->waits & 1)
        PE_YIELD(t);
    PE_RETURN(t, f->depth + 1);
    PE_END(t);
}

/* Each bit of _i says whether one level waits before its call and behind it. */
PE_TEST_LOOP(a03_calls_that_wait_and_that_do_not, 0, 16)
{
    struct call calls[4] = { { .waits = _i } };
    pe_loop *loop = async_loop();
    pe_task *task;

    for (int i = 0; i < 3; i++)
        calls[i].inner = &calls[i + 1];
    async_start(loop, call_deeper, &calls[0], &task);
    MUST(pe_loop_run(loop), 0);
    MUST(pe_task_result(task), 1);
    ck_assert_ptr_eq(pe_task_frame(task), &calls[0]);
    pe_task_free(task);
    pe_loop_free(loop);
}

struct caller {
    pe_call_link link;
    pe_limit limit;
    int result;
    pe_task_fn *fn;
};

static int leaves_all_open(pe_task *t, void *frame)
{
    struct caller *f = frame;

    PE_BEGIN(t);
    MUST(pe_shield_enter(t), 0);
    MUST(pe_limit_enter(t, &f->limit, pe_after(PE_MS(1))), 0);
    f->result = pe_call(t, &f->link, leaves_all_open, f); /* in use */
    PE_YIELD(t);
    PE_RETURN(t, -5);
    PE_END(t);
}

/* Had the limit stayed, it would end the sleep; had the section stayed, the cancel would not. */
static int calls_what_leaves_open(pe_task *t, void *frame)
{
    struct caller *f = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_call(t, &f->link, leaves_all_open, f));
    MUST(t->result, -5);
    MUST(f->result, PE_EINVAL);
    MUST(pe_shield_leave(t), PE_EINVAL);
    MUST(pe_limit_leave(t, &f->limit), PE_EINVAL);
    memset(&f->limit, 0xff, sizeof f->limit);
    PE_AWAIT(t, pe_sleep(t, PE_MS(3)));
    MUST(t->result, 0);
    MUST(pe_task_cancel(t), 0);
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    MUST(t->result, PE_ECANCELED);
    PE_END(t);
}

PE_TEST(a03_what_a_called_function_leaves_open_ends_with_it)
{
    struct caller f = { .fn = NULL };

    MUST(pe_run(calls_what_leaves_open, &f, NULL), 0);
}

static int try_waits(pe_task *t, void *frame)
{
    int *steps = frame;

    PE_BEGIN(t);
    PE_TRY(t, pe_yield(t));
    ++*steps;
    PE_TRY(t, pe_sleep(t, -1));
    ++*steps;
    PE_END(t);
}

PE_TEST(a03_try_ends_the_task_with_the_error)
{
    int steps = 0;

    MUST(pe_run(try_waits, &steps, NULL), PE_EINVAL);
    ck_assert_int_eq(steps, 1);
}

/* ---- names ---- */

static int is_called_so(pe_task *t, void *frame)
{
    struct diary *diary = frame;

    PE_BEGIN(t);
    diary_add(diary, "%s", pe_task_name(t));
    MUST(pe_task_set_name(t, "mine"), 0);
    MUST(pe_task_set_name(t, "still mine"), 0);
    PE_YIELD(t);
    diary_add(diary, "%s", pe_task_name(t));
    PE_END(t);
}

PE_TEST(a33_a_task_is_called_like_its_function_till_it_gets_a_name)
{
    struct diary diary = { .bytes = 0 };
    pe_loop *loop = async_loop();
    char longest[80];
    pe_task *task;

    async_start(loop, is_called_so, &diary, &task);
    ck_assert_str_eq(pe_task_name(task), "is_called_so");
    async_finish(loop);
    DIARY_MUST_BE(&diary, "is_called_so still mine");
    memset(longest, 'x', sizeof longest);
    longest[79] = '\0';
    MUST(pe_task_set_name(task, longest), 0);
    ck_assert_uint_eq(strlen(pe_task_name(task)), 63);
    MUST(pe_task_set_name(task, ""), 0);
    ck_assert_str_eq(pe_task_name(task), "");
    MUST(pe_task_set_name(task, NULL), PE_EINVAL);
    MUST(pe_task_set_name(NULL, "x"), PE_EINVAL);
    ck_assert_str_eq(pe_task_name(NULL), "");
    pe_task_free(task);
}

/* ---- wrong functions ---- */

static int returns_wait(pe_task *t, void *frame)
{
    (void)t, (void)frame;
    return PE_WAIT;
}

static int begins_and_returns(pe_task *t, void *frame)
{
    (void)frame;
    MUST(pe_sleep(t, PE_FOREVER), PE_WAIT);
    return 3;
}

static int yields_and_returns(pe_task *t, void *frame)
{
    (void)frame;
    MUST(pe_yield(t), PE_WAIT);
    return 3;
}

static int begins_two(pe_task *t, void *frame)
{
    (void)frame;
    MUST(pe_sleep(t, PE_FOREVER), PE_WAIT);
    MUST(pe_sleep(t, PE_FOREVER), PE_EINVAL);
    MUST(pe_yield(t), PE_EINVAL);
    MUST(pe_shield_enter(t), PE_EINVAL);
    return 0;
}

struct misuse {
    pe_call_link link;
    pe_limit limit;
    pe_task *child;
    pe_task_fn *fn;
};

static int awaits_and_returns(pe_task *t, void *frame)
{
    struct misuse *f = frame;

    MUST(pe_timeout(t, &f->limit, pe_after(PE_SECONDS(100)), f->child), PE_WAIT);
    return 3;
}

static pe_task_fn *const wrong[] = { returns_wait, begins_and_returns, yields_and_returns, begins_two,
                                     awaits_and_returns };
#define WRONG ((int)(sizeof wrong / sizeof *wrong))

static int sleeps_on(pe_task *t, void *frame)
{
    struct diary *diary = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    diary_add(diary, "%d", t->result == PE_ECANCELED);
    PE_AWAIT(t, pe_sleep(t, PE_MS(1)));
    diary_add(diary, "%d", t->result);
    PE_RETURN(t, PE_ECANCELED);
    PE_END(t);
}

static int calls_wrong(pe_task *t, void *frame)
{
    struct misuse *f = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_call(t, &f->link, f->fn, f));
    PE_RETURN(t, t->result == PE_EINVAL ? -1000 : t->result);
    PE_END(t);
}

/* Calls the wrong function by pe_call, and returns in the middle of that. */
static int calls_and_returns(pe_task *t, void *frame)
{
    struct misuse *f = frame;

    MUST(pe_call(t, &f->link, return_seven, NULL), PE_WAIT);
    return 8;
}

static void run_wrong(pe_task_fn *fn, pe_task_fn *called, int result, const char *name)
{
    struct diary diary = { .bytes = 0 };
    struct misuse f = { .fn = called };
    pe_loop *loop = async_loop();
    pe_task *task;

    async_start(loop, sleeps_on, &diary, &f.child);
    async_start(loop, fn, &f, &task);
    while (pe_loop_poll(loop) > 0)
        ;
    if (fn != awaits_and_returns && called != awaits_and_returns) {
        MUST(pe_task_result(task), result);
        MUST(pe_task_cancel(f.child), 0);
    }
    async_finish(loop);
    MUST(pe_task_result(task), result);
    ck_assert_str_eq(pe_task_name(task), name);
    ck_assert_ptr_eq(pe_task_frame(task), called == NULL && fn != returns_wait ? NULL : (void *)&f);
    DIARY_MUST_BE(&diary, "1 0"); /* the child, whose cleaning up was waited for */
    pe_task_free(task);
    pe_task_free(f.child);
}

static const char *const wrong_names[] = { "returns_wait", "begins_and_returns", "yields_and_returns", "begins_two",
                                           "awaits_and_returns" };

PE_TEST_LOOP(a03_a_function_that_returns_in_the_middle_of_a_wait, 0, WRONG)
{
    run_wrong(wrong[_i], NULL, PE_EINVAL, wrong_names[_i]);
}

/* A value in place of a wait is the called function's error; a wait left alone ends the task. */
PE_TEST_LOOP(a03_a_called_function_that_returns_in_the_middle_of_a_wait, 0, WRONG)
{
    run_wrong(calls_wrong, wrong[_i], wrong[_i] == returns_wait ? -1000 : PE_EINVAL, "calls_wrong");
}

PE_TEST(a03_a_caller_that_returns_in_the_middle_of_a_call)
{
    struct misuse f = { .fn = NULL };
    pe_loop *loop = async_loop();
    pe_task *task;

    async_start(loop, calls_and_returns, &f, &task);
    async_finish(loop);
    MUST(pe_task_result(task), PE_EINVAL);
    ck_assert_str_eq(pe_task_name(task), "calls_and_returns");
    pe_task_free(task);
}

static int uses_another(pe_task *t, void *frame)
{
    pe_task *other = *(pe_task **)frame;
    pe_limit limit;
    pe_call_link link;

    PE_BEGIN(t);
    MUST(pe_yield(other), PE_EINVAL);
    MUST(pe_sleep(other, 1), PE_EINVAL);
    MUST(pe_sleep_until(other, 0), PE_EINVAL);
    MUST(pe_await(other, t), PE_EINVAL);
    MUST(pe_shield(other, t), PE_EINVAL);
    MUST(pe_call(other, &link, return_seven, NULL), PE_EINVAL);
    MUST(pe_shield_enter(other), PE_EINVAL);
    MUST(pe_shield_leave(other), PE_EINVAL);
    MUST(pe_limit_enter(other, &limit, PE_FOREVER), PE_EINVAL);
    MUST(pe_limit_move(other, &limit, PE_FOREVER), PE_EINVAL);
    MUST(pe_limit_leave(other, &limit), PE_EINVAL);
    MUST(pe_timeout(other, &limit, PE_FOREVER, t), PE_EINVAL);
    MUST(pe_wait_external(other, 0, NULL, NULL), PE_EINVAL);
    MUST(pe_wait_end(other, 0), PE_EINVAL);
    PE_YIELD(t);
    MUST(t->result, 0);
    PE_END(t);
}

PE_TEST(a03_the_task_of_another_cannot_be_made_to_wait)
{
    pe_loop *loop = async_loop();
    pe_task *other, *task;

    async_start(loop, return_seven, NULL, &other);
    async_start(loop, uses_another, &other, &task);
    async_finish(loop);
    MUST(pe_task_result(other), 7);
    MUST(pe_task_result(task), 0);
    pe_task_free(other);
    pe_task_free(task);
}

static int bad_arguments(pe_task *t, void *frame)
{
    pe_call_link link;

    PE_BEGIN(t);
    MUST(pe_sleep(t, -1), PE_EINVAL);
    MUST(pe_sleep_until(t, -1), PE_EINVAL);
    MUST(pe_sleep_until(t, 5), PE_EINVAL); /* a duration */
    MUST(pe_sleep(NULL, 1), PE_EINVAL);
    MUST(pe_call(t, NULL, return_seven, NULL), PE_EINVAL);
    MUST(pe_call(t, &link, NULL, NULL), PE_EINVAL);
    MUST(pe_shield_leave(t), PE_EINVAL);
    ck_assert_ptr_eq(pe_task_frame(t), frame);
    PE_YIELD(t);
    MUST(t->result, 0);
    PE_END(t);
}

PE_TEST(a03_bad_arguments_change_nothing)
{
    int frame = 0;

    MUST(pe_run(bad_arguments, &frame, NULL), 0);
}

HARNESS_MAIN("task")
