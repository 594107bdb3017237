/*
 * Descriptors: what tasks are told of them, when, and what is left of that.
 */
#include "harness/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include <parexec.h>

#include "harness/async.h"

struct waiter {
    int fd, events;
    int result;
    int closes; /* its descriptor, once it has been told */
};

static int wait_once(pe_task *t, void *frame)
{
    struct waiter *w = frame;

    PE_BEGIN(t);
    w->result = PE_WAIT;
    PE_AWAIT(t, pe_fd_wait(t, w->fd, w->events));
    w->result = t->result;
    if (w->closes)
        close(w->fd);
    PE_RETURN(t, w->result < 0 ? w->result : 0);
    PE_END(t);
}

static pe_task *start(pe_loop *loop, struct waiter *waiter)
{
    pe_task *task;

    MUST(pe_spawn(loop, wait_once, waiter, 0, &task), 0);
    return task;
}

static void pipe_new(int fds[2])
{
    MUST(pipe2(fds, O_CLOEXEC), 0);
}

static void pipe_close(int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

static void put(int fd)
{
    ck_assert_int_eq(write(fd, "x", 1), 1);
}

/* ---- what is told ---- */

static int wait_at_once(pe_task *t, void *frame)
{
    struct waiter *w = frame;

    w->result = pe_fd_wait(t, w->fd, w->events);
    return w->result == PE_WAIT ? PE_WAIT : 0;
}

/* What one wait gives without waiting. */
static int look(int fd, int events)
{
    struct waiter waiter = { .fd = fd, .events = events };
    pe_loop *loop = async_loop();

    MUST(pe_spawn(loop, wait_at_once, &waiter, 0, NULL), 0);
    async_settle(loop);
    pe_loop_free(loop);
    return waiter.result;
}

PE_TEST(what_is_ready_is_told_at_once)
{
    int fds[2], pair[2];

    pipe_new(fds);
    MUST(look(fds[1], PE_FD_WRITABLE), PE_FD_WRITABLE);
    put(fds[1]);
    MUST(look(fds[0], PE_FD_READABLE | PE_FD_PRIORITY), PE_FD_READABLE);
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    MUST(look(pair[0], PE_FD_READABLE | PE_FD_WRITABLE), PE_FD_WRITABLE);
    MUST(shutdown(pair[1], SHUT_WR), 0);
    MUST(look(pair[0], PE_FD_READABLE | PE_FD_HANGUP), PE_FD_READABLE | PE_FD_HANGUP);
    pipe_close(pair);
    pipe_close(fds);
}

PE_TEST(errors_and_ends_are_all_that_was_asked_for)
{
    int fds[2];

    pipe_new(fds);
    close(fds[1]);
    MUST(look(fds[0], PE_FD_READABLE), PE_FD_READABLE);
    close(fds[0]);
    pipe_new(fds);
    close(fds[0]);
    MUST(look(fds[1], PE_FD_WRITABLE | PE_FD_HANGUP), PE_FD_WRITABLE | PE_FD_HANGUP);
    close(fds[1]);
}

PE_TEST(regular_files_are_always_ready)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    MUST(look(fd, PE_FD_READABLE | PE_FD_WRITABLE), PE_FD_READABLE | PE_FD_WRITABLE);
    MUST(look(fd, PE_FD_PRIORITY), PE_EPERM);
    close(fd);
}

PE_TEST(bad_descriptors_and_events_are_refused)
{
    int fds[2];

    pipe_new(fds);
    MUST(look(fds[0], 0), PE_EINVAL);
    MUST(look(fds[0], 16), PE_EINVAL);
    MUST(look(fds[0], -1), PE_EINVAL);
    int high = fcntl(fds[0], F_DUPFD_CLOEXEC, 500);
    close(high);
    pipe_close(fds);
    MUST(look(high, PE_FD_READABLE), PE_EBADF);
    MUST(look(-1, PE_FD_READABLE), PE_EBADF);
    MUST(look(INT32_MAX, PE_FD_READABLE), PE_EBADF);
}

/* ---- waiting ---- */

PE_TEST(a_task_waits_until_there_is_something)
{
    struct waiter waiter = { .events = PE_FD_READABLE };
    pe_loop *loop = async_loop();
    int fds[2];

    pipe_new(fds);
    waiter.fd = fds[0];
    pe_task_free(start(loop, &waiter));
    async_settle(loop);
    MUST(waiter.result, PE_WAIT);
    put(fds[1]);
    MUST(pe_loop_run(loop), 0);
    MUST(waiter.result, PE_FD_READABLE);
    pe_loop_free(loop);
    pipe_close(fds);
}

