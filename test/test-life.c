/*
 * When workers are replaced that have done nothing wrong: after so many jobs, or because they have grown.
 * Scenarios g01 and g06 and rows P35 and P36 of the list of features.
 */

#include "harness/harness.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/pool.h>
#include <parexec/worker.h>

#include "harness/gate.h"
#include "harness/pool.h"
#include "harness/process.h"

/* ---- replaced after so many jobs ---- */

struct census {
    _Atomic uint32_t lives, alive, most;
};

static int count_in(void *context)
{
    struct census *census = context;
    uint32_t alive = atomic_fetch_add(&census->alive, 1) + 1, most = atomic_load(&census->most);

    atomic_fetch_add(&census->lives, 1);
    while (alive > most && !atomic_compare_exchange_weak(&census->most, &most, alive))
        ;
    return 0;
}

static int count_out(void *context)
{
    atomic_fetch_sub(&((struct census *)context)->alive, 1);
    return 0;
}

static int until_asked(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct gate *gate = gate_of(arg);

    (void)arg_bytes, (void)reply;
    word_add(&gate->arrived);
    while (!pe_worker_cancelled())
        ;
    return 5;
}

static int tell_whether_asked(void *context)
{
    atomic_fetch_or((_Atomic int *)context, pe_worker_cancelled() ? 1 : 2); /* of all lives */
    return 0;
}

/* The job before it was asked to stop; worker_exit is not. */
PE_TEST(g01_the_exit_of_a_worker_is_not_asked_to_stop)
{
    _Atomic int *told = process_shared(sizeof *told);
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1,
                                                 .jobs_per_worker = 1,
                                                 .worker_exit = tell_whether_asked,
                                                 .worker_context = (void *)told,
                                                 .grace_ns = PE_SECONDS(20) });
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_job *job = gate_submit(pool, until_asked, gate);

    word_await(&gate->arrived, 1);
    ck_assert_int_eq(pe_job_cancel(job), 0);
    ck_assert_int_eq(job_finish(job).code, 5);
    pool_end(pool);
    ck_assert_int_eq(atomic_load(told), 2);
    munmap((void *)told, sizeof *told);
}

PE_TEST(g01_a_new_worker_after_ten_jobs)
{
    struct census *census = process_shared(sizeof *census);
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 3,
                                                 .jobs_per_worker = 10,
                                                 .worker_init = count_in,
                                                 .worker_exit = count_out,
                                                 .worker_context = census });
    pe_job *jobs[100];
    int32_t pids[100];
    int seen = 0;

    for (uint64_t i = 0; i < 100; i++)
        jobs[i] = pool_submit(pool, job_double, &i, sizeof i);
    for (uint64_t i = 0; i < 100; i++) {
        int before = 0, same = 0;

        pids[i] = job_ended(jobs[i]).pid;
        for (uint64_t k = 0; k < i; k++) {
            before |= pids[k] == pids[i];
            same += pids[k] == pids[i];
        }
        seen += !before;
        ck_assert_int_lt(same, 10);
        job_assert_reply(jobs[i], &(uint64_t){ 2 * i }, sizeof(uint64_t));
    }
    ck_assert_int_ge(seen, 10);
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    ck_assert_uint_eq(pool_stats(pool).recycled + 3, census->lives);
    ck_assert_uint_eq(pool_stats(pool).restarts, 0);
    ck_assert_uint_le(census->most, 3);
    ck_assert_uint_eq(census->alive, 0);
    pe_pool_free(pool);
    munmap(census, sizeof *census);
}

static int note_run_and_crash(const void *in, void *out, const void *context)
{
    uint64_t item = pe_worker_item();
    _Atomic uint32_t *runs = *(_Atomic uint32_t *const *)context;

    atomic_fetch_add(&runs[item], 1);
    if (item % 10 == 9)
        raise(SIGKILL);
    *(uint64_t *)out = 2 * *(const uint64_t *)in;
    return 0;
}

