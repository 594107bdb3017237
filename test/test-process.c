/*
 * Processes: how they begin, how their ends are told, and what else in the program notices.
 */
#include "harness/harness.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include <parexec.h>

#include "harness/async.h"

/* ---- waiting for one ---- */

struct waiter {
    pe_process *process; /* NULL: the pid */
    int pid;
    int result, code, signal;
};

static int wait_once(pe_task *t, void *frame)
{
    struct waiter *w = frame;

    PE_BEGIN(t);
    w->result = PE_WAIT;
    w->code = w->signal = -7;
    PE_AWAIT(t, w->process != NULL ? pe_process_wait(t, w->process, &w->code, &w->signal)
                                   : pe_pid_wait(t, w->pid, &w->code, &w->signal));
    w->result = t->result;
    PE_RETURN(t, 0);
    PE_END(t);
}

static pe_task *start(pe_loop *loop, struct waiter *waiter)
{
    pe_task *task;

    async_start(loop, wait_once, waiter, &task);
    return task;
}

static struct waiter ended(pe_loop *loop, pe_process *process)
{
    struct waiter waiter = { .process = process };

    pe_task_free(start(loop, &waiter));
    MUST(pe_loop_run(loop), 0);
    return waiter;
}

static pe_process *spawn(pe_loop *loop, const pe_process_options *options)
{
    pe_process *process = NULL;

    MUST(pe_process_spawn(loop, options, &process), 0);
    ck_assert_ptr_nonnull(process);
    return process;
}

static char *sleeper[] = { "sleep", "1000", NULL };

static const pe_process_options sleeps = { PE_SIZED(pe_process_options), .argv = sleeper };

/* A shell's command; it is not used by two at once. */
static const pe_process_options *shell(const char *command)
{
    static char *argv[] = { "/bin/sh", "-c", NULL, NULL };
    static pe_process_options options;

    argv[2] = (char *)(uintptr_t)command;
    options = (pe_process_options){ PE_SIZED(pe_process_options), .argv = argv };
    return &options;
}

/* Runs it to its end; what it wrote. */
static const char *output_of(pe_process_options options)
{
    static char text[8192];
    pe_loop *loop = async_loop();
    size_t bytes = 0;
    ssize_t got;
    int fds[2];

    MUST(pipe2(fds, O_CLOEXEC), 0);
    if (options.stdout_fd == 0)
        options.stdout_fd = fds[1];
    pe_process *process = spawn(loop, &options);
    close(fds[1]);
    while ((got = read(fds[0], text + bytes, sizeof text - 1 - bytes)) > 0)
        bytes += (size_t)got;
    text[bytes] = '\0';
    close(fds[0]);
    struct waiter waiter = ended(loop, process);
    MUST(waiter.result, 0);
    MUST(waiter.code, 0);
    pe_process_free(process);
    pe_loop_free(loop);
    return text;
}

/* ---- ends ---- */

PE_TEST(how_it_ended_is_told)
{
    pe_loop *loop = async_loop();
    pe_process *process = spawn(loop, shell("exit 7"));
    struct waiter waiter = ended(loop, process);

    MUST(waiter.result, 0);
    MUST(waiter.code, 7);
    MUST(waiter.signal, 0);
    waiter = ended(loop, process); /* as often as one likes */
    MUST(waiter.code, 7);
    pe_process_free(process);
    process = spawn(loop, shell("kill -USR1 $$"));
    waiter = ended(loop, process);
    MUST(waiter.result, 0);
    MUST(waiter.code, -1);
    MUST(waiter.signal, SIGUSR1);
    pe_process_free(process);
    pe_loop_free(loop);
}

