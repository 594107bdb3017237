/*
 * What pe_pool_stats and pe_pool_worker_stats tell of time, deaths and processes, and that it is so; asked by another
 * thread while the pool is at work. (test-scribble has the worker that writes over it.)
 */
#include "harness/harness.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <parexec/error.h>

#include "harness/gate.h"
#include "harness/pool.h"
#include "harness/process.h"
#include "pool/pool.h"

#define GUARD_NS PE_SECONDS(20)
#define MIB      ((uint64_t)1 << 20)

static pe_worker_stats worker_stats(const pe_pool *pool, uint32_t worker)
{
    pe_worker_stats stats = PE_WORKER_STATS_INIT;

    ck_assert_int_eq(pe_pool_worker_stats(pool, worker, &stats), 0);
    return stats;
}

static pe_worker_stats await_state(const pe_pool *pool, uint32_t worker, uint32_t state)
{
    int64_t guard = pe_after(GUARD_NS);
    pe_worker_stats stats;

    while ((stats = worker_stats(pool, worker)).state != state) {
        ck_assert_int_lt(pe_now(), guard);
        sched_yield();
    }
    return stats;
}

/* arg: nanoseconds to compute for. */
static int job_computes(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    int64_t until;

    (void)arg_bytes, (void)reply;
    memcpy(&until, arg, sizeof until);
    until = pe_after(until);
    while (pe_now() < until)
        ;
    return 0;
}

static void compute(pe_pool *pool, int64_t ns)
{
    ck_assert_uint_eq(pool_run(pool, job_computes, &ns, sizeof ns).kind, PE_RETURNED);
}

/* ---- time ---- */

PE_TEST(run_and_idle_time_add_up_to_a_life)
{
    int64_t before = pe_now();
    pe_pool *pool = pool_of(1);
    int64_t born = pe_now();
    pe_stats first, stats;

    await_state(pool, 0, PE_WORKER_IDLE);
    first = pool_stats(pool);
    ck_assert_int_eq(first.run_ns, 0);
    compute(pool, PE_MS(30));
    usleep(20000);
    int64_t asked = pe_now();
    stats = pool_stats(pool);
    ck_assert_int_ge(stats.run_ns, PE_MS(30));
    ck_assert_int_ge(stats.idle_ns, PE_MS(20));
    /* Ticks and the clock differ by little. */
    ck_assert_int_ge(stats.run_ns + stats.idle_ns, (asked - born) / 100 * 99);
    ck_assert_int_le(stats.run_ns + stats.idle_ns, (pe_now() - before) / 100 * 101);
    pool_end(pool);
}

PE_TEST(waiting_in_the_queue_is_counted)
{
    pe_pool *pool = pool_of(1);
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_job *holder = gate_submit(pool, gate_pass, gate), *jobs[3];
    pe_status status;
    int64_t queued = 0;

    word_await(&gate->arrived, 1);
    for (int i = 0; i < 3; i++)
        jobs[i] = gate_submit(pool, gate_count, gate);
    usleep(20000);
    word_set(&gate->open, 1);
    queued += job_finish(holder).queued_ns;
    for (int i = 0; i < 3; i++) {
        status = job_finish(jobs[i]);
        ck_assert_int_ge(status.queued_ns, PE_MS(20));
        queued += status.queued_ns;
    }
    ck_assert_int_ge(pool_stats(pool).queue_ns, 3 * PE_MS(20));
    ck_assert_int_ge(pool_stats(pool).queue_ns, queued - 4); /* each is cut to whole nanoseconds */
    ck_assert_int_le(pool_stats(pool).queue_ns, queued + 4);
    pe_pool_dealloc(pool, gate);
    pool_end(pool);
}

