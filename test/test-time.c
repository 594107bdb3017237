/*
 * Time limits: of the run time of jobs and items, deadlines, and what the keeper does about them while the host does
 * something else. Scenarios d01, d02 and d04. Nothing here is timed from above but by guards; a limit is never early.
 */
#include "harness/harness.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "harness/gate.h"
#include "harness/items.h"
#include "harness/pool.h"
#include "harness/process.h"

#define GUARD_NS PE_SECONDS(25)

static pe_job *submit(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes, pe_job_options options)
{
    pe_job *job = NULL;

    options.size = sizeof options;
    ck_assert_int_eq(pe_pool_submit(pool, fn, arg, arg_bytes, &options, &job), 0);
    return job;
}

/* What jobs share with the test; the argument of a job is the address. */
struct note {
    _Atomic uint32_t begun, asked, go;
    _Atomic int32_t pid;
};

static struct note *begin(const void *arg)
{
    struct note *note;

    memcpy(&note, arg, sizeof note);
    atomic_store(&note->pid, (int32_t)getpid());
    word_add(&note->begun);
    return note;
}

static void sleep_ms(int64_t ms)
{
    struct timespec left = { ms / 1000, ms % 1000 * 1000000 };

    while (nanosleep(&left, &left) < 0)
        ;
}

static void stay(void)
{
    for (;;)
        pause();
}

static int for_ever(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg_bytes;
    (void)reply;
    begin(arg);
    stay();
    return 0;
}

/* Blocks what can be blocked, and uses its CPU. */
static int for_ever_whatever_comes(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    sigset_t all;

    (void)arg_bytes;
    (void)reply;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    begin(arg);
    for (volatile uint64_t turns = 0; turns < UINT64_MAX; turns++)
        ;
    return 0;
}

static int until_asked(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct note *note = begin(arg);

    (void)arg_bytes;
    while (!pe_worker_cancelled())
        sleep_ms(1);
    atomic_store(&note->asked, 1);
    return pe_reply_write(reply, "done", 4) < 0 ? -1 : 5;
}

static int until_told(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct note *note = begin(arg);

    (void)arg_bytes;
    (void)reply;
    word_await(&note->go, 1);
    return pe_worker_cancelled() ? 9 : 8;
}

static int takes_10_ms(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    sleep_ms(10);
    return 0;
}

static struct note *note_in(pe_pool *pool)
{
    return pool_shared(pool, sizeof(struct note));
}

/* ---- run time of a job ---- */

PE_TEST(d01_job_that_runs_too_long)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .grace_ns = PE_NOW });
    struct note *note = note_in(pool);
    int64_t start = pe_now();
    pe_job *job = submit(pool, for_ever, &note, sizeof note, (pe_job_options){ .timeout_ns = PE_MS(100) });
    pe_status status = job_finish(job);

    ck_assert_uint_eq(status.kind, PE_TIMED_OUT);
    ck_assert_int_ge(pe_now() - start, PE_MS(100));
    ck_assert_int_ge(status.run_ns, PE_MS(100));
    ck_assert_int_eq(status.stop_signal, SIGKILL);
    ck_assert_int_eq(status.code, SIGKILL);
    ck_assert_uint_eq(status.attempts, 1);
    ck_assert_int_eq(status.worker, 0);
    ck_assert_int_eq(status.pid, note->pid);
    ck_assert_int_ne(pool_worker_pid(pool), status.pid);
    ck_assert_uint_eq(pool_stats(pool).timed_out, 1);
    pool_end(pool);
}

/* The limit of each is shorter than all of them take, one after the other. One that the machine kept from its CPU for
 * longer than that has run for so long. */
PE_TEST(d02_limit_does_not_count_the_queue)
{
    pe_pool *pool = pool_of(1);
    pe_job *jobs[20];
    int64_t limit = PE_MS(150), start = pe_now();
    pe_status status;

    for (int i = 0; i < 20; i++)
        jobs[i] = submit(pool, takes_10_ms, NULL, 0, (pe_job_options){ .timeout_ns = limit });
    for (int i = 0; i < 20; i++) {
        status = job_finish(jobs[i]);
        ck_assert(status.kind == PE_RETURNED || (status.kind == PE_TIMED_OUT && status.run_ns >= limit));
        ck_assert_int_eq(status.stop_signal != 0, status.kind == PE_TIMED_OUT);
    }
    ck_assert_int_ge(status.queued_ns, limit);
    ck_assert_int_ge(pe_now() - start, 20 * PE_MS(10));
    pool_end(pool);
}