PE_TEST(an_end_while_it_waits_is_told)
{
    struct waiter waiter = { .events = PE_FD_WRITABLE };
    pe_loop *loop = async_loop();
    int fds[2];
    char full[4096] = { 0 };

    pipe_new(fds);
    MUST(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    while (write(fds[1], full, sizeof full) > 0)
        ;
    waiter.fd = fds[1];
    pe_task_free(start(loop, &waiter));
    async_settle(loop);
    MUST(waiter.result, PE_WAIT);
    close(fds[0]);
    MUST(pe_loop_run(loop), 0);
    MUST(waiter.result, PE_FD_WRITABLE);
    pe_loop_free(loop);
    close(fds[1]);
}

/* Readers are told together, and a writer only when it can write. */
PE_TEST(several_tasks_wait_for_one_descriptor)
{
    struct waiter waiters[3] = { { .events = PE_FD_READABLE },
                                 { .events = PE_FD_READABLE },
                                 { .events = PE_FD_WRITABLE } };
    pe_loop *loop = async_loop();
    char room[65536] = { 0 };
    int pair[2];

    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    while (write(pair[0], room, sizeof room) > 0)
        ;
    for (int i = 0; i < 3; i++) {
        waiters[i].fd = pair[0];
        pe_task_free(start(loop, &waiters[i]));
    }
    async_settle(loop);
    put(pair[1]);
    async_settle(loop);
    MUST(waiters[0].result, PE_FD_READABLE);
    MUST(waiters[1].result, PE_FD_READABLE);
    MUST(waiters[2].result, PE_WAIT);
    while (read(pair[1], room, sizeof room) > 0)
        ;
    MUST(pe_loop_run(loop), 0);
    MUST(waiters[2].result, PE_FD_WRITABLE);
    pe_loop_free(loop);
    pipe_close(pair);
}

/* Its number may at once be another pipe's. */
PE_TEST(who_is_told_may_close_the_descriptor)
{
    struct waiter waiter = { .events = PE_FD_READABLE, .closes = 1 };
    pe_loop *loop = async_loop();

    for (int i = 0; i < 50; i++) {
        int fds[2];

        pipe_new(fds);
        waiter.fd = fds[0];
        pe_task_free(start(loop, &waiter));
        async_settle(loop);
        put(fds[1]);
        MUST(pe_loop_run(loop), 0);
        MUST(waiter.result, PE_FD_READABLE);
        close(fds[1]);
    }
    pe_loop_free(loop);
}

PE_TEST(the_descriptors_flags_stay_as_they_are)
{
    struct waiter waiter = { .events = PE_FD_READABLE };
    pe_loop *loop = async_loop();
    int fds[2];

    pipe_new(fds);
    waiter.fd = fds[0];
    int before = fcntl(fds[0], F_GETFL);
    pe_task_free(start(loop, &waiter));
    async_settle(loop);
    MUST(fcntl(fds[0], F_GETFL), before);
    MUST(before & O_NONBLOCK, 0);
    put(fds[1]);
    MUST(pe_loop_run(loop), 0);
    MUST(fcntl(fds[0], F_GETFL), before);
    pe_loop_free(loop);
    pipe_close(fds);
}

static void nothing(uv_poll_t *poll, int status, int events)
{
    (void)poll, (void)status, (void)events;
}

PE_TEST(what_libuv_watches_already_is_told)
{
    struct waiter waiter = { .events = PE_FD_READABLE };
    pe_loop *loop = async_loop();
    uv_poll_t poll;
    int fds[2];

    pipe_new(fds);
    MUST(uv_poll_init(pe_loop_uv(loop), &poll, fds[0]), 0);
    MUST(uv_poll_start(&poll, UV_READABLE, nothing), 0);
    waiter.fd = fds[0];
    pe_task_free(start(loop, &waiter));
    async_settle(loop);
    MUST(waiter.result, PE_EEXIST);
    uv_close((uv_handle_t *)&poll, NULL);
    pe_loop_free(loop);
    pipe_close(fds);
}

/* ---- stopping ---- */

PE_TEST(one_that_is_cancelled_leaves_the_others_waiting)
{
    struct waiter waiters[2] = { { .events = PE_FD_READABLE }, { .events = PE_FD_READABLE } };
    pe_loop *loop = async_loop();
    pe_task *tasks[2];
    int fds[2];

    pipe_new(fds);
    for (int i = 0; i < 2; i++) {
        waiters[i].fd = fds[0];
        tasks[i] = start(loop, &waiters[i]);
    }
    async_settle(loop);
    MUST(pe_task_cancel(tasks[0]), 0);
    async_settle(loop);
    MUST(waiters[0].result, PE_ECANCELED);
    MUST(waiters[1].result, PE_WAIT);
    put(fds[1]);
    MUST(pe_loop_run(loop), 0);
    MUST(waiters[1].result, PE_FD_READABLE);
    pe_task_free(tasks[0]);
    pe_task_free(tasks[1]);
    pe_loop_free(loop);
    pipe_close(fds);
}

struct canceller {
    struct waiter waiter;
    pe_task *others[2];
    int has_cancelled;
};

/* Told together with the others, it cancels them before they have run. */
static int wait_and_cancel(pe_task *t, void *frame)
{
    struct canceller *c = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_fd_wait(t, c->waiter.fd, c->waiter.events));
    c->waiter.result = t->result;
    for (int i = 0; i < 2; i++)
        c->has_cancelled += pe_task_cancel(c->others[i]) == 0;
    PE_END(t);
}

