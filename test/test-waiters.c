/*
 * Threads that wait on one pool, the functions it calls back, interrupts, and stopping.
 */

#include "harness/harness.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <parexec/error.h>

#include "harness/pool.h"
#include "harness/process.h"
#include "pool/pool.h"

/* A job that ends when *ret_flag is set. */
static pe_job *submit_gate(pe_pool *pool, _Atomic int **ret_flag)
{
    void *memory;
    pe_job *job;

    ck_assert_int_eq(pe_pool_alloc(pool, sizeof **ret_flag, &memory), 0);
    *ret_flag = memory;
    ck_assert_int_eq(pe_pool_submit(pool, job_until_set, ret_flag, sizeof *ret_flag, NULL, &job), 0);
    return job;
}

static uint32_t kind_of(const pe_job *job)
{
    pe_status status;

    ck_assert_int_eq(pe_job_status(job, &status), 0);
    return status.kind;
}

static void await_running(pe_pool *pool)
{
    pe_stats stats = PE_STATS_INIT;

    do {
        sched_yield();
        ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
    } while (stats.queued > 0);
}

/* ---- threads ---- */

static void *use_pool(void *pool)
{
    for (uint64_t i = 0; i < 500; i++) {
        uint64_t number = i + (uint64_t)(uintptr_t)&i;
        const void *data;
        size_t bytes;
        pe_job *job;

        if (pe_pool_submit(pool, job_echo, &number, sizeof number, NULL, &job) != 0
            || pe_job_wait(job, PE_FOREVER) != 0 || pe_job_result(job, &data, &bytes) != 0
            || memcmp(data, &number, sizeof number) != 0)
            return pool;
        pe_job_free(job);
    }
    return NULL;
}

PE_TEST(threads_eight_use_one_pool)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .queue_jobs = 16 });
    pthread_t threads[8];
    void *failed;

    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, use_pool, pool), 0);
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    pe_pool_free(pool);
}
END_TEST

static void *wait_for_job(void *job)
{
    return (void *)(intptr_t)pe_job_wait(job, PE_FOREVER);
}

PE_TEST(threads_each_wait_ends_with_its_own_job)
{
    pe_pool *pool = pool_of(4);
    _Atomic int *flags[4];
    pthread_t threads[4];
    pe_job *jobs[4];
    void *result;

    for (int i = 0; i < 4; i++) {
        jobs[i] = submit_gate(pool, &flags[i]);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, wait_for_job, jobs[i]), 0);
    }
    for (int i = 3; i >= 0; i--) { /* whoever reads the descriptor must wake the others */
        atomic_store(flags[i], 1);
        pthread_join(threads[i], &result);
        ck_assert_int_eq((intptr_t)result, 0);
        ck_assert_uint_eq(kind_of(jobs[i]), PE_RETURNED);
        for (int other = 0; other < i; other++)
            ck_assert_uint_eq(kind_of(jobs[other]), PE_PENDING);
        pe_job_free(jobs[i]);
    }
    pe_pool_free(pool);
}
END_TEST

/* Of the oldest job, which ends last. */
struct oldest {
    _Atomic int may_end;
    _Atomic int64_t ended_ns;
};

static int end_last(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct oldest *oldest = *(struct oldest *const *)arg;
    int64_t until;

    (void)arg_bytes;
    (void)reply;
    while (atomic_load(&oldest->may_end) == 0)
        sched_yield();
    until = pe_after(PE_MS(20)); /* time for the host to fall asleep */
    while (pe_now() < until)
        sched_yield();
    atomic_store(&oldest->ended_ns, pe_now());
    return 0;
}

/*
 * When the wait begins, the newest job, whose end the host announces that it waits for, has ended already, but has not
 * been taken over. The end of the oldest must wake the host all the same.
 */
