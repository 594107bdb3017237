/*
 * Deaths of workers and keepers: what one costs, who hears of it, and that nothing is lost or blamed on the
 * wrong one. Scenarios of group B (b01 and so on) and rows P22 to P27 of the list of features.
 *
 * The wanted moment of a death is brought about by words in shared memory, never by sleeping.
 */

#include "harness/harness.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "harness/death.h"
#include "harness/gate.h"
#include "harness/items.h"
#include "harness/pool.h"
#include "harness/process.h"

#define GUARD_NS PE_SECONDS(25)
#define MIB      ((size_t)1048576)

/* ---- group B ---- */

PE_TEST(b01_abort_costs_one_item)
{
    struct plan plan = { .count = 100, .every = 100, .at = 17, .attempts = 1, .way = WAY_ABORT };
    pe_pool *pool = pool_of(4);

    ck_assert_uint_eq(plan_run(pool, &plan, 0, 0), 1);
    pool_assert_usable(pool);
    pool_await_restarts(pool, 1);
    pe_pool_free(pool);
}

/* Item and job; and not a byte on the host's stdout and stderr. */
PE_TEST_LOOP(b02_each_way_to_die, WAY_ABORT, WAY_EXIT)
{
    struct plan plan = { .count = 100, .every = 100, .at = 17, .attempts = 1, .way = (enum death_way)_i };
    char name[] = "/tmp/test-crash-XXXXXX";
    int file = mkstemp(name), saved[2] = { dup(1), dup(2) };
    pe_pool *pool;
    pe_status status;
    off_t printed;

#if !defined(__x86_64__) && !defined(__i386__)
    if (_i == WAY_DIVIDE)
        HARNESS_SKIP("integer division by zero does not trap here");
#endif
    unlink(name);
    dup2(file, 1);
    dup2(file, 2);
    pool = pool_of(4);
    plan_run(pool, &plan, 0, 0);
    status = job_finish(pool_submit(pool, job_dies, &plan.way, sizeof plan.way));
    pool_assert_usable(pool);
    pe_pool_free(pool);
    printed = lseek(file, 0, SEEK_END);
    for (int fd = 1; fd <= 2; fd++) {
        dup2(saved[fd - 1], fd);
        close(saved[fd - 1]);
    }
    close(file);
    ck_assert_uint_eq(status.kind, PE_CRASHED);
    ck_assert_int_eq(status.code, death_endings[_i].code);
    ck_assert_int_eq((int)printed, 0);
}

static void await_asleep(pid_t pid)
{
    int64_t guard = pe_after(GUARD_NS);

    while (process_state(pid) != 'S' && pe_now() < guard)
        poll(NULL, 0, 1);
    ck_assert_int_eq(process_state(pid), 'S');
}

/* The one that ran the last job is killed asleep; what follows must not notice. */
PE_TEST(b05_killed_while_idle)
{
    pe_pool *pool = pool_of(2);

    for (uint64_t round = 1; round <= 30; round++) {
        int32_t pid = pool_worker_pid(pool);

        await_asleep(pid);
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        pool_assert_usable(pool);
        pool_await_restarts(pool, round);
    }
    ck_assert_uint_eq(pool_stats(pool).crashed, 0);
    pe_pool_free(pool);
}

struct half {
    size_t reserve, touch;
    int good;
};

static int dies_half_written(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct half half;
    char *place;

    if (arg_bytes != sizeof half)
        return -1;
    memcpy(&half, arg, sizeof half);
    if (pe_reply_write(reply, "first a small one", 17) < 0)
        return -2;
    place = pe_reply_reserve(reply, half.reserve);
    if (place == NULL)
        return -3;
    for (size_t at = 0; at < half.touch; at += 4096)
        place[at] = 'x';
    if (!half.good)
        die(WAY_KILL);
    return 0;
}

