/*
 * Signals: who is told, what the program's own handlers see, and that all is as before afterwards.
 */
#include "harness/harness.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include <parexec.h>

#include "harness/async.h"

struct waiter {
    pe_signal *signal; /* NULL: of the number */
    int number;
    int result;
};

static int wait_once(pe_task *t, void *frame)
{
    struct waiter *w = frame;

    PE_BEGIN(t);
    w->result = PE_WAIT;
    PE_AWAIT(t, w->signal != NULL ? pe_signal_next(t, w->signal) : pe_signal_wait(t, w->number));
    w->result = t->result;
    PE_RETURN(t, w->result < 0 ? w->result : 0);
    PE_END(t);
}

static pe_task *start(pe_loop *loop, struct waiter *waiter)
{
    pe_task *task;

    MUST(pe_spawn(loop, wait_once, waiter, 0, &task), 0);
    return task;
}

/* ---- what the program had set ---- */

static volatile sig_atomic_t handled;

static void on_signal(int number)
{
    (void)number;
    handled++;
}

static void on_signal_info(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info, (void)context;
    handled++;
}

static struct sigaction unusual(void)
{
    struct sigaction action = { .sa_sigaction = on_signal_info, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK };

    sigaddset(&action.sa_mask, SIGUSR2);
    sigaddset(&action.sa_mask, SIGWINCH);
    return action;
}

static struct sigaction action_of(int number)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    MUST(sigaction(number, NULL, &action), 0);
    return action;
}

/* In all that the system keeps; libc adds a flag of its own to what it sets, and leaves bytes behind the mask. */
#define FLAG_OF_LIBC 0x04000000

static int is_same(struct sigaction a, struct sigaction b)
{
    for (int number = 1; number <= SIGRTMAX; number++)
        if (sigismember(&a.sa_mask, number) != sigismember(&b.sa_mask, number))
            return 0;
    return a.sa_handler == b.sa_handler && (a.sa_flags | FLAG_OF_LIBC) == (b.sa_flags | FLAG_OF_LIBC);
}

/* ---- being told ---- */

PE_TEST(all_tasks_that_wait_are_told)
{
    struct waiter waiters[3] = { { .number = SIGUSR1 }, { .number = SIGUSR1 }, { .number = SIGUSR2 } };
    pe_loop *loop = async_loop();

    for (int i = 0; i < 3; i++)
        pe_task_free(start(loop, &waiters[i]));
    async_settle(loop);
    MUST(waiters[0].result, PE_WAIT);
    raise(SIGUSR1);
    async_settle(loop);
    MUST(waiters[0].result, 0);
    MUST(waiters[1].result, 0);
    MUST(waiters[2].result, PE_WAIT);
    raise(SIGUSR2);
    MUST(pe_loop_run(loop), 0);
    MUST(waiters[2].result, 0);
    pe_loop_free(loop);
}

PE_TEST(an_object_loses_none_between_two_waits)
{
    pe_loop *loop = async_loop();
    pe_signal *signal;

    MUST(pe_signal_new(loop, SIGUSR1, &signal), 0);
    for (int round = 1; round <= 3; round++) {
        struct waiter waiter = { .signal = signal };

        for (int i = 0; i < round; i++)
            raise(SIGUSR1);
        async_settle(loop); /* nobody waits while they are delivered */
        pe_task_free(start(loop, &waiter));
        MUST(pe_loop_run(loop), 0);
        MUST(waiter.result, round);
    }
    pe_signal_free(signal);
    pe_loop_free(loop);
}

