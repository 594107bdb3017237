/*
 * A pool in somebody else's program: signals, children, stdio, exit handlers, threads, other libraries. The
 * host must not notice the pool but by what it asked for, nor the pool what the host does besides.
 */

#include "harness/harness.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef HAVE_UV
#include <uv.h>
#endif

#include <parexec/error.h>
#include <parexec/init.h>
#include <parexec/log.h>

#include "harness/pool.h"
#include "harness/process.h"

static int seven(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    return 7;
}

static int crash(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    kill(getpid(), SIGSEGV);
    return 0;
}

static void assert_works(pe_pool *pool)
{
    pe_status status = pool_run(pool, seven, NULL, 0);

    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_eq(status.code, 7);
}

static void assert_crash_is_told(pe_pool *pool)
{
    pe_status status = pool_run(pool, crash, NULL, 0);

    ck_assert_uint_eq(status.kind, PE_CRASHED);
    ck_assert_int_eq(status.code, SIGSEGV);
}

/* ---- signals ---- */

static pe_pool *interrupted_pool;

static void interrupt_pool(int number)
{
    (void)number;
    pe_pool_interrupt(interrupted_pool);
}

/* A process group of our own, so that Ctrl-C is not the test runner's too. */
static void lead_group(void)
{
    if (getpgrp() != getpid())
        ck_assert_int_eq(setpgid(0, 0), 0);
}

struct crowd {
    _Atomic uint32_t running;
    _Atomic uint32_t interrupted; /* workers that saw the signal: none should */
};

/* The last one to arrive presses Ctrl-C; then all work until they are told to stop. */
static int press_when_all_run(const void *in, void *out, const void *context)
{
    struct crowd *crowd = *(struct crowd *const *)context;

    (void)in;
    (void)out;
    if (atomic_fetch_add(&crowd->running, 1) == 1)
        kill(0, SIGINT);
    while (!pe_worker_cancelled())
        sched_yield();
    return 0;
}

PE_TEST(f01_control_c_ends_the_map_and_no_worker)
{
    struct sigaction action = { .sa_handler = interrupt_pool }, before;
    struct crowd *crowd = process_shared(sizeof *crowd);
    struct process_worker first[2], second[2];
    int errors = memfd_create("stderr", MFD_CLOEXEC), saved = dup(2), workers[2];
    pe_pool_options options = PE_POOL_OPTIONS_INIT;

    lead_group();
    ck_assert_int_eq(dup2(errors, 2), 2);
    options.workers = 2;
    options.grace_ns = PE_SECONDS(10);
    ck_assert_int_eq(pe_pool_new(&options, &interrupted_pool), 0);
    ck_assert_int_eq(sigaction(SIGINT, &action, &before), 0);
    process_workers(interrupted_pool, 2, first);
    ck_assert_int_eq(pe_pool_map(interrupted_pool, press_when_all_run, NULL, 0, NULL, 0, 2,
                                 &(pe_map_options){ PE_SIZED(pe_map_options), .chunk = 1, .context = &crowd,
                                                    .context_bytes = sizeof crowd }),
                     PE_EINTR);
    process_workers(interrupted_pool, 2, second);
    ck_assert_int_eq(first[0].pid + first[1].pid, second[0].pid + second[1].pid);
    for (int i = 0; i < 2; i++)
        workers[i] = process_open(second[i].pid);
    ck_assert_int_eq(pe_pool_kill(interrupted_pool, PE_NOW), 0);
    for (int i = 0; i < 2; i++)
        process_await_end(workers[i]);
    pe_pool_free(interrupted_pool);
    sigaction(SIGINT, &before, NULL);
    dup2(saved, 2);
    close(saved);
    ck_assert_int_eq(lseek(errors, 0, SEEK_END), 0);
    close(errors);
    munmap(crowd, sizeof *crowd);
}
END_TEST

static volatile sig_atomic_t alarms;

static void count_alarm(int number)
{
    (void)number;
    alarms++;
}

