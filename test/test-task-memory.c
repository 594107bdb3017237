/*
 * What tasks carry and what carries them: values with their destroyers, blocks that are used again, and no memory at
 * any place that asks for some.
 */
#include "harness/harness.h"

#include <stdlib.h>

#include <parexec.h>

#include "harness/async.h"
#include "async/slab.h"

/* ---- values ---- */

static int destroyed[16]; /* how often, by value */

/* Tests may share a process. */
static void forget(void)
{
    memset(destroyed, 0, sizeof destroyed);
}

static void destroy(void *value)
{
    if (value != NULL)
        destroyed[*(int *)value]++;
}

static int values[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
static const pe_local_key red = { destroy }, green = { destroy }, plain = { NULL };

static int value_of(pe_task *t, const pe_local_key *key)
{
    int *value = pe_task_local(t, key);

    return value != NULL ? *value : -1;
}

static int child_of_values(pe_task *t, void *frame)
{
    pe_task **parent = frame;

    PE_BEGIN(t);
    MUST(value_of(t, &red), 1);
    MUST(value_of(t, &green), -1);
    MUST(value_of(*parent, &red), 1);
    MUST(value_of(*parent, &green), 2); /* set after this one was started */
    MUST(pe_task_set_local(t, &red, &values[3]), 0);
    MUST(value_of(t, &red), 3);
    MUST(value_of(*parent, &red), 1);
    PE_YIELD(t);
    MUST(value_of(t, &red), 3);
    MUST(destroyed[1], 0);
    PE_AWAIT(t, pe_await(t, *parent));
    MUST(destroyed[1], 1); /* by the parent's end: this one carries it no more */
    MUST(destroyed[2], 1);
    MUST(destroyed[3], 0);
    PE_END(t);
}

static int parent_of_values(pe_task *t, void *frame)
{
    pe_task **self = frame;

    PE_BEGIN(t);
    *self = t;
    ck_assert_ptr_null(pe_task_local(t, &red));
    MUST(pe_task_set_local(t, &red, &values[1]), 0);
    MUST(pe_spawn(pe_task_loop(t), child_of_values, frame, 0, NULL), 0);
    MUST(pe_task_set_local(t, &green, &values[2]), 0);
    MUST(pe_task_set_local(t, &plain, &values[4]), 0);
    MUST(value_of(t, &plain), 4);
    PE_YIELD(t);
    PE_YIELD(t);
    MUST(value_of(t, &red), 1);
    PE_END(t);
}

PE_TEST(a34_values_are_inherited_and_destroyed_once)
{
    pe_loop *loop = async_loop();
    pe_task *self = NULL, *task;

    forget();
    async_start(loop, parent_of_values, &self, &task);
    async_finish(loop);
    for (int i = 1; i <= 3; i++)
        MUST(destroyed[i], 1);
    MUST(destroyed[4], 0);
    ck_assert_ptr_null(pe_task_local(task, &red)); /* till its end */
    MUST(pe_task_set_local(task, &red, &values[5]), PE_EALREADY);
    MUST(destroyed[5], 0);
    pe_task_free(task);
}

static int replace_values(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    MUST(pe_task_set_local(t, &red, &values[1]), 0);
    MUST(pe_task_set_local(t, &green, &values[2]), 0);
    MUST(pe_task_set_local(t, &red, &values[3]), 0);
    MUST(destroyed[1], 1);
    MUST(value_of(t, &red), 3);
    MUST(value_of(t, &green), 2);
    MUST(pe_task_set_local(t, &red, &values[3]), 0); /* the same once more counts for itself */
    MUST(destroyed[3], 1);
    MUST(pe_task_set_local(t, &green, NULL), 0);
    MUST(destroyed[2], 1);
    MUST(pe_task_set_local(NULL, &green, NULL), PE_EINVAL);
    MUST(pe_task_set_local(t, NULL, NULL), PE_EINVAL);
    ck_assert_ptr_null(pe_task_local(t, NULL));
    ck_assert_ptr_null(pe_task_local(NULL, &red));
    PE_YIELD(t);
    PE_END(t);
}

PE_TEST(a34_a_value_that_is_replaced_goes_at_once)
{
    forget();
    MUST(pe_run(replace_values, NULL, NULL), 0);
    MUST(destroyed[1], 1);
    MUST(destroyed[2], 1);
    MUST(destroyed[3], 2);
}

static int one_of_many(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_YIELD(t);
    MUST(value_of(t, &red), 1);
    MUST(destroyed[1], 0);
    PE_END(t);
}

static int start_many(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    MUST(pe_task_set_local(t, &red, &values[1]), 0);
    for (int i = 0; i < 1000; i++)
        MUST(pe_spawn(pe_task_loop(t), one_of_many, frame, 0, NULL), 0);
    PE_END(t);
}

PE_TEST(a34_a_value_goes_with_the_last_of_many)
{
    pe_loop *loop = async_loop();

    forget();
    async_start(loop, start_many, NULL, NULL);
    MUST(pe_loop_run(loop), 0);
    MUST(destroyed[1], 1);
    async_start(loop, start_many, NULL, NULL);
    async_start(loop, start_many, NULL, NULL);
    pe_loop_free(loop); /* cancelled before their first turns */
    MUST(destroyed[1], 1);
}

/* What a destroyer may do: nearly everything. */
struct busy {
    pe_loop *loop;
    pe_task *task, *sleeper, *started;
    int calls;
};

static void destroy_busily(void *value);
static const pe_local_key busy = { destroy_busily };

static int return_error(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    MUST(pe_task_set_local(t, &busy, frame), 0);
    PE_YIELD(t);
    PE_RETURN(t, -1234);
    PE_END(t);
}

static int return_seven(pe_task *t, void *frame)
{
    (void)t, (void)frame;
    return 7;
}

static void destroy_busily(void *value)
{
    struct busy *f = value;

    f->calls++;
    MUST(pe_task_has_ended(f->task), 1);
    MUST(pe_task_result(f->task), -1234);
    MUST(pe_task_cancel(f->task), PE_EALREADY);
    MUST(pe_task_set_local(f->task, &busy, f), PE_EALREADY);
    ck_assert_ptr_null(pe_task_local(f->task, &busy));
    MUST(pe_task_set_local(f->sleeper, &red, &values[6]), 0);
    MUST(pe_task_set_name(f->task, "ended"), 0);
    MUST(pe_task_cancel(f->sleeper), 0);
    MUST(pe_spawn(f->loop, return_seven, NULL, 0, NULL), 0);
    MUST(pe_loop_run(f->loop), PE_EINLOOP);
    MUST(pe_yield(f->task), PE_EINVAL);
    pe_task_free(f->task);
    f->task = NULL;
}

static int failures;

static void on_failure(pe_loop *loop, const char *task_name, int error, void *context)
{
    (void)loop, (void)task_name, (void)context;
    failures++;
    MUST(error, -1234);
}

static void destroy_and_spawn(void *value)
{
    struct busy *f = value;

    f->calls++;
    MUST(pe_spawn(f->loop, return_seven, NULL, 0, &f->started), 0);
}

static const pe_local_key spawning = { destroy_and_spawn };

static int carry_and_end(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    MUST(pe_task_set_local(t, &spawning, frame), 0);
    PE_END(t);
}

PE_TEST(a34_destroyers_call_back)
{
    struct busy f = { .loop = async_loop() };

    async_start(f.loop, carry_and_end, &f, NULL);
    MUST(pe_loop_run(f.loop), 0);
    MUST(f.calls, 1);
    MUST(pe_task_result(f.started), 7);
    pe_task_free(f.started);
    pe_loop_free(f.loop);
}

/* The result was asked for inside, so the failure has been seen. */
PE_TEST(a34_destroyers_look_at_the_task_that_ends_and_free_it)
{
    struct busy f = { .loop = async_loop() };

    forget();
    MUST(pe_loop_on_failure(f.loop, on_failure, NULL), 0);
    async_start(f.loop, async_sleep_for_ever, NULL, &f.sleeper);
    async_start(f.loop, return_error, &f, &f.task);
    MUST(pe_loop_run(f.loop), 0);
    MUST(f.calls, 1);
    MUST(failures, 0);
    MUST(destroyed[6], 1);
    MUST(pe_task_result(f.sleeper), PE_ECANCELED);
    pe_task_free(f.sleeper);
    pe_loop_free(f.loop);
}

/* ---- blocks ---- */

PE_TEST(a02_blocks_are_used_again)
{
    pe_loop *loop = async_loop();
    pe_task *tasks[100];
    uintptr_t first[100];

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) {
            MUST(pe_spawn(loop, return_seven, NULL, 64, &tasks[i]), 0);
            if (round == 0)
                first[i] = (uintptr_t)tasks[i];
        }
        MUST(pe_loop_run(loop), 0);
        for (int i = 0; i < 100; i++) {
            int known = 0;

            for (int j = 0; j < 100 && !PE__SLAB_IS_LARGE(64); j++)
                known += (uintptr_t)tasks[i] == first[j];
            ck_assert(PE__SLAB_IS_LARGE(64) || known == 1);
        }
        for (int i = 0; i < 100; i++)
            pe_task_free(tasks[i]);
    }
    pe_loop_free(loop);
}

