/*
 * Deadlines of jobs and maps: of those that wait, those that run, and those that are late from the start. Nothing here
 * is timed from above but by guards; what ends by a deadline never does so before it.
 */
#include "harness/harness.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "harness/gate.h"
#include "harness/items.h"
#include "harness/note.h"
#include "harness/pool.h"
#include "harness/process.h"

#define GUARD_NS PE_SECONDS(25)

/* Nothing is called on the pool meanwhile; the descriptor tells when it is over. */
PE_TEST(deadline_of_a_job_that_waits)
{
    pe_pool *pool = pool_of(1);
    struct note *note = note_in(pool), *other = note_in(pool);
    pe_job *busy = pool_submit_with(pool, note_until_told, &note, sizeof note, (pe_job_options){ .retries = 0 });
    int64_t deadline = pe_after(PE_MS(60)), start = pe_now();

    word_await(&note->begun, 1);
    pe_job *patient = pool_submit_with(pool, job_nothing, NULL, 0,
                                       (pe_job_options){ .deadline_ns = pe_after(GUARD_NS) });
    pe_job *late = pool_submit_with(pool, note_for_ever, &other, sizeof other,
                                    (pe_job_options){ .deadline_ns = deadline });
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
        jobs[i] = pool_submit_with(pool, note_for_ever, &note, sizeof note,
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

/* The keeper is stopped, and the workers find out by themselves. */
PE_TEST(worker_begins_nothing_that_is_late)
{
    pe_pool *pool = pool_of(1);
    struct note *note = note_in(pool);
    int32_t keeper = process_keeper(pool);

    ck_assert_int_eq(kill(keeper, SIGSTOP), 0);
    process_await_stopped(keeper, 1);
    for (int i = 0; i < 20; i++) {
        pe_job *job = pool_submit_with(pool, note_until_asked, &note, sizeof note,
                                       (pe_job_options){ .deadline_ns = pe_now() });
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
    pe_job *job = pool_submit_with(pool, note_for_ever, &note, sizeof note,
                                   (pe_job_options){ .deadline_ns = deadline, .timeout_ns = GUARD_NS, .retries = 5 });
    pe_status status = job_finish(job);

    ck_assert_uint_eq(status.kind, PE_TIMED_OUT);
    ck_assert_uint_eq(status.attempts, 1);
    ck_assert_int_ge(pe_now(), deadline);
    ck_assert_uint_eq(note->begun, 1);
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
        busy[i] = pool_submit_with(pool, note_until_told, &note, sizeof note, (pe_job_options){ .retries = 0 });
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

HARNESS_MAIN("deadline")