static int big_reply(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    size_t bytes = *(const size_t *)arg;
    void *place = pe_reply_reserve(reply, bytes);

    (void)arg_bytes;
    if (place)
        memset(place, 'b', bytes);
    return place ? 0 : 1;
}

static void run_small_and_big(pe_pool *pool)
{
    size_t bytes = (size_t)4 << 20;
    const void *data;
    size_t got;
    pe_job *job;

    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(pool_run(pool, seven, NULL, 0).code, 7);
    ck_assert_int_eq(pe_pool_submit(pool, big_reply, &bytes, sizeof bytes, NULL, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    ck_assert_int_eq(pe_job_result(job, &data, &got), 0);
    ck_assert_uint_eq(got, bytes);
    ck_assert_int_eq(((const char *)data)[bytes - 1], 'b');
    pe_job_free(job);
}

PE_TEST(f02_signals_without_restart_end_no_call)
{
    struct sigaction action = { .sa_handler = count_alarm }, before;
    struct itimerval often = { { 0, 10000 }, { 0, 10000 } }, never = { { 0, 0 }, { 0, 0 } };
    pe_pool *pool;

    sigaction(SIGALRM, &action, &before);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
    for (alarms = 0; alarms < 20;) {
        pool = pool_of(2);
        for (int i = 0; i < 20; i++)
            run_small_and_big(pool);
        ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
        pe_pool_free(pool);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
}
END_TEST

struct signals {
    struct sigaction actions[NSIG];
    sigset_t mask;
};

static void take_signals(struct signals *signals)
{
    memset(signals, 0, sizeof *signals);
    for (int number = 1; number < NSIG; number++)
        sigaction(number, NULL, &signals->actions[number]);
    pthread_sigmask(SIG_SETMASK, NULL, &signals->mask);
}

static void assert_same_signals(const struct signals *before)
{
    struct signals now;

    take_signals(&now);
    for (int number = 1; number < NSIG; number++) {
        ck_assert_msg(now.actions[number].sa_handler == before->actions[number].sa_handler
                          && now.actions[number].sa_flags == before->actions[number].sa_flags,
                      "the disposition of signal %d has changed", number);
        ck_assert_int_eq(sigismember(&now.mask, number), sigismember(&before->mask, number));
    }
}

struct worker_signals {
    int wrong; /* a signal whose disposition is not as it should be, 0: none */
    int blocked;
};

static void look_at_signals(void *out)
{
    struct worker_signals *found = out;
    struct signals now;

    found->wrong = found->blocked = 0;
    take_signals(&now);
    for (int number = 1; number < NSIG; number++) {
        void (*should)(int) = number == SIGINT || number == SIGQUIT ? SIG_IGN : SIG_DFL;

        if (now.actions[number].sa_handler != should)
            found->wrong = number;
        if (sigismember(&now.mask, number) == 1)
            found->blocked = number;
    }
}

static const int handled[] = { SIGTERM, SIGINT, SIGCHLD, SIGPIPE, SIGQUIT, SIGSEGV };
#define HANDLED_COUNT (sizeof handled / sizeof *handled)

/* What a host may have made of its signals. */
static void set_host_signals(struct signals *before)
{
    struct sigaction action = { .sa_handler = count_alarm, .sa_flags = SA_RESTART };
    sigset_t blocked;

    take_signals(before);
    for (size_t i = 0; i < HANDLED_COUNT; i++)
        sigaction(handled[i], &action, NULL);
    signal(SIGHUP, SIG_IGN);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGPIPE);
    sigaddset(&blocked, SIGRTMAX);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
}

static void restore_signals(const struct signals *before)
{
    for (size_t i = 0; i < HANDLED_COUNT; i++)
        sigaction(handled[i], &before->actions[handled[i]], NULL);
    sigaction(SIGHUP, &before->actions[SIGHUP], NULL);
    pthread_sigmask(SIG_SETMASK, &before->mask, NULL);
}

PE_TEST(f07_signals_of_host_untouched_and_of_workers_default)
{
    struct signals before, host;
    struct worker_signals found[3];
    pe_pool *pool;

    set_host_signals(&before);
    take_signals(&host);
    pool = pool_of(3);
    process_look(pool, 3, look_at_signals, found, sizeof *found);
    assert_crash_is_told(pool);
    pe_pool_free(pool);
    assert_same_signals(&host);
    restore_signals(&before);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(found[i].wrong, 0);
        ck_assert_int_eq(found[i].blocked, 0);
    }
}
END_TEST

PE_TEST(p55_no_handler_at_any_stage)
{
    struct signals before;
    pe_pool *pool;

    take_signals(&before);
    pool = pool_of(2);
    assert_same_signals(&before);
    assert_crash_is_told(pool);
    assert_same_signals(&before);
    ck_assert_int_eq(pe_pool_kill(pool, 0), 0);
    assert_same_signals(&before);
    pe_pool_free(pool);
    assert_same_signals(&before);
}
END_TEST

static void look_for_host_signals(void *out)
{
    struct signals now;

    take_signals(&now);
    *(int *)out = now.actions[SIGTERM].sa_handler == count_alarm && now.actions[SIGHUP].sa_handler == SIG_IGN
                  && sigismember(&now.mask, SIGUSR1) == 1 && sigismember(&now.mask, SIGUSR2) == 0;
}

PE_TEST(p58_workers_keep_signals_when_asked)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    struct signals before;
    pe_pool *pool;
    int kept[2];

    set_host_signals(&before);
    options.workers = 2;
    options.flags = PE_POOL_KEEP_SIGNALS;
    ck_assert_int_eq(pe_pool_new(&options, &pool), 0);
    process_look(pool, 2, look_for_host_signals, kept, sizeof *kept);
    pe_pool_free(pool);
    restore_signals(&before);
    ck_assert_int_eq(kept[0], 1);
    ck_assert_int_eq(kept[1], 1);
}
END_TEST

