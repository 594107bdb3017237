/*
 * A pool in somebody else's program: children, stdio, exit handlers, other libraries. The host must not notice the
 * pool but by what it asked for, nor the pool what the host does besides.
 */

#include "harness/harness.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef HAVE_UV
#include <uv.h>
#endif

#include <parexec/error.h>

#include "harness/death.h"
#include "harness/pool.h"
#include "harness/process.h"

static int seven(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    return 7;
}

/* ---- children ---- */

static volatile sig_atomic_t child_signals;

static void count_child_signal(int number)
{
    (void)number;
    child_signals++;
}

static void assert_childless(void)
{
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG | __WALL), -1);
    ck_assert_int_eq(errno, ECHILD);
    ck_assert_int_eq(child_signals, 0);
}

PE_TEST(f05_crash_is_told_when_sigchld_is_ignored)
{
    struct process_worker worker[2];
    pe_pool *pool;

    signal(SIGCHLD, SIG_IGN);
    pool = pool_of(2);
    for (int i = 0; i < 5; i++)
        pool_assert_crash_is_told(pool);
    pool_assert_usable(pool);
    process_workers(pool, 2, worker);
    for (int tries = 0; !process_is_idle(worker[0].keeper, PE_MS(50)); tries++)
        ck_assert_int_lt(tries, 100);
    pe_pool_free(pool);
    signal(SIGCHLD, SIG_DFL);
}
END_TEST

PE_TEST(p56_host_gets_no_child_and_no_sigchld)
{
    struct sigaction action = { .sa_handler = count_child_signal }, before;
    pe_pool *pool;

    child_signals = 0;
    sigaction(SIGCHLD, &action, &before);
    pool = pool_of(2);
    assert_childless();
    pool_assert_crash_is_told(pool);
    assert_childless();
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    assert_childless();
    pe_pool_free(pool);
    assert_childless();
    sigaction(SIGCHLD, &before, NULL);
}
END_TEST

PE_TEST(p56_sigchld_without_zombies)
{
    struct sigaction action = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT }, before;
    pe_pool *pool;

    sigaction(SIGCHLD, &action, &before);
    pool = pool_of(2);
    pool_assert_crash_is_told(pool);
    pool_assert_usable(pool);
    pe_pool_free(pool);
    sigaction(SIGCHLD, &before, NULL);
}
END_TEST

static _Atomic int reaping, reaped;

/* A host that takes every child it can get. */
static void *reap_everything(void *flags)
{
    while (atomic_load(&reaping)) {
        if (waitpid(-1, NULL, WNOHANG | *(const int *)flags) > 0)
            atomic_fetch_add(&reaped, 1);
        sched_yield();
    }
    return NULL;
}

static void live_beside_a_reaper(int flags)
{
    pthread_t thread;

    atomic_store(&reaping, 1);
    atomic_store(&reaped, 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, reap_everything, &flags), 0);
    for (int i = 0; i < 40; i++) {
        pe_pool *pool = pool_of(2);

        if (i % 4 == 0)
            pool_assert_crash_is_told(pool);
        pool_assert_usable(pool);
        pe_pool_free(pool);
    }
    atomic_store(&reaping, 0);
    pthread_join(thread, NULL);
}

PE_TEST(p56_host_reaps_everything_in_a_thread)
{
    live_beside_a_reaper(0);
    ck_assert_int_eq(atomic_load(&reaped), 0);
}
END_TEST

PE_TEST(p56_host_reaps_clones_too)
{
    if (harness_valgrind())
        HARNESS_SKIP("valgrind makes a fork of the helper's clone: nothing but its status says how it went");
    live_beside_a_reaper(__WALL);
}
END_TEST

/* The first to find out that the keeper is gone is a submit, kill, join, or free. */
PE_TEST_LOOP(p57_dead_processes_raise_no_sigpipe, 0, 4)
{
    struct process_worker worker;
    pe_job *job;
    pe_status status;
    pe_pool *pool;
    int keeper;

    signal(SIGPIPE, SIG_DFL);
    pool = pool_of(1);
    process_workers(pool, 1, &worker);
    keeper = process_open(worker.keeper);
    ck_assert_int_eq(kill(worker.keeper, SIGKILL), 0);
    process_await_end(keeper);
    if (_i == 1)
        pe_pool_kill(pool, PE_NOW);
    if (_i == 2)
        pe_pool_join(pool, PE_FOREVER);
    if (_i == 0 && pe_pool_submit(pool, seven, NULL, 0, NULL, &job) == 0) {
        int result = pe_job_cancel(job);
        ck_assert(result == 0 || result == PE_EALREADY);
        ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
        ck_assert_int_eq(pe_job_status(job, &status), 0);
        ck_assert_uint_ne(status.kind, PE_PENDING);
        pe_job_free(job);
    }
    pe_pool_free(pool);
}
END_TEST

/* ---- stdio and exit ---- */

static int print_line(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg_bytes;
    (void)reply;
    printf("job %d;", *(const int *)arg);
    if (*(const int *)arg < 2)
        abort();
    return 0;
}