PE_TEST(several_tasks_wait_and_one_is_cancelled)
{
    struct waiter waiters[3];
    pe_loop *loop = async_loop();
    pe_process *process = spawn(loop, &sleeps);
    pe_task *tasks[3];

    for (int i = 0; i < 3; i++) {
        waiters[i] = (struct waiter){ .process = process };
        tasks[i] = start(loop, &waiters[i]);
    }
    async_settle(loop);
    MUST(waiters[0].result, PE_WAIT);
    MUST(pe_task_cancel(tasks[1]), 0);
    async_settle(loop);
    MUST(waiters[1].result, PE_ECANCELED);
    MUST(pe_process_kill(process, 0), 0); /* it goes on */
    MUST(pe_process_kill(process, SIGTERM), 0);
    MUST(pe_loop_run(loop), 0);
    MUST(waiters[0].signal, SIGTERM);
    MUST(waiters[2].signal, SIGTERM);
    MUST(waiters[1].code, -7);
    MUST(pe_process_kill(process, SIGTERM), PE_EALREADY);
    for (int i = 0; i < 3; i++)
        pe_task_free(tasks[i]);
    pe_process_free(process);
    pe_loop_free(loop);
}

struct limited {
    pe_limit limit;
    pe_process *process;
    int pid_result;
};

static int wait_limited(pe_task *t, void *frame)
{
    struct limited *l = frame;

    PE_BEGIN(t);
    PE_TRY(t, pe_process_spawn(pe_task_loop(t), &sleeps, &l->process));
    PE_AWAIT_UNTIL(t, &l->limit, pe_after(PE_MS(5)),
                   pe_pid_wait(t, pe_process_pid(l->process), NULL, NULL));
    l->pid_result = t->result;
    PE_AWAIT_UNTIL(t, &l->limit, pe_after(PE_MS(5)), pe_process_wait(t, l->process, NULL, NULL));
    MUST(t->result, PE_ETIMEDOUT);
    MUST(pe_process_kill(l->process, SIGKILL), 0);
    PE_AWAIT(t, pe_process_wait(t, l->process, NULL, NULL));
    pe_process_free(l->process);
    PE_RETURN(t, t->result);
    PE_END(t);
}

PE_TEST(time_limits_end_the_waits)
{
    struct limited limited = { .pid_result = 0 };

    MUST(pe_run(wait_limited, &limited, NULL), 0);
    MUST(limited.pid_result, PE_ETIMEDOUT);
}

/* The loop does not run meanwhile. */
PE_TEST(one_that_has_ended_takes_no_signal)
{
    pe_loop *loop = async_loop();
    pe_process *process = spawn(loop, shell("exit 3"));
    siginfo_t info;

    MUST(waitid(P_PID, (id_t)pe_process_pid(process), &info, WEXITED | WNOWAIT), 0);
    MUST(pe_process_kill(process, 0), PE_EALREADY);
    MUST(pe_process_kill(process, SIGKILL), PE_EALREADY);
    struct waiter waiter = ended(loop, process);
    MUST(waiter.result, 0);
    MUST(waiter.code, 3);
    pe_process_free(process);
    pe_loop_free(loop);
}

PE_TEST(one_that_is_freed_goes_on_and_is_reaped)
{
    struct waiter waiter = { 0 };
    pe_loop *loop = async_loop();
    int fds[2], code = 0;

    MUST(pipe2(fds, O_CLOEXEC), 0);
    pe_process_options options = *shell("read line");
    options.stdin_fd = fds[0];
    waiter.process = spawn(loop, &options);
    int pid = pe_process_pid(waiter.process);
    pe_task_free(start(loop, &waiter));
    async_settle(loop);
    pe_process_free(waiter.process);
    async_settle(loop);
    MUST(waiter.result, PE_ECLOSED);
    MUST(kill(pid, 0), 0);
    close(fds[1]);
    while (kill(pid, 0) == 0) /* a zombie would still be there */
        pe_loop_poll(loop);
    MUST(waitpid(pid, &code, 0), -1);
    pe_process_free(NULL);
    pe_loop_free(loop);
    close(fds[0]);
}