/* Blocks of all sizes, taken and given back in a mixed order, each with a pattern of its own that stays. */
PE_TEST(a02_blocks_do_not_overlap)
{
    enum { BLOCKS = 2000 };
    struct block {
        unsigned char *bytes;
        size_t count;
        unsigned char pattern;
    } *blocks = calloc(BLOCKS, sizeof *blocks);
    struct pe__slab slab;
    uint64_t state = 1;

    ck_assert_ptr_nonnull(blocks);
    pe__slab_init(&slab);
    for (int step = 0; step < 40000; step++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
        struct block *block = &blocks[(state >> 40) % BLOCKS];
        if (block->bytes == NULL) {
            block->count = 1 + (state >> 20) % (step % 50 ? 1024 : 5000);
            block->bytes = pe__slab_new(&slab, block->count);
            ck_assert_ptr_nonnull(block->bytes);
            ck_assert_uint_eq((uintptr_t)block->bytes % 16, 0);
            block->pattern = (unsigned char)step;
            memset(block->bytes, block->pattern, block->count);
        } else {
            size_t same = 0;

            for (size_t i = 0; i < block->count; i++)
                same += block->bytes[i] == block->pattern;
            ck_assert_uint_eq(same, block->count);
            pe__slab_free(&slab, block->bytes, block->count);
            block->bytes = NULL;
        }
    }
    for (int i = 0; i < BLOCKS; i++) {
        if (blocks[i].bytes != NULL)
            pe__slab_free(&slab, blocks[i].bytes, blocks[i].count);
    }
    pe__slab_fini(&slab);
    free(blocks);
}