/* By a time limit and by a cancel. */
PE_TEST_LOOP(d04_sigterm_is_not_enough, 0, 2)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .grace_ns = PE_MS(30) });
    struct note *note = note_in(pool);
    int64_t limit = _i == 0 ? PE_MS(50) : 0, start = pe_now();
    pe_job *job = submit(pool, for_ever_whatever_comes, &note, sizeof note, (pe_job_options){ .timeout_ns = limit });

    word_await(&note->begun, 1);
    if (_i == 1)
        ck_assert_int_eq(pe_job_cancel(job), 0);
    pe_status status = job_finish(job);
    ck_assert_uint_eq(status.kind, _i == 0 ? PE_TIMED_OUT : PE_CANCELLED);
    ck_assert_int_eq(status.stop_signal, SIGKILL);
    ck_assert_int_ge(pe_now() - start, limit + 2 * PE_MS(30));
    pool_assert_usable(pool);
    pool_end(pool);
}

PE_TEST(sigterm_comes_first)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .grace_ns = PE_MS(300) });
    struct note *note = note_in(pool);
    int64_t start = pe_now();
    pe_job *job = submit(pool, for_ever, &note, sizeof note, (pe_job_options){ .timeout_ns = PE_MS(20) });
    pe_status status = job_finish(job);

    ck_assert_uint_eq(status.kind, PE_TIMED_OUT);
    ck_assert_int_eq(status.stop_signal, SIGTERM);
    ck_assert_int_eq(status.code, SIGTERM);
    ck_assert_int_ge(pe_now() - start, PE_MS(320));
    pool_end(pool);
}

/* It keeps its worker, its code and its reply; and the flag is down for the next job. */
PE_TEST(job_that_returns_when_it_is_asked)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .grace_ns = PE_SECONDS(20) });
    struct note *note = note_in(pool);
    pe_job *job = submit(pool, until_asked, &note, sizeof note, (pe_job_options){ .timeout_ns = PE_MS(20) });
    pe_status status = job_ended(job);
    const void *data = NULL;
    size_t bytes = 0;

    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_eq(status.code, 5);
    ck_assert_int_eq(status.stop_signal, 0);
    ck_assert_int_ge(status.run_ns, PE_MS(20));
    ck_assert_uint_eq(note->asked, 1);
    ck_assert_int_eq(pe_job_result(job, &data, &bytes), 0);
    ck_assert_uint_eq(bytes, 4);
    ck_assert_mem_eq(data, "done", 4);
    pe_job_free(job);
    ck_assert_int_eq(pool_worker_pid(pool), status.pid);
    note->go = 1;
    job = submit(pool, until_told, &note, sizeof note, (pe_job_options){ .timeout_ns = PE_SECONDS(20) });
    status = job_finish(job);
    ck_assert_int_eq(status.code, 8);
    ck_assert_int_eq(status.pid, note->pid);
    ck_assert_uint_eq(pool_stats(pool).restarts, 0);
    pool_end(pool);
}

/* The limit of a job is watched although the grace of the one before is not over. */
PE_TEST(limit_of_the_next_job_during_the_grace)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .grace_ns = PE_SECONDS(20) });
    struct note *note = note_in(pool);
    pe_job *first = submit(pool, until_asked, &note, sizeof note, (pe_job_options){ .timeout_ns = PE_MS(20) });
    pe_job *second = submit(pool, until_asked, &note, sizeof note, (pe_job_options){ .timeout_ns = PE_MS(20) });
    pe_status status = job_finish(first);

    ck_assert_int_eq(status.code, 5);
    status = job_finish(second);
    ck_assert_int_eq(status.code, 5);
    ck_assert_int_ge(status.run_ns, PE_MS(20));
    ck_assert_int_lt(status.run_ns, PE_SECONDS(10));
    pool_end(pool);
}

/* ---- items ---- */

/* The context: {an item that stays for ever, one that returns 7 when it is asked}. */
static int item_that_may_stay(const void *in, void *out, const void *context)
{
    const uint64_t *special = context;
    uint64_t number;

    memcpy(&number, in, sizeof number);
    if (number == special[0])
        stay();
    while (number == special[1])
        if (pe_worker_cancelled())
            return 7;
    if (pe_worker_cancelled())
        return 99;
    number *= number;
    memcpy(out, &number, sizeof number);
    return 0;
}