PE_TEST(threads_the_newest_job_ends_before_it_is_waited_for)
{
    pe_pool *pool = pool_of(2);
    struct oldest *oldest = pool_shared(pool, sizeof *oldest);
    const struct pe__record *record;
    pe_job *newest;

    ck_assert_int_eq(pe_pool_submit(pool, end_last, &oldest, sizeof oldest, NULL, NULL), 0);
    for (int i = 0; i < 50; i++) /* more than the host takes over by spinning before it sleeps */
        ck_assert_int_eq(pe_pool_submit(pool, job_nothing, NULL, 0, NULL, NULL), 0);
    newest = pool_submit(pool, job_nothing, NULL, 0);
    record = &pool->shared.records[newest->record];
    /* Without a call that would take over what has ended; and its worker has told whom it had to. */
    while (!pe__record_is_final(atomic_load(&record->word)) || atomic_load(&pool->shared.groups[0].sleepers) == 0)
        sched_yield();
    pe__bell_drain(pool->bell); /* of rings from the pool's beginning */
    atomic_store(&oldest->may_end, 1);
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    /* A host that nobody rings looks by itself after a second. */
    ck_assert_int_lt(pe_now() - atomic_load(&oldest->ended_ns), PE_MS(500));
    pe_job_free(newest);
    pool_end(pool);
}
END_TEST

static _Atomic int interrupted_waits;

static void *count_interrupts(void *job)
{
    while (pe_job_wait(job, PE_FOREVER) == PE_EINTR)
        atomic_fetch_add(&interrupted_waits, 1);
    return NULL;
}

PE_TEST(f01_interrupt_ends_one_wait_of_several)
{
    pe_pool *pool = pool_of(1);
    _Atomic int *flag;
    pe_job *job = submit_gate(pool, &flag);
    pthread_t threads[3];

    atomic_store(&interrupted_waits, 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count_interrupts, job), 0);
    for (int i = 1; i <= 5; i++) {
        pe_pool_interrupt(pool);
        while (atomic_load(&interrupted_waits) < i)
            sched_yield();
    }
    atomic_store(flag, 1);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(atomic_load(&interrupted_waits), 5);
    pe_job_free(job);
    pe_pool_free(pool);
}
END_TEST

static pe_pool *interrupted_pool;

static void interrupt_pool(int number)
{
    (void)number;
    pe_pool_interrupt(interrupted_pool);
}

static int signal_parent_and_wait(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct {
        pid_t host;
        _Atomic int *flag;
    } wish;

    (void)arg_bytes;
    (void)reply;
    memcpy(&wish, arg, sizeof wish);
    kill(wish.host, SIGUSR1);
    while (!atomic_load(wish.flag))
        sched_yield();
    return 7;
}

PE_TEST(f01_interrupt_from_a_handler_ends_one_wait)
{
    struct sigaction action = { .sa_handler = interrupt_pool, .sa_flags = SA_RESTART }, before;
    struct {
        pid_t host;
        _Atomic int *flag;
    } wish = { getpid(), NULL };
    pe_pool *pool = pool_of(1);
    void *memory;
    pe_job *job;

    interrupted_pool = pool;
    sigaction(SIGUSR1, &action, &before);
    ck_assert_int_eq(pe_pool_alloc(pool, sizeof *wish.flag, &memory), 0);
    wish.flag = memory;
    ck_assert_int_eq(pe_pool_submit(pool, signal_parent_and_wait, &wish, sizeof wish, NULL, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), PE_EINTR);
    ck_assert_int_eq(pe_job_wait(job, pe_after(PE_MS(30))), PE_ETIMEDOUT); /* once */
    ck_assert_uint_eq(kind_of(job), PE_PENDING);                           /* the job is not touched */
    pe_pool_interrupt(pool);                                               /* the next wait */
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), PE_EINTR);
    pe_pool_interrupt(pool);
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), PE_EINTR);
    atomic_store(wish.flag, 1);
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    ck_assert_uint_eq(kind_of(job), PE_RETURNED);
    sigaction(SIGUSR1, &before, NULL);
    pe_job_free(job);
    pe_pool_free(pool);
}
END_TEST

/* ---- callbacks ---- */

struct calls {
    pe_pool *pool;
    pe_job *pending;
    pthread_t thread;
    int count, depth, deepest, elsewhere;
    int answers[8];
};

static int triple(const void *in, void *out, const void *context)
{
    (void)context;
    *(int *)out = 3 * *(const int *)in;
    return 0;
}

static void *ask_for_stats(void *pool)
{
    pe_stats stats = PE_STATS_INIT;

    return (void *)(intptr_t)pe_pool_stats(pool, &stats);
}

