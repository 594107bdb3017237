/*
 * Calls of the system that fail, each at each place where the library makes it, while a pool is made and while
 * jobs and maps are in flight and workers are replaced; and no process slot left. A call of ours fails with that
 * error or does without; what was accepted ends once, and nothing stays behind.
 */
#include "harness/harness.h"

#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec/error.h>

#include "harness/books.h"
#include "harness/load.h"
#include "harness/pool.h"
#include "harness/process.h"

#define GUARD_NS PE_SECONDS(20)
#define WORKERS  3
#define ALL      (LOAD_JOBS + LOAD_MAPS * LOAD_ITEMS)

/* ---- each call fails at each place ---- */

static const struct {
    const char *name;
    int error;
} calls[HARNESS_CALL_COUNT] = {
    [HARNESS_FORK] = { "fork", EAGAIN },         [HARNESS_PIPE] = { "pipe", EMFILE },
    [HARNESS_SOCKETPAIR] = { "socketpair", ENFILE }, [HARNESS_EVENTFD] = { "eventfd", EMFILE },
    [HARNESS_MMAP] = { "mmap", ENOMEM },         [HARNESS_MEMFD] = { "memfd_create", EMFILE },
    [HARNESS_PIDFD] = { "pidfd_open", EMFILE },  [HARNESS_MALLOC] = { "malloc", ENOMEM },
};

static int make(pe_pool **ret_pool)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;

    options.workers = WORKERS;
    options.max_deaths = UINT32_MAX;
    options.shared_bytes = UINT64_C(64) << 20;
    return pe_pool_new(&options, ret_pool);
}

static void assert_no_leaks(const char *name, uint64_t n)
{
    static char text[4096];

    if (harness_leaks_find((int64_t)(harness_slowness() * (double)PE_SECONDS(2)), text, sizeof text) > 0)
        ck_abort_msg("%s, place %ju: left behind: %s", name, (uintmax_t)n, text);
}

static void assert_ends(const struct load_ends *ends, uint32_t unharmed)
{
    uint32_t refused = ends->refused, ended = 0;

    for (uint32_t kind = PE_RETURNED; kind <= PE_OUT_OF_MEMORY; kind++)
        ended += ends->by_kind[kind];
    /* A map that was refused stands for all of its items. */
    ck_assert_uint_le(ended + refused, ALL);
    ck_assert_uint_ge(ended + refused * LOAD_ITEMS, ALL);
    ck_assert_uint_eq(ends->by_kind[PE_RETURNED] + ends->by_kind[PE_CRASHED] + ends->by_kind[PE_LOST], ended);
    if (unharmed)
        ck_assert_uint_eq(ends->by_kind[PE_RETURNED], ended);
}

/* A pool made while the nth call fails, or while all from the nth on do. Returns how many there were. */
static uint64_t make_without(struct load *load, int which, uint64_t n, int from)
{
    pe_pool *pool = NULL;
    struct load_ends ends;

    (from ? harness_fail_from : harness_fail_nth)((enum harness_call)which, n, calls[which].error);
    int result = make(&pool);
    uint64_t count = harness_fail_count((enum harness_call)which);
    ck_assert((result == 0) == (pool != NULL));
    if (result == 0) {
        load->starved = 1;
        load->with_deaths = 1;
        load_begin(load, pool);
        ends = load_end(load);
        assert_ends(&ends, 0);
    } else {
        ck_assert_msg(result == -calls[which].error, "%s, place %ju: %s", calls[which].name, (uintmax_t)n,
                      pe_err_name(result));
    }
    harness_fail_reset();
    load->starved = load->with_deaths = 0;
    if (result == 0 && pe_pool_submit(pool, job_nothing, NULL, 0, NULL, NULL) == 0) {
        load_run(load, pool);
        books_assert_nothing_left(pool);
        pool_end(pool);
    } else {
        pe_pool_free(pool);
    }
    assert_no_leaks(calls[which].name, n);
    return count;
}

PE_TEST_FULL(pool_made_while_calls_fail, 100, 0, 2 * HARNESS_CALL_COUNT)
{
    int which = _i / 2, from = _i % 2;
    struct load *load = load_new();
    uint64_t n = 1, count;

    harness_leaks_mark(); /* the load's memory */
    do
        count = make_without(load, which, n, from);
    while (count >= n++);
    if (harness_long())
        printf("# %s: %ju places at which %s failed\n", calls[which].name, (uintmax_t)count,
               from ? "it and all behind it" : "it");
    load_free(load);
    harness_leaks_mark();
}

/* Everything lives when the calls begin to fail. */
static void await_workers(const pe_pool *pool, uint32_t count)
{
    int64_t guard = pe_after(GUARD_NS);

    while (pool_stats(pool).workers_alive < count && pe_now() < guard)
        sched_yield();
    ck_assert_uint_eq(pool_stats(pool).workers_alive, count);
}

static void await_death(const pe_pool *pool)
{
    int64_t guard = pe_after(GUARD_NS);

    while (pool_stats(pool).workers_alive == WORKERS && pe_now() < guard)
        sched_yield();
}

