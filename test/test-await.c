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

#include "bridge/room.h"
#include "harness/async.h"
#include "harness/pool.h"
#include "harness/process.h"
#include "pool/pool.h"
#include "pool/stop.h"

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

static int await_unasked(pe_task *t, void *frame)
{
    struct one *one = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, one->await(t, one->job, NULL));
    one->result = t->result;
    PE_END(t);
}

static struct one waiting_for(pe_job *job)
{
    return (struct one){ .job = job, .result = 1, .await = pe_await_job };
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

#define LIMIT_MEBIBYTES 64
#define NO_LIMIT 1

static int job_eats_memory(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg, (void)arg_bytes, (void)reply;
    for (int mebibytes = 0; mebibytes < 2 * LIMIT_MEBIBYTES; mebibytes++) {
        void *volatile piece = malloc(1 << 20); /* volatile, or clang leaves it out */

        if (piece == NULL)
            abort();
    }
    return NO_LIMIT;
}

PE_TEST(each_ending_arrives_as_its_status)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .grace_ns = PE_NOW });
    static const struct {
        pe_job_fn *fn;
        int64_t timeout_ns;
        uint32_t kind;
        int code;
    } jobs[] = {
        { job_nothing, 0, PE_RETURNED, 0 },      { job_five, 0, PE_RETURNED, 5 },
        { job_segv, 0, PE_CRASHED, SIGSEGV },    { job_exit, 0, PE_EXITED, 3 },
        { job_sleep, PE_MS(20), PE_TIMED_OUT, SIGKILL },
    };
    enum { COUNT = sizeof jobs / sizeof *jobs };
    struct one ones[COUNT];
    pe_loop *loop = async_loop();

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

PE_TEST(so_does_one_for_want_of_memory)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .memory_limit_bytes = LIMIT_MEBIBYTES << 20 });
    struct one one = waiting_for(pool_submit(pool, job_eats_memory, NULL, 0));

    run_one(&one);
    pe_job_free(one.job);
    pool_end(pool);
    if (one.status.kind != PE_OUT_OF_MEMORY && harness_slowness() > 1)
        HARNESS_SKIP("tools that watch memory take none from the limit");
    assert_ending(&one, 0, PE_OUT_OF_MEMORY, SIGABRT);
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

