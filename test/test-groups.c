/*
 * Processes that jobs leave behind, and hosts that adopt orphans: process groups (P47), ends that do not wait
 * for strangers, no zombie of ours in a subreaper.
 */
#include "harness/harness.h"
#include "harness/process.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec.h>

#define GUARD_NS PE_SECONDS(25)

static pe_pool *make(uint32_t flags)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool = NULL;

    options.workers = 1;
    options.flags = flags;
    ck_assert_int_eq(pe_pool_new(&options, &pool), 0);
    return pool;
}

/* Forks a process that sleeps for ever and tells its number. */
static int leave_process(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    pid_t pid = fork();

    (void)arg, (void)arg_bytes;
    if (pid == 0)
        for (;;)
            pause();
    return pe_reply_write(reply, &pid, sizeof pid);
}

static int leave_process_and_wait(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    _Atomic int32_t *told;

    memcpy(&told, arg, sizeof told);
    (void)arg_bytes, (void)reply;
    pid_t pid = fork();
    if (pid > 0)
        atomic_store(told, (int32_t)pid);
    for (;;)
        pause();
    return 0;
}

static pid_t left_process(pe_pool *pool)
{
    pe_job *job;
    const void *data;
    pid_t pid;

    ck_assert_int_eq(pe_pool_submit(pool, leave_process, NULL, 0, NULL, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
    ck_assert_int_eq(pe_job_result(job, &data, NULL), 0);
    memcpy(&pid, data, sizeof pid);
    pe_job_free(job);
    return pid;
}

PE_TEST(p47_end_of_the_pool_reaches_processes_of_jobs)
{
    pe_pool *pool = make(PE_POOL_GROUPS);
    int left = process_open(left_process(pool));

    ck_assert(!process_has_ended(left));
    pe_pool_free(pool);
    process_await_end(left);
}
END_TEST

PE_TEST(p47_stop_of_a_job_reaches_processes_of_the_job)
{
    pe_pool *pool = make(PE_POOL_GROUPS);
    void *memory = NULL;
    pe_job *job;
    pe_status status;

    ck_assert_int_eq(pe_pool_alloc(pool, sizeof(int32_t), &memory), 0);
    _Atomic int32_t *told = memory;
    ck_assert_int_eq(pe_pool_submit(pool, leave_process_and_wait, &told, sizeof told, NULL, &job), 0);
    while (atomic_load(told) == 0)
        ck_assert_int_eq(pe_pool_wait(pool, pe_after(PE_MS(1))), PE_ETIMEDOUT);
    int left = process_open(atomic_load(told));
    ck_assert_int_eq(pe_job_cancel(job), 0);
    ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    ck_assert_uint_eq(status.kind, PE_CANCELLED);
    process_await_end(left);
    pe_job_free(job);
    process_pool_free(pool);
}
END_TEST

PE_TEST(p47_without_groups_such_a_process_lives_on)
{
    pe_pool *pool = make(0);
    pid_t pid = left_process(pool);
    int left = process_open(pid);

    pe_pool_free(pool);
    ck_assert(!process_has_ended(left));
    kill(pid, SIGKILL);
    process_await_end(left);
}
END_TEST

/* The end of file on a pipe that such a process still holds takes for ever; the keeper knows better. */
PE_TEST(end_does_not_wait_for_a_process_that_a_job_left)
{
    pe_pool *pool = make(0);
    pid_t pid = left_process(pool);
    int left = process_open(pid);
    int64_t start_ns = pe_now();

    ck_assert_int_eq(pe_pool_join(pool, pe_after(GUARD_NS)), 0);
    ck_assert_int_lt(pe_now() - start_ns, PE_MS(1500));
    pe_pool_free(pool);
    kill(pid, SIGKILL);
    process_await_end(left);
}
END_TEST

PE_TEST(host_that_adopts_orphans_keeps_no_zombie)
{
    if (harness_valgrind())
        HARNESS_SKIP("valgrind may not know pidfds, by which the library sees that its keeper has ended");
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    for (int round = 0; round < 20; round++)
        pe_pool_free(make(0));
    errno = 0;
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG | __WALL), -1);
    ck_assert_int_eq(errno, ECHILD);
}
END_TEST

HARNESS_MAIN("groups")
