/*
 * Workers in place of dead ones: their initialisers, how many deaths in a row a pool bears, and forks that
 * fail. Scenario b12 and rows P30 to P33 of the list of features.
 */

#include "harness/harness.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "harness/death.h"
#include "harness/pool.h"

#define GUARD_NS PE_SECONDS(25)

/* Sleeps on the descriptor until the pool says that it is broken. */
static void await_broken(pe_pool *pool)
{
    int64_t guard = pe_after(GUARD_NS);
    int result;

    while ((result = pe_pool_poll(pool)) != PE_EBROKEN && pe_now() < guard)
        if (result == 0)
            poll(&(struct pollfd){ .fd = pe_pool_fd(pool), .events = POLLIN }, 1, 10000);
    ck_assert_int_eq(result, PE_EBROKEN);
}

/* ---- initialisers ---- */

static int set_by_init;

static int set_to_42(void *context)
{
    (void)context;
    set_by_init = 42;
    return 0;
}

static int give_global(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    return set_by_init;
}

PE_TEST(p30_replacement_runs_the_initialiser)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool;

    options.workers = 1;
    options.worker_init = set_to_42;
    pool = pool_with(options);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(job_finish(pool_submit(pool, give_global, NULL, 0)).code, 42);
        ck_assert_uint_eq(job_finish(pool_submit(pool, job_dies, NULL, 0)).kind, PE_CRASHED);
    }
    pe_pool_free(pool);
}

static int fails_at_once(void *context)
{
    struct lives *lives = context;

    atomic_fetch_add(&lives->starts, 1);
    if (atomic_load(&lives->crash))
        abort();
    return 5;
}

/* Fails or crashes from the first start on: told once, by pe_pool_new, and nobody is started again. */
PE_TEST_LOOP(p31_failing_initialiser_gives_no_pool, 0, 2)
{
    struct lives *lives = lives_map();
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool = (pe_pool *)&options;

    lives->crash = (uint32_t)_i;
    options.workers = 3;
    options.worker_init = fails_at_once;
    options.worker_context = lives;
    ck_assert_int_eq(pe_pool_new(&options, &pool), PE_EINIT);
    ck_assert_ptr_eq(pool, &options);
    ck_assert_uint_ge(lives->starts, 1);
    ck_assert_uint_le(lives->starts, 3);
    munmap(lives, sizeof *lives);
}

/* Only replacements fail: as many as max_deaths, then the pool is broken and says so. */
PE_TEST_LOOP(p31_failing_later_breaks_the_pool, 0, 2)
{
    enum { MOST = 8 };
    struct lives *lives = lives_map();
    pe_pool *pool = lives_pool(lives, 2, MOST);
    int64_t guard = pe_after(GUARD_NS);
    pe_stats stats;

    do {
        pool_worker_pid(pool);
        stats = pool_stats(pool);
    } while (stats.workers_alive < 2 && pe_now() < guard);
    lives->good_starts = 2;
    lives->crash = (uint32_t)_i;
    job_finish(pool_submit(pool, job_dies, NULL, 0));
    await_broken(pool);
    ck_assert_int_eq(pe_pool_submit(pool, job_double, NULL, 0, NULL, NULL), PE_EBROKEN);
    ck_assert_uint_eq(lives->starts, 2 + MOST - 1);
    pe_pool_free(pool);
    munmap(lives, sizeof *lives);
}

/* ---- deaths in a row ---- */

/* Jobs that had their turn crashed, the rest is lost with the pool; and the deaths came slower, however many workers
 * there were to die. */