/* On a loop of its own; whether anybody wants the status or not. */
PE_TEST(a_child_does_not_wait_for_its_parents_job)
{
    pe_pool *pool = pool_of(1);
    struct one one = waiting_for(pool_submit(pool, job_five, NULL, 0));
    int status;

    job_ended(one.job);
    pid_t child = fork();
    if (child == 0) {
        run_one(&one);
        bool is_refused = one.result == PE_EFORKED;
        MUST(pe_run(await_unasked, &one, NULL), 0);
        raise(is_refused && one.result == PE_EFORKED ? SIGKILL : SIGABRT);
    }
    MUST(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
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
    pe_loop *loops[3] = { async_loop(), NULL, async_loop() };

    loops[1] = loops[0];
    for (int i = 0; i < 3; i++) {
        ones[i] = waiting_for(job);
        MUST(pe_spawn(loops[i], await_one, &ones[i], 0, NULL), 0);
    }
    async_settle(loops[0]);
    async_settle(loops[2]);
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
    pe_loop *loop = async_loop();
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
    pe_loop *loop = async_loop();
    struct one ones[2] = { waiting_for(pool_submit(pool, job_for_ever, &pid, sizeof pid)),
                           waiting_for(pool_submit(pool, job_five, NULL, 0)) };
    pe_task *tasks[2];

    job_await_pid(pid);
    for (int i = 0; i < 2; i++)
        MUST(pe_spawn(loop, await_one, &ones[i], 0, &tasks[i]), 0);
    async_settle(loop);
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

/* ---- room in the queue ---- */

/* One worker that is busy until told otherwise, and a queue that is full. */
struct full {
    pe_pool *pool;
    _Atomic int *set;
    pe_job *busy, *queued;
};

static struct full full_pool(void)
{
    struct full full = { .pool = pool_with((pe_pool_options){ .workers = 1, .queue_jobs = 1 }) };
    pe_job *refused;

    full.set = pool_shared(full.pool, sizeof *full.set);
    full.busy = pool_submit(full.pool, job_until_set, &full.set, sizeof full.set);
    full.queued = pool_submit(full.pool, job_nothing, NULL, 0);
    MUST(pe_pool_try_submit(full.pool, job_nothing, NULL, 0, NULL, &refused), PE_EAGAIN);
    return full;
}

static void end_full_pool(struct full *full)
{
    pe_job_free(full->busy);
    pe_job_free(full->queued);
    pool_end(full->pool);
}

struct submitter {
    pe_pool *pool;
    uint64_t number;
    int64_t submit_deadline_ns;
    pe_job *job;
    pe_status status;
    int result;
    uint64_t reply;
    int turn;
    int *turns;
};

static int submit_and_await(pe_task *t, void *frame)
{
    struct submitter *s = frame;
    uint64_t numbers[20] = { s->number };
    pe_job_options options = { .size = sizeof options, .submit_deadline_ns = s->submit_deadline_ns };

    PE_BEGIN(t);
    PE_AWAIT(t, pe_await_submit(t, s->pool, job_echo, numbers, sizeof numbers, &options, &s->job));
    s->result = t->result;
    s->turn = (*s->turns)++;
    if (t->result < 0)
        PE_RETURN(t, 0);
    PE_AWAIT(t, pe_await_job(t, s->job, &s->status));
    const void *reply;
    MUST(pe_job_result(s->job, &reply, NULL), 0);
    memcpy(&s->reply, reply, sizeof s->reply);
    pe_job_free(s->job);
    PE_END(t);
}

static int set_it(pe_task *t, void *frame)
{
    _Atomic int **set = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep(t, PE_MS(5)));
    atomic_store(*set, 1);
    PE_END(t);
}

PE_TEST(who_waits_for_room_gets_it_in_order_with_a_copy_of_the_argument)
{
    struct full full = full_pool();
    struct submitter submitters[50];
    pe_loop *loop = async_loop();
    int turns = 0;

    for (int i = 0; i < 50; i++) {
        submitters[i] = (struct submitter){ .pool = full.pool, .number = (uint64_t)i + 100, .turns = &turns };
        MUST(pe_spawn(loop, submit_and_await, &submitters[i], 0, NULL), 0);
    }
    MUST(pe_spawn(loop, set_it, &full.set, sizeof full.set, NULL), 0);
    MUST(pe_loop_run(loop), 0);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(submitters[i].result, 0);
        ck_assert_int_eq(submitters[i].turn, i);
        ck_assert_uint_eq(submitters[i].status.kind, PE_RETURNED);
        ck_assert_uint_eq(submitters[i].reply, (uint64_t)i + 100);
    }
    pe_loop_free(loop);
    end_full_pool(&full);
}

PE_TEST(a_wait_for_room_is_given_up)
{
    struct full full = full_pool();
    pe_loop *loop = async_loop();
    int turns = 0;
    struct submitter submitters[3];
    pe_task *tasks[3];

    for (int i = 0; i < 3; i++)
        submitters[i] = (struct submitter){ .pool = full.pool, .turns = &turns };
    submitters[0].submit_deadline_ns = pe_after(PE_MS(5));
    for (int i = 0; i < 3; i++)
        MUST(pe_spawn(loop, submit_and_await, &submitters[i], 0, &tasks[i]), 0);
    async_settle(loop);
    MUST(pe_task_cancel(tasks[1]), 0);
    while (pe_task_has_ended(tasks[0]) == 0)
        MUST(pe_loop_poll(loop) >= 0, 1);
    MUST(pe_pool_close(full.pool), 0);
    MUST(pe_loop_run(loop), 0);
    MUST(submitters[0].result, PE_ETIMEDOUT);
    MUST(submitters[1].result, PE_ECANCELED);
    MUST(submitters[2].result, PE_ECLOSED);
    for (int i = 0; i < 3; i++)
        pe_task_free(tasks[i]);
    pe_loop_free(loop);
    atomic_store(full.set, 1);
    end_full_pool(&full);
}

static void cancel_it(int level, const char *message, void *context)
{
    (void)level, (void)message;
    MUST(pe_task_cancel(context), 0);
}

PE_TEST(a_wait_for_room_is_cancelled_while_the_pool_breaks)
{
    struct full full = full_pool();
    pe_loop *loop = async_loop();
    int turns = 0;
    struct submitter submitter = { .pool = full.pool, .turns = &turns };
    pe_task *task;

    MUST(pe_spawn(loop, submit_and_await, &submitter, 0, &task), 0);
    async_settle(loop);
    pe_set_log(cancel_it, task);
    pthread_mutex_lock(&full.pool->mutex);
    pe__pool_break(full.pool);
    pthread_mutex_unlock(&full.pool->mutex);
    pe__rooms_try(pe__bridge_find(loop, full.pool));
    pe_set_log(NULL, NULL);
    MUST(pe_loop_run(loop), 0);
    MUST(submitter.result, PE_EBROKEN);
    pe_task_free(task);
    pe_loop_free(loop);
    pe_job_free(full.busy);
    pe_job_free(full.queued);
    pe_pool_free(full.pool);
}