static void enter_callback(struct calls *calls)
{
    calls->count++;
    calls->elsewhere += !pthread_equal(calls->thread, pthread_self());
    if (++calls->depth > calls->deepest)
        calls->deepest = calls->depth;
}

static void count_call(pe_job *job, void *context)
{
    struct calls *calls = context;

    (void)job;
    enter_callback(calls);
    calls->depth--;
}

static void wait_inside(pe_job *job, void *context)
{
    struct calls *calls = context;
    int in = 1, out = 0;

    enter_callback(calls);
    calls->answers[0] = pe_job_wait(calls->pending, PE_FOREVER);
    calls->answers[1] = pe_pool_wait(calls->pool, PE_FOREVER);
    calls->answers[2] = pe_pool_join(calls->pool, PE_FOREVER);
    calls->answers[3] = pe_pool_poll(calls->pool);
    calls->answers[4] = pe_pool_map(calls->pool, triple, &in, sizeof in, &out, sizeof out, 1, NULL);
    calls->answers[5] = pe_pool_kill(calls->pool, PE_NOW);
    calls->answers[6] = pe_job_wait_any(&calls->pending, 1, PE_FOREVER, NULL);
    calls->answers[7] = pe_job_wait(job, PE_FOREVER);                /* has ended: no wait */
    ck_assert_int_eq(pe_job_on_done(job, count_call, calls), 0);     /* runs later, not in here */
    calls->depth--;
}

PE_TEST(callbacks_that_wait_get_edeadlk)
{
    struct calls calls = { .pool = pool_of(2), .thread = pthread_self() };
    _Atomic int *flag;
    pe_job *job;

    calls.pending = submit_gate(calls.pool, &flag);
    ck_assert_int_eq(pe_pool_submit(calls.pool, job_echo, "x", 1, NULL, &job), 0);
    ck_assert_int_eq(pe_job_on_done(job, wait_inside, &calls), 0);
    while (calls.count < 2)
        pe_job_wait(calls.pending, pe_after(PE_MS(1)));
    for (int i = 0; i < 7; i++)
        ck_assert_msg(calls.answers[i] == PE_EDEADLK, "call %d gave %d", i, calls.answers[i]);
    ck_assert_int_eq(calls.answers[7], 0);
    ck_assert_int_eq(calls.deepest, 1);
    atomic_store(flag, 1);
    ck_assert_int_eq(pe_pool_wait(calls.pool, PE_FOREVER), 0);
    ck_assert_int_eq(calls.count, 2);
    ck_assert_int_eq(calls.elsewhere, 0);
    pe_job_free(job);
    pe_job_free(calls.pending);
    pe_pool_free(calls.pool);
}
END_TEST

static void fill_queue(pe_job *job, void *context)
{
    struct calls *calls = context;

    (void)job;
    enter_callback(calls);
    do
        calls->answers[0]++;
    while ((calls->answers[1] = pe_pool_submit(calls->pool, job_echo, "y", 1, NULL, NULL)) == 0);
    calls->depth--;
}

