/*
 * Ends of pools and of single jobs: close, join, cancel_queued, cancel, and a program that simply returns.
 * Scenarios of group E (e01 and so on), d05 and d09.
 *
 * A job that is to run for a while waits for a word in shared memory that the test says; so nothing depends
 * on how long anything takes. Run with SHUTDOWN_PROGRAM=1 the program is the one of e08.
 */
#include "harness/harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "harness/note.h"
#include "harness/pool.h"
#include "harness/process.h"

#define GUARD_NS PE_SECONDS(25)

static pe_job *submit(pe_pool *pool, pe_job_fn *fn, struct note *note, uint32_t retries)
{
    return pool_submit_retried(pool, fn, &note, sizeof note, retries);
}

/* Replies with the number of its run. */
static int quick(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct note *note = note_begin(arg);
    uint32_t run = atomic_fetch_add(&note->ended, 1) + 1;

    (void)arg_bytes;
    return pe_reply_write(reply, &run, sizeof run);
}

static int until_told(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct note *note = note_begin(arg);

    while (atomic_load(&note->go) == 0)
        poll(NULL, 0, 1);
    (void)arg_bytes;
    atomic_fetch_add(&note->ended, 1);
    return pe_reply_write(reply, &(uint32_t){ 1 }, sizeof(uint32_t));
}

static int until_cancelled(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct note *note = note_begin(arg);

    while (!pe_worker_cancelled())
        poll(NULL, 0, 1);
    (void)arg_bytes;
    atomic_fetch_add(&note->ended, 1);
    return pe_reply_write(reply, &(uint32_t){ 1 }, sizeof(uint32_t));
}

static void await_begun(struct note *note, uint32_t runs)
{
    int64_t guard = pe_after(GUARD_NS);

    while (atomic_load(&note->begun) < runs && pe_now() < guard)
        sched_yield();
    ck_assert_uint_ge(atomic_load(&note->begun), runs);
}

/* Ended before: looks at it, and gives the handle back. */
static void assert_value(pe_job *job)
{
    const void *data = NULL;
    size_t bytes = 0;
    uint32_t value;

    ck_assert_uint_eq(job_status(job).kind, PE_RETURNED);
    ck_assert_int_eq(job_status(job).code, 0);
    ck_assert_int_eq(pe_job_result(job, &data, &bytes), 0);
    ck_assert_uint_eq(bytes, sizeof value);
    memcpy(&value, data, sizeof value);
    ck_assert_uint_eq(value, 1);
    pe_job_free(job);
}

static void assert_cancelled(pe_job *job)
{
    const void *data;
    size_t bytes;

    ck_assert_uint_eq(job_status(job).kind, PE_CANCELLED);
    ck_assert_int_eq(pe_job_result(job, &data, &bytes), PE_ENODATA);
    pe_job_free(job);
}

/* ---- group E ---- */

PE_TEST(e01_closed_at_once_with_one_job_a_worker)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;

    options.workers = 3;
    options.jobs_per_worker = 1;
    for (int round = 0; round < 20; round++) {
        pe_pool *pool = NULL;
        struct note *notes;
        pe_job *jobs[6];

        ck_assert_int_eq(pe_pool_new(&options, &pool), 0);
        notes = pool_shared(pool, 6 * sizeof *notes);
        for (int i = 0; i < 6; i++)
            jobs[i] = submit(pool, quick, &notes[i], 0);
        ck_assert_int_eq(pe_pool_close(pool), 0);
        ck_assert_int_eq(pe_pool_join(pool, pe_after(GUARD_NS)), 0);
        for (int i = 0; i < 6; i++)
            for (int k = 0; k < i; k++)
                ck_assert_int_ne(notes[i].pid, notes[k].pid);
        for (int i = 0; i < 6; i++)
            assert_value(jobs[i]);
        pe_pool_free(pool);
    }
}

PE_TEST(e02_closed_without_waiting)
{
    pe_pool *pool = pool_of(1);
    struct note *notes = pool_shared(pool, 4 * sizeof *notes);
    uint64_t in = 0;
    pe_job *jobs[4];

    jobs[0] = submit(pool, until_told, &notes[0], 0);
    for (int i = 1; i < 4; i++)
        jobs[i] = submit(pool, quick, &notes[i], 0);
    await_begun(&notes[0], 1);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(pe_pool_close(pool), 0);
        ck_assert_int_eq(pe_pool_submit(pool, quick, NULL, 0, NULL, NULL), PE_ECLOSED);
        ck_assert_int_eq(pe_pool_try_submit(pool, quick, NULL, 0, NULL, NULL), PE_ECLOSED);
        ck_assert_int_eq(pe_pool_map(pool, (pe_map_fn *)(void (*)(void))quick, &in, 8, &in, 8, 1, NULL),
                         PE_ECLOSED);
    }
    ck_assert_uint_eq(job_status(jobs[0]).kind, PE_PENDING);
    atomic_store(&notes[0].go, 1);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(pe_pool_join(pool, pe_after(GUARD_NS)), 0);
        ck_assert_int_eq(pe_pool_close(pool), 0);
        ck_assert_int_eq(pe_pool_kill(pool, PE_NOW), 0);
        ck_assert_int_eq(pe_pool_submit(pool, quick, NULL, 0, NULL, NULL), PE_ECLOSED);
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_eq(notes[i].ended, 1);
        assert_value(jobs[i]);
    }
    pe_pool_free(pool);
}