/* What an earlier life has done of a map counts neither for the next one's life nor again in the figures. */
PE_TEST_LOOP(p35_lives_shorter_than_a_map, 0, 12)
{
    enum { ITEMS = 40 };
    static const uint64_t lives[] = { 1, 2, 7, 10, 19, 39 };
    uint64_t life = lives[_i / 2], in[ITEMS], out[ITEMS] = { 0 };
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_worker_stats stats = PE_WORKER_STATS_INIT;
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .jobs_per_worker = life });
    _Atomic uint32_t *runs = pool_shared(pool, ITEMS * sizeof *runs);

    for (uint64_t i = 0; i < ITEMS; i++)
        in[i] = i;
    options.chunk = _i % 2 != 0 ? ITEMS : PE_CHUNK_AUTO;
    options.context = &runs;
    options.context_bytes = sizeof runs;
    options.retries = 1;
    ck_assert_int_eq(pe_pool_map(pool, note_run_and_crash, in, sizeof *in, out, sizeof *out, ITEMS, &options),
                     PE_EITEMS);
    for (uint64_t i = 0; i < ITEMS; i++) {
        ck_assert_uint_eq(out[i], i % 10 == 9 ? 0 : 2 * i);
        ck_assert_uint_eq(runs[i], i % 10 == 9 ? 2 : 1);
    }
    ck_assert_int_eq(pe_pool_worker_stats(pool, 0, &stats), 0);
    ck_assert_uint_eq(stats.ended, ITEMS + 1);
    pe_pool_free(pool);
}

/* ---- replaced because they have grown ---- */

#define MIB ((size_t)1 << 20)
#define LEAK (10 * MIB)

static void leak(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        abort();
    process_touch(memory, bytes);
}

static int leak_and_double(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    leak(LEAK);
    return job_double(arg, arg_bytes, reply);
}

/* What the pool's processes write to stderr goes to a file meanwhile. */
PE_TEST(g06_a_leaking_worker_is_replaced)
{
    enum { JOBS = 60 };
    FILE *errors = tmpfile();
    int former = dup(2);
    int32_t pid = 0;
    int lives = 0, jobs = 0;
    pe_stats stats;
    pe_pool *pool;

    dup2(fileno(errors), 2);
    pool = pool_with((pe_pool_options){ .workers = 1, .rss_limit_bytes = 100 * MIB });
    dup2(former, 2);
    close(former);
    for (uint64_t i = 0; i < JOBS; i++) {
        pe_job *job = pool_submit(pool, leak_and_double, &i, sizeof i);
        pe_status status = job_ended(job);

        lives += status.pid != pid;
        jobs = status.pid != pid ? 1 : jobs + 1;
        pid = status.pid;
        ck_assert_int_le(jobs, 20);
        job_assert_reply(job, &(uint64_t){ 2 * i }, sizeof(uint64_t));
    }
    ck_assert_int_ge(lives, JOBS / 20);
    ck_assert_int_le(lives, JOBS / 10 + 1);
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    stats = pool_stats(pool);
    ck_assert_uint_ge(stats.recycled + 1, (unsigned)lives);
    ck_assert_uint_eq(stats.restarts, 0);
    ck_assert_uint_eq(stats.crashed, 0);
    pe_pool_free(pool);
    fseek(errors, 0, SEEK_END);
    ck_assert_int_eq(ftell(errors), 0);
    fclose(errors);
}

static int leak_item(const void *in, void *out, const void *context)
{
    _Atomic uint32_t *runs;

    memcpy(&runs, context, sizeof runs);
    atomic_fetch_add(&runs[*(const uint64_t *)in], 1);
    leak(LEAK);
    *(uint64_t *)out = 2 * *(const uint64_t *)in;
    return 0;
}