/* The loop does not go on for it, and it goes on without the loop. */
PE_TEST_LOOP(a_loop_is_closed_while_it_runs, 0, 2)
{
    struct waiter waiter = { 0 };
    pe_process *process;
    uv_loop_t host;
    pe_loop *loop;
    int status;

    MUST(uv_loop_init(&host), 0);
    MUST(pe_loop_new(&host, &loop), 0);
    process = spawn(loop, &sleeps);
    MUST(uv_run(&host, UV_RUN_DEFAULT), 0);
    int pid = pe_process_pid(process);
    waiter.process = process;
    pe_task_free(start(loop, &waiter));
    uv_run(&host, UV_RUN_NOWAIT);
    if (_i == 1)
        pe_process_free(process);
    pe_loop_free(loop);
    uv_run(&host, UV_RUN_DEFAULT);
    MUST(uv_loop_close(&host), 0);
    MUST(waiter.result, _i == 1 ? PE_ECLOSED : PE_ECANCELED);
    MUST(kill(pid, 0), 0);
    if (_i == 0) {
        MUST(pe_process_pid(process), pid);
        MUST(pe_process_kill(process, SIGKILL), 0);
        pe_process_free(process);
    }
    kill(pid, SIGKILL);
    MUST(waitpid(pid, &status, 0), pid);
}

/* ---- beginnings ---- */

PE_TEST(it_gets_descriptors_environment_and_directory)
{
    static char *env[] = { "COLOUR=green", NULL };
    static char *argv[] = { "called otherwise", "-c", "read line; echo $COLOUR $PWD $HOME; echo lost >&2", NULL };
    pe_process_options options = { PE_SIZED(pe_process_options), .file = "sh", .argv = argv };

    options.env = env;
    options.cwd = "/usr";
    options.stdin_fd = PE_PROCESS_NULL;
    options.stderr_fd = PE_PROCESS_NULL;
    ck_assert_str_eq(output_of((pe_process_options){ PE_SIZED(pe_process_options), .file = "pwd", .cwd = "/usr",
                                                     .argv = (char *[]){ "anything", NULL } }),
                     "/usr\n");
    ck_assert_str_eq(output_of(options), "green /usr\n");
}

/* Its 1 is our 2, and its 2 our 1. */
PE_TEST(descriptors_may_change_places)
{
    int one[2], two[2], saved[2] = { dup(1), dup(2) };
    char text[2][16] = { "", "" };
    pe_loop *loop = async_loop();
    pe_process_options options = *shell("echo out; echo err >&2");

    MUST(pipe2(one, O_CLOEXEC), 0);
    MUST(pipe2(two, O_CLOEXEC), 0);
    dup2(one[1], 1);
    dup2(two[1], 2);
    options.stdout_fd = 2;
    options.stderr_fd = 1;
    pe_process *process = NULL;
    int result = pe_process_spawn(loop, &options, &process);
    dup2(saved[0], 1);
    dup2(saved[1], 2);
    MUST(result, 0);
    MUST(ended(loop, process).code, 0);
    ck_assert_int_gt(read(one[0], text[0], 15), 0);
    ck_assert_int_gt(read(two[0], text[1], 15), 0);
    ck_assert_str_eq(text[0], "err\n");
    ck_assert_str_eq(text[1], "out\n");
    pe_process_free(process);
    pe_loop_free(loop);
    for (int i = 0; i < 2; i++) {
        close(one[i]);
        close(two[i]);
        close(saved[i]);
    }
}