/* What ran when a worker died has run all the same; the number goes on counting. */
PE_TEST(time_of_a_life_that_ended_is_kept)
{
    pe_pool *pool = pool_of(1);
    _Atomic int32_t *pid = pool_shared(pool, sizeof *pid);
    pe_job *job = pool_submit(pool, job_for_ever, &pid, sizeof pid);
    pe_worker_stats before, after;

    kill(job_await_pid(pid), 0);
    usleep(20000);
    before = await_state(pool, 0, PE_WORKER_RUNNING);
    ck_assert_int_eq(before.pid, atomic_load(pid));
    ck_assert_uint_eq(before.lives, 1);
    ck_assert_int_ge(before.run_ns, PE_MS(20));
    ck_assert_int_ge(before.state_ns, PE_MS(20));
    ck_assert_int_eq(kill(before.pid, SIGKILL), 0);
    ck_assert_uint_eq(job_finish(job).kind, PE_CRASHED);
    pool_await_restarts(pool, 1);
    after = await_state(pool, 0, PE_WORKER_IDLE);
    ck_assert_int_ne(after.pid, before.pid);
    ck_assert_int_ne(after.pid, 0);
    ck_assert_uint_eq(after.lives, 2);
    ck_assert_int_ge(after.run_ns, before.run_ns);
    ck_assert_int_ge(after.idle_ns, before.idle_ns);
    ck_assert_uint_eq(pool_stats(pool).crashed, 1);
    ck_assert_int_ge(pool_stats(pool).run_ns, before.run_ns);
    pe_pool_dealloc(pool, (void *)pid);
    pool_end(pool);
}

/* ---- what a worker does ---- */

PE_TEST(states_and_pids_of_workers)
{
    enum { WORKERS = 3 };
    pe_pool *pool = pool_of(WORKERS);
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_job *job;
    uint32_t running = 0;

    for (uint32_t i = 0; i < WORKERS; i++) {
        pe_worker_stats stats = await_state(pool, i, PE_WORKER_IDLE);
        ck_assert_int_eq(kill(stats.pid, 0), 0);
        ck_assert_uint_eq(stats.lives, 1);
        ck_assert_uint_eq(stats.ended, 0);
        ck_assert_uint_eq(stats.item, UINT64_MAX);
        ck_assert_uint_gt(stats.resident_bytes, 0);
        for (uint32_t other = 0; other < i; other++)
            ck_assert_int_ne(stats.pid, worker_stats(pool, other).pid);
    }
    job = gate_submit(pool, gate_pass, gate);
    word_await(&gate->arrived, 1);
    for (uint32_t i = 0; i < WORKERS; i++)
        running += worker_stats(pool, i).state == PE_WORKER_RUNNING;
    ck_assert_uint_eq(running, 1);
    word_set(&gate->open, 1);
    int32_t worker = job_finish(job).worker;
    ck_assert_uint_eq(await_state(pool, (uint32_t)worker, PE_WORKER_IDLE).ended, 1);
    pe_pool_dealloc(pool, gate);
    ck_assert_int_eq(pe_pool_join(pool, pe_after(GUARD_NS)), 0);
    for (uint32_t i = 0; i < WORKERS; i++) {
        ck_assert_uint_eq(worker_stats(pool, i).state, PE_WORKER_ABSENT);
        ck_assert_int_eq(worker_stats(pool, i).pid, 0);
        ck_assert_int_gt(worker_stats(pool, i).idle_ns, 0);
    }
    pe_pool_free(pool);
}

static int item_passes(const void *in, void *out, const void *context)
{
    (void)in, (void)out;
    if (pe_worker_item() != 5)
        return 0;
    return gate_pass(context, 0, NULL) < 0 ? 0 : 1;
}

PE_TEST(the_item_of_a_map_is_told)
{
    pe_pool *pool = pool_of(1);
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_job *job = NULL;

    options.context = &gate;
    options.context_bytes = sizeof gate;
    ck_assert_int_eq(pe_pool_start_map(pool, item_passes, NULL, 0, NULL, 0, 9, &options, &job), 0);
    word_await(&gate->arrived, 1);
    ck_assert_uint_eq(worker_stats(pool, 0).item, 5);
    ck_assert_uint_eq(worker_stats(pool, 0).state, PE_WORKER_RUNNING);
    word_set(&gate->open, 1);
    job_assert_ended(job, PE_RETURNED, 0);
    pe_job_free(job);
    ck_assert_uint_eq(await_state(pool, 0, PE_WORKER_IDLE).item, UINT64_MAX);
    pe_pool_dealloc(pool, gate);
    pool_end(pool);
}