/* With details of all items or of the failed ones; in chunks of 1 and of 50. */
PE_TEST_LOOP(item_that_runs_too_long_in_a_chunk, 0, 4)
{
    enum { COUNT = 200 };
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .grace_ns = PE_MS(150) });
    uint64_t *in = numbers(COUNT), *out = untouched(COUNT);
    uint64_t special[2] = { 17, 30 };
    static pe_status statuses[COUNT];
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_status status;
    pe_job *job = NULL;

    options.context = special;
    options.context_bytes = sizeof special;
    options.timeout_ns = PE_MS(40);
    options.chunk = _i / 2 ? 50 : 1;
    options.statuses = _i % 2 ? statuses : NULL;
    options.summary = &summary;
    options.retries = 3;
    int64_t start = pe_now();
    ck_assert_int_eq(pe_pool_start_map(pool, item_that_may_stay, in, 8, out, 8, COUNT, &options, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
    ck_assert_int_ge(pe_now() - start, PE_MS(190));
    ck_assert_int_eq(job_status(job).code, PE_EITEMS);
    for (uint64_t i = 0; i < COUNT; i++)
        ck_assert_uint_eq(out[i], i == 17 || i == 30 ? UNTOUCHED : i * i);
    ck_assert_int_eq(pe_job_item_status(job, 17, &status), 0);
    ck_assert_uint_eq(status.kind, PE_TIMED_OUT);
    ck_assert(status.code == SIGTERM || status.code == SIGKILL);
    ck_assert(status.stop_signal == SIGTERM || status.stop_signal == SIGKILL);
    ck_assert_uint_eq(status.attempts, 1);
    ck_assert_int_ge(status.run_ns, PE_MS(190));
    ck_assert_int_eq(pe_job_item_status(job, 30, &status), 0);
    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_eq(status.code, 7);
    ck_assert_int_eq(status.stop_signal, 0);
    ck_assert_uint_eq(summary.returned, COUNT - 2);
    ck_assert_uint_eq(summary.failed, 2);
    ck_assert_uint_eq(summary.first_failed, 17);
    pe_job_free(job);
    pool_assert_usable(pool);
    pool_end(pool);
    free(in);
    free(out);
}

/* Together they take far longer than the limit of each. */
PE_TEST(limit_begins_anew_with_each_item)
{
    enum { COUNT = 30 };
    pe_pool *pool = pool_of(1);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    uint64_t special[2] = { UINT64_MAX, UINT64_MAX };
    uint64_t *in = numbers(COUNT), *out = untouched(COUNT);

    options.context = special;
    options.context_bytes = sizeof special;
    options.timeout_ns = PE_SECONDS(5);
    options.chunk = COUNT;
    for (int round = 0; round < 20; round++)
        ck_assert_int_eq(pe_pool_map(pool, item_that_may_stay, in, 8, out, 8, COUNT, &options), 0);
    for (uint64_t i = 0; i < COUNT; i++)
        ck_assert_uint_eq(out[i], i * i);
    ck_assert_uint_eq(pool_stats(pool).restarts, 0);
    pool_end(pool);
    free(in);
    free(out);
}

static int item_for_ever(const void *in, void *out, const void *context)
{
    (void)in;
    (void)out;
    (void)context;
    stay();
    return 0;
}

/* They count as failed. */
PE_TEST(items_that_run_too_long_stop_a_map)
{
    enum { COUNT = 50 };
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .grace_ns = PE_NOW });
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    options.timeout_ns = PE_MS(5);
    options.on_error = 4;
    options.summary = &summary;
    ck_assert_int_eq(pe_pool_map(pool, item_for_ever, NULL, 0, NULL, 0, COUNT, &options), PE_EITEMS);
    ck_assert_uint_ge(summary.failed, 4);
    ck_assert_uint_le(summary.failed, 5);
    ck_assert_uint_eq(summary.failed + summary.cancelled, COUNT);
    ck_assert_uint_eq(summary.first.kind, PE_TIMED_OUT);
    pool_assert_usable(pool);
    pool_end(pool);
}

/* ---- deadlines ---- */