PE_TEST(callbacks_that_submit_never_wait)
{
    struct calls calls = { .pool = pool_with((pe_pool_options){ .workers = 2, .queue_jobs = 4 }),
                           .thread = pthread_self() };
    _Atomic int *flags[2];
    pe_job *job, *gates[2];

    gates[0] = submit_gate(calls.pool, &flags[0]);
    ck_assert_int_eq(pe_pool_submit(calls.pool, job_echo, "x", 1, NULL, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    gates[1] = submit_gate(calls.pool, &flags[1]); /* both workers are taken */
    await_running(calls.pool);
    ck_assert_int_eq(pe_job_on_done(job, fill_queue, &calls), 0);
    ck_assert_int_eq(calls.count, 0); /* never inside pe_job_on_done itself */
    while (pe_pool_poll(calls.pool) > 0)
        ;
    ck_assert_int_eq(calls.count, 1);
    ck_assert_int_eq(calls.answers[1], PE_EAGAIN);
    ck_assert_int_eq(calls.answers[0], 5);
    for (int i = 0; i < 2; i++)
        atomic_store(flags[i], 1);
    ck_assert_int_eq(pe_pool_wait(calls.pool, PE_FOREVER), 0);
    for (int i = 0; i < 2; i++)
        pe_job_free(gates[i]);
    pe_job_free(job);
    pe_pool_free(calls.pool);
}
END_TEST

static void let_another_thread_in(pe_job *job, void *context)
{
    struct calls *calls = context;
    pthread_t thread;
    void *result = NULL;

    (void)job;
    enter_callback(calls);
    calls->answers[0] = pthread_create(&thread, NULL, ask_for_stats, calls->pool);
    pthread_join(thread, &result);
    calls->answers[1] = (int)(intptr_t)result;
    calls->depth--;
}

PE_TEST(callbacks_hold_no_lock)
{
    struct calls calls = { .pool = pool_of(1), .thread = pthread_self(), .answers = { 1, 1 } };
    pe_job *job;

    ck_assert_int_eq(pe_pool_submit(calls.pool, job_echo, "x", 1, NULL, &job), 0);
    ck_assert_int_eq(pe_job_on_done(job, let_another_thread_in, &calls), 0);
    ck_assert_int_eq(pe_pool_wait(calls.pool, PE_FOREVER), 0);
    ck_assert_int_eq(calls.count, 1);
    ck_assert_int_eq(calls.answers[0], 0);
    ck_assert_int_eq(calls.answers[1], 0);
    pe_job_free(job);
    pe_pool_free(calls.pool);
}
END_TEST

/* Each registration is called once, whichever call ends the job. */
PE_TEST_LOOP(callbacks_run_once_in_every_call_that_may_run_them, 0, 6)
{
    struct calls calls = { .pool = pool_of(1), .thread = pthread_self() };
    int in = 2, out = 0;
    pe_job *job;

    ck_assert_int_eq(pe_pool_submit(calls.pool, job_echo, "x", 1, NULL, &job), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pe_job_on_done(job, count_call, &calls), 0);
    switch (_i) {
    case 0: ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0); break;
    case 1: ck_assert_int_eq(pe_pool_wait(calls.pool, PE_FOREVER), 0); break;
    case 2: ck_assert_int_eq(pe_pool_join(calls.pool, PE_FOREVER), 0); break;
    case 3: ck_assert_int_eq(pe_pool_kill(calls.pool, PE_NOW), 0); break;
    case 4:
        ck_assert_int_eq(pe_pool_map(calls.pool, triple, &in, sizeof in, &out, sizeof out, 1, NULL), 0);
        /* fall through: a map need not look for the ends of others */
    case 5:
        while (calls.count < 3)
            ck_assert_int_ge(pe_pool_poll(calls.pool), 0);
        break;
    }
    ck_assert_int_eq(calls.count, 3);
    pe_pool_free(calls.pool);
    ck_assert_int_eq(calls.count, 3);
    ck_assert_int_eq(calls.deepest, 1);
    ck_assert_int_eq(calls.elsewhere, 0);
    pe_job_free(job);
}
END_TEST

static _Atomic int inside, together_seen, callbacks_run;

static void meet(pe_job *job, void *context)
{
    (void)context;
    if (atomic_fetch_add(&inside, 1) > 0)
        atomic_store(&together_seen, 1);
    for (int i = 0; i < 20; i++)
        sched_yield();
    atomic_fetch_sub(&inside, 1);
    atomic_fetch_add(&callbacks_run, 1);
    pe_job_free(job);
}

static void *poll_until_all_ran(void *pool)
{
    while (atomic_load(&callbacks_run) < 300) {
        pe_pool_poll(pool);
        sched_yield();
    }
    return NULL;
}

PE_TEST(callbacks_run_one_at_a_time_whoever_polls)
{
    pe_pool *pool = pool_of(2);
    pthread_t threads[3];

    atomic_store(&callbacks_run, 0);
    for (int i = 0; i < 300; i++) {
        pe_job *job;

        ck_assert_int_eq(pe_pool_submit(pool, job_echo, &i, sizeof i, NULL, &job), 0);
        ck_assert_int_eq(pe_job_on_done(job, meet, NULL), 0);
    }
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, poll_until_all_ran, pool), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    pe_pool_free(pool);
    ck_assert_int_eq(atomic_load(&callbacks_run), 300);
    ck_assert_int_eq(atomic_load(&together_seen), 0);
}
END_TEST

/* ---- stopping ---- */

static int mark(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg_bytes;
    (void)reply;
    atomic_fetch_add(*(_Atomic int *const *)arg, 1);
    return 0;
}