PE_TEST(b07_crash_while_sending_600_mib)
{
    struct half half = { .reserve = HARNESS_MIB(600), .touch = HARNESS_MIB(300) };
    pe_pool *pool;
    pe_job *bad, *good[20];
    pe_status status;
    const void *data;
    size_t bytes;

    if (sysconf(_SC_AVPHYS_PAGES) < (long)(1200 * MIB / 4096))
        HARNESS_SKIP("less than 1.2 GiB of memory free");
    pool = pool_of(3);
    bad = pool_submit(pool, dies_half_written, &half, sizeof half);
    for (uint64_t i = 0; i < 20; i++)
        good[i] = pool_submit(pool, job_double, &i, sizeof i);
    for (uint64_t i = 0; i < 20; i++)
        job_assert_reply(good[i], &(uint64_t){ 2 * i }, sizeof(uint64_t));
    ck_assert_int_eq(pe_job_wait(bad, pe_after(GUARD_NS)), 0);
    ck_assert_int_eq(pe_job_result(bad, &data, &bytes), PE_ENODATA);
    status = job_finish(bad);
    ck_assert_uint_eq(status.kind, PE_CRASHED);
    ck_assert_int_eq(status.code, SIGKILL);
    pool_assert_usable(pool);
    pe_pool_free(pool);
}

static void die_in_handler(int number)
{
    (void)number;
    _exit(9);
}

static int registers_handler(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    signal(SIGUSR1, die_in_handler);
    return job_pid(arg, arg_bytes, reply);
}

PE_TEST(b11_death_after_the_return)
{
    pe_pool *pool = pool_of(1);

    for (uint64_t round = 1; round <= 20; round++) {
        pe_job *job = pool_submit(pool, registers_handler, NULL, 0);
        const void *data = NULL;
        int32_t pid;
        pe_status status;

        ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
        ck_assert_int_eq(pe_job_result(job, &data, NULL), 0);
        memcpy(&pid, data, sizeof pid);
        ck_assert_int_eq(kill(pid, SIGUSR1), 0);
        pool_await_restarts(pool, round);
        ck_assert_int_eq(pe_job_result(job, &data, NULL), 0);
        ck_assert_int_eq(memcmp(data, &pid, sizeof pid), 0);
        status = job_finish(job);
        ck_assert_uint_eq(status.kind, PE_RETURNED);
        ck_assert_int_eq(status.pid, pid);
        ck_assert_int_ne(pool_worker_pid(pool), pid);
    }
    pe_pool_free(pool);
}

/* ---- features ---- */

/* One worker dies beside another that is busy, with more in the queue: that one job is all it costs. */
PE_TEST(p22_crash_fails_only_the_job_that_ran)
{
    enum { QUEUED = 20 };
    pe_pool *pool = pool_of(2);
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_job *busy = gate_submit(pool, gate_pass, gate), *dying, *queued[QUEUED];

    word_await(&gate->arrived, 1);
    dying = pool_submit(pool, job_dies, NULL, 0);
    for (uint64_t i = 0; i < QUEUED; i++)
        queued[i] = pool_submit(pool, job_double, &i, sizeof i);
    job_assert_ended(dying, PE_CRASHED, SIGKILL);
    for (uint64_t i = 0; i < QUEUED; i++) /* by the replacement: the other one is still at the gate */
        job_assert_reply(queued[i], &(uint64_t){ 2 * i }, sizeof i);
    word_set(&gate->open, 1);
    job_assert_ended(busy, PE_RETURNED, 0);
    ck_assert_uint_eq(job_number(busy), 1);
    ck_assert_uint_eq(pool_stats(pool).crashed, 1);
    ck_assert_uint_eq(pool_stats(pool).returned, QUEUED + 1);
    pe_job_free(dying);
    pe_job_free(busy);
    pool_end(pool);
}