/* Those that run are told to end only when the queue has been cancelled: they end with values. */
PE_TEST(e03_queued_ones_are_cancelled)
{
    enum { JOBS = 50, WORKERS = 4 };
    pe_pool *pool = pool_of(WORKERS);
    struct note *notes = pool_shared(pool, JOBS * sizeof *notes);
    uint32_t cancelled = 0, running = 0;
    pe_job *jobs[JOBS];
    int64_t guard;

    for (int i = 0; i < JOBS; i++)
        jobs[i] = submit(pool, until_told, &notes[i], 0);
    for (guard = pe_after(GUARD_NS); running < WORKERS && pe_now() < guard;) {
        running = 0;
        for (int i = 0; i < JOBS; i++)
            running += notes[i].begun;
    }
    ck_assert_uint_eq(running, WORKERS);
    ck_assert_int_eq(pe_pool_cancel_queued(pool), 0);
    ck_assert_int_eq(pe_pool_close(pool), 0);
    for (int i = 0; i < JOBS; i++) {
        pe_status status = job_status(jobs[i]);

        ck_assert_uint_eq(status.kind, notes[i].begun ? PE_PENDING : PE_CANCELLED);
        cancelled += status.kind == PE_CANCELLED;
        if (status.kind == PE_CANCELLED) {
            ck_assert_int_eq(status.worker, -1);
            ck_assert_uint_eq(status.attempts, 0);
        }
        atomic_store(&notes[i].go, 1);
    }
    ck_assert_uint_eq(cancelled, JOBS - WORKERS);
    ck_assert_int_eq(pe_pool_join(pool, pe_after(GUARD_NS)), 0);
    for (int i = 0; i < JOBS; i++) {
        ck_assert_uint_eq(notes[i].begun, notes[i].ended);
        if (notes[i].begun)
            assert_value(jobs[i]);
        else
            assert_cancelled(jobs[i]);
    }
    pe_pool_free(pool);
}

/* Queued, running or ended when it is cancelled, it is over when join is. */
PE_TEST(e04_cancelled_directly_before_close)
{
    for (int round = 0; round < 60; round++) {
        pe_pool *pool = pool_of(1);
        struct note *note = pool_shared(pool, sizeof *note);
        pe_job *job = submit(pool, round % 2 ? quick : until_cancelled, note, 0);
        int result;

        if (round % 3 == 0)
            await_begun(note, 1);
        result = pe_job_cancel(job);
        ck_assert(result == 0 || (result == PE_EALREADY && round % 2));
        ck_assert_int_eq(pe_pool_close(pool), 0);
        ck_assert_int_eq(pe_pool_join(pool, pe_after(PE_SECONDS(10))), 0);
        ck_assert_uint_eq(note->begun, note->ended);
        if (note->ended)
            assert_value(job);
        else
            assert_cancelled(job);
        pe_pool_free(pool);
    }
}

PE_TEST(e06_join_in_time_or_not)
{
    pe_pool *pool = pool_of(2);
    struct note *note = pool_shared(pool, sizeof *note);
    pe_job *job = submit(pool, until_told, note, 0);
    int64_t before = pe_now();

    ck_assert_int_eq(pe_pool_join(pool, pe_after(PE_MS(200))), PE_ETIMEDOUT);
    ck_assert_int_ge(pe_now() - before, PE_MS(200));
    ck_assert_int_lt(pe_now() - before, PE_SECONDS(5));
    ck_assert_int_eq(pe_pool_join(pool, 0), PE_ETIMEDOUT);
    ck_assert_int_eq(pe_pool_submit(pool, quick, NULL, 0, NULL, NULL), PE_ECLOSED);
    ck_assert_uint_eq(job_status(job).kind, PE_PENDING);
    await_begun(note, 1);
    atomic_store(&note->go, 1);
    ck_assert_int_eq(pe_pool_join(pool, pe_after(GUARD_NS)), 0);
    ck_assert_uint_eq(note->begun, 1);
    assert_value(job);
    pe_pool_free(pool);
}