PE_TEST_LOOP(b12_every_job_crashes, 0, 2)
{
    enum { JOBS = 100, MOST = 25 };
    uint32_t workers = _i == 0 ? 1 : 4;
    struct lives *lives = lives_map();
    pe_pool *pool = lives_pool(lives, workers, MOST);
    uint32_t crashed = 0, lost = 0, forks = 0;
    pe_job *jobs[JOBS];

    for (int i = 0; i < JOBS; i++)
        jobs[i] = pool_submit(pool, job_dies, NULL, 0);
    for (int i = 0; i < JOBS; i++) {
        pe_status status = job_finish(jobs[i]);

        crashed += status.kind == PE_CRASHED && status.code == SIGKILL;
        lost += status.kind == PE_LOST;
    }
    ck_assert_uint_eq(crashed, MOST);
    ck_assert_uint_eq(lost, JOBS - MOST);
    ck_assert_int_eq(pe_pool_submit(pool, job_dies, NULL, 0, NULL, NULL), PE_EBROKEN);
    for (uint32_t i = 0; i < lives->starts; i++)
        forks += lives->start_ns[i] < lives->start_ns[0] + PE_SECONDS(1);
    ck_assert_uint_le(forks, 20);
    ck_assert_uint_ge(lives->starts, MOST);
    ck_assert_uint_lt(lives->starts, MOST + workers);
    pe_pool_free(pool);
    munmap(lives, sizeof *lives);
}

/* What one worker number goes through for ever keeps no other number from its process. */
PE_TEST(p32_each_number_gets_its_turn)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    int64_t guard = pe_after(GUARD_NS);
    pe_pool *pool;
    pe_job *jobs[2];

    options.workers = 2;
    options.max_deaths = UINT32_MAX;
    options.grace_ns = PE_NOW;
    pool = pool_with(options);
    for (int i = 0; i < 2; i++)
        jobs[i] = pool_submit_retried(pool, job_dies, NULL, 0, UINT32_MAX);
    while (pool_stats(pool).restarts < 20 && pe_now() < guard)
        sched_yield();
    for (int i = 0; i < 2; i++) {
        pe_status status;

        ck_assert_int_eq(pe_job_cancel(jobs[i]), 0);
        status = job_finish(jobs[i]);
        ck_assert_uint_ge(status.attempts, 8);
    }
    pe_pool_free(pool);
}

/* One success between two deaths, and they are not in a row. */
PE_TEST(p32_a_success_ends_the_row)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool;

    options.workers = 1;
    options.max_deaths = 2;
    pool = pool_with(options);
    for (uint64_t i = 0; i < 20; i++) {
        ck_assert_uint_eq(job_finish(pool_submit(pool, job_dies, NULL, 0)).kind, PE_CRASHED);
        job_assert_reply(pool_submit(pool, job_double, &i, sizeof i), &(uint64_t){ 2 * i }, sizeof(uint64_t));
    }
    ck_assert_uint_eq(job_finish(pool_submit(pool, job_dies, NULL, 0)).kind, PE_CRASHED);
    ck_assert_uint_eq(job_finish(pool_submit(pool, job_dies, NULL, 0)).kind, PE_CRASHED);
    ck_assert_int_eq(pe_pool_wait(pool, pe_after(GUARD_NS)), 0);
    await_broken(pool);
    ck_assert_int_eq(pe_pool_submit(pool, job_double, NULL, 0, NULL, NULL), PE_EBROKEN);
    pe_pool_free(pool);
}

/* Items that returned between two deaths count although their chunk has not ended. */
PE_TEST(p32_a_good_item_in_the_chunk_ends_the_row)
{
    struct plan plan = { .count = 2000, .every = 25, .at = 5, .attempts = 1, .way = WAY_KILL };
    struct lives *lives = lives_map();
    pe_pool *pool = lives_pool(lives, 1, 3);

    ck_assert_uint_eq(plan_run(pool, &plan, 2000, 0), 80);
    pe_pool_free(pool);
    munmap(lives, sizeof *lives);
}

/* But an item that is retried for ever is no success, whatever returned before it. */
PE_TEST(p32_an_item_that_always_crashes_breaks_the_pool)
{
    enum { MOST = 7 };
    uint64_t in[20] = { 0 }, out[20];
    pe_status statuses[20];
    struct plan plan = { .count = 20, .every = 20, .at = 10, .attempts = UINT32_MAX, .way = WAY_KILL };
    struct lives *lives = lives_map();
    pe_pool *pool = lives_pool(lives, 1, MOST);
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    plan.ledger = pool_shared(pool, plan.count * sizeof *plan.ledger);
    options.chunk = 20;
    options.retries = 1000;
    options.context = &plan;
    options.context_bytes = sizeof plan;
    options.statuses = statuses;
    ck_assert_int_eq(pe_pool_map(pool, item_by_plan, in, 8, out, 8, 20, &options), PE_EBROKEN);
    for (int i = 0; i < 20; i++)
        ck_assert_uint_eq(statuses[i].kind, i < 10 ? PE_RETURNED : PE_LOST);
    ck_assert_uint_le(plan.ledger[10].begun, MOST);
    pe_pool_free(pool);
    munmap(lives, sizeof *lives);
}