PE_TEST(p58_workers_of_a_replaced_one_start_default_too)
{
    struct signals before;
    struct worker_signals found;
    pe_pool *pool;

    set_host_signals(&before);
    pool = pool_of(1);
    assert_crash_is_told(pool);
    process_look(pool, 1, look_at_signals, &found, sizeof found);
    pe_pool_free(pool);
    restore_signals(&before);
    ck_assert_int_eq(found.wrong, 0);
    ck_assert_int_eq(found.blocked, 0);
}
END_TEST

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
        assert_crash_is_told(pool);
    assert_works(pool);
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
    assert_crash_is_told(pool);
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
    assert_crash_is_told(pool);
    assert_works(pool);
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
            assert_crash_is_told(pool);
        assert_works(pool);
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
        ck_assert_int_eq(pe_job_cancel(job), 0);
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
    assert_leaving(pool, 0, 40);
    assert_leaving(pool, 1, 41);
    assert_leaving(pool, 3, 0);
    assert_works(pool);
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
    assert_leaving(pool, 4, 44);
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
        assert_leaving(pool, 0, 40);
    assert_works(pool);
    use_uv_threads();
    pe_pool_free(pool);
    use_uv_threads();
}
END_TEST
#endif

/* ---- threads ---- */

/* libc makes malloc whole again in a forked child; the sanitizer's own allocator may stay locked. */
#if defined(__SANITIZE_ADDRESS__)
#define FORK_KEEPS_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FORK_KEEPS_MALLOC 0
#endif
#endif
#ifndef FORK_KEEPS_MALLOC
#define FORK_KEEPS_MALLOC 1
#endif

static _Atomic int churning;

static void *churn(void *unused)
{
    unsigned seed = 1;

    (void)unused;
    while (atomic_load(&churning)) {
        void *memory = malloc(16 + rand_r(&seed) % 5000);

        ck_assert_ptr_nonnull(memory);
        free(memory);
        sched_yield();
    }
    return NULL;
}