PE_TEST(p43_cancelled_queued_job_never_starts)
{
    pe_pool *pool = pool_of(1);
    _Atomic int *flag, *marks;
    pe_job *gate = submit_gate(pool, &flag), *queued;
    pe_status status;
    void *memory;

    ck_assert_int_eq(pe_pool_alloc(pool, sizeof *marks, &memory), 0);
    marks = memory;
    await_running(pool);
    ck_assert_int_eq(pe_pool_submit(pool, mark, &marks, sizeof marks, NULL, &queued), 0);
    ck_assert_int_eq(pe_job_cancel(queued), 0);
    ck_assert_int_eq(pe_job_wait(queued, PE_FOREVER), 0); /* the only worker is still busy */
    ck_assert_int_eq(pe_job_cancel(queued), PE_EALREADY);
    ck_assert_int_eq(pe_job_status(queued, &status), 0);
    ck_assert_uint_eq(status.kind, PE_CANCELLED);
    ck_assert_int_eq(status.worker, -1);
    ck_assert_uint_eq(kind_of(gate), PE_PENDING);
    atomic_store(flag, 1);
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    ck_assert_int_eq(atomic_load(marks), 0);
    pe_job_free(queued);
    pe_job_free(gate);
    pe_pool_free(pool);
}
END_TEST

PE_TEST(p45_close_finish_join_with_deadline)
{
    pe_pool *pool = pool_of(1);
    _Atomic int *flag;
    pe_job *gate = submit_gate(pool, &flag), *later;
    int64_t start_ns;

    ck_assert_int_eq(pe_pool_submit(pool, job_echo, "x", 1, NULL, &later), 0);
    ck_assert_int_eq(pe_pool_close(pool), 0);
    ck_assert_int_eq(pe_pool_submit(pool, job_echo, "x", 1, NULL, NULL), PE_ECLOSED);
    ck_assert_int_eq(pe_pool_join(pool, 0), PE_ETIMEDOUT);
    start_ns = pe_now();
    ck_assert_int_eq(pe_pool_join(pool, pe_after(PE_MS(50))), PE_ETIMEDOUT);
    ck_assert_int_ge(pe_now() - start_ns, PE_MS(50));
    atomic_store(flag, 1);
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    ck_assert_uint_eq(kind_of(gate), PE_RETURNED);
    ck_assert_uint_eq(kind_of(later), PE_RETURNED);
    pe_job_free(gate);
    pe_job_free(later);
    pe_pool_free(pool);
}
END_TEST

static int ignore_everything(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    sigset_t all;

    (void)arg_bytes;
    (void)reply;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    atomic_store(*(_Atomic int *const *)arg, getpid());
    while (sigsuspend(&all) < 0)
        ;
    return 0;
}

/* kill: 0; free without join: 1. */
PE_TEST_LOOP(p46_stop_is_bounded_when_sigterm_is_ignored, 0, 2)
{
    pe_pool *pool = pool_of(1);
    _Atomic int *pid;
    void *memory;
    pe_job *job;
    int worker;

    ck_assert_int_eq(pe_pool_alloc(pool, sizeof *pid, &memory), 0);
    pid = memory;
    ck_assert_int_eq(pe_pool_submit(pool, ignore_everything, &pid, sizeof pid, NULL, &job), 0);
    while (atomic_load(pid) == 0)
        sched_yield();
    worker = process_open(atomic_load(pid));
    if (_i == 0)
        ck_assert_int_eq(pe_pool_kill(pool, PE_MS(20)), 0);
    else
        pe_pool_free(pool);
    process_await_end(worker);
    if (_i == 0) {
        ck_assert_uint_eq(kind_of(job), PE_CANCELLED);
        ck_assert_int_eq(pe_pool_submit(pool, job_echo, "x", 1, NULL, NULL), PE_ECLOSED);
        ck_assert_int_eq(pe_pool_kill(pool, 0), 0);
        ck_assert_int_eq(pe_pool_join(pool, 0), 0);
        pe_pool_free(pool);
    }
    ck_assert_uint_eq(kind_of(job), PE_CANCELLED); /* handles outlive the pool */
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    pe_job_free(job);
}
END_TEST

HARNESS_MAIN("waiters")
