/*
 * process.c - children, and waiting for the ends of processes.
 *
 * A process that was started here is watched by its pidfd from its start to its end, whether anybody waits for it or
 * not, so that it is reaped; tasks that wait are in a list of it. One that is freed before its end stays for that, and
 * goes with its end or with its loop. A wait for a process that was started elsewhere has a block of the loop's memory
 * with a pidfd of its own.
 */
#include "async/start.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "async/loop.h"
#include "async/wait.h"
#include "base/fd.h"
#include "base/sized.h"

#define FLAGS_ALL (PE_PROCESS_GROUP | PE_PROCESS_SESSION)

struct pe_process {
    struct pe__object object;    /* while it runs */
    struct pe__fd_watch watch;   /* likewise */
    struct pe__base_list tasks;  /* that wait for its end */
    pe_loop *loop;               /* NULL: it has been closed before the end */
    uint64_t token;              /* of the process that started it, see base/forked.h */
    pid_t pid;
    int pidfd;                   /* -1: it has ended */
    int result;                  /* of waits, once it has ended */
    int exit_code, signal;
    bool is_freed;               /* by the program */
};

/* Where a task wants to be told of an end. */
static void tell(const struct pe__process_wait *wait, int exit_code, int signal)
{
    if (wait->ret_exit_code != NULL)
        *wait->ret_exit_code = exit_code;
    if (wait->ret_signal != NULL)
        *wait->ret_signal = signal;
}

static void end_waits(pe_process *process, int result)
{
    struct pe__base_list *link;

    while ((link = pe__base_list_pop_front(&process->tasks)) != NULL) {
        struct pe__task *task = PE__BASE_LIST_ENTRY(link, struct pe__task, in.process.link);

        if (result == 0)
            tell(&task->in.process, process->exit_code, process->signal);
        pe__wait_end(task, result);
    }
}

static void destroy(pe_process *process)
{
    pe__base_fd_close(process->pidfd);
    free(process);
}

static void on_ended(struct pe__fd_watch *watch, int events)
{
    pe_process *process = PE__BASE_LIST_ENTRY(watch, pe_process, watch);

    (void)events;
    process->result = pe__start_reap(process->pidfd, &process->exit_code, &process->signal);
    pe__base_fd_close(process->pidfd);
    process->pidfd = -1;
    pe__object_close(&process->object);
    end_waits(process, process->result);
    if (process->is_freed)
        destroy(process);
}

/* Its loop is closed: it goes on by itself. */
static void close_object(struct pe__object *object)
{
    pe_process *process = PE__BASE_LIST_ENTRY(object, pe_process, object);

    pe__fd_watch_stop(process->loop, &process->watch);
    process->loop = NULL;
    if (process->is_freed)
        destroy(process);
}

/* ---- start ---- */

static int check_options(const pe_process_options *given, pe_process_options *options)
{
    int result = given == NULL ? PE_EINVAL : PE__BASE_CHECK_SIZED(pe_process_options, given, options);

    if (result < 0)
        return result;
    if (options->argv == NULL || options->argv[0] == NULL || (options->flags & ~FLAGS_ALL))
        return PE_EINVAL;
    return options->stdin_fd < PE_PROCESS_NULL || options->stdout_fd < PE_PROCESS_NULL ||
                   options->stderr_fd < PE_PROCESS_NULL
               ? PE_EBADF
               : 0;
}

/* Nobody would see to it. */
static void give_up(pe_process *process)
{
    int exit_code, signal;

    pe__base_pidfd_send(process->pidfd, SIGKILL);
    (void)pe__base_fd_wait(process->pidfd, POLLIN, PE_FOREVER);
    (void)pe__start_reap(process->pidfd, &exit_code, &signal);
}

static int start(pe_loop *loop, const pe_process_options *options, pe_process *process)
{
    int result = pe__start_program(options, &process->pid, &process->pidfd);

    if (result < 0)
        return result;
    result = pe__fd_watch_start(loop, &process->watch, process->pidfd, PE_FD_READABLE, on_ended);
    if (result < 0)
        give_up(process);
    return result;
}

int pe_process_spawn(pe_loop *loop, const pe_process_options *given, pe_process **ret_process)
{
    pe_process_options options;
    int result = pe__loop_check(loop);

    if (result == 0)
        result = ret_process == NULL ? PE_EINVAL : check_options(given, &options);
    if (result == 0 && loop->phase != PE__LOOP_OPEN && loop->current == NULL)
        result = PE_ECLOSED;
    if (result < 0)
        return result;
    pe_process *process = malloc(sizeof *process);
    if (process == NULL)
        return PE_ENOMEM;
    *process = (pe_process){ .token = loop->token, .loop = loop, .pidfd = -1 };
    pe__base_list_init(&process->tasks);
    result = start(loop, &options, process);
    if (result < 0) {
        destroy(process);
        return result;
    }
    pe__object_open(loop, &process->object, "program", close_object);
    *ret_process = process;
    return 0;
}