PE_TEST(of_an_object_one_task_after_the_other_is_told)
{
    struct waiter waiters[2];
    pe_loop *loop = async_loop();
    pe_signal *signal, *other;

    MUST(pe_signal_new(loop, SIGUSR1, &signal), 0);
    MUST(pe_signal_new(loop, SIGUSR1, &other), 0);
    for (int i = 0; i < 2; i++) {
        waiters[i] = (struct waiter){ .signal = signal };
        pe_task_free(start(loop, &waiters[i]));
    }
    async_settle(loop);
    raise(SIGUSR1);
    async_settle(loop);
    MUST(waiters[0].result, 1);
    MUST(waiters[1].result, PE_WAIT);
    raise(SIGUSR1);
    MUST(pe_loop_run(loop), 0);
    MUST(waiters[1].result, 1);
    waiters[0].signal = other; /* has been told as well, of both */
    pe_task_free(start(loop, &waiters[0]));
    MUST(pe_loop_run(loop), 0);
    MUST(waiters[0].result, 2);
    pe_signal_free(other);
    pe_signal_free(signal);
    pe_loop_free(loop);
}

struct thread {
    pthread_t thread;
    pthread_barrier_t *barrier;
    struct waiter waiter;
};

static void *run_loop(void *context)
{
    struct thread *thread = context;
    pe_loop *loop;

    if (pe_loop_new(NULL, &loop) != 0 || pe_spawn(loop, wait_once, &thread->waiter, 0, NULL) != 0)
        abort();
    async_settle(loop);
    pthread_barrier_wait(thread->barrier);
    pe_loop_run(loop);
    pe_loop_free(loop);
    return NULL;
}

PE_TEST(loops_of_several_threads_are_told)
{
    struct sigaction before = action_of(SIGUSR1);
    pthread_barrier_t barrier;
    struct thread threads[3];

    MUST(pthread_barrier_init(&barrier, NULL, 4), 0);
    for (int i = 0; i < 3; i++) {
        threads[i] = (struct thread){ .barrier = &barrier, .waiter = { .number = SIGUSR1 } };
        MUST(pthread_create(&threads[i].thread, NULL, run_loop, &threads[i]), 0);
    }
    pthread_barrier_wait(&barrier);
    MUST(kill(getpid(), SIGUSR1), 0);
    for (int i = 0; i < 3; i++) {
        MUST(pthread_join(threads[i].thread, NULL), 0);
        MUST(threads[i].waiter.result, 0);
    }
    pthread_barrier_destroy(&barrier);
    ck_assert(is_same(action_of(SIGUSR1), before));
}

static int wait_refused(pe_task *t, void *frame)
{
    static const int numbers[] = { 0, -1, 65, 1000, SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, 32 };
    int *refused = frame;
    pe_signal *signal;

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        *refused += pe_signal_wait(t, numbers[i]) == PE_EINVAL;
        *refused += pe_signal_new(pe_task_loop(t), numbers[i], &signal) == PE_EINVAL;
    }
    *refused += pe_signal_next(t, NULL) == PE_EINVAL;
    return 0;
}

PE_TEST(what_cannot_be_caught_is_refused)
{
    int refused = 0;

    MUST(pe_run(wait_refused, &refused, NULL), 0);
    MUST(refused, 23);
}

/* ---- stopping ---- */

PE_TEST(cancelled_waits_leave_the_others)
{
    struct waiter waiters[4] = { { .number = SIGUSR1 }, { .number = SIGUSR1 } };
    pe_loop *loop = async_loop();
    pe_signal *signal;
    pe_task *tasks[4];

    MUST(pe_signal_new(loop, SIGUSR1, &signal), 0);
    waiters[2].signal = waiters[3].signal = signal;
    for (int i = 0; i < 4; i++)
        tasks[i] = start(loop, &waiters[i]);
    async_settle(loop);
    MUST(pe_task_cancel(tasks[0]), 0);
    MUST(pe_task_cancel(tasks[2]), 0);
    raise(SIGUSR1);
    MUST(pe_loop_run(loop), 0);
    MUST(waiters[0].result, PE_ECANCELED);
    MUST(waiters[1].result, 0);
    MUST(waiters[2].result, PE_ECANCELED);
    MUST(waiters[3].result, 1);
    for (int i = 0; i < 4; i++)
        pe_task_free(tasks[i]);
    pe_signal_free(signal);
    pe_loop_free(loop);
}

struct limited {
    pe_limit limit;
    pe_signal *signal;
    int first, second;
};

