/*
 * Tasks that wait for jobs of a pool: every ending arrives as a status, cancelling and time limits stop the job, and
 * the loop goes on meanwhile; whoever takes the jobs over, and whatever becomes of the pool.
 */
#include "harness/harness.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include <parexec.h>

#include "harness/async.h"
#include "harness/pool.h"
#include "harness/process.h"

/* One job and how the wait for it ended. */
struct one {
    pe_job *job;
    pe_status status;
    int result;
    int (*await)(pe_task *t, pe_job *job, pe_status *ret_status);
};

static int await_one(pe_task *t, void *frame)
{
    struct one *one = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, one->await(t, one->job, &one->status));
    one->result = t->result;
    PE_END(t);
}

static struct one waiting_for(pe_job *job)
{
    return (struct one){ .job = job, .result = 1, .await = pe_await_job };
}

static pe_loop *new_loop(void)
{
    pe_loop *loop;

    MUST(pe_loop_new(NULL, &loop), 0);
    return loop;
}

static void settle(pe_loop *loop)
{
    while (pe_loop_poll(loop) > 0)
        ;
}

static void run_one(struct one *one)
{
    MUST(pe_run(await_one, one, NULL), 0);
}

static void assert_ending(const struct one *one, int result, uint32_t kind, int code)
{
    ck_assert_int_eq(one->result, result);
    ck_assert_uint_eq(one->status.kind, kind);
    ck_assert_int_eq(one->status.code, code);
}

/* ---- endings ---- */

static int job_exit(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg, (void)arg_bytes, (void)reply;
    exit(3);
}

static int job_five(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg, (void)arg_bytes, (void)reply;
    return 5;
}

static int job_sleep(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg, (void)arg_bytes, (void)reply;
    for (;;)
        pause();
    return 0;
}

static int job_eats_memory(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg, (void)arg_bytes, (void)reply;
    for (;;)
        memset(malloc(1 << 20), 1, 1 << 20);
    return 0;
}

PE_TEST(each_ending_arrives_as_its_status)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .grace_ns = PE_NOW, .memory_limit_bytes = 64 << 20 });
    static const struct {
        pe_job_fn *fn;
        int64_t timeout_ns;
        uint32_t kind;
        int code;
    } jobs[] = {
        { job_nothing, 0, PE_RETURNED, 0 },      { job_five, 0, PE_RETURNED, 5 },
        { job_segv, 0, PE_CRASHED, SIGSEGV },    { job_exit, 0, PE_EXITED, 3 },
        { job_sleep, PE_MS(20), PE_TIMED_OUT, SIGKILL }, { job_eats_memory, 0, PE_OUT_OF_MEMORY, SIGSEGV },
    };
    enum { COUNT = sizeof jobs / sizeof *jobs };
    struct one ones[COUNT];
    pe_loop *loop = new_loop();

    for (size_t i = 0; i < COUNT; i++) {
        pe_job_options options = { .size = sizeof options, .timeout_ns = jobs[i].timeout_ns };

        ones[i] = waiting_for(NULL);
        MUST(pe_pool_submit(pool, jobs[i].fn, NULL, 0, &options, &ones[i].job), 0);
        MUST(pe_spawn(loop, await_one, &ones[i], 0, NULL), 0);
    }
    MUST(pe_loop_run(loop), 0);
    for (size_t i = 0; i < COUNT; i++) {
        assert_ending(&ones[i], 0, jobs[i].kind, jobs[i].code);
        pe_job_free(ones[i].job);
    }
    pe_loop_free(loop);
    pool_end(pool);
}

PE_TEST(a_job_that_has_ended_is_no_wait)
{
    pe_pool *pool = pool_of(1);
    struct one one = waiting_for(pool_submit(pool, job_five, NULL, 0));

    job_ended(one.job);
    run_one(&one);
    assert_ending(&one, 0, PE_RETURNED, 5);
    pe_job_free(one.job);
    pool_end(pool);
}

PE_TEST(a_pool_without_processes_is_no_wait)
{
    pe_pool *pool = pool_with((pe_pool_options){ .flags = PE_POOL_INLINE });
    struct one one = waiting_for(pool_submit(pool, job_five, NULL, 0));

    run_one(&one);
    assert_ending(&one, 0, PE_RETURNED, 5);
    pe_job_free(one.job);
    pool_end(pool);
}

static int item_two_ms(const void *in, void *out, const void *context)
{
    (void)context;
    usleep(2000);
    *(uint64_t *)out = *(const uint64_t *)in + 1;
    return *(const uint64_t *)in == 7 ? 9 : 0;
}

PE_TEST(a_map_is_a_job_too)
{
    pe_pool *pool = pool_of(2);
    uint64_t in[16], out[16] = { 0 };
    struct one one = waiting_for(NULL);

    for (uint64_t i = 0; i < 16; i++)
        in[i] = i;
    MUST(pe_pool_start_map(pool, item_two_ms, in, 8, out, 8, 16, NULL, &one.job), 0);
    run_one(&one);
    assert_ending(&one, 0, PE_RETURNED, PE_EITEMS);
    for (uint64_t i = 0; i < 16; i++)
        ck_assert_uint_eq(out[i], i == 7 ? 0 : i + 1);
    pe_job_free(one.job);
    pool_end(pool);
}

/* ---- several ---- */