static int job_fills_memory(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    static char *volatile kept;

    (void)arg, (void)arg_bytes, (void)reply;
    kept = malloc(32 * MIB);
    memset(kept, 1, 32 * MIB);
    return kept[MIB] - 1;
}

PE_TEST(memory_of_a_worker_is_told)
{
    pe_pool *pool = pool_of(1);
    uint64_t before = await_state(pool, 0, PE_WORKER_IDLE).resident_bytes;

    ck_assert_int_eq(pool_run(pool, job_fills_memory, NULL, 0).code, 0);
    ck_assert_uint_ge(worker_stats(pool, 0).resident_bytes, before + 30 * MIB);
    pool_end(pool);
}

static int slow_start(void *context)
{
    word_add(&((struct gate *)context)->arrived);
    word_await(&((struct gate *)context)->open, 1);
    return 0;
}

/* The first one of two has to be over before the pool is there. */
static int first_is_quick(void *context)
{
    return pe_worker_index() == 0 ? 0 : slow_start(context);
}

PE_TEST(a_worker_in_its_initialiser_is_starting)
{
    struct gate *gate = process_shared(sizeof *gate);
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .worker_init = first_is_quick, .worker_context = gate });

    word_await(&gate->arrived, 1);
    ck_assert_uint_eq(worker_stats(pool, 1).state, PE_WORKER_STARTING);
    ck_assert_int_eq(worker_stats(pool, 1).idle_ns, 0);
    ck_assert_int_ne(worker_stats(pool, 1).pid, 0);
    word_set(&gate->open, 1);
    await_state(pool, 1, PE_WORKER_IDLE);
    pool_end(pool);
    munmap(gate, sizeof *gate);
}

/* ---- other threads, no processes ---- */

struct watcher {
    pe_pool *pool;
    _Atomic int stop;
    _Atomic uint64_t looks;
};

static void *watch(void *context)
{
    struct watcher *watcher = context;
    pe_stats last = PE_STATS_INIT;

    while (atomic_load(&watcher->stop) == 0) {
        pe_stats now = pool_stats(watcher->pool);
        ck_assert_uint_ge(now.submitted, last.submitted);
        ck_assert_uint_ge(now.returned, last.returned);
        ck_assert_int_ge(now.queue_ns, last.queue_ns);
        for (uint32_t i = 0; i < 2; i++)
            ck_assert_uint_le(worker_stats(watcher->pool, i).state, PE_WORKER_LEAVING);
        last = now;
        atomic_fetch_add(&watcher->looks, 1);
    }
    return NULL;
}

PE_TEST(another_thread_may_look_at_any_time)
{
    enum { JOBS = 20000 };
    pe_pool *pool = pool_of(2);
    struct watcher watcher = { .pool = pool };
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, watch, &watcher), 0);
    while (atomic_load(&watcher.looks) == 0)
        sched_yield();
    for (uint64_t i = 0; i < JOBS; i++)
        ck_assert_int_eq(pe_pool_submit(pool, job_double, &i, sizeof i, NULL, NULL), 0);
    ck_assert_int_eq(pe_pool_wait(pool, pe_after(GUARD_NS)), 0);
    while (pool_stats(pool).returned < JOBS)
        sched_yield();
    atomic_store(&watcher.stop, 1);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(await_state(pool, 0, PE_WORKER_IDLE).ended + await_state(pool, 1, PE_WORKER_IDLE).ended, JOBS);
    pool_end(pool);
}

PE_TEST(an_inline_pool_has_no_workers_to_tell_of)
{
    pe_pool *pool = pool_with((pe_pool_options){ .flags = PE_POOL_INLINE });
    pe_worker_stats stats;

    compute(pool, PE_MS(1));
    stats = worker_stats(pool, 0);
    ck_assert_uint_eq(stats.state, PE_WORKER_ABSENT);
    ck_assert_int_eq(stats.pid, 0);
    ck_assert_uint_eq(stats.ended, 0);
    ck_assert_int_eq(stats.run_ns, 0);
    ck_assert_uint_eq(stats.item, UINT64_MAX);
    ck_assert_int_eq(pool_stats(pool).run_ns, 0);
    pool_end(pool);
}

HARNESS_MAIN("stats")