/* Nothing is called on the pool meanwhile; the descriptor tells when it is over. */
PE_TEST(deadline_of_a_job_that_waits)
{
    pe_pool *pool = pool_of(1);
    struct note *note = note_in(pool), *other = note_in(pool);
    pe_job *busy = submit(pool, until_told, &note, sizeof note, (pe_job_options){ .retries = 0 });
    int64_t deadline = pe_after(PE_MS(60)), start = pe_now();

    word_await(&note->begun, 1);
    pe_job *patient = submit(pool, job_nothing, NULL, 0, (pe_job_options){ .deadline_ns = pe_after(GUARD_NS) });
    pe_job *late = submit(pool, for_ever, &other, sizeof other, (pe_job_options){ .deadline_ns = deadline });
    while (pe_pool_poll(pool) != 0)
        ;
    struct pollfd watched = { .fd = pe_pool_fd(pool), .events = POLLIN };
    ck_assert_int_eq(poll(&watched, 1, (int)(GUARD_NS / PE_MS(1))), 1);
    ck_assert_int_ge(pe_now(), deadline);
    ck_assert_int_eq(pe_pool_poll(pool), 1); /* it has ended behind one that waits */
    pe_status status = job_finish(late);
    ck_assert_uint_eq(status.kind, PE_TIMED_OUT);
    ck_assert_uint_eq(status.attempts, 0);
    ck_assert_int_eq(status.worker, -1);
    ck_assert_int_eq(status.stop_signal, 0);
    ck_assert_int_ge(pe_now() - start, PE_MS(60));
    ck_assert_uint_eq(job_status(busy).kind, PE_PENDING);
    ck_assert_uint_eq(job_status(patient).kind, PE_PENDING);
    word_set(&note->go, 1);
    job_finish(busy);
    ck_assert_uint_eq(job_finish(patient).kind, PE_RETURNED);
    ck_assert_uint_eq(other->begun, 0);
    pool_end(pool);
}

/* A deadline in the past: it is accepted, and ends without being begun. */
PE_TEST(deadline_that_has_passed)
{
    enum { COUNT = 300 };
    pe_pool *pool = pool_of(2);
    struct note *note = note_in(pool);
    pe_job *jobs[COUNT];

    for (int i = 0; i < COUNT; i++)
        jobs[i] = submit(pool, for_ever, &note, sizeof note,
                         (pe_job_options){ .deadline_ns = pe_now(), .priority = (uint32_t)i % 3 });
    for (int i = 0; i < COUNT; i++) {
        pe_status status = job_finish(jobs[i]);
        ck_assert_uint_eq(status.kind, PE_TIMED_OUT);
        ck_assert_uint_eq(status.attempts, 0);
    }
    ck_assert_uint_eq(note->begun, 0);
    ck_assert_uint_eq(pool_stats(pool).timed_out, COUNT);
    pool_assert_usable(pool);
    pool_end(pool);
}

static void await_state(pid_t pid, int stopped);
static int32_t keeper_of(pe_pool *pool);

/* The keeper is stopped, and the workers find out by themselves. */
PE_TEST(worker_begins_nothing_that_is_late)
{
    pe_pool *pool = pool_of(1);
    struct note *note = note_in(pool);
    int32_t keeper = keeper_of(pool);

    ck_assert_int_eq(kill(keeper, SIGSTOP), 0);
    await_state(keeper, 1);
    for (int i = 0; i < 20; i++) {
        pe_job *job = submit(pool, until_asked, &note, sizeof note, (pe_job_options){ .deadline_ns = pe_now() });
        pe_status status = job_finish(job);
        ck_assert_uint_eq(status.kind, PE_TIMED_OUT);
        ck_assert_uint_eq(status.attempts, 0);
    }
    ck_assert_uint_eq(note->begun, 0);
    ck_assert_int_eq(kill(keeper, SIGCONT), 0);
    pool_end(pool);
}

PE_TEST(deadline_of_a_job_that_runs)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .grace_ns = PE_NOW });
    struct note *note = note_in(pool);
    int64_t deadline = pe_after(PE_MS(50));
    pe_job *job = submit(pool, for_ever, &note, sizeof note,
                         (pe_job_options){ .deadline_ns = deadline, .timeout_ns = GUARD_NS, .retries = 5 });
    pe_status status = job_finish(job);

    ck_assert_uint_eq(status.kind, PE_TIMED_OUT);
    ck_assert_uint_eq(status.attempts, 1);
    ck_assert_int_ge(pe_now(), deadline);
    ck_assert_uint_eq(note->begun, 1);
    pool_end(pool);
}