static int count_text(const char *text, const char *part)
{
    int count = 0;

    while ((text = strstr(text, part)) != NULL) {
        text += strlen(part);
        count++;
    }
    return count;
}

PE_TEST(f09_text_of_host_and_jobs_comes_once)
{
    char text[4096];
    ssize_t bytes;
    int fds[2], saved;
    pe_pool *pool;

    fflush(stdout);
    saved = dup(1);
    ck_assert_int_eq(pipe(fds), 0);
    dup2(fds[1], 1);
    printf("text of the host;");
    pool = pool_of(8);
    for (int i = 0; i < 10; i++)
        pool_run(pool, print_line, &i, sizeof i);
    pe_pool_free(pool);
    printf("end of the host;");
    fflush(stdout);
    dup2(saved, 1);
    close(saved);
    close(fds[1]);
    bytes = read(fds[0], text, sizeof text - 1);
    close(fds[0]);
    ck_assert_int_gt(bytes, 0);
    text[bytes] = '\0';
    ck_assert_int_eq(count_text(text, "text of the host;"), 1);
    ck_assert_int_eq(count_text(text, "end of the host;"), 1);
    ck_assert_int_eq(count_text(text, "job "), 8);
    ck_assert_int_eq(count_text(text, "job 9;"), 1);
}
END_TEST

static _Atomic int *handler_runs;

static void run_handler(void)
{
    if (handler_runs)
        atomic_fetch_add(handler_runs, 1);
}

static void run_own_handler(void)
{
    if (handler_runs)
        atomic_fetch_add(handler_runs, 100);
}

/* Several ways out of a process. */
static int leave(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg_bytes;
    (void)reply;
    switch (*(const int *)arg) {
    case 0: exit(40);
    case 1: _exit(41);
    case 2: quick_exit(42);
    case 3: pthread_exit(NULL);
    case 4: atexit(run_own_handler); exit(44);
    }
    return 0;
}

static void assert_leaving(pe_pool *pool, int way, int code)
{
    pe_status status = pool_run(pool, leave, &way, sizeof way);

    ck_assert_uint_eq(status.kind, PE_EXITED);
    ck_assert_int_eq(status.code, code);
}

PE_TEST(p50_handlers_of_host_never_run_in_workers)
{
    pe_pool *pool;

    handler_runs = process_shared(sizeof *handler_runs);
    ck_assert_int_eq(atexit(run_handler), 0);
    ck_assert_int_eq(at_quick_exit(run_handler), 0);
    pool = pool_of(2);
    assert_leaving(pool, 0, DEATH_EXIT_CODE(40));
    assert_leaving(pool, 1, 41);
    assert_leaving(pool, 3, DEATH_EXIT_CODE(0));
    pool_assert_usable(pool);
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    pe_pool_free(pool);
    ck_assert_int_eq(*handler_runs, 0);
    munmap((void *)handler_runs, sizeof *handler_runs);
    handler_runs = NULL;
}
END_TEST

PE_TEST(p50_handlers_of_host_run_by_no_quick_exit_of_a_job)
{
    const int way = 2;
    pe_pool *pool;

    handler_runs = process_shared(sizeof *handler_runs);
    ck_assert_int_eq(at_quick_exit(run_handler), 0);
    pool = pool_of(1);
    /* quick_exit does not tell its handlers the code */
    ck_assert_uint_eq(pool_run(pool, leave, &way, sizeof way).kind, PE_EXITED);
    pe_pool_free(pool);
    ck_assert_int_eq(*handler_runs, 0);
    munmap((void *)handler_runs, sizeof *handler_runs);
    handler_runs = NULL;
}
END_TEST

PE_TEST(p50_handlers_of_the_job_itself_run)
{
    pe_pool *pool;

    handler_runs = process_shared(sizeof *handler_runs);
    ck_assert_int_eq(atexit(run_handler), 0);
    pool = pool_of(1);
    assert_leaving(pool, 4, DEATH_EXIT_CODE(44));
    pe_pool_free(pool);
    ck_assert_int_eq(*handler_runs, 100);
    munmap((void *)handler_runs, sizeof *handler_runs);
    handler_runs = NULL;
}
END_TEST

#ifdef HAVE_UV
static _Atomic int uv_works;

static void uv_work(uv_work_t *request)
{
    (void)request;
    atomic_fetch_add(&uv_works, 1);
}

static void use_uv_threads(void)
{
    static uv_work_t requests[8];
    int before = atomic_load(&uv_works);

    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(uv_queue_work(uv_default_loop(), &requests[i], uv_work, NULL), 0);
    ck_assert_int_eq(uv_run(uv_default_loop(), UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(atomic_load(&uv_works), before + 8);
}

PE_TEST(p51_exit_of_a_job_in_a_host_with_threads_of_libuv)
{
    pe_pool *pool;

    use_uv_threads();
    harness_leaks_mark(); /* libuv keeps its descriptors and threads */
    pool = pool_of(2);
    for (int i = 0; i < 10; i++)
        assert_leaving(pool, 0, DEATH_EXIT_CODE(40));
    pool_assert_usable(pool);
    use_uv_threads();
    pe_pool_free(pool);
    use_uv_threads();
}
END_TEST
#endif

HARNESS_MAIN("host")