/* A host that sleeps on the descriptor alone, with no time of its own, is woken. */
PE_TEST(p23_crash_wakes_the_descriptor)
{
    pe_pool *pool = pool_of(2);
    _Atomic int32_t *pid = pool_shared(pool, sizeof *pid);

    for (int round = 0; round < 10; round++) {
        struct pollfd door = { .fd = pe_pool_fd(pool), .events = POLLIN };
        int64_t guard = pe_after(GUARD_NS);
        pe_job *job = pool_submit(pool, job_for_ever, &pid, sizeof pid);
        pe_status status = { 0 };
        int32_t running = job_await_pid(pid);

        while (pe_pool_poll(pool) > 0)
            ;
        ck_assert_int_eq(kill(running, SIGKILL), 0);
        do {
            ck_assert_int_eq(poll(&door, 1, 10000), 1);
            while (pe_pool_poll(pool) > 0)
                ;
            ck_assert_int_eq(pe_job_status(job, &status), 0);
        } while (status.kind == PE_PENDING && pe_now() < guard);
        ck_assert_uint_eq(status.kind, PE_CRASHED);
        ck_assert_int_eq(status.code, SIGKILL);
        ck_assert_int_eq(status.pid, running);
        pe_job_free(job);
        atomic_store(pid, 0);
    }
    pe_pool_free(pool);
}

PE_TEST_LOOP(p24_status_names_the_death, WAY_ABORT, WAY_COUNT)
{
    pe_pool *pool = pool_of(1);
    enum death_way way = (enum death_way)_i;
    int32_t pid = pool_worker_pid(pool);
    pe_status status = job_finish(pool_submit(pool, job_dies, &way, sizeof way));

    ck_assert_uint_eq(status.kind, death_endings[way].kind);
    ck_assert_int_eq(status.code, death_endings[way].code);
    ck_assert_int_eq(status.pid, pid);
    ck_assert_int_eq(status.worker, 0);
    ck_assert_uint_eq(status.attempts, 1);
    ck_assert_int_eq(status.stop_signal, 0);
    ck_assert_uint_eq(status.item, 0);
    ck_assert_int_ge(status.run_ns, 0);
    ck_assert_uint_eq(pool_stats(pool).crashed, 1);
    pe_pool_free(pool);
}

PE_TEST_LOOP(p25_exit_is_an_error, WAY_EXIT, WAY_COUNT)
{
    struct plan plan = { .count = 100, .every = 30, .at = 3, .attempts = 1, .way = (enum death_way)_i };
    pe_pool *pool = pool_of(2);

    ck_assert_uint_eq(plan_run(pool, &plan, 10, 0), 4);
    pool_assert_usable(pool);
    pe_pool_free(pool);
}

PE_TEST_LOOP(p26_crash_inside_a_chunk_costs_one_item, 0, 4)
{
    static const uint64_t chunks[] = { 0, 1, 10, 1000 };
    struct plan plan = { .count = 4000, .every = 37, .at = 5, .attempts = 1, .way = WAY_KILL };
    pe_pool *pool = pool_of(2);

    ck_assert_uint_eq(plan_run(pool, &plan, chunks[_i], 0), 108);
    pool_assert_usable(pool);
    pe_pool_free(pool);
}

/* The owner of the first range stands still until all behind its first item has been stolen. */
PE_TEST(p26_crash_of_a_thief_costs_one_item)
{
    struct plan plan = {
        .count = 400, .every = 9, .at = 4, .attempts = 1, .way = WAY_KILL, .first_waits = 1
    };
    pe_pool *pool = pool_of(2);

    for (int round = 0; round < 5; round++)
        ck_assert_uint_eq(plan_run(pool, &plan, 1, 0), 44);
    pe_pool_free(pool);
}