/* A wait that has got its value keeps it; one that has not ends, and the descriptor is free. */
PE_TEST(cancelled_in_the_turn_that_tells_it)
{
    struct waiter readers[2] = { { .events = PE_FD_READABLE }, { .events = PE_FD_PRIORITY } };
    struct canceller canceller = { .waiter = { .events = PE_FD_READABLE } };
    pe_loop *loop = async_loop();
    int fds[2];

    pipe_new(fds);
    canceller.waiter.fd = fds[0];
    MUST(pe_spawn(loop, wait_and_cancel, &canceller, 0, NULL), 0);
    for (int i = 0; i < 2; i++) {
        readers[i].fd = fds[0];
        canceller.others[i] = start(loop, &readers[i]);
    }
    async_settle(loop);
    put(fds[1]);
    MUST(pe_loop_run(loop), 0);
    MUST(canceller.waiter.result, PE_FD_READABLE);
    MUST(canceller.has_cancelled, 2);
    MUST(readers[0].result, PE_FD_READABLE);
    MUST(readers[1].result, PE_ECANCELED);
    for (int i = 0; i < 2; i++)
        pe_task_free(canceller.others[i]);
    pe_loop_free(loop);
    pipe_close(fds);
}

struct limited {
    pe_limit limit;
    int fd;
    int result, is_ready;
};

static int wait_limited(pe_task *t, void *frame)
{
    struct limited *l = frame;

    PE_BEGIN(t);
    PE_AWAIT_UNTIL(t, &l->limit, pe_after(PE_MS(5)), pe_fd_wait(t, l->fd, PE_FD_READABLE));
    l->result = t->result;
    PE_AWAIT_UNTIL(t, &l->limit, 0, pe_fd_wait(t, l->fd, PE_FD_READABLE | PE_FD_PRIORITY));
    PE_RETURN(t, t->result);
    PE_END(t);
}

PE_TEST(a_time_limit_ends_the_wait)
{
    struct limited limited = { .result = 0 };
    int64_t begin_ns = pe_now();
    int fds[2];

    pipe_new(fds);
    limited.fd = fds[0];
    MUST(pe_run(wait_limited, &limited, NULL), PE_ETIMEDOUT);
    MUST(limited.result, PE_ETIMEDOUT);
    ck_assert_int_ge(pe_now() - begin_ns, PE_MS(5));
    pipe_close(fds);
}

PE_TEST(a_loop_is_closed_with_tasks_waiting)
{
    struct waiter waiters[2] = { { .events = PE_FD_READABLE }, { .events = PE_FD_READABLE } };
    uv_loop_t host;
    pe_loop *loop;
    int fds[2];

    pipe_new(fds);
    for (int attached = 0; attached < 2; attached++) {
        MUST(uv_loop_init(&host), 0);
        MUST(pe_loop_new(attached ? &host : NULL, &loop), 0);
        for (int i = 0; i < 2; i++) {
            waiters[i].fd = fds[0];
            pe_task_free(start(loop, &waiters[i]));
        }
        uv_run(pe_loop_uv(loop), UV_RUN_NOWAIT);
        uv_run(pe_loop_uv(loop), UV_RUN_NOWAIT);
        MUST(waiters[1].result, PE_WAIT);
        pe_loop_free(loop);
        uv_run(&host, UV_RUN_DEFAULT);
        MUST(uv_loop_close(&host), 0);
        MUST(waiters[0].result, PE_ECANCELED);
        MUST(waiters[1].result, PE_ECANCELED);
    }
    pipe_close(fds);
}

/* ---- bad days ---- */

/* A child that waits on the parent's loop takes nothing out of the kernel's poll set. */
PE_TEST(a_forked_child_leaves_the_parents_wait_alone)
{
    struct waiter waiter = { .events = PE_FD_READABLE };
    pe_loop *loop = async_loop();
    pe_task *task;
    int fds[2], ended;

    pipe_new(fds);
    waiter.fd = fds[0];
    task = start(loop, &waiter);
    async_settle(loop);
    pid_t child = fork();
    if (child == 0) {
        if (pe_fd_wait(task, fds[0], PE_FD_READABLE) == PE_EFORKED && pe_task_cancel(task) == PE_EFORKED)
            raise(SIGKILL);
        abort();
    }
    MUST(waitpid(child, &ended, 0), child);
    ck_assert(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL);
    put(fds[1]);
    MUST(pe_loop_run(loop), 0);
    MUST(waiter.result, PE_FD_READABLE);
    pe_task_free(task);
    pe_loop_free(loop);
    pipe_close(fds);
}

/* Each allocation fails once; what is refused can be done afterwards. */
PE_TEST(without_memory_a_wait_is_refused)
{
    int fds[2];

    pipe_new(fds);
    struct waiter waiter = { .fd = fds[0], .events = PE_FD_READABLE };

    ck_assert_int_gt(async_refusals(wait_once, &waiter, &waiter.result), 0);
    pipe_close(fds);
}

HARNESS_MAIN("fd")