/* A worker leaves in the middle of a chunk, and the next one goes on there; the same with statuses. */
PE_TEST_LOOP(p36_between_items_of_a_chunk, 0, 2)
{
    enum { ITEMS = 40 };
    uint64_t in[ITEMS], out[ITEMS] = { 0 };
    pe_status statuses[ITEMS];
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .rss_limit_bytes = 50 * MIB });
    _Atomic uint32_t *runs = pool_shared(pool, ITEMS * sizeof *runs);
    pe_stats stats;

    for (uint64_t i = 0; i < ITEMS; i++)
        in[i] = i;
    options.chunk = ITEMS;
    options.context = &runs;
    options.context_bytes = sizeof runs;
    options.statuses = _i != 0 ? statuses : NULL;
    ck_assert_int_eq(pe_pool_map(pool, leak_item, in, sizeof *in, out, sizeof *out, ITEMS, &options), 0);
    for (uint64_t i = 0; i < ITEMS; i++) {
        ck_assert_uint_eq(out[i], 2 * i);
        ck_assert_uint_eq(runs[i], 1);
        if (_i != 0)
            ck_assert_uint_eq(statuses[i].attempts, 1);
    }
    stats = pool_stats(pool);
    ck_assert_uint_ge(stats.recycled, ITEMS / 10 - 1);
    ck_assert_uint_le(stats.recycled, ITEMS / 5);
    ck_assert_uint_eq(stats.restarts, 0);
    pe_pool_free(pool);
}

/* A map that is stopped when its worker leaves ends as one that is stopped. */
static int leak_and_fail(const void *in, void *out, const void *context)
{
    leak_item(in, out, context);
    return 1;
}

PE_TEST(p36_a_stopped_map_ends)
{
    uint64_t in[20] = { 0 }, out[20];
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .rss_limit_bytes = LEAK / 2 });
    _Atomic uint32_t *runs = pool_shared(pool, sizeof *runs);

    options.chunk = 20;
    options.on_error = 1;
    options.context = &runs;
    options.context_bytes = sizeof runs;
    ck_assert_int_eq(pe_pool_map(pool, leak_and_fail, in, sizeof *in, out, sizeof *out, 20, &options), PE_EITEMS);
    ck_assert_uint_eq(*runs, 1);
    pool_assert_usable(pool);
    pe_pool_free(pool);
}

struct buffers {
    void *inherited, *shared;
    size_t bytes;
};

static int touch_both(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct buffers buffers;

    (void)arg_bytes;
    memcpy(&buffers, arg, sizeof buffers);
    process_touch(buffers.inherited, buffers.bytes);
    process_touch(buffers.shared, buffers.bytes);
    return job_pid(NULL, 0, reply);
}

static int load_much(void *context)
{
    (void)context;
    leak(60 * MIB);
    return 0;
}

/* Not what the worker inherits, not what all share, and not what its initialiser took. */
PE_TEST(p36_what_does_not_count)
{
    struct buffers buffers = { .bytes = 100 * MIB };
    pe_pool *pool;
    int32_t pid = 0;

    if (harness_valgrind())
        HARNESS_SKIP("under valgrind there are fewer addresses for shared memory than are asked for");
    buffers.inherited = mmap(NULL, buffers.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    process_touch(buffers.inherited, buffers.bytes);
    pool = pool_with((pe_pool_options){ .workers = 1, .rss_limit_bytes = 20 * MIB,
                                         .shared_bytes = 2 * buffers.bytes, .worker_init = load_much });
    buffers.shared = pool_shared(pool, buffers.bytes);
    for (int i = 0; i < 5; i++) {
        pe_status status = pool_run(pool, touch_both, &buffers, sizeof buffers);

        ck_assert_uint_eq(status.kind, PE_RETURNED);
        ck_assert(pid == 0 || pid == status.pid);
        pid = status.pid;
    }
    ck_assert_uint_eq(pool_stats(pool).recycled, 0);
    pe_pool_free(pool);
    munmap(buffers.inherited, buffers.bytes);
}

HARNESS_MAIN("life")