/* Neighbours that die one after the other, first and last of a range among them. */
PE_TEST(p26_all_items_of_a_chunk_crash)
{
    struct plan plan = { .count = 60, .every = 1, .attempts = 1, .way = WAY_KILL };
    struct lives *lives = lives_map();
    pe_pool *pool = lives_pool(lives, 2, UINT32_MAX);

    plan.count = 12;
    ck_assert_uint_eq(plan_run(pool, &plan, 6, 0), 12);
    pool_assert_usable(pool);
    pe_pool_free(pool);
    munmap(lives, sizeof *lives);
}

/* Shared memory does not run out: each reply is so large that a few dozen lost ones would be all there is. */
static void crash_often_half_written(size_t reserve, int times)
{
    struct half bad = { .reserve = reserve, .touch = 8192 },
                good = { .reserve = reserve, .touch = 1, .good = 1 };
    pe_pool *pool = pool_of(1);

    for (int i = 0; i < times; i++) {
        pe_status status = job_finish(pool_submit_retried(pool, dies_half_written, &bad, sizeof bad, 1));

        ck_assert_uint_eq(status.kind, PE_CRASHED);
        ck_assert_int_eq(status.code, SIGKILL);
        status = job_finish(pool_submit(pool, dies_half_written, &good, sizeof good));
        ck_assert_uint_eq(status.kind, PE_RETURNED);
        ck_assert_int_eq(status.code, 0);
    }
    pe_pool_free(pool);
}

PE_TEST(p27_half_written_replies_are_freed)
{
    crash_often_half_written(HARNESS_MIB(64), 300);
}

PE_TEST(p27_half_written_huge_replies_are_freed)
{
    size_t huge = sizeof(size_t) > 4 ? (size_t)sysconf(_SC_PHYS_PAGES) * 4096 / 10 : 6 * MIB;
    crash_often_half_written(huge, 50);
}

/* ---- the keeper itself ---- */

/* Whether it had begun is known all the same. */
static void assert_lost(pe_job *job, uint32_t attempts)
{
    pe_status status = job_finish(job);

    ck_assert_uint_eq(status.kind, PE_LOST);
    ck_assert_uint_eq(status.attempts, attempts);
}

/* The harness sees to it that no process is left. */
PE_TEST(keeper_killed_breaks_the_pool)
{
    pe_pool *pool = pool_of(2), *other = pool_of(1);
    _Atomic int32_t *pids = pool_shared(pool, 2 * sizeof *pids);
    pe_job *running[2], *queued[5];
    pid_t keeper;
    int64_t before;

    for (int i = 0; i < 2; i++) {
        _Atomic int32_t *pid = &pids[i];
        running[i] = pool_submit_retried(pool, job_for_ever, &pid, sizeof pid, 3);
    }
    for (int i = 0; i < 5; i++)
        queued[i] = pool_submit_retried(pool, job_pid, NULL, 0, 3);
    keeper = process_parent(job_await_pid(&pids[0]));
    ck_assert_int_gt(keeper, 1);
    ck_assert_int_eq(keeper, process_parent(job_await_pid(&pids[1])));
    ck_assert_int_eq(kill(keeper, SIGKILL), 0);
    for (int i = 0; i < 2; i++)
        assert_lost(running[i], 1);
    for (int i = 0; i < 5; i++)
        assert_lost(queued[i], 0);
    ck_assert_int_eq(pe_pool_submit(pool, job_pid, NULL, 0, NULL, NULL), PE_EBROKEN);
    ck_assert_int_eq(pe_pool_join(pool, pe_after(GUARD_NS)), PE_EBROKEN);
    before = pe_now();
    pe_pool_free(pool);
    ck_assert_int_lt(pe_now() - before, PE_SECONDS(5));
    pool_assert_usable(other);
    pe_pool_free(other);
}