static int wait_limited(pe_task *t, void *frame)
{
    struct limited *l = frame;

    PE_BEGIN(t);
    PE_AWAIT_UNTIL(t, &l->limit, pe_after(PE_MS(5)), pe_signal_wait(t, SIGUSR1));
    l->first = t->result;
    PE_AWAIT_UNTIL(t, &l->limit, 0, pe_signal_wait(t, SIGUSR1));
    l->second = t->result;
    PE_TRY(t, pe_signal_new(pe_task_loop(t), SIGUSR1, &l->signal));
    PE_AWAIT_UNTIL(t, &l->limit, pe_after(PE_MS(5)), pe_signal_next(t, l->signal));
    pe_signal_free(l->signal);
    PE_RETURN(t, t->result);
    PE_END(t);
}

PE_TEST(time_limits_end_the_waits)
{
    struct sigaction before = action_of(SIGUSR1);
    struct limited limited = { .first = 0 };

    MUST(pe_run(wait_limited, &limited, NULL), PE_ETIMEDOUT);
    MUST(limited.first, PE_ETIMEDOUT);
    MUST(limited.second, PE_ETIMEDOUT);
    ck_assert(is_same(action_of(SIGUSR1), before));
}

PE_TEST(an_object_that_is_freed_tells_those_who_wait)
{
    struct waiter waiter = { 0 };
    pe_loop *loop = async_loop();

    MUST(pe_signal_new(loop, SIGUSR1, &waiter.signal), 0);
    pe_task_free(start(loop, &waiter));
    async_settle(loop);
    pe_signal_free(waiter.signal);
    async_settle(loop);
    MUST(waiter.result, PE_ECLOSED);
    pe_signal_free(NULL);
    pe_loop_free(loop);
}

PE_TEST(a_loop_is_closed_with_tasks_and_objects)
{
    struct sigaction before = unusual();
    struct waiter waiters[2] = { { .number = SIGUSR1 } };
    uv_loop_t host;
    pe_loop *loop;

    MUST(sigaction(SIGUSR1, &before, NULL), 0);
    before = action_of(SIGUSR1);
    for (int attached = 0; attached < 2; attached++) {
        pe_signal *signal;

        MUST(uv_loop_init(&host), 0);
        MUST(pe_loop_new(attached ? &host : NULL, &loop), 0);
        MUST(pe_signal_new(loop, SIGUSR1, &signal), 0);
        waiters[1].signal = signal;
        for (int i = 0; i < 2; i++)
            pe_task_free(start(loop, &waiters[i]));
        for (int i = 0; i < 2; i++)
            uv_run(pe_loop_uv(loop), UV_RUN_NOWAIT);
        MUST(waiters[1].result, PE_WAIT);
        ck_assert(!is_same(action_of(SIGUSR1), before));
        pe_loop_free(loop);
        uv_run(&host, UV_RUN_DEFAULT);
        MUST(uv_loop_close(&host), 0);
        MUST(waiters[0].result, PE_ECANCELED);
        MUST(waiters[1].result, PE_ECANCELED);
        ck_assert(is_same(action_of(SIGUSR1), before));
        pe_signal_free(signal);
    }
    signal(SIGUSR1, SIG_DFL);
}

/* An object does not hold a host's loop. */
PE_TEST(objects_do_not_keep_a_loop_alive)
{
    pe_signal *signal;
    uv_loop_t host;
    pe_loop *loop;

    MUST(uv_loop_init(&host), 0);
    MUST(pe_loop_new(&host, &loop), 0);
    MUST(pe_signal_new(loop, SIGUSR1, &signal), 0);
    MUST(uv_run(&host, UV_RUN_DEFAULT), 0);
    pe_signal_free(signal);
    pe_loop_free(loop);
    uv_run(&host, UV_RUN_DEFAULT);
    MUST(uv_loop_close(&host), 0);
}

/* ---- the program's handlers ---- */