/* ---- maps ---- */

struct map {
    pe_pool *pool;
    pe_map_fn *fn;
    uint64_t in[8], out[8];
    pe_status statuses[8];
    int result;
    pe_limit limit;
    int64_t within_ns;
};

/* Adds what the context holds; an input of 0 waits until its context says otherwise. */
static int item_add(const void *in, void *out, const void *context)
{
    *(uint64_t *)out = *(const uint64_t *)in + *(const uint64_t *)context;
    return 0;
}

static int item_for_ever(const void *in, void *out, const void *context)
{
    (void)in, (void)out, (void)context;
    for (;;)
        pause();
    return 0;
}

static int await_map(pe_task *t, void *frame)
{
    struct map *map = frame;
    uint64_t add = 1000;
    pe_map_options options = {
        .size = sizeof options, .context = &add, .context_bytes = sizeof add, .statuses = map->statuses
    };

    PE_BEGIN(t);
    if (map->within_ns > 0)
        MUST(pe_limit_enter(t, &map->limit, pe_after(map->within_ns)), 0);
    PE_AWAIT(t, pe_await_map(t, map->pool, map->fn, map->in, 8, map->out, 8, 8, &options));
    map->result = t->result;
    PE_END(t);
}

static struct map new_map(pe_pool *pool, pe_map_fn *fn)
{
    struct map map = { .pool = pool, .fn = fn, .result = 1 };

    for (uint64_t i = 0; i < 8; i++)
        map.in[i] = i;
    return map;
}

static void assert_map_ran(const struct map *map)
{
    MUST(map->result, 0);
    for (uint64_t i = 0; i < 8; i++) {
        ck_assert_uint_eq(map->out[i], i + 1000);
        ck_assert_uint_eq(map->statuses[i].kind, PE_RETURNED);
    }
}

/* 16 have a place at a time; the others wait for it with their contexts. */
PE_TEST(forty_maps_at_once)
{
    pe_pool *pool = pool_of(2);
    pe_loop *loop = async_loop();
    struct map *maps = calloc(40, sizeof *maps);

    for (int i = 0; i < 40; i++) {
        maps[i] = new_map(pool, item_add);
        MUST(pe_spawn(loop, await_map, &maps[i], 0, NULL), 0);
    }
    MUST(pe_loop_run(loop), 0);
    for (int i = 0; i < 40; i++)
        assert_map_ran(&maps[i]);
    free(maps);
    pe_loop_free(loop);
    pool_end(pool);
}

PE_TEST(a_limit_stops_a_map_and_one_that_waits_for_its_place)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .grace_ns = PE_NOW });
    pe_loop *loop = async_loop();
    struct map *maps = calloc(17, sizeof *maps);

    for (int i = 0; i < 17; i++) {
        maps[i] = new_map(pool, item_for_ever);
        maps[i].within_ns = PE_MS(20);
        MUST(pe_spawn(loop, await_map, &maps[i], 0, NULL), 0);
    }
    MUST(pe_loop_run(loop), 0);
    for (int i = 0; i < 17; i++) {
        MUST(maps[i].result, PE_ETIMEDOUT);
        for (int item = 0; item < 8; item++)
            ck_assert_uint_eq(maps[i].statuses[item].kind, PE_CANCELLED);
    }
    free(maps);
    pe_loop_free(loop);
    ck_assert_uint_eq(pool_stats(pool).running, 0);
    pool_end(pool);
}

static int await_no_items(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    PE_AWAIT(t, pe_await_map(t, frame, item_add, NULL, 8, NULL, 8, 0, NULL));
    MUST(t->result, 0);
    PE_AWAIT(t, pe_await_map(t, frame, NULL, NULL, 8, NULL, 8, 0, NULL));
    MUST(t->result, PE_EINVAL);
    PE_AWAIT(t, pe_await_map(t, NULL, item_add, NULL, 8, NULL, 8, 0, NULL));
    MUST(t->result, PE_EINVAL);
    PE_END(t);
}

PE_TEST(a_map_of_no_items_and_wrong_arguments)
{
    pe_pool *pool = pool_of(1);

    MUST(pe_run(await_no_items, pool, NULL), 0);
    pool_end(pool);
}

HARNESS_MAIN("await")