/* Each attempt has the whole limit, and the flag of one is not that of the next. */
static int dies_when_asked_at_first(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct note *note = begin(arg);

    (void)arg_bytes;
    (void)reply;
    if (atomic_load(&note->begun) > 1)
        return pe_worker_cancelled() ? 9 : 8;
    while (!pe_worker_cancelled())
        sleep_ms(1);
    kill(getpid(), SIGKILL);
    return 0;
}

PE_TEST(limit_is_of_one_attempt)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .grace_ns = GUARD_NS });
    struct note *note = note_in(pool);
    pe_job *job = submit(pool, dies_when_asked_at_first, &note, sizeof note,
                         (pe_job_options){ .timeout_ns = PE_MS(20), .retries = 1 });
    pe_status status = job_finish(job);

    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_eq(status.code, 8);
    ck_assert_uint_eq(status.attempts, 2);
    pool_end(pool);
}

/* A map of its own: its tickets wait or run; nobody waits for it in the pool. */
PE_TEST_LOOP(deadline_of_a_map, 0, 2)
{
    enum { COUNT = 20 };
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .grace_ns = PE_MS(5) });
    struct note *note = note_in(pool);
    static pe_status statuses[COUNT];
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    int64_t deadline = pe_after(PE_MS(60));
    pe_job *busy[2] = { NULL, NULL }, *job = NULL;
    uint64_t stopped = 0;

    for (int i = 0; i < 2 && _i == 1; i++)
        busy[i] = submit(pool, until_told, &note, sizeof note, (pe_job_options){ .retries = 0 });
    word_await(&note->begun, _i == 1 ? 2 : 0);
    options.deadline_ns = deadline;
    options.statuses = statuses;
    ck_assert_int_eq(pe_pool_start_map(pool, item_for_ever, NULL, 0, NULL, 0, COUNT, &options, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
    ck_assert_int_ge(pe_now(), deadline);
    ck_assert_uint_eq(job_status(job).kind, PE_TIMED_OUT);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_uint_eq(statuses[i].kind, PE_CANCELLED);
        stopped += statuses[i].attempts == 1 && statuses[i].stop_signal != 0;
    }
    ck_assert_uint_le(stopped, _i == 1 ? 0 : 2);
    pe_job_free(job);
    word_set(&note->go, 1);
    for (int i = 0; i < 2 && _i == 1; i++)
        ck_assert_int_eq(job_finish(busy[i]).code, 8);
    pool_assert_usable(pool);
    pool_end(pool);
}

/* Enough time for all of it. */
PE_TEST(map_that_is_done_before_its_deadline)
{
    enum { COUNT = 1000 };
    pe_pool *pool = pool_of(2);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    uint64_t *in = numbers(COUNT), *out = untouched(COUNT);
    pe_job *job = NULL;

    options.deadline_ns = pe_after(GUARD_NS);
    ck_assert_int_eq(pe_pool_start_map(pool, item_square, in, 8, out, 8, COUNT, &options, &job), 0);
    job_assert_ended(job, PE_RETURNED, 0);
    pe_job_free(job);
    for (uint64_t i = 0; i < COUNT; i++)
        ck_assert_uint_eq(out[i], i * i);
    pool_end(pool);
    free(in);
    free(out);
}

static int range_for_ever(uint64_t first, uint64_t last, void *acc, const void *context)
{
    (void)last;
    (void)acc;
    (void)context;
    if (first > 0)
        stay();
    return 0;
}

PE_TEST(block_that_runs_too_long)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .grace_ns = PE_NOW });
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    uint64_t acc = 7;

    options.timeout_ns = PE_MS(30);
    options.summary = &summary;
    ck_assert_int_eq(pe_pool_reduce(pool, range_for_ever, combine_nothing, 0, 10, &acc, sizeof acc, &options),
                     PE_EITEMS);
    ck_assert_uint_eq(acc, 7);
    ck_assert_uint_eq(summary.first.kind, PE_TIMED_OUT);
    ck_assert_uint_eq(summary.first_failed, 1);
    pool_assert_usable(pool);
    pool_end(pool);
}

PE_TEST(no_limits_inline)
{
    pe_pool *pool = pool_with((pe_pool_options){ .flags = PE_POOL_INLINE });
    pe_job *job = submit(pool, takes_10_ms, NULL, 0, (pe_job_options){ .timeout_ns = 1, .deadline_ns = pe_now() });

    ck_assert_uint_eq(job_finish(job).kind, PE_RETURNED);
    pool_end(pool);
}

/* ---- what it costs ---- */

static int32_t keeper_of(pe_pool *pool)
{
    struct process_worker worker;

    process_workers(pool, 1, &worker);
    return worker.keeper;
}