PE_TEST(it_begins_clean)
{
    static char *grep[] = { "grep", "^Sig[BI]", "/proc/self/status", NULL };
    static char *list[] = { "ls", "/proc/self/fd", NULL };
    pe_process_options options = { PE_SIZED(pe_process_options), .argv = grep };
    sigset_t blocked, before;
    int open_one = open("/dev/null", O_RDONLY); /* not close-on-exec */

    signal(SIGUSR1, SIG_IGN);
    sigfillset(&blocked);
    MUST(pthread_sigmask(SIG_SETMASK, &blocked, &before), 0);
    ck_assert_str_eq(output_of(options), "SigBlk:\t0000000000000000\n"
                                         "SigIgn:\t0000000000000000\n");
    MUST(pthread_sigmask(SIG_SETMASK, NULL, &blocked), 0);
    MUST(sigismember(&blocked, SIGUSR2), 1);
    MUST(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
    signal(SIGUSR1, SIG_DFL);
    options.argv = list;
    ck_assert_str_eq(output_of(options), "0\n1\n2\n3\n"); /* 3 is of the listing itself */
    ck_assert_int_ge(open_one, 3);
    close(open_one);
}

PE_TEST(it_may_lead_a_group_or_a_session)
{
    static char *cut[] = { "cut", "-d ", "-f1,5,6", "/proc/self/stat", NULL };
    pe_process_options options = { PE_SIZED(pe_process_options), .argv = cut };
    int pid, group, session;

    MUST(sscanf(output_of(options), "%d %d %d", &pid, &group, &session), 3);
    MUST(group, getpgrp());
    options.flags = PE_PROCESS_GROUP;
    MUST(sscanf(output_of(options), "%d %d %d", &pid, &group, &session), 3);
    MUST(group, pid);
    MUST(session, getsid(0));
    options.flags = PE_PROCESS_SESSION | PE_PROCESS_GROUP;
    MUST(sscanf(output_of(options), "%d %d %d", &pid, &group, &session), 3);
    MUST(session, pid);
}

/* ---- what cannot be run ---- */

static int refusal(const pe_process_options *options)
{
    pe_loop *loop = async_loop();
    pe_process *process = NULL;
    int result = pe_process_spawn(loop, options, &process);

    ck_assert_ptr_null(process);
    pe_loop_free(loop);
    return result;
}

PE_TEST(what_cannot_be_run_is_told_by_the_call)
{
    static char *nothing[] = { NULL }, *no_file[] = { "/nowhere/program", NULL };
    static char *no_program[] = { "/etc/passwd", NULL }, *missing[] = { "no-such-program", NULL };
    pe_process_options options = sleeps;

    if (!harness_forks())
        HARNESS_SKIP("under a tool that makes a fork of every clone");
    options.argv = no_file;
    MUST(refusal(&options), PE_ENOENT);
    options.argv = missing;
    MUST(refusal(&options), PE_ENOENT);
    options.argv = no_program;
    MUST(refusal(&options), -EACCES);
    options = sleeps;
    options.cwd = "/nowhere";
    MUST(refusal(&options), PE_ENOENT);
    options = sleeps;
    options.stdin_fd = 999;
    MUST(refusal(&options), PE_EBADF);
    options.stdin_fd = -2;
    MUST(refusal(&options), PE_EBADF);
    options = sleeps;
    options.flags = 4;
    MUST(refusal(&options), PE_EINVAL);
    options = sleeps;
    options.size = 8;
    MUST(refusal(&options), PE_EINVAL);
    options = sleeps;
    options.argv = nothing;
    MUST(refusal(&options), PE_EINVAL);
    options.argv = NULL;
    MUST(refusal(&options), PE_EINVAL);
    MUST(refusal(NULL), PE_EINVAL);
}

PE_TEST(standard_descriptors_may_be_closed)
{
    int saved[3], result;
    pe_loop *loop = async_loop();
    pe_process *process = NULL;
    pe_process_options options = *shell("exec 3</proc/self/fd/0; echo x >&2 && echo y && exit 5");

    for (int i = 0; i < 3; i++) {
        saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
        close(i);
    }
    options.stdin_fd = options.stdout_fd = options.stderr_fd = PE_PROCESS_NULL;
    result = pe_process_spawn(loop, &options, &process);
    for (int i = 0; i < 3; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
    MUST(result, 0);
    MUST(ended(loop, process).code, 5);
    pe_process_free(process);
    pe_loop_free(loop);
}

/* ---- hosts that are no easy company ---- */

static void reap_all(int number)
{
    int saved = errno;

    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    errno = saved;
}

/* The end is noticed whatever the host does about SIGCHLD, and what is not known is told. */
PE_TEST_LOOP(ends_are_noticed_though_the_host_reaps, 0, 2)
{
    pe_loop *loop = async_loop();

    signal(SIGCHLD, _i == 0 ? SIG_IGN : reap_all);
    for (int i = 0; i < 5; i++) {
        pe_process *process = spawn(loop, shell("exit 7"));
        struct waiter waiter = ended(loop, process);

        if (waiter.result == 0 && _i == 1) /* we were quicker */
            MUST(waiter.code, 7);
        else
            MUST(waiter.result, PE_ENODATA);
        MUST(ended(loop, process).result, waiter.result);
        MUST(pe_process_kill(process, SIGTERM), PE_EALREADY);
        pe_process_free(process);
    }
    signal(SIGCHLD, SIG_DFL);
    pe_loop_free(loop);
}

static volatile sig_atomic_t told_of_children;

static void count_child(int number)
{
    (void)number;
    told_of_children++;
}

PE_TEST(other_children_are_left_alone)
{
    pe_loop *loop = async_loop();
    int status;

    signal(SIGCHLD, count_child);
    pid_t own = fork();
    if (own == 0)
        _exit(3);
    pe_process *process = spawn(loop, shell("exit 7"));
    MUST(ended(loop, process).code, 7);
    while (told_of_children < 1)
        sched_yield();
    MUST(waitpid(own, &status, 0), own);
    MUST(WEXITSTATUS(status), 3);
    MUST(waitpid(-1, &status, 0), -1);
    signal(SIGCHLD, SIG_DFL);
    pe_process_free(process);
    pe_loop_free(loop);
}

static int run_some(pe_task *t, void *frame)
{
    static char *argv[] = { "true", NULL };
    static const pe_process_options options = { PE_SIZED(pe_process_options), .argv = argv };
    struct waiter *w = frame;

    PE_BEGIN(t);
    for (w->pid = 0; w->pid < 10; w->pid++) {
        PE_TRY(t, pe_process_spawn(pe_task_loop(t), &options, &w->process));
        PE_AWAIT(t, pe_process_wait(t, w->process, &w->code, NULL));
        pe_process_free(w->process);
        if (t->result < 0 || w->code != 0)
            PE_RETURN(t, PE_EBROKEN);
    }
    PE_END(t);
}

static void *run_in_thread(void *context)
{
    struct waiter waiter = { 0 };

    *(int *)context = pe_run(run_some, &waiter, NULL);
    return NULL;
}

PE_TEST(threads_start_processes_at_the_same_time)
{
    pthread_t threads[4];
    int results[4];

    for (int i = 0; i < 4; i++)
        MUST(pthread_create(&threads[i], NULL, run_in_thread, &results[i]), 0);
    for (int i = 0; i < 4; i++) {
        MUST(pthread_join(threads[i], NULL), 0);
        MUST(results[i], 0);
    }
}

/* ---- processes of others ---- */

PE_TEST(a_child_of_the_program_is_waited_for)
{
    pe_loop *loop = async_loop();
    struct waiter waiter = { 0 };

    waiter.pid = fork();
    if (waiter.pid == 0)
        _exit(9);
    pe_task_free(start(loop, &waiter));
    MUST(pe_loop_run(loop), 0);
    MUST(waiter.result, 0);
    MUST(waiter.code, 9);
    MUST(waitpid(waiter.pid, NULL, 0), -1);
    pe_task_free(start(loop, &waiter)); /* it has gone */
    MUST(pe_loop_run(loop), 0);
    MUST(waiter.result, PE_ESRCH);
    waiter.pid = 0;
    pe_task_free(start(loop, &waiter));
    MUST(pe_loop_run(loop), 0);
    MUST(waiter.result, PE_EINVAL);
    pe_loop_free(loop);
}

PE_TEST(of_a_stranger_the_end_is_known_and_no_more)
{
    pe_loop *loop = async_loop();
    struct waiter waiter = { 0 };
    int fds[2], status;

    MUST(pipe2(fds, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        pid_t stranger = fork();

        if (stranger == 0) {
            pause();
            _exit(0);
        }
        _exit(write(fds[1], &stranger, sizeof stranger) == (ssize_t)sizeof stranger ? 0 : 1);
    }
    MUST(waitpid(child, &status, 0), child);
    ck_assert_int_eq(read(fds[0], &waiter.pid, sizeof waiter.pid), (int)sizeof waiter.pid);
    pe_task *task = start(loop, &waiter);
    async_settle(loop);
    MUST(waiter.result, PE_WAIT);
    MUST(kill(waiter.pid, SIGKILL), 0);
    MUST(pe_loop_run(loop), 0);
    MUST(waiter.result, PE_ENODATA);
    MUST(waiter.code, -7);
    pe_task_free(task);
    pe_loop_free(loop);
    close(fds[0]);
    close(fds[1]);
}

PE_TEST(a_wait_for_a_pid_is_cancelled)
{
    pe_loop *loop = async_loop();
    struct waiter waiter = { 0 };
    int status;

    waiter.pid = fork();
    if (waiter.pid == 0) {
        pause();
        _exit(0);
    }
    pe_task *task = start(loop, &waiter);
    async_settle(loop);
    MUST(pe_task_cancel(task), 0);
    MUST(pe_loop_run(loop), 0);
    MUST(waiter.result, PE_ECANCELED);
    pe_task_free(task);
    pe_task_free(start(loop, &waiter));
    async_settle(loop);
    pe_loop_free(loop); /* and this one with its loop */
    MUST(waiter.result, PE_ECANCELED);
    MUST(kill(waiter.pid, SIGKILL), 0);
    MUST(waitpid(waiter.pid, &status, 0), waiter.pid);
}

/* ---- bad days ---- */

PE_TEST(a_forked_child_leaves_it_alone)
{
    pe_loop *loop = async_loop();
    pe_process *process = spawn(loop, &sleeps), *made;
    int status;

    pid_t child = fork();
    if (child == 0) {
        if (pe_process_kill(process, SIGKILL) != PE_EFORKED || pe_process_pid(process) != PE_EFORKED
            || pe_process_spawn(loop, &sleeps, &made) != PE_EFORKED)
            abort();
        pe_process_free(process);
        raise(SIGKILL);
    }
    MUST(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    MUST(pe_process_kill(process, SIGTERM), 0);
    MUST(ended(loop, process).signal, SIGTERM);
    pe_process_free(process);
    pe_loop_free(loop);
}

/* Each call fails once; nothing is left of what had been begun. */
static void fail_each(enum harness_call call, int error, int wanted)
{
    int refused = 0;

    for (uint64_t n = 1;; n++) {
        pe_loop *loop = async_loop();
        pe_process *process = NULL;

        async_use_memory_up(loop);
        harness_fail_nth_here(call, n, error);
        int result = pe_process_spawn(loop, &sleeps, &process);
        int done = harness_fail_count(call) < n;
        harness_fail_reset();
        if (result == 0) {
            MUST(pe_process_kill(process, SIGKILL), 0);
            pe_process_free(process);
        } else {
            MUST(result, wanted);
            ck_assert_ptr_null(process);
            refused++;
        }
        pe_loop_free(loop);
        while (waitpid(-1, NULL, 0) > 0)
            ck_assert_int_eq(result, 0);
        if (done)
            break;
    }
    ck_assert_int_gt(refused, 0);
}

PE_TEST(nothing_is_left_of_a_start_that_fails)
{
    fail_each(HARNESS_MALLOC, ENOMEM, PE_ENOMEM);
    fail_each(HARNESS_MMAP, ENOMEM, PE_ENOMEM);
    fail_each(HARNESS_PIDFD, ENOSYS, PE_ENOSYS);
    fail_each(HARNESS_PIDFD, EMFILE, PE_EMFILE);
}

PE_TEST(a_wait_for_a_pid_without_memory)
{
    struct waiter waiter = { .pid = (int)getpid() };

    ck_assert_int_gt(async_refusals(wait_once, &waiter, &waiter.result), 0);
}

HARNESS_MAIN("process")