static int allocate(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    char *memory[20];
    char text[64];

    (void)arg;
    (void)arg_bytes;
    for (int i = 0; i < 20; i++) {
        memory[i] = malloc((size_t)(100 * i + 1));
        if (!memory[i])
            return 1;
    }
    for (int i = 0; i < 20; i++)
        free(memory[i]);
    snprintf(text, sizeof text, "%d %f", getpid(), 1.5);
    return pe_reply_write(reply, text, strlen(text));
}

static void start_threads(pthread_t *threads, int count)
{
    atomic_store(&churning, 1);
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, churn, NULL), 0);
}

static void stop_threads(const pthread_t *threads, int count)
{
    atomic_store(&churning, 0);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

PE_TEST(p48_workers_replaced_while_eight_threads_allocate)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_stats stats = PE_STATS_INIT;
    pthread_t threads[8];
    pe_pool *pool;

    if (!FORK_KEEPS_MALLOC)
        HARNESS_SKIP("the sanitizer's allocator does not survive a fork beside threads");
    start_threads(threads, 8);
    options.workers = 2;
    options.jobs_per_worker = 1;
    ck_assert_int_eq(pe_pool_new(&options, &pool), 0);
    for (int i = 0; i < 105; i++)
        ck_assert_int_eq(pool_run(pool, allocate, NULL, 0).code, 0);
    ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
    ck_assert_uint_ge(stats.recycled, 100);
    pe_pool_free(pool);
    stop_threads(threads, 8);
}
END_TEST

PE_TEST(p48_pools_made_while_eight_threads_allocate)
{
    pthread_t threads[8];

    if (!FORK_KEEPS_MALLOC)
        HARNESS_SKIP("the sanitizer's allocator does not survive a fork beside threads");
    start_threads(threads, 8);
    for (int i = 0; i < 10; i++) {
        pe_pool *pool = pool_of(2);

        ck_assert_int_eq(pool_run(pool, allocate, NULL, 0).code, 0);
        assert_crash_is_told(pool);
        ck_assert_int_eq(pool_run(pool, allocate, NULL, 0).code, 0);
        pe_pool_free(pool);
    }
    stop_threads(threads, 8);
}
END_TEST

struct heard {
    int warnings;
    char text[512];
};

static void hear(int level, const char *message, void *context)
{
    struct heard *heard = context;

    if (level > PE_LOG_WARNING)
        return;
    heard->warnings++;
    snprintf(heard->text, sizeof heard->text, "%s", message);
}

PE_TEST(p49_log_tells_of_a_fork_with_threads)
{
    struct heard heard = { 0, "" };
    pthread_t thread;

    ck_assert_int_eq(pe_set_log(hear, &heard), 0);
    pe_pool_free(pool_of(1));
    ck_assert_int_eq(heard.warnings, 0);
    start_threads(&thread, 1);
    pe_pool_free(pool_of(1));
    ck_assert_int_eq(heard.warnings, 1);
    ck_assert_ptr_nonnull(strstr(heard.text, "thread"));
    stop_threads(&thread, 1);
    pe_set_log(NULL, NULL);
}
END_TEST

PE_TEST(p49_log_is_silent_for_a_pool_from_the_seed)
{
    struct heard heard = { 0, "" };
    pthread_t thread;
    pe_pool *pool;

    if (!harness_forks())
        HARNESS_SKIP("the seed would outlive the test");
    process_start_seed();
    ck_assert_int_eq(pe_set_log(hear, &heard), 0);
    start_threads(&thread, 1);
    pool = pool_with((pe_pool_options){ .workers = 1, .flags = PE_POOL_FROM_SEED });
    pe_pool_free(pool);
    stop_threads(&thread, 1);
    ck_assert_int_eq(heard.warnings, 0);
    pe_set_log(NULL, NULL);
}
END_TEST

HARNESS_MAIN("host")
