/*
 * What is told of workers that keep dying, and of a pool that there is not since they do.
 * Scenario c03 and row P32 of the list of features.
 */

#include "harness/harness.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <parexec/error.h>
#include <parexec/log.h>
#include <parexec/pool.h>

#include "harness/death.h"
#include "harness/pool.h"

static char last_message[512];

static void keep_message(int level, const char *message, void *context)
{
    (void)context;
    if (level == PE_LOG_ERROR)
        snprintf(last_message, sizeof last_message, "%s", message);
}

/* Sleeps on the descriptor until the pool says that it is broken. */
static void await_broken(pe_pool *pool)
{
    int64_t guard = pe_after(PE_SECONDS(25));
    int result;

    while ((result = pe_pool_poll(pool)) != PE_EBROKEN && pe_now() < guard)
        if (result == 0)
            poll(&(struct pollfd){ .fd = pe_pool_fd(pool), .events = POLLIN }, 1, 10000);
    ck_assert_int_eq(result, PE_EBROKEN);
}

PE_TEST(p32_the_last_death_is_told)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .max_deaths = 3 });
    pe_status death, job;
    char wanted[64];

    pe_set_log(keep_message, NULL);
    death = pool_stats(pool).last_death;
    ck_assert_uint_eq(death.kind, PE_PENDING);
    ck_assert_int_eq(death.worker, -1);
    for (int i = 0; i < 3; i++)
        job = pool_run(pool, job_dies, NULL, 0);
    await_broken(pool);
    death = pool_stats(pool).last_death;
    ck_assert_uint_eq(death.kind, PE_CRASHED);
    ck_assert_int_eq(death.code, SIGKILL);
    ck_assert_int_eq(death.pid, job.pid);
    ck_assert_int_eq(death.worker, 0);
    snprintf(wanted, sizeof wanted, "pid %d: it was killed by signal 9", (int)job.pid);
    ck_assert_ptr_nonnull(strstr(last_message, wanted));
    pe_pool_free(pool);
    pe_set_log(NULL, NULL);
}

/* A worker that leaves, or is stopped, or whose pool is killed, has not died. */
PE_TEST(p32_ends_that_are_no_deaths)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .jobs_per_worker = 1, .grace_ns = PE_NOW });
    _Atomic int32_t *pid = pool_shared(pool, sizeof *pid);
    pe_job *job;

    for (int i = 0; i < 3; i++)
        pool_run(pool, job_nothing, NULL, 0);
    job = pool_submit(pool, job_for_ever, &pid, sizeof pid);
    job_await_pid(pid);
    ck_assert_int_eq(pe_job_cancel(job), 0);
    ck_assert_uint_eq(job_finish(job).kind, PE_CANCELLED);
    pool_assert_usable(pool);
    ck_assert_uint_ge(pool_stats(pool).restarts, 1);
    ck_assert_uint_eq(pool_stats(pool).last_death.kind, PE_PENDING);
    ck_assert_int_eq(pe_pool_kill(pool, PE_NOW), 0);
    ck_assert_uint_eq(pool_stats(pool).last_death.kind, PE_PENDING);
    pe_pool_free(pool);
}

/* It fails in replacements, by a code or by a crash. */
PE_TEST_LOOP(p32_what_an_initialiser_did_is_told, 0, 2)
{
    struct lives *lives = lives_map();
    pe_pool *pool = lives_pool(lives, 1, 3);
    pe_status death;

    lives->good_starts = 1;
    lives->crash = (uint32_t)_i;
    pool_run(pool, job_dies, NULL, 0);
    await_broken(pool);
    death = pool_stats(pool).last_death;
    ck_assert_uint_eq(death.kind, _i != 0 ? PE_CRASHED : PE_RETURNED);
    ck_assert_int_eq(death.code, _i != 0 ? SIGABRT : 5);
    pe_pool_free(pool);
    munmap(lives, sizeof *lives);
}

static int return_5(void *context)
{
    (void)context;
    return 5;
}

static int abort_at_once(void *context)
{
    (void)context;
    abort();
}

PE_TEST_LOOP(c03_why_there_is_no_pool_is_told, 0, 2)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    struct rlimit no_cores = { 0, 0 };
    pe_pool *pool = NULL;

    setrlimit(RLIMIT_CORE, &no_cores);
    options.workers = 1;
    options.worker_init = _i != 0 ? abort_at_once : return_5;
    pe_set_log(keep_message, NULL);
    ck_assert_int_eq(pe_pool_new(&options, &pool), PE_EINIT);
    ck_assert_ptr_nonnull(strstr(last_message, _i != 0 ? "it was killed by signal 6" : "its initialiser returned 5"));
    pe_set_log(NULL, NULL);
}

/* Replacements that fail for ever in a pool that never breaks are not started over and over, and can be freed. */
PE_TEST(c03_freed_while_replacements_fail)
{
    struct lives *lives = lives_map();
    pe_pool *pool = lives_pool(lives, 1, UINT32_MAX);
    int64_t began = pe_now();

    lives->good_starts = 1;
    pool_run(pool, job_dies, NULL, 0);
    while (pool_stats(pool).restarts < 8 && pe_now() < began + PE_SECONDS(25))
        sched_yield();
    ck_assert_uint_ge(pool_stats(pool).restarts, 8);
    ck_assert_int_ge(pe_now() - began, PE_MS(200)); /* the first five at once, the others 100 ms after each other */
    began = pe_now();
    pe_pool_free(pool);
    ck_assert_int_lt(pe_now() - began, PE_SECONDS(5));
    munmap(lives, sizeof *lives);
}

HARNESS_MAIN("last-death")