/* Thousands of items with a limit, each over long before: the keeper wakes for a few of them only. */
PE_TEST(short_items_do_not_wake_the_keeper)
{
    enum { COUNT = 20000 };
    pe_pool *pool = pool_of(1);
    int32_t keeper = keeper_of(pool);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    uint64_t *in = numbers(COUNT), *out = untouched(COUNT);

    options.timeout_ns = PE_SECONDS(20);
    struct process_effort before = process_effort(keeper);
    for (int round = 0; round < 10; round++)
        ck_assert_int_eq(pe_pool_map(pool, item_square, in, 8, out, 8, COUNT, &options), 0);
    for (int i = 0; i < 1000; i++)
        job_finish(submit(pool, job_nothing, NULL, 0, (pe_job_options){ .timeout_ns = PE_SECONDS(20) }));
    struct process_effort after = process_effort(keeper);
    ck_assert_int_le(after.voluntary_switches - before.voluntary_switches, 20);
    ck_assert(process_is_idle(keeper, PE_MS(200)));
    pool_end(pool);
    free(in);
    free(out);
}

/* ---- at the instant of the end ---- */

/* Runs for about as long as its limit, or until it is cancelled. */
static int takes_about(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    int64_t end;

    (void)arg_bytes;
    memcpy(&end, arg, sizeof end);
    for (end += pe_now(); pe_now() < end;)
        ;
    return pe_reply_write(reply, "end", 3);
}

/* Every second one may be stopped, by its limit or by a cancel, at about the time at which it returns; the others
 * follow on the same worker and are never hurt. */
PE_TEST_LOOP(either_done_or_stopped, 0, 2)
{
    enum { ROUNDS = 400 };
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .grace_ns = PE_NOW, .max_deaths = UINT32_MAX });
    int rounds = harness_long() ? 20 * ROUNDS : ROUNDS, done = 0, stopped = 0;

    for (int i = 0; i < rounds; i++) {
        int64_t length = PE_US(150 + i % 40), nothing = 0;
        pe_job *job = submit(pool, takes_about, &length, sizeof length,
                             (pe_job_options){ .timeout_ns = _i == 0 ? PE_US(150 + i * 7 % 40) : 0 });
        pe_job *next = submit(pool, takes_about, &nothing, sizeof nothing, (pe_job_options){ .retries = 0 });
        const void *data;
        int asked = 0;
        for (int64_t until = pe_now() + PE_US(130 + i * 11 % 90); _i == 1 && pe_now() < until;)
            ;
        if (_i == 1)
            asked = pe_job_cancel(job);
        pe_status status = job_ended(job);
        int is_done = status.kind == PE_RETURNED;
        ck_assert(is_done || status.kind == (_i == 0 ? PE_TIMED_OUT : PE_CANCELLED));
        ck_assert(asked == 0 || (asked == PE_EALREADY && is_done));
        ck_assert_int_eq(pe_job_result(job, &data, NULL), is_done ? 0 : PE_ENODATA);
        ck_assert_uint_eq(job_finish(next).kind, PE_RETURNED);
        done += is_done;
        stopped += !is_done;
        pe_job_free(job);
    }
    if (harness_long())
        printf("# %d done, %d stopped\n", done, stopped);
    pool_end(pool);
}

/* The same for items of one map: what is stopped is that item, and all others have their results. */
static int item_takes_about(const void *in, void *out, const void *context)
{
    uint64_t number;
    int64_t end = pe_now();

    (void)context;
    memcpy(&number, in, sizeof number);
    for (end += number % 4 == 0 ? PE_US(95 + (int64_t)number % 10) : 0; pe_now() < end;)
        ;
    number *= number;
    memcpy(out, &number, sizeof number);
    return 0;
}

PE_TEST(items_either_done_or_stopped)
{
    enum { COUNT = 1200 };
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .grace_ns = PE_NOW, .max_deaths = UINT32_MAX });
    uint64_t *in = numbers(COUNT), *out = untouched(COUNT);
    static pe_status statuses[COUNT];
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    options.timeout_ns = PE_US(100);
    options.statuses = statuses;
    options.chunk = 100;
    int result = pe_pool_map(pool, item_takes_about, in, 8, out, 8, COUNT, &options);
    ck_assert(result == 0 || result == PE_EITEMS);
    for (uint64_t i = 0; i < COUNT; i++) {
        int is_done = statuses[i].kind == PE_RETURNED;
        ck_assert(is_done || statuses[i].kind == PE_TIMED_OUT);
        ck_assert(is_done || statuses[i].run_ns >= PE_US(100));
        ck_assert_uint_eq(statuses[i].attempts, 1);
        ck_assert_uint_eq(out[i], is_done ? i * i : UNTOUCHED);
    }
    pool_end(pool);
    free(in);
    free(out);
}