PE_TEST(keeper_killed_during_a_map)
{
    enum { COUNT = 1000 };
    uint64_t in[COUNT] = { 0 }, out[COUNT];
    struct plan plan = { .count = COUNT, .first_waits = 1 };
    pe_status statuses[COUNT];
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_pool *pool = pool_of(2);
    _Atomic int32_t *pid = pool_shared(pool, sizeof *pid);
    pe_job *job = NULL;

    /* One worker is kept busy, so nobody can steal item 1 and the map stands at its first item. */
    pe_job *blocker = pool_submit(pool, job_for_ever, &pid, sizeof pid);
    job_await_pid(pid);
    plan.ledger = pool_shared(pool, COUNT * sizeof *plan.ledger);
    options.chunk = 1;
    options.context = &plan;
    options.context_bytes = sizeof plan;
    options.statuses = statuses;
    for (int i = 0; i < COUNT; i++)
        out[i] = UNTOUCHED;
    ck_assert_int_eq(pe_pool_start_map(pool, item_by_plan, in, 8, out, 8, COUNT, &options, &job), 0);
    job_await_pid(&plan.ledger[0].pid);
    ck_assert_int_eq(kill(process_parent(job_await_pid(pid)), SIGKILL), 0);
    ck_assert_uint_eq(job_finish(job).kind, PE_LOST);
    ck_assert_uint_eq(job_finish(blocker).kind, PE_LOST);
    ck_assert_uint_eq(statuses[0].kind, PE_LOST);
    ck_assert_uint_eq(statuses[0].attempts, 1); /* it had begun */
    for (int i = 0; i < COUNT; i++) {
        ck_assert(statuses[i].kind == PE_LOST || (statuses[i].kind == PE_RETURNED && statuses[i].code == 0));
        ck_assert_uint_eq(out[i], statuses[i].kind == PE_RETURNED ? 1 : UNTOUCHED);
    }
    pe_pool_free(pool);
}

/* Of those each one asks alone, again and again. False: it has told. */
static int asks_in_vain(int how, pe_pool *pool, pe_job *job, pe_job *map)
{
    pe_status status = { .kind = PE_PENDING };

    switch (how) {
    case 0: return pe_job_wait(job, 0) == PE_ETIMEDOUT;
    case 1: return pe_job_wait_any(&job, 1, 0, NULL) == PE_ETIMEDOUT;
    case 2: return pe_pool_wait(pool, 0) == PE_ETIMEDOUT;
    case 3: return pe_job_status(job, &status) == 0 && status.kind == PE_PENDING;
    case 4: return pe_job_status(map, &status) == 0 && status.kind == PE_PENDING;
    case 5: return pe_job_item_status(map, 0, &status) == 0 && status.kind == PE_PENDING;
    case 6: return pe_job_result(job, NULL, NULL) == PE_EAGAIN;
    default: return pe_pool_try_submit(pool, job_pid, NULL, 0, NULL, NULL) == PE_EAGAIN;
    }
}

PE_TEST_LOOP(a_broken_pool_is_found_without_waiting, 0, 8)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .queue_jobs = 1 });
    _Atomic int32_t *pid = pool_shared(pool, sizeof *pid);
    pe_job *job = pool_submit(pool, job_for_ever, &pid, sizeof pid), *map = NULL;
    int64_t guard_ns = pe_after(GUARD_NS);
    pid_t keeper = process_parent(job_await_pid(pid));

    ck_assert_int_eq(pe_pool_submit(pool, job_pid, NULL, 0, NULL, NULL), 0);
    ck_assert_int_eq(pe_pool_start_map(pool, item_nothing, NULL, 0, NULL, 0, 1, NULL, &map), 0);
    ck_assert(asks_in_vain(_i, pool, job, map));
    ck_assert_int_eq(kill(keeper, SIGKILL), 0);
    while (asks_in_vain(_i, pool, job, map) && pe_now() < guard_ns)
        ;
    ck_assert_int_lt(pe_now(), guard_ns);
    ck_assert_int_eq(pe_pool_submit(pool, job_pid, NULL, 0, NULL, NULL), PE_EBROKEN);
    pe_job_free(job);
    pe_job_free(map);
    pe_pool_free(pool);
}

HARNESS_MAIN("crash")