/* ---- no memory ---- */

static int sleep_in_disorder(pe_task *t, void *frame)
{
    const int64_t *duration_ns = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep(t, *duration_ns));
    if (t->result < 0) {
        MUST(t->result, PE_ENOMEM);
        PE_YIELD(t); /* it goes on as if nothing had been */
        MUST(t->result, 0);
        PE_AWAIT(t, pe_sleep(t, *duration_ns));
    }
    PE_RETURN(t, t->result);
    PE_END(t);
}

/* More than fit in lanes, so that there is a heap, which has to grow. */
PE_TEST(a15_no_memory_for_a_sleep)
{
    enum { SLEEPERS = 300 };
    pe_loop *loop = async_loop();
    pe_task *tasks[SLEEPERS];
    int64_t durations[SLEEPERS];

    for (int i = 0; i < SLEEPERS; i++) {
        durations[i] = PE_MS(40) - i * 100000;
        async_start(loop, sleep_in_disorder, &durations[i], &tasks[i]);
    }
    harness_fail_nth(HARNESS_MALLOC, 1, ENOMEM);
    while (pe_loop_poll(loop) > 0)
        ;
    ck_assert_uint_gt(harness_fail_count(HARNESS_MALLOC), 1);
    MUST(pe_loop_run(loop), 0);
    for (int i = 0; i < SLEEPERS; i++) {
        MUST(pe_task_result(tasks[i]), 0);
        pe_task_free(tasks[i]);
    }
    pe_loop_free(loop);
}

struct scarce {
    pe_limit limits[16];
    int i;
};

/* Each deadline is before the others: eight fill the lanes, the next goes to the heap. */
static int limits_without_memory(pe_task *t, void *frame)
{
    struct scarce *f = frame;

    PE_BEGIN(t);
    for (f->i = 0; f->i < 8; f->i++)
        MUST(pe_limit_enter(t, &f->limits[f->i], pe_after(PE_SECONDS(1000 - f->i))), 0);
    harness_fail_from(HARNESS_MALLOC, 1, ENOMEM);
    MUST(pe_limit_enter(t, &f->limits[8], pe_after(PE_MS(1))), PE_ENOMEM);
    MUST(pe_limit_leave(t, &f->limits[8]), PE_EINVAL);
    MUST(pe_limit_move(t, &f->limits[3], pe_after(PE_MS(1))), PE_ENOMEM);
    PE_AWAIT_UNTIL(t, &f->limits[8], pe_after(PE_MS(1)), pe_sleep(t, PE_FOREVER));
    MUST(t->result, PE_ENOMEM);
    MUST(pe_timeout(t, &f->limits[8], pe_after(PE_MS(1)), t), PE_ENOMEM);
    MUST(pe_sleep(t, PE_MS(1)), PE_ENOMEM);
    harness_fail_reset();
    PE_AWAIT(t, pe_sleep(t, PE_MS(2))); /* none of these has been left behind */
    MUST(t->result, 0);
    MUST(pe_limit_move(t, &f->limits[3], pe_after(PE_MS(1))), 0);
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    MUST(t->result, PE_ETIMEDOUT);
    MUST(pe_limit_is_to_blame(t, &f->limits[3]), 1);
    PE_END(t);
}

