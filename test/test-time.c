/*
 * Time limits: of the run time of jobs and items, and what the keeper does about them while the host does something
 * else. Scenarios d01, d02 and d04. Nothing here is timed from above but by guards; a limit is never early.
 */
#include "harness/harness.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "harness/gate.h"
#include "harness/items.h"
#include "harness/note.h"
#include "harness/pool.h"
#include "harness/process.h"

#define GUARD_NS PE_SECONDS(25)

/* ---- run time of a job ---- */

PE_TEST(d01_job_that_runs_too_long)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .grace_ns = PE_NOW });
    struct note *note = note_in(pool);
    int64_t start = pe_now();
    pe_job *job = pool_submit_with(pool, note_for_ever, &note, sizeof note,
                                   (pe_job_options){ .timeout_ns = PE_MS(100) });
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

static int takes_10_ms(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    process_sleep_ms(10);
    return 0;
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
        jobs[i] = pool_submit_with(pool, takes_10_ms, NULL, 0, (pe_job_options){ .timeout_ns = limit });
    for (int i = 0; i < 20; i++) {
        status = job_finish(jobs[i]);
        ck_assert(status.kind == PE_RETURNED || (status.kind == PE_TIMED_OUT && status.run_ns >= limit));
        ck_assert_int_eq(status.stop_signal != 0, status.kind == PE_TIMED_OUT);
    }
    ck_assert_int_ge(status.queued_ns, limit);
    ck_assert_int_ge(pe_now() - start, 20 * PE_MS(10));
    pool_end(pool);
}

/* Blocks what can be blocked, and uses its CPU. */
static int for_ever_whatever_comes(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    sigset_t all;

    (void)arg_bytes;
    (void)reply;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    note_begin(arg);
    for (volatile uint64_t turns = 0; turns < UINT64_MAX; turns++)
        ;
    return 0;
}

/* By a time limit and by a cancel. */
PE_TEST_LOOP(d04_sigterm_is_not_enough, 0, 2)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .grace_ns = PE_MS(30) });
    struct note *note = note_in(pool);
    int64_t limit = _i == 0 ? PE_MS(50) : 0, start = pe_now();
    pe_job *job = pool_submit_with(pool, for_ever_whatever_comes, &note, sizeof note,
                                   (pe_job_options){ .timeout_ns = limit });

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
    pe_job *job = pool_submit_with(pool, note_for_ever, &note, sizeof note,
                                   (pe_job_options){ .timeout_ns = PE_MS(20) });
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
    pe_job *job = pool_submit_with(pool, note_until_asked, &note, sizeof note,
                                   (pe_job_options){ .timeout_ns = PE_MS(20) });
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
    job = pool_submit_with(pool, note_until_told, &note, sizeof note, (pe_job_options){ .timeout_ns = PE_SECONDS(20) });
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
    pe_job *first = pool_submit_with(pool, note_until_asked, &note, sizeof note,
                                     (pe_job_options){ .timeout_ns = PE_MS(20) });
    pe_job *second = pool_submit_with(pool, note_until_asked, &note, sizeof note,
                                      (pe_job_options){ .timeout_ns = PE_MS(20) });
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
    while (number == special[0])
        pause();
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

/* Each attempt has the whole limit, and the flag of one is not that of the next. */
static int dies_when_asked_at_first(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct note *note = note_begin(arg);

    (void)arg_bytes;
    (void)reply;
    if (atomic_load(&note->begun) > 1)
        return pe_worker_cancelled() ? 9 : 8;
    while (!pe_worker_cancelled())
        process_sleep_ms(1);
    kill(getpid(), SIGKILL);
    return 0;
}

PE_TEST(limit_is_of_one_attempt)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .grace_ns = GUARD_NS });
    struct note *note = note_in(pool);
    pe_job *job = pool_submit_with(pool, dies_when_asked_at_first, &note, sizeof note,
                                   (pe_job_options){ .timeout_ns = PE_MS(20), .retries = 1 });
    pe_status status = job_finish(job);

    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_eq(status.code, 8);
    ck_assert_uint_eq(status.attempts, 2);
    pool_end(pool);
}

static int range_for_ever(uint64_t first, uint64_t last, void *acc, const void *context)
{
    (void)last;
    (void)acc;
    (void)context;
    if (first == 0)
        return 0;
    for (;;)
        pause();
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
    pe_job *job = pool_submit_with(pool, takes_10_ms, NULL, 0,
                                   (pe_job_options){ .timeout_ns = 1, .deadline_ns = pe_now() });

    ck_assert_uint_eq(job_finish(job).kind, PE_RETURNED);
    pool_end(pool);
}

/* ---- what it costs ---- */

/* Thousands of items with a limit, each over long before: the keeper wakes for a few of them only. */
PE_TEST(short_items_do_not_wake_the_keeper)
{
    enum { COUNT = 20000 };
    pe_pool *pool = pool_of(1);
    int32_t keeper = process_keeper(pool);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    uint64_t *in = numbers(COUNT), *out = untouched(COUNT);

    options.timeout_ns = PE_SECONDS(20);
    struct process_effort before = process_effort(keeper);
    for (int round = 0; round < 10; round++)
        ck_assert_int_eq(pe_pool_map(pool, item_square, in, 8, out, 8, COUNT, &options), 0);
    for (int i = 0; i < 1000; i++)
        job_finish(pool_submit_with(pool, job_nothing, NULL, 0, (pe_job_options){ .timeout_ns = PE_SECONDS(20) }));
    struct process_effort after = process_effort(keeper);
    ck_assert_int_le(after.voluntary_switches - before.voluntary_switches, 20);
    ck_assert(process_is_idle(keeper, PE_MS(200)));
    pool_end(pool);
    free(in);
    free(out);
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
        pe_pool_submit(pool, note_until_told, &told, sizeof told, &options, &jobs[0]) < 0 ||
        pe_pool_submit(pool, note_for_ever, &staying, sizeof staying, &options, &jobs[1]) < 0)
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
        process_await_stopped(notes[i].pid, 1);
    process_await_stopped(keeper, 1);
    process_await_stopped(host, 1);
    process_sleep_ms(1500);
    ck_assert_int_eq(kill(-host, SIGCONT), 0);
    process_await_stopped(keeper, 0);
    word_set(&notes[0].go, 1);
    ck_assert_int_eq(waitpid(host, &status, 0), host);
    ck_assert_int_eq(status, 0);
    munmap(notes, 2 * sizeof *notes);
}

HARNESS_MAIN("time")