PE_TEST(the_programs_handler_is_back_to_the_bit)
{
    struct sigaction before = unusual();
    struct waiter waiter = { .number = SIGUSR1 };
    pe_loop *loop = async_loop();
    pe_signal *signals[2];

    MUST(sigaction(SIGUSR1, &before, NULL), 0);
    before = action_of(SIGUSR1);
    handled = 0;
    for (int i = 0; i < 2; i++)
        MUST(pe_signal_new(loop, SIGUSR1, &signals[i]), 0);
    pe_task_free(start(loop, &waiter));
    async_settle(loop);
    ck_assert(!is_same(action_of(SIGUSR1), before));
    raise(SIGUSR1);
    MUST(pe_loop_run(loop), 0);
    pe_signal_free(signals[0]);
    ck_assert(!is_same(action_of(SIGUSR1), before));
    pe_signal_free(signals[1]);
    ck_assert(is_same(action_of(SIGUSR1), before));
    MUST(handled, 0);
    raise(SIGUSR1);
    MUST(handled, 1);
    signal(SIGUSR1, SIG_IGN);
    struct sigaction ignored = action_of(SIGUSR1);
    MUST(pe_signal_new(loop, SIGUSR1, &signals[0]), 0);
    pe_signal_free(signals[0]);
    ck_assert(is_same(action_of(SIGUSR1), ignored));
    signal(SIGUSR1, SIG_DFL);
    pe_loop_free(loop);
}

PE_TEST(what_the_program_sets_meanwhile_stays)
{
    pe_loop *loop = async_loop();
    pe_signal *signals[1];

    MUST(pe_signal_new(loop, SIGUSR1, signals), 0);
    signal(SIGUSR1, on_signal);
    struct sigaction meanwhile = action_of(SIGUSR1);
    pe_signal_free(signals[0]);
    ck_assert(is_same(action_of(SIGUSR1), meanwhile));
    signal(SIGUSR1, SIG_DFL);
    pe_loop_free(loop);
}

static int uv_told;

static void on_uv_signal(uv_signal_t *handle, int number)
{
    (void)handle, (void)number;
    uv_told++;
}

static void raise_for(uv_loop_t *host)
{
    raise(SIGUSR1);
    uv_run(host, UV_RUN_NOWAIT);
}

/* Whether it comes first or last, and whether it goes first or last. Who comes behind another user cannot put back what
 * was there before that one: libuv leaves the bare default action, and not the flags and the mask that one may have. */
PE_TEST_LOOP(other_users_of_libuv_are_undisturbed, 0, 4)
{
    int first = _i & 1, longer = _i & 2;
    const struct sigaction before = { .sa_handler = SIG_DFL };
    pe_loop *loop = async_loop();
    pe_signal *signal;
    uv_signal_t handle;
    uv_loop_t host;

    uv_told = 0;
    MUST(sigaction(SIGUSR1, &before, NULL), 0);
    MUST(uv_loop_init(&host), 0);
    MUST(uv_signal_init(&host, &handle), 0);
    if (!first)
        MUST(pe_signal_new(loop, SIGUSR1, &signal), 0);
    MUST(uv_signal_start(&handle, on_uv_signal, SIGUSR1), 0);
    if (first)
        MUST(pe_signal_new(loop, SIGUSR1, &signal), 0);
    raise_for(&host);
    MUST(uv_told, 1);
    if (longer) {
        pe_signal_free(signal);
        raise_for(&host);
        MUST(uv_told, 2);
    }
    uv_close((uv_handle_t *)&handle, NULL);
    uv_run(&host, UV_RUN_DEFAULT);
    MUST(uv_loop_close(&host), 0);
    if (!longer) {
        struct waiter waiter = { .signal = signal };

        raise(SIGUSR1);
        pe_task_free(start(loop, &waiter));
        MUST(pe_loop_run(loop), 0);
        ck_assert_int_ge(waiter.result, 1);
        pe_signal_free(signal);
    }
    ck_assert(is_same(action_of(SIGUSR1), before));
    pe_loop_free(loop);
}