/* Every fifth item ends at about the instant at which its limit is over; those behind it on the same worker are far
 * from theirs. Each says when it began and ended, and as which worker. */
#define NEIGHBOURS 5
#define LIMIT_NS PE_MS(10)

struct trace {
    _Atomic int64_t begun, ended;
    _Atomic int32_t worker;
};

static int item_near_its_limit(const void *in, void *out, const void *context)
{
    struct trace *traces;
    uint64_t number = pe_worker_item();
    int64_t begin = pe_now(), late = PE_US(-50 + (int64_t)(number * 37 % 200));

    (void)in;
    (void)out;
    memcpy(&traces, context, sizeof traces);
    atomic_store(&traces[number].worker, pe_worker_index());
    atomic_store(&traces[number].begun, begin);
    while (pe_now() < begin + (number % NEIGHBOURS == 0 ? LIMIT_NS + late : PE_US(20)))
        ;
    atomic_store(&traces[number].ended, pe_now());
    return 0;
}

/* For how long the worker number had nothing else to do than what was stopped. `end`: when all was over. Its limit
 * began before its first step, and at the earliest when the one before it had ended: it may have been kept from its CPU
 * in between. */
static int64_t time_for(const struct trace *traces, uint64_t count, uint64_t item, const pe_status *status, int64_t end)
{
    int64_t begun = traces[item].begun;

    if (item > 0 && traces[item - 1].worker == status->worker && traces[item - 1].ended != 0)
        begun = traces[item - 1].ended;
    if (begun == 0)
        return INT64_MAX; /* stolen or stopped anew: nothing is known */
    for (uint64_t i = 0; i < count; i++)
        if (i != item && traces[i].worker == status->worker && traces[i].begun > begun && traces[i].begun < end)
            end = traces[i].begun;
    return end - begun;
}

/* No signal for one item hits the next. A neighbour may be kept from its CPU until its limit is really over; but then
 * its worker number has begun nothing else for about so long. */
PE_TEST(neighbours_of_what_is_stopped_are_not_hurt)
{
    enum { COUNT = NEIGHBOURS * 300 };
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .grace_ns = PE_NOW, .max_deaths = UINT32_MAX });
    struct trace *traces = pool_shared(pool, COUNT * sizeof *traces);
    static pe_status statuses[COUNT];
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    int rounds = harness_long() ? 20 : 1, done = 0, stopped = 0, excused = 0;

    options.timeout_ns = LIMIT_NS;
    options.statuses = statuses;
    options.chunk = 100;
    options.context = &traces;
    options.context_bytes = sizeof traces;
    for (int round = 0; round < rounds; round++) {
        memset(traces, 0, COUNT * sizeof *traces);
        int result = pe_pool_map(pool, item_near_its_limit, NULL, 0, NULL, 0, COUNT, &options);
        int64_t end = pe_now();
        ck_assert(result == 0 || result == PE_EITEMS);
        for (uint64_t i = 0; i < COUNT; i++) {
            int is_done = statuses[i].kind == PE_RETURNED, is_near = i % NEIGHBOURS == 0;
            ck_assert(is_done || statuses[i].kind == PE_TIMED_OUT);
            done += is_near && is_done;
            stopped += is_near && !is_done;
            excused += !is_near && !is_done;
            if (!is_done)
                ck_assert_int_ge(time_for(traces, COUNT, i, &statuses[i], end), LIMIT_NS / 2);
        }
    }
    ck_assert_int_gt(done, 0);
    ck_assert_int_gt(stopped, 0);
    if (harness_long())
        printf("# %d done, %d stopped, %d others that were kept from their CPU for as long\n", done, stopped, excused);
    pe_pool_dealloc(pool, traces);
    pool_end(pool);
}

/* ---- large replies that nobody wants any more ---- */

#define LARGE ((size_t)(sizeof(size_t) > 4 ? 100 : 4) << 20)

static int replies_much(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    unsigned char *place = pe_reply_reserve(reply, LARGE);
    if (place == NULL)
        return 1;
    memset(place, 5, LARGE);
    return 0;
}