/* ---- e08: a program that returns from main ---- */

static int says_that_it_runs(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    printf("worker\n");
    fflush(stdout);
    printf("in the worker's buffer\n"); /* dies with it */
    return note_for_ever(arg, arg_bytes, reply);
}

static int program(void)
{
    struct note *note;
    void *memory;
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    static pe_pool *pool; /* never freed, but not forgotten: no leak */

    options.workers = 2;
    printf("host\n"); /* stays in the buffer of a pipe until the end */
    if (pe_pool_new(&options, &pool) < 0 || pe_pool_alloc(pool, sizeof *note, &memory) < 0)
        return 1;
    note = memory;
    for (int i = 0; i < 5; i++)
        if (pe_pool_submit(pool, says_that_it_runs, &note, sizeof note, NULL, NULL) < 0)
            return 2;
    while (atomic_load(&note->begun) < 2)
        sched_yield();
    return 7;
}

static pid_t start_program(int *ret_output)
{
    int ends[2];
    pid_t pid;

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        setenv("SHUTDOWN_PROGRAM", "1", 1);
        execl("/proc/self/exe", "shutdown-program", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    *ret_output = ends[0];
    return pid;
}

static int count_in(const char *text, const char *what)
{
    int count = 0;

    for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
        count++;
    return count;
}

/* The output's end of file comes when the last process has gone; whom init would inherit, we do. */
PE_TEST(e08_program_returns_with_jobs_running)
{
    char text[4096] = "";
    size_t used = 0;
    ssize_t got;
    int output, status, code = -1, others = 0;
    pid_t pid, ended;

    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    pid = start_program(&output);
    while ((got = read(output, text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)got;
    close(output);
    ck_assert_int_eq((int)got, 0);
    while ((ended = wait(&status)) > 0) {
        if (ended == pid)
            code = WIFEXITED(status) ? WEXITSTATUS(status) : -2;
        others += ended != pid;
    }
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    ck_assert_int_eq(errno, ECHILD);
    ck_assert_int_eq(code, 7);
    ck_assert_int_ge(others, 1); /* the keeper at least */
    ck_assert_int_eq(count_in(text, "host\n"), 1);
    ck_assert_int_eq(count_in(text, "worker\n"), 2);
    ck_assert_int_eq(count_in(text, "buffer"), 0);
}

/* ---- e10: many pools one after the other ---- */

static long count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    long count = 0;

    ck_assert_ptr_nonnull(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static void run_rounds(int rounds)
{
    for (int i = 0; i < rounds; i++) {
        pe_pool *pool = pool_of(2);
        struct note *note = pool_shared(pool, sizeof *note);
        pe_job *job = submit(pool, quick, note, 0);

        ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
        assert_value(job);
        if (i % 3 == 0)
            ck_assert_int_eq(pe_pool_join(pool, pe_after(GUARD_NS)), 0);
        pe_pool_free(pool);
        ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* the host has no child of ours */
        ck_assert_int_eq(errno, ECHILD);
    }
}

PE_TEST_SLOW(e10_a_thousand_pools, 60)
{
    int rounds = (int)(1000 / harness_slowness());
    long descriptors;
    int64_t resident;

    run_rounds(rounds / 10);
    descriptors = count_descriptors();
    resident = process_resident_bytes();
    run_rounds(rounds - rounds / 10);
    ck_assert_int_eq(count_descriptors(), descriptors);
#ifndef __SANITIZE_ADDRESS__ /* it keeps freed memory for a while */
    if (harness_slowness() <= 1)
        ck_assert_int_le(process_resident_bytes(), resident + (256 << 10));
#else
    (void)resident;
#endif
}

/* ---- group D: what can be done about single jobs ---- */

PE_TEST(d05_running_and_queued_are_cancelled)
{
    pe_pool *pool = pool_of(1);
    struct note *notes = pool_shared(pool, 5 * sizeof *notes);
    pe_job *finished, *jobs[4];
    pe_status status;

    finished = submit(pool, quick, &notes[4], 0);
    ck_assert_int_eq(pe_job_wait(finished, pe_after(GUARD_NS)), 0);
    jobs[0] = submit(pool, note_for_ever, &notes[0], 5);
    for (int i = 1; i < 4; i++)
        jobs[i] = submit(pool, quick, &notes[i], 0);
    await_begun(&notes[0], 1);
    for (int i = 3; i >= 0; i--)
        ck_assert_int_eq(pe_job_cancel(jobs[i]), 0);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pe_job_wait(jobs[i], pe_after(GUARD_NS)), 0);
        ck_assert_int_eq(pe_job_cancel(jobs[i]), PE_EALREADY);
        ck_assert_uint_eq(notes[i].begun, i == 0);
    }
    status = job_status(jobs[0]);
    ck_assert_int_eq(status.stop_signal, SIGTERM);
    ck_assert_int_eq(status.pid, notes[0].pid);
    for (int i = 0; i < 4; i++)
        assert_cancelled(jobs[i]);
    ck_assert_int_eq(pe_job_cancel(finished), PE_EALREADY);
    assert_value(finished);
    pe_pool_free(pool);
}

/* It ignores SIGTERM, so SIGKILL follows. */
static int for_ever_whatever_comes(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    signal(SIGTERM, SIG_IGN);
    return note_for_ever(arg, arg_bytes, reply);
}

PE_TEST(d05_cancelled_by_force)
{
    pe_pool *pool = pool_of(1);
    struct note *notes = pool_shared(pool, 2 * sizeof *notes);
    pe_job *job = submit(pool, for_ever_whatever_comes, &notes[0], 0);

    await_begun(&notes[0], 1);
    ck_assert_int_eq(pe_job_cancel(job), 0);
    ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
    ck_assert_int_eq(job_status(job).stop_signal, SIGKILL);
    assert_cancelled(job);
    job = submit(pool, quick, &notes[1], 0);
    ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
    assert_value(job);
    pe_pool_free(pool);
}

/* ---- the worker's second life begins when its job, to be retried there, has been given SIGTERM ---- */

struct lives {
    _Atomic uint32_t starts, terminated;
};

static volatile sig_atomic_t terminated;

static void note_term(int number)
{
    (void)number;
    terminated = 1;
}

static int second_waits_for_term(void *context)
{
    struct lives *lives = context;

    if (atomic_fetch_add(&lives->starts, 1) != 1)
        return 0;
    signal(SIGTERM, note_term);
    while (!terminated)
        poll(NULL, 0, 1);
    atomic_store(&lives->terminated, 1);
    return 0;
}

static int dies_at_first(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg_bytes;
    (void)reply;
    note_begin(arg);
    kill(getpid(), SIGKILL);
    return 0;
}

/* The process that was to run the job once more must not take another one instead: SIGKILL is on its way. */
PE_TEST(d05_cancelled_between_two_lives)
{
    struct lives *lives =
        mmap(NULL, sizeof *lives, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    int64_t guard = pe_after(GUARD_NS);
    pe_pool *pool = NULL;
    pe_job *cancelled, *innocent;
    struct note *notes;

    ck_assert_ptr_ne(lives, MAP_FAILED);
    options.workers = 1;
    options.worker_init = second_waits_for_term;
    options.worker_context = lives;
    ck_assert_int_eq(pe_pool_new(&options, &pool), 0);
    notes = pool_shared(pool, 2 * sizeof *notes);
    cancelled = submit(pool, dies_at_first, &notes[0], 1);
    innocent = submit(pool, note_for_ever, &notes[1], 0);
    while (atomic_load(&lives->starts) < 2 && pe_now() < guard)
        sched_yield();
    ck_assert_int_eq(pe_job_cancel(cancelled), 0);
    ck_assert_int_eq(pe_job_wait(cancelled, pe_after(GUARD_NS)), 0);
    assert_cancelled(cancelled);
    ck_assert_uint_eq(notes[0].begun, 1);
    await_begun(&notes[1], 1);
    ck_assert_uint_eq(lives->starts, 3);
    ck_assert_uint_eq(job_status(innocent).kind, PE_PENDING);
    pe_job_free(innocent);
    pe_pool_free(pool);
    munmap(lives, sizeof *lives);
}

/* The next job runs past the moment at which SIGTERM would have come. */
PE_TEST(d09_flag_is_enough)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool = NULL;
    struct note *notes;
    pe_job *job;

    options.workers = 1;
    options.grace_ns = PE_SECONDS(1);
    ck_assert_int_eq(pe_pool_new(&options, &pool), 0);
    notes = pool_shared(pool, 2 * sizeof *notes);
    job = submit(pool, until_cancelled, &notes[0], 0);
    await_begun(&notes[0], 1);
    ck_assert_int_eq(pe_job_cancel(job), 0);
    ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
    ck_assert_int_eq(job_status(job).stop_signal, 0);
    assert_value(job);
    job = submit(pool, until_told, &notes[1], 0);
    ck_assert_int_eq(pe_job_wait(job, pe_after(PE_MS(1200))), PE_ETIMEDOUT);
    atomic_store(&notes[1].go, 1);
    ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
    assert_value(job);
    ck_assert_int_eq(notes[0].pid, notes[1].pid);
    pe_pool_free(pool);
}

int main(int argc, char **argv)
{
    return getenv("SHUTDOWN_PROGRAM") ? program() : harness_main("shutdown", argc, argv);
}