static uint64_t run_without(struct load *load, pe_pool *pool, int which, uint64_t n)
{
    struct load_ends ends;

    await_workers(pool, WORKERS);
    load->starved = load->with_deaths = 1;
    harness_fail_nth((enum harness_call)which, n, calls[which].error);
    load_begin(load, pool);
    ends = load_end(load);
    assert_ends(&ends, which != HARNESS_FORK && which != HARNESS_MMAP);
    uint64_t count = harness_fail_count((enum harness_call)which);
    harness_fail_reset();
    load->starved = load->with_deaths = 0;
    load_run(load, pool);
    books_assert_nothing_left(pool);
    return count;
}

PE_TEST_FULL(load_runs_while_calls_fail, 100, 0, HARNESS_CALL_COUNT)
{
    struct load *load = load_new();
    pe_pool *pool = NULL;
    uint64_t n = 1, places = 0, count;

    ck_assert_int_eq(make(&pool), 0);
    do {
        count = run_without(load, pool, _i, n);
        places += count >= n;
        n += harness_long() ? 1 : 1 + n / 6;
    } while (count >= n && n < 1000);
    if (harness_long())
        printf("# %s: failed at each of %ju places\n", calls[_i].name, (uintmax_t)places);
    pool_end(pool);
    load_free(load);
}

/* ---- no process slot ---- */

/* One that nobody else runs under, so that a number of processes means ours. */
#define POOR_UID 64321

static void set_slots(rlim_t slots)
{
    struct rlimit limit = { slots, 100 };

    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
}

/* Becomes a user who has no process but this. False: that cannot be had here. */
static int become_poor(void)
{
    pid_t child;

    if (setgroups(0, NULL) < 0 || setresgid(POOR_UID, POOR_UID, POOR_UID) < 0
        || setresuid(POOR_UID, POOR_UID, POOR_UID) < 0)
        return 0;
    set_slots(1);
    child = fork();
    if (child == 0)
        _exit(0);
    if (child > 0)
        waitpid(child, NULL, 0);
    return child < 0;
}

/* No other process of this user is left: there is a slot for a second one. */
static void await_solitude(void)
{
    int64_t guard = pe_after(GUARD_NS);
    pid_t child;

    set_slots(2);
    while ((child = fork()) < 0) {
        ck_assert_int_lt(pe_now(), guard);
        sched_yield();
    }
    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
}

/* The first pool that can be had, with this many slots. */
static rlim_t count_slots(pe_pool **ret_pool)
{
    rlim_t slots = 1;
    int result;

    while ((result = make(ret_pool)) != 0 && slots < 20) {
        ck_assert_int_eq(result, PE_EAGAIN);
        ck_assert_ptr_null(*ret_pool);
        await_solitude();
        set_slots(++slots);
    }
    ck_assert_int_eq(result, 0);
    return slots;
}

static void sleep_for_ever(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;)
        pause();
}

static void take_slots(pid_t *sleepers, int count)
{
    set_slots(100);
    for (int i = 0; i < count; i++) {
        sleepers[i] = fork();
        ck_assert_int_ge(sleepers[i], 0);
        if (sleepers[i] == 0)
            sleep_for_ever();
    }
}

static void give_slots(const pid_t *sleepers, int count)
{
    for (int i = 0; i < count; i++) {
        kill(sleepers[i], SIGKILL);
        waitpid(sleepers[i], NULL, 0);
    }
}

enum { SLEEPERS = 8 };

/* With host, keeper and one worker there is no slot for a second one; with two more there is. */
static void be_poor(struct load *load)
{
    pid_t sleepers[SLEEPERS];
    pe_pool *pool = NULL;
    rlim_t slots = count_slots(&pool);

    ck_assert_uint_ge(slots, 3);
    load_run(load, pool);
    pe_stats stats = pool_stats(pool);
    ck_assert_uint_le(stats.workers_alive, slots - 2);
    pool_end(pool);
    await_solitude();

    set_slots(slots + WORKERS);
    ck_assert_int_eq(make(&pool), 0);
    await_workers(pool, WORKERS);
    take_slots(sleepers, SLEEPERS); /* counted against the keeper's own limit */
    ck_assert_int_eq(kill(pool_worker_pid(pool), SIGKILL), 0);
    await_death(pool);
    load_run(load, pool);
    ck_assert_uint_lt(pool_stats(pool).workers_alive, WORKERS);
    give_slots(sleepers, SLEEPERS);
    await_workers(pool, WORKERS);
    load->with_deaths = 1;
    load_run(load, pool);

    /* All workers die, and none can be had. */
    take_slots(sleepers, SLEEPERS);
    load->starved = 1;
    load_begin(load, pool);
    struct load_ends ends = load_end(load);
    assert_ends(&ends, 0);
    ck_assert_uint_gt(ends.by_kind[PE_CRASHED] + ends.by_kind[PE_LOST], 0);
    give_slots(sleepers, SLEEPERS);
    pe_pool_free(pool);
}

PE_TEST_SLOW(no_process_slot, 60)
{
    struct load *load = load_new();
    pid_t child = fork();
    int status;

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        if (!become_poor())
            _exit(77);
        be_poor(load);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    load_free(load);
    if (WEXITSTATUS(status) == 77)
        HARNESS_SKIP("no user with a limit on processes can be had here");
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}

HARNESS_MAIN("starved")