/* ---- a process ---- */

static int check(const pe_process *process)
{
    if (process == NULL)
        return PE_EINVAL;
    return pe__base_forked(process->token) ? PE_EFORKED : 0;
}

int pe_process_pid(const pe_process *process)
{
    int result = check(process);

    return result < 0 ? result : process->pid;
}

/* The loop may not have heard of it: until it is reaped the system lets signals go to it. */
static bool has_ended(const pe_process *process)
{
    return process->pidfd < 0 || pe__base_fd_wait(process->pidfd, POLLIN, 0) > 0;
}

int pe_process_kill(pe_process *process, int number)
{
    int result = check(process);

    if (result < 0)
        return result;
    result = has_ended(process) ? PE_ESRCH : pe__base_pidfd_send(process->pidfd, number);
    return result == PE_ESRCH ? PE_EALREADY : result;
}

void pe_process_free(pe_process *process)
{
    if (check(process) < 0)
        return;
    end_waits(process, PE_ECLOSED);
    if (process->object.loop != NULL)
        process->is_freed = true;
    else
        destroy(process);
}

static void cancel_wait(struct pe__task *task)
{
    pe__base_list_remove(&task->in.process.link);
    pe__wait_end(task, PE_ECANCELED);
}

static const struct pe__wait_kind wait_kind = { .name = "a process", .cancel = cancel_wait };

int pe_process_wait(pe_task *t, pe_process *process, int *ret_exit_code, int *ret_signal)
{
    struct pe__task *task = pe__task_of(t);
    int result = pe__wait_check(t);

    if (result == 0 && (process == NULL || process->loop != task->loop))
        result = PE_EINVAL;
    if (result != 0)
        return result;
    struct pe__process_wait wait = { .ret_exit_code = ret_exit_code, .ret_signal = ret_signal };
    if (process->pidfd < 0) {
        if (process->result == 0)
            tell(&wait, process->exit_code, process->signal);
        return process->result;
    }
    result = pe__wait_begin(t, &wait_kind, process);
    if (result != PE_WAIT)
        return result;
    task->in.process = wait;
    pe__base_list_push_back(&process->tasks, &task->in.process.link);
    return PE_WAIT;
}

/* ---- any process ---- */

struct pid_wait {
    struct pe__fd_watch watch;
    struct pe__task *task;
    int pidfd;
};

static void end_pid_wait(struct pid_wait *wait, int result)
{
    struct pe__task *task = wait->task;

    pe__base_fd_close(wait->pidfd);
    pe__slab_free(&task->loop->slab, wait, sizeof *wait);
    pe__wait_end(task, result);
}

static void on_pid_ended(struct pe__fd_watch *watch, int events)
{
    struct pid_wait *wait = PE__BASE_LIST_ENTRY(watch, struct pid_wait, watch);
    int exit_code, signal;
    int result = pe__start_reap(wait->pidfd, &exit_code, &signal);

    (void)events;
    if (result == 0)
        tell(&wait->task->in.process, exit_code, signal);
    end_pid_wait(wait, result);
}

static void cancel_pid_wait(struct pe__task *task)
{
    struct pid_wait *wait = task->object;

    pe__fd_watch_stop(task->loop, &wait->watch);
    end_pid_wait(wait, PE_ECANCELED);
}

static const struct pe__wait_kind pid_kind = { .name = "a process", .cancel = cancel_pid_wait };

/* 0, and what it waits with; the task does not wait yet. */
static int open_pid_wait(struct pe__task *task, int pid, struct pid_wait **ret_wait)
{
    int pidfd = pe__base_pidfd_open(pid);

    if (pidfd < 0)
        return pidfd;
    struct pid_wait *wait = pe__slab_new(&task->loop->slab, sizeof *wait);
    int result = wait == NULL ? PE_ENOMEM
                              : pe__fd_watch_start(task->loop, &wait->watch, pidfd, PE_FD_READABLE, on_pid_ended);
    if (result < 0) {
        if (wait != NULL)
            pe__slab_free(&task->loop->slab, wait, sizeof *wait);
        pe__base_fd_close(pidfd);
        return result;
    }
    wait->task = task;
    wait->pidfd = pidfd;
    *ret_wait = wait;
    return 0;
}

int pe_pid_wait(pe_task *t, int pid, int *ret_exit_code, int *ret_signal)
{
    struct pe__task *task = pe__task_of(t);
    struct pid_wait *wait;
    int result = pe__wait_check(t);

    if (result == 0 && pid <= 0)
        result = PE_EINVAL;
    if (result != 0)
        return result;
    result = pe__wait_begin(t, &pid_kind, NULL);
    if (result != PE_WAIT)
        return result;
    result = open_pid_wait(task, pid, &wait);
    if (result < 0)
        return pe__wait_undo(task, result);
    task->object = wait;
    task->in.process = (struct pe__process_wait){ .ret_exit_code = ret_exit_code, .ret_signal = ret_signal };
    return PE_WAIT;
}