/* ---- fork fails; the first fork of a pool makes the keeper, the next ones its workers ---- */

PE_TEST(p33_no_keeper)
{
    pe_pool *pool = NULL;

    harness_fail_nth(HARNESS_FORK, 1, EAGAIN);
    ck_assert_int_eq(pe_pool_new(NULL, &pool), PE_EAGAIN);
    ck_assert_ptr_null(pool);
}

PE_TEST(p33_no_worker_at_all)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool = NULL;

    options.workers = 3;
    harness_fail_from(HARNESS_FORK, 2, ENOMEM);
    ck_assert_int_eq(pe_pool_new(&options, &pool), PE_ENOMEM);
    ck_assert_ptr_null(pool);
}

PE_TEST_LOOP(p33_works_with_the_workers_there_are, 2, 5)
{
    struct plan plan = { .count = 100, .every = 40, .at = 7, .attempts = 1, .way = WAY_KILL };
    pe_pool *pool;

    harness_fail_nth(HARNESS_FORK, (uint64_t)_i, EAGAIN);
    pool = pool_of(3);
    pool_assert_usable(pool);
    ck_assert_uint_eq(plan_run(pool, &plan, 0, 0), 3);
    pe_pool_free(pool);
}

PE_TEST(p33_works_with_one_worker)
{
    struct plan plan = { .count = 100 };
    pe_pool *pool;

    harness_fail_from(HARNESS_FORK, 3, EAGAIN);
    pool = pool_of(3);
    pool_assert_usable(pool);
    ck_assert_uint_eq(plan_run(pool, &plan, 0, 0), 0);
    ck_assert_uint_eq(pool_stats(pool).workers_alive, 1);
    pe_pool_free(pool);
}

/* No replacement can be had: a job that was to be retried ends as crashed, an item's range goes on elsewhere.
 */
PE_TEST(p33_no_replacement)
{
    struct plan plan = {
        .count = 100, .every = 100, .at = 0, .attempts = 1, .way = WAY_KILL, .first_waits = 1
    };
    pe_pool *pool = pool_of(2);
    struct entry *entry = pool_shared(pool, sizeof *entry);
    struct counted counted = { entry, 1 };
    int64_t guard = pe_after(GUARD_NS);
    pe_status status;

    while (pool_stats(pool).workers_alive < 2 && pe_now() < guard)
        sched_yield();
    harness_fail_from(HARNESS_FORK, 1, EAGAIN);
    ck_assert_uint_eq(plan_run(pool, &plan, 1, 0), 1);
    pool_assert_usable(pool);
    ck_assert_uint_eq(pool_stats(pool).workers_alive, 1);
    status = job_finish(pool_submit_retried(pool, job_counted, &counted, sizeof counted, 5));
    ck_assert_uint_eq(status.kind, PE_CRASHED);
    ck_assert_int_eq(status.code, SIGKILL);
    ck_assert_uint_eq(status.attempts, 1);
    harness_fail_reset();
    pool_assert_usable(pool);
    pe_pool_free(pool);
}

/* Nobody left, for good: no hang. */
PE_TEST(p33_no_worker_left)
{
    pe_pool *pool = pool_of(1);
    pe_job *job;

    harness_fail_from(HARNESS_FORK, 1, EAGAIN);
    job_finish(pool_submit(pool, job_dies, NULL, 0));
    job = pool_submit(pool, job_pid, NULL, 0);
    ck_assert_uint_eq(job_finish(job).kind, PE_LOST);
    ck_assert_int_eq(pe_pool_submit(pool, job_pid, NULL, 0, NULL, NULL), PE_EBROKEN);
    pe_pool_free(pool);
}

HARNESS_MAIN("replace")