/* Private memory and what is touched of shared memory. */
static int64_t resident_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%*d %ld", &pages), 1);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

PE_TEST(d07_large_replies_are_cancelled)
{
    int64_t before = resident_bytes();
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2 });
    pe_job *jobs[10];
    const void *data = NULL;
    size_t bytes = 0, first = 0;

    for (int i = 0; i < 10; i++)
        jobs[i] = pool_submit(pool, replies_much, NULL, 0);
    ck_assert_int_eq(pe_job_wait_any(jobs, 10, pe_after(GUARD_NS), &first), 0);
    for (int i = 0; i < 10; i++) {
        int result = pe_job_cancel(jobs[i]);
        ck_assert(result == 0 || result == PE_EALREADY);
    }
    ck_assert_int_eq(pe_job_result(jobs[first], &data, &bytes), 0);
    ck_assert_uint_eq(bytes, LARGE);
    ck_assert_uint_eq(((const unsigned char *)data)[LARGE - 1], 5);
    for (int i = 0; i < 10; i++) {
        uint32_t kind = job_finish(jobs[i]).kind;
        ck_assert(kind == PE_CANCELLED || kind == PE_RETURNED);
    }
    pool_assert_usable(pool);
    ck_assert_int_eq(pe_pool_kill(pool, 0), 0);
    pe_pool_free(pool);
    ck_assert_int_lt(resident_bytes() - before, (int64_t)LARGE / 2);
}

/* ---- Ctrl-Z and fg ---- */

/* In a process of its own: one job is told to return, the other stays for ever. Ends with 0 when the first was not held
 * against the time in which all were stopped, and the second was stopped after all. */
static int stoppable_host(struct note *told, struct note *staying)
{
    pe_pool_options pool_options = PE_POOL_OPTIONS_INIT;
    pe_job_options options = PE_JOB_OPTIONS_INIT;
    pe_status first, second;
    pe_job *jobs[2];
    pe_pool *pool = NULL;

    pool_options.workers = 2;
    pool_options.grace_ns = PE_NOW;
    options.timeout_ns = PE_SECONDS(1);
    if (pe_pool_new(&pool_options, &pool) < 0 ||
        pe_pool_submit(pool, until_told, &told, sizeof told, &options, &jobs[0]) < 0 ||
        pe_pool_submit(pool, for_ever, &staying, sizeof staying, &options, &jobs[1]) < 0)
        return 2;
    if (pe_job_wait(jobs[0], pe_after(GUARD_NS)) < 0 || pe_job_wait(jobs[1], pe_after(GUARD_NS)) < 0)
        return 3;
    pe_job_status(jobs[0], &first);
    pe_job_status(jobs[1], &second);
    pe_job_free(jobs[0]);
    pe_job_free(jobs[1]);
    pe_pool_free(pool);
    return first.kind == PE_RETURNED && first.code == 8 && second.kind == PE_TIMED_OUT ? 0 : 4;
}

static char state_of(pid_t pid)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");

    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(text, sizeof text, file));
    fclose(file);
    return strrchr(text, ')')[2];
}

static void await_state(pid_t pid, int stopped)
{
    int64_t guard = pe_after(GUARD_NS);

    while ((state_of(pid) == 'T') != stopped) {
        ck_assert_int_lt(pe_now(), guard);
        sleep_ms(1);
    }
}

PE_TEST(stopped_and_continued_with_limits_running)
{
    struct note *notes = process_shared(2 * sizeof *notes);
    int status = 0;

    pid_t host = fork();
    if (host == 0) {
        setpgid(0, 0);
        _exit(stoppable_host(&notes[0], &notes[1]));
    }
    setpgid(host, host);
    word_await(&notes[0].begun, 1);
    word_await(&notes[1].begun, 1);
    pid_t keeper = process_parent(notes[0].pid);
    ck_assert_int_eq(kill(-host, SIGTSTP), 0);
    for (int i = 0; i < 2; i++)
        await_state(notes[i].pid, 1);
    await_state(keeper, 1);
    await_state(host, 1);
    sleep_ms(1500);
    ck_assert_int_eq(kill(-host, SIGCONT), 0);
    await_state(keeper, 0);
    word_set(&notes[0].go, 1);
    ck_assert_int_eq(waitpid(host, &status, 0), host);
    ck_assert_int_eq(status, 0);
    munmap(notes, 2 * sizeof *notes);
}

HARNESS_MAIN("time")
