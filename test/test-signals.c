/*
 * The signals of a host: none of its handlers, masks and dispositions are the pool's business, none of its signals ends
 * a call or a worker, but Ctrl-C ends a wait when a handler asks for it.
 */

#include "harness/harness.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <parexec/error.h>

#include "harness/pool.h"
#include "harness/process.h"

static int seven(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    return 7;
}

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
    signal(SIGALRM, SIG_IGN); /* takes back one that is still due */
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
    pool_assert_crash_is_told(pool);
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
    pool_assert_crash_is_told(pool);
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
    pool_assert_crash_is_told(pool);
    process_look(pool, 1, look_at_signals, &found, sizeof found);
    pe_pool_free(pool);
    restore_signals(&before);
    ck_assert_int_eq(found.wrong, 0);
    ck_assert_int_eq(found.blocked, 0);
}
END_TEST

/* ---- at a terminal ---- */

static int terminal;

static int make_terminal(char *ret_name, size_t name_bytes)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0 || ptsname_r(master, ret_name, name_bytes) != 0) {
        close(master);
        return -1;
    }
    return master;
}

/* A session with that terminal, without echo; its group is in the foreground. */
static void sit_down_at(const char *name)
{
    struct termios mode;

    if (setsid() < 0 || (terminal = open(name, O_RDWR)) < 0 || ioctl(terminal, TIOCSCTTY, 0) < 0
        || tcgetattr(terminal, &mode) < 0)
        _exit(10);
    mode.c_lflag &= ~(tcflag_t)ECHO;
    if (tcsetattr(terminal, TCSANOW, &mode) < 0 || dup2(terminal, 1) < 0 || dup2(terminal, 2) < 0)
        _exit(11);
}

struct typing {
    _Atomic uint32_t running;
};

static int run_until_cancelled(const void *in, void *out, const void *context)
{
    struct typing *typing = *(struct typing *const *)context;

    (void)in;
    (void)out;
    atomic_fetch_add(&typing->running, 1);
    while (!pe_worker_cancelled())
        sched_yield();
    return 0;
}

static int same_workers(const struct process_worker *first, const struct process_worker *second)
{
    return first[0].pid + first[1].pid == second[0].pid + second[1].pid;
}

/* The exit code: 0, or where it went wrong. */
static int host_at_a_terminal(struct typing *typing)
{
    struct sigaction action = { .sa_handler = interrupt_pool };
    pe_map_options options = { PE_SIZED(pe_map_options), .chunk = 1, .context = &typing,
                               .context_bytes = sizeof typing };
    struct process_worker first[2], second[2];

    interrupted_pool = pool_with((pe_pool_options){ .workers = 2, .grace_ns = PE_SECONDS(10) });
    sigaction(SIGINT, &action, NULL);
    process_workers(interrupted_pool, 2, first);
    if (pe_pool_map(interrupted_pool, run_until_cancelled, NULL, 0, NULL, 0, 2, &options) != PE_EINTR)
        return 1;
    process_workers(interrupted_pool, 2, second);
    if (!same_workers(first, second))
        return 2;
    if (pe_pool_kill(interrupted_pool, PE_NOW) != 0)
        return 3;
    pe_pool_free(interrupted_pool);
    return 0;
}

PE_TEST(f01_control_c_typed_at_a_terminal)
{
    struct typing *typing = process_shared(sizeof *typing);
    char name[64], text[256];
    int master = make_terminal(name, sizeof name), status;
    ssize_t bytes;
    pid_t host;

    if (master < 0)
        HARNESS_SKIP("no pseudo-terminal: %s", strerror(errno));
    host = fork();
    if (host == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* should the test fail */
        sit_down_at(name);
        _exit(host_at_a_terminal(typing));
    }
    while (atomic_load(&typing->running) < 2) {
        ck_assert_int_eq(waitpid(host, NULL, WNOHANG), 0);
        sched_yield();
    }
    ck_assert_int_eq(write(master, "\x03", 1), 1);
    bytes = read(master, text, sizeof text); /* EIO: nothing was printed, and the last one has gone */
    ck_assert_int_eq(waitpid(host, &status, 0), host);
    ck_assert_int_eq(status, 0);
    ck_assert_int_le(bytes, 0);
    close(master);
    munmap(typing, sizeof *typing);
}
END_TEST

/* ---- stopped and continued ---- */

#define STOPS 5

struct stopping {
    struct process_worker workers[2];
    _Atomic int ready;
    _Atomic uint32_t may_end; /* jobs may */
};

static struct stopping *stopping;

static int until_it_may_end(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    while (!atomic_load(&stopping->may_end))
        sched_yield();
    return pe_reply_write(reply, arg, arg_bytes);
}

static int host_with_jobs(void)
{
    pe_job *jobs[100];
    pe_pool *pool = pool_of(2);

    process_workers(pool, 2, stopping->workers);
    for (uint32_t i = 0; i < 100; i++)
        jobs[i] = pool_submit(pool, until_it_may_end, &i, sizeof i);
    atomic_store(&stopping->ready, 1);
    for (uint32_t i = 0; i < 100; i++)
        job_assert_reply(jobs[i], &i, sizeof i);
    if (pool_stats(pool).restarts != 0)
        return 1;
    pool_end(pool);
    return 0;
}

static char state_of(pid_t pid)
{
    char path[64], state = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (file) {
        if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
            state = 0;
        fclose(file);
    }
    return state;
}

static void await_state(pid_t pid, char state, int wanted)
{
    while ((state_of(pid) == state) != wanted)
        sched_yield();
}

/* What a shell does for Ctrl-Z and fg: the whole group is stopped, and goes on. */
PE_TEST(stopped_and_continued_with_jobs_running)
{
    int status;
    pid_t host;

    stopping = process_shared(sizeof *stopping);
    host = fork();
    if (host == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* should the test fail */
        setpgid(0, 0);
        _exit(host_with_jobs());
    }
    while (!atomic_load(&stopping->ready))
        sched_yield();
    for (int i = 0; i < STOPS; i++) {
        ck_assert_int_eq(kill(-host, SIGTSTP), 0);
        ck_assert_int_eq(waitpid(host, &status, WUNTRACED), host);
        ck_assert(WIFSTOPPED(status));
        for (int k = 0; k < 2; k++)
            await_state(stopping->workers[k].pid, 'T', 1);
        if (i == STOPS - 1)
            atomic_store(&stopping->may_end, 1);
        ck_assert_int_eq(kill(-host, SIGCONT), 0);
        for (int k = 0; k < 2; k++)
            await_state(stopping->workers[k].pid, 'T', 0);
    }
    ck_assert_int_eq(waitpid(host, &status, 0), host);
    ck_assert_int_eq(status, 0);
    munmap(stopping, sizeof *stopping);
}
END_TEST

HARNESS_MAIN("signals")