/* Signals rain while a task listens and stops listening: the default action, death, is never met. */
PE_TEST(no_instant_has_the_default_action)
{
    int rounds = 300, ended;
    pe_loop *loop = async_loop();
    pid_t parent = getpid();

    signal(SIGUSR1, on_signal);
    handled = 0;
    pid_t child = fork();
    if (child == 0) {
        while (getppid() == parent)
            kill(parent, SIGUSR1);
        _exit(0);
    }
    while (handled == 0)
        ;
    for (int i = 0; i < rounds || handled < 100; i++) {
        pe_signal *signals[1];

        MUST(pe_signal_new(loop, SIGUSR1, signals), 0);
        pe_signal_free(signals[0]);
        async_settle(loop);
    }
    MUST(kill(child, SIGKILL), 0);
    MUST(waitpid(child, &ended, 0), child);
    signal(SIGUSR1, SIG_DFL);
    pe_loop_free(loop);
}

/* ---- bad days ---- */

/* It dies of its signal, and the parent is not told of it. */
PE_TEST(a_forked_child_has_what_the_program_had)
{
    struct waiter waiter = { .number = SIGUSR1 };
    pe_loop *loop = async_loop();
    pe_signal *signal;
    int ended;

    MUST(pe_signal_new(loop, SIGUSR1, &signal), 0);
    pe_task *task = start(loop, &waiter);
    async_settle(loop);
    pid_t child = fork();
    if (child == 0) {
        if (pe_signal_next(task, signal) != PE_EFORKED || pe_signal_wait(task, SIGUSR1) != PE_EFORKED)
            abort();
        pe_signal_free(signal);
        raise(SIGUSR1);
        abort();
    }
    MUST(waitpid(child, &ended, 0), child);
    ck_assert(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGUSR1);
    async_settle(loop);
    MUST(waiter.result, PE_WAIT);
    raise(SIGUSR1);
    MUST(pe_loop_run(loop), 0);
    MUST(waiter.result, 0);
    pe_signal_free(signal);
    pe_task_free(task);
    pe_loop_free(loop);
}

static int raise_and_wait(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_TRY(t, pe_signal_new(pe_task_loop(t), SIGUSR1, (pe_signal **)frame));
    raise(SIGUSR1);
    PE_AWAIT(t, pe_signal_next(t, *(pe_signal **)frame));
    pe_signal_free(*(pe_signal **)frame);
    PE_RETURN(t, t->result);
    PE_END(t);
}

PE_TEST(a_forked_child_may_listen_by_itself)
{
    pe_loop *loop = async_loop();
    pe_signal *signals[1];
    int ended, value;

    MUST(pe_signal_new(loop, SIGUSR1, signals), 0);
    pid_t child = fork();
    if (child == 0) {
        pe_signal *own;

        if (pe_run(raise_and_wait, &own, &value) == 0 && value == 1)
            raise(SIGKILL);
        abort();
    }
    MUST(waitpid(child, &ended, 0), child);
    ck_assert(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL);
    pe_signal_free(signals[0]);
    pe_loop_free(loop);
}

/* Each allocation fails once, for an object and for a wait. */
PE_TEST_LOOP(without_memory_nothing_is_left_set, 0, 2)
{
    struct sigaction before = action_of(SIGUSR1);
    int refused = 0;

    for (uint64_t n = 1;; n++) {
        struct waiter waiter = { .number = SIGUSR1 };
        pe_loop *loop = async_loop();
        pe_signal *signal = NULL;
        pe_task *task = start(loop, &waiter);

        async_use_memory_up(loop);
        harness_fail_nth(HARNESS_MALLOC, n, ENOMEM);
        if (_i == 0)
            waiter.result = pe_signal_new(loop, SIGUSR1, &signal);
        else
            async_settle(loop);
        int done = harness_fail_count(HARNESS_MALLOC) < n;
        harness_fail_reset();
        refused += waiter.result == PE_ENOMEM;
        ck_assert(waiter.result == PE_ENOMEM ||
                  (!is_same(action_of(SIGUSR1), before) && waiter.result == (_i == 0 ? 0 : PE_WAIT)));
        pe_signal_free(signal);
        pe_task_free(task);
        pe_loop_free(loop);
        ck_assert(is_same(action_of(SIGUSR1), before));
        if (done)
            break;
    }
    ck_assert_int_gt(refused, 0);
}

HARNESS_MAIN("signal")