PE_TEST(a06_no_memory_for_a_limit)
{
    struct scarce f = { .i = 0 };

    MUST(pe_run(limits_without_memory, &f, NULL), 0);
}

static int spawn_without_memory(pe_task *t, void *frame)
{
    pe_task **task = frame;
    int n = 1, result;

    PE_BEGIN(t);
    MUST(pe_task_set_local(t, &red, &values[1]), 0);
    do { /* a large frame, and the values to inherit */
        harness_fail_nth(HARNESS_MALLOC, (uint64_t)n++, ENOMEM);
        result = pe_spawn(pe_task_loop(t), one_of_many, NULL, 100000, task);
        ck_assert(result == 0 || (result == PE_ENOMEM && *task == NULL));
    } while (result != 0);
    harness_fail_reset();
    ck_assert_int_ge(n, 3);
    PE_AWAIT(t, pe_await(t, *task));
    MUST(t->result, 0);
    pe_task_free(*task);
    PE_END(t);
}

PE_TEST(a02_no_memory_for_a_task)
{
    pe_task *task = NULL;

    forget();
    MUST(pe_run(spawn_without_memory, &task, NULL), 0);
    MUST(destroyed[1], 1);
}

/* Till the slab needs a chunk: refused, and nothing of what runs is hurt. */
PE_TEST(a02_no_memory_for_many_small_tasks)
{
    pe_loop *loop = async_loop();
    pe_task *task = NULL;
    int started = 0, result;

    harness_fail_from(HARNESS_MALLOC, 2, ENOMEM);
    while ((result = pe_spawn(loop, return_seven, NULL, 8, NULL)) == 0)
        started++;
    MUST(result, PE_ENOMEM);
    ck_assert_int_ge(started, 1);
    MUST(pe_spawn(loop, return_seven, NULL, 8, &task), PE_ENOMEM);
    ck_assert_ptr_null(task);
    MUST(pe_loop_run(loop), 0);
    if (!PE__SLAB_IS_LARGE(8))
        MUST(pe_spawn(loop, return_seven, NULL, 8, &task), 0); /* a block that came back */
    harness_fail_reset();
    async_finish(loop);
    pe_task_free(task);
}

PE_TEST(a33_no_memory_for_a_name)
{
    pe_loop *loop = async_loop();
    pe_task *task;
    int n = 1, result;

    async_start(loop, return_seven, NULL, &task);
    do {
        harness_fail_nth(HARNESS_MALLOC, (uint64_t)n++, ENOMEM);
        result = pe_task_set_name(task, "named");
        ck_assert(result == 0 || result == PE_ENOMEM);
        ck_assert_str_eq(pe_task_name(task), result == 0 ? "named" : "return_seven");
    } while (result != 0);
    ck_assert_int_ge(n, 3);
    harness_fail_nth(HARNESS_MALLOC, 1, ENOMEM);
    MUST(pe_task_set_name(task, "renamed"), PE_ENOMEM);
    ck_assert_str_eq(pe_task_name(task), "named");
    harness_fail_reset();
    async_finish(loop);
    pe_task_free(task);
}

static int set_without_memory(pe_task *t, void *frame)
{
    int n = 1, result;

    (void)frame;
    PE_BEGIN(t);
    do {
        harness_fail_nth(HARNESS_MALLOC, (uint64_t)n++, ENOMEM);
        result = pe_task_set_local(t, &red, &values[1]);
        ck_assert(result == 0 || result == PE_ENOMEM);
        MUST(value_of(t, &red), result == 0 ? 1 : -1);
    } while (result != 0);
    ck_assert_int_ge(n, 4);
    for (n = 1; n <= 2; n++) {
        harness_fail_nth(HARNESS_MALLOC, (uint64_t)n, ENOMEM);
        MUST(pe_task_set_local(t, &red, &values[2]), PE_ENOMEM);
        MUST(value_of(t, &red), 1);
    }
    harness_fail_reset();
    MUST(destroyed[1] + destroyed[2], 0);
    PE_END(t);
}

PE_TEST(a34_no_memory_for_a_value)
{
    forget();
    MUST(pe_run(set_without_memory, NULL, NULL), 0);
    MUST(destroyed[1], 1);
    MUST(destroyed[2], 0);
}

HARNESS_MAIN("task-memory")