PE_TEST(several_tasks_wait_for_one_job)
{
    pe_pool *pool = pool_of(1);
    _Atomic int *set = pool_shared(pool, sizeof *set);
    pe_job *job = pool_submit(pool, job_until_set, &set, sizeof set);
    struct one ones[3];
    pe_loop *loops[3] = { new_loop(), NULL, new_loop() };

    loops[1] = loops[0];
    for (int i = 0; i < 3; i++) {
        ones[i] = waiting_for(job);
        MUST(pe_spawn(loops[i], await_one, &ones[i], 0, NULL), 0);
    }
    settle(loops[0]);
    settle(loops[2]);
    atomic_store(set, 1);
    MUST(pe_loop_run(loops[0]), 0);
    MUST(pe_loop_run(loops[2]), 0);
    for (int i = 0; i < 3; i++)
        assert_ending(&ones[i], 0, PE_RETURNED, 7);
    pe_loop_free(loops[0]);
    pe_loop_free(loops[2]);
    pe_job_free(job);
    pool_end(pool);
}

PE_TEST(a_task_waits_for_jobs_of_two_pools)
{
    pe_pool *pools[2] = { pool_of(1), pool_of(1) };
    pe_loop *loop = new_loop();
    struct one ones[2];

    for (int i = 0; i < 2; i++) {
        ones[i] = waiting_for(pool_submit(pools[i], job_five, NULL, 0));
        MUST(pe_spawn(loop, await_one, &ones[i], 0, NULL), 0);
    }
    MUST(pe_loop_run(loop), 0);
    for (int i = 0; i < 2; i++) {
        assert_ending(&ones[i], 0, PE_RETURNED, 5);
        pe_job_free(ones[i].job);
        pool_end(pools[i]);
    }
    pe_loop_free(loop);
}

/* ---- cancelling and time limits ---- */

struct limited {
    struct one one;
    pe_limit limit;
    int is_to_blame;
};

static int await_within_20_ms(pe_task *t, void *frame)
{
    struct limited *limited = frame;

    PE_BEGIN(t);
    MUST(pe_limit_enter(t, &limited->limit, pe_after(PE_MS(20))), 0);
    PE_AWAIT(t, limited->one.await(t, limited->one.job, &limited->one.status));
    limited->one.result = t->result;
    limited->is_to_blame = pe_limit_leave(t, &limited->limit);
    PE_END(t);
}

PE_TEST(a_time_limit_stops_the_job)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .grace_ns = PE_NOW });
    struct limited limited = { .one = waiting_for(pool_submit(pool, job_sleep, NULL, 0)) };
    int64_t begin_ns = pe_now();

    MUST(pe_run(await_within_20_ms, &limited, NULL), 0);
    ck_assert_int_ge(pe_now() - begin_ns, PE_MS(20));
    assert_ending(&limited.one, PE_ETIMEDOUT, PE_CANCELLED, SIGKILL);
    ck_assert_int_eq(limited.is_to_blame, 1);
    pe_job_free(limited.one.job);
    pool_end(pool);
}

PE_TEST(a_shield_ends_at_once_and_leaves_the_job_running)
{
    pe_pool *pool = pool_of(1);
    _Atomic int *set = pool_shared(pool, sizeof *set);
    struct limited limited = { .one = waiting_for(pool_submit(pool, job_until_set, &set, sizeof set)) };

    limited.one.await = pe_shield_job;
    MUST(pe_run(await_within_20_ms, &limited, NULL), 0);
    assert_ending(&limited.one, PE_ETIMEDOUT, PE_PENDING, 0);
    atomic_store(set, 1);
    job_assert_ended(limited.one.job, PE_RETURNED, 7);
    pe_job_free(limited.one.job);
    pool_end(pool);
}

PE_TEST(a_shield_waits_for_the_end)
{
    pe_pool *pool = pool_of(1);
    struct one one = waiting_for(pool_submit(pool, job_five, NULL, 0));

    one.await = pe_shield_job;
    run_one(&one);
    assert_ending(&one, 0, PE_RETURNED, 5);
    pe_job_free(one.job);
    pool_end(pool);
}

/* Runs, then is cancelled; what waits behind it in the queue never begins. */
PE_TEST(cancelled_tasks_cancel_their_jobs)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .grace_ns = PE_NOW });
    _Atomic int32_t *pid = pool_shared(pool, sizeof *pid);
    pe_loop *loop = new_loop();
    struct one ones[2] = { waiting_for(pool_submit(pool, job_for_ever, &pid, sizeof pid)),
                           waiting_for(pool_submit(pool, job_five, NULL, 0)) };
    pe_task *tasks[2];

    job_await_pid(pid);
    for (int i = 0; i < 2; i++)
        MUST(pe_spawn(loop, await_one, &ones[i], 0, &tasks[i]), 0);
    settle(loop);
    for (int i = 1; i >= 0; i--)
        MUST(pe_task_cancel(tasks[i]), 0);
    MUST(pe_loop_run(loop), 0);
    assert_ending(&ones[0], PE_ECANCELED, PE_CANCELLED, SIGKILL);
    assert_ending(&ones[1], PE_ECANCELED, PE_CANCELLED, 0);
    ck_assert_uint_eq(ones[1].status.attempts, 0);
    for (int i = 0; i < 2; i++) {
        pe_task_free(tasks[i]);
        pe_job_free(ones[i].job);
    }
    pe_loop_free(loop);
    pool_end(pool);
}

/* Cancelled in its own first turn, before it waits. */
static int cancel_oneself_first(pe_task *t, void *frame)
{
    if (t->resume == 0)
        MUST(pe_task_cancel(t), 0);
    return await_one(t, frame);
}

PE_TEST(a_request_that_came_before_stops_the_job)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .grace_ns = PE_NOW });
    struct one one = waiting_for(pool_submit(pool, job_sleep, NULL, 0));

    MUST(pe_run(cancel_oneself_first, &one, NULL), 0);
    ck_assert_int_eq(one.result, PE_ECANCELED);
    ck_assert_uint_eq(one.status.kind, PE_CANCELLED);
    pe_job_free(one.job);
    pool_end(pool);
}

HARNESS_MAIN("await")
