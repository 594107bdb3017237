/*
 * Tasks that wait for jobs while much happens: a thousand in flight that crash and are cancelled, other threads that
 * take jobs over, several loops on one pool, pools that are broken, killed, closed and freed, loops that are closed,
 * forks.
 */
#include "harness/harness.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include <parexec.h>

#include "harness/async.h"
#include "harness/pool.h"
#include "harness/process.h"

/* ---- a thousand in flight ---- */

enum what { RETURNS, RETURNS_FIVE, CRASHES, EXITS, STAYS, WHATS };

static int job_what(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    enum what what = *(const enum what *)arg;

    (void)arg_bytes;
    switch (what) {
    case RETURNS: return pe_reply_write(reply, arg, sizeof what);
    case RETURNS_FIVE: return 5;
    case CRASHES: raise(SIGSEGV); break;
    case EXITS: _exit(3);
    default:
        for (;;)
            pause();
    }
    return 0;
}

struct traveller {
    pe_pool *pool;
    uint32_t random;
    int left;
    int ended[WHATS];
    enum what what;
    pe_job *job;
    pe_status status;
    pe_limit limit;
};

/* Few of them die, so that the storm is over soon. */
static enum what draw(struct traveller *traveller)
{
    traveller->random = traveller->random * 1664525 + 1013904223;
    uint32_t number = (traveller->random >> 8) % 1000;

    return number < 2 ? CRASHES : number < 4 ? EXITS : number < 8 ? STAYS : number < 300 ? RETURNS_FIVE : RETURNS;
}

static void check_ending(pe_task *t, struct traveller *traveller)
{
    const pe_status *status = &traveller->status;
    int is_to_blame = pe_limit_leave(t, &traveller->limit);

    traveller->ended[traveller->what]++;
    if (t->result == PE_ETIMEDOUT) {
        ck_assert_uint_eq(status->kind, PE_CANCELLED);
        MUST(is_to_blame, 1);
        return;
    }
    MUST(t->result, 0);
    switch (traveller->what) {
    case RETURNS: ck_assert(status->kind == PE_RETURNED && status->code == 0); break;
    case RETURNS_FIVE: ck_assert(status->kind == PE_RETURNED && status->code == 5); break;
    case CRASHES: ck_assert(status->kind == PE_CRASHED && status->code == SIGSEGV); break;
    case EXITS: ck_assert(status->kind == PE_EXITED && status->code == 3); break;
    default: ck_abort_msg("it stays until it is cancelled");
    }
}

static int travel(pe_task *t, void *frame)
{
    struct traveller *traveller = frame;

    PE_BEGIN(t);
    while (traveller->left-- > 0) {
        traveller->what = draw(traveller);
        PE_AWAIT(t, pe_await_submit(t, traveller->pool, job_what, &traveller->what, sizeof traveller->what, NULL,
                                    &traveller->job));
        MUST(t->result, 0);
        MUST(pe_limit_enter(t, &traveller->limit, traveller->what == STAYS ? pe_after(PE_MS(20)) : PE_FOREVER), 0);
        PE_AWAIT(t, pe_await_job(t, traveller->job, &traveller->status));
        check_ending(t, traveller);
        pe_job_free(traveller->job);
    }
    PE_END(t);
}

struct beat {
    int count;
    int64_t last_ns, longest_ns;
};

static void on_beat(uv_timer_t *timer)
{
    struct beat *beat = timer->data;
    int64_t now_ns = pe_now();

    if (beat->count++ > 0 && now_ns - beat->last_ns > beat->longest_ns)
        beat->longest_ns = now_ns - beat->last_ns;
    beat->last_ns = now_ns;
}

PE_TEST(a_thousand_in_flight_with_crashes_and_cancels)
{
    enum { TASKS = 1000 };
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .grace_ns = PE_NOW, .max_deaths = UINT32_MAX });
    struct traveller *travellers = calloc(TASKS, sizeof *travellers);
    pe_loop *loop = async_loop();
    struct beat beat = { .count = 0 };
    uv_timer_t timer;
    int ended[WHATS] = { 0 }, sum = 0, each = harness_long() ? 100 : 5;

    uv_timer_init(pe_loop_uv(loop), &timer);
    timer.data = &beat;
    uv_timer_start(&timer, on_beat, 2, 2);
    for (int i = 0; i < TASKS; i++) {
        travellers[i] = (struct traveller){ .pool = pool, .random = (uint32_t)i * 7919 + 1, .left = each };
        MUST(pe_spawn(loop, travel, &travellers[i], 0, NULL), 0);
    }
    MUST(pe_loop_run(loop), 0);
    for (int i = 0; i < TASKS; i++)
        for (int what = 0; what < WHATS; what++)
            ended[what] += travellers[i].ended[what];
    for (int what = 0; what < WHATS; what++) {
        ck_assert_int_gt(ended[what], 0);
        sum += ended[what];
    }
    MUST(sum, TASKS * each);
    ck_assert_int_gt(beat.count, 5);
    ck_assert_int_lt(beat.longest_ns, (int64_t)((double)PE_MS(500) * harness_slowness()));
    uv_close((uv_handle_t *)&timer, NULL);
    free(travellers);
    pe_loop_free(loop);
    ck_assert_uint_eq(pool_stats(pool).running, 0);
    pool_end(pool);
}

/* ---- other threads ---- */

static int await_many(pe_task *t, void *frame)
{
    struct traveller *traveller = frame;

    PE_BEGIN(t);
    while (traveller->left-- > 0) {
        PE_AWAIT(t, pe_await_submit(t, traveller->pool, job_nothing, NULL, 0, NULL, &traveller->job));
        MUST(t->result, 0);
        PE_AWAIT(t, pe_await_job(t, traveller->job, &traveller->status));
        MUST(t->result, 0);
        ck_assert_uint_eq(traveller->status.kind, PE_RETURNED);
        pe_job_free(traveller->job);
    }
    PE_END(t);
}

static void run_many(pe_pool *pool, int tasks, int each)
{
    pe_loop *loop = async_loop();
    struct traveller traveller = { .pool = pool, .left = each };

    for (int i = 0; i < tasks; i++)
        MUST(pe_spawn(loop, await_many, &traveller, sizeof traveller, NULL), 0);
    MUST(pe_loop_run(loop), 0);
    pe_loop_free(loop);
}

static void *run_loop(void *pool)
{
    run_many(pool, 50, 40);
    return NULL;
}

PE_TEST(loops_in_several_threads_share_a_pool)
{
    pe_pool *pool = pool_of(2);
    pthread_t threads[3];

    for (int i = 0; i < 3; i++)
        MUST(pthread_create(&threads[i], NULL, run_loop, pool), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    pool_end(pool);
}

struct taker {
    pe_pool *pool;
    _Atomic int stop;
};

/* Waits in the pool and polls it: takes over whatever ends. */
static void *take_over(void *context)
{
    struct taker *taker = context;

    while (!atomic_load(&taker->stop)) {
        (void)pe_pool_wait(taker->pool, pe_after(PE_MS(1)));
        (void)pe_pool_poll(taker->pool);
    }
    return NULL;
}

PE_TEST(jobs_that_other_threads_take_over_end_their_waits)
{
    struct taker taker = { .pool = pool_of(2) };
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        MUST(pthread_create(&threads[i], NULL, take_over, &taker), 0);
    run_many(taker.pool, 1, 2000);
    run_many(taker.pool, 30, 200);
    atomic_store(&taker.stop, 1);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    pool_end(taker.pool);
}

/* ---- pools that end ---- */

struct one {
    pe_job *job;
    pe_status status;
    int result;
};

static int await_one(pe_task *t, void *frame)
{
    struct one *one = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_await_job(t, one->job, &one->status));
    one->result = t->result;
    PE_END(t);
}

struct waiting {
    pe_pool *pool;
    pe_loop *loop;
    pid_t worker;
    struct one ones[10];
};

/* The first runs, the others wait in the queue. */
static struct waiting *begin_waiting(void)
{
    struct waiting *w = calloc(1, sizeof *w);

    w->pool = pool_with((pe_pool_options){ .workers = 1, .grace_ns = PE_NOW });
    w->loop = async_loop();
    _Atomic int32_t *pid = pool_shared(w->pool, sizeof *pid);
    for (int i = 0; i < 10; i++) {
        w->ones[i].result = 1;
        w->ones[i].job = pool_submit(w->pool, job_for_ever, &pid, sizeof pid);
        MUST(pe_spawn(w->loop, await_one, &w->ones[i], 0, NULL), 0);
    }
    async_settle(w->loop);
    w->worker = job_await_pid(pid);
    return w;
}

static void end_waiting(struct waiting *w, int result, uint32_t kind)
{
    for (int i = 0; i < 10; i++) {
        MUST(w->ones[i].result, result);
        ck_assert_uint_eq(w->ones[i].status.kind, kind);
        pe_job_free(w->ones[i].job);
    }
    pe_loop_free(w->loop);
    free(w);
}

enum ending { BREAKS, IS_KILLED, IS_FREED, ENDINGS };

static void *end_pool(void *context)
{
    void **what = context;
    pe_pool *pool = what[0];

    if ((intptr_t)what[1] == IS_KILLED)
        pe_pool_kill(pool, PE_NOW);
    else
        pe_pool_free(pool);
    return NULL;
}

/* By another thread while the loop sleeps. */
PE_TEST_LOOP(waits_end_with_their_pool, 0, ENDINGS)
{
    struct waiting *w = begin_waiting();
    void *context[2] = { w->pool, (void *)(intptr_t)_i };
    pthread_t thread;

    if (_i == BREAKS)
        kill(process_parent(w->worker), SIGKILL);
    else
        MUST(pthread_create(&thread, NULL, end_pool, context), 0);
    MUST(pe_loop_run(w->loop), 0);
    if (_i != BREAKS)
        pthread_join(thread, NULL);
    pe_pool *pool = w->pool;
    end_waiting(w, 0, _i == BREAKS ? PE_LOST : PE_CANCELLED);
    if (_i != IS_FREED)
        pe_pool_free(pool);
}

/* ---- loops that end ---- */

PE_TEST(a_loop_that_is_closed_cancels_the_jobs)
{
    struct waiting *w = begin_waiting();
    pe_pool *pool = w->pool;
    uint64_t cancelled;

    MUST(pe_loop_close(w->loop, &cancelled), 0);
    ck_assert_uint_eq(cancelled, 10);
    end_waiting(w, PE_ECANCELED, PE_CANCELLED);
    pool_end(pool);
}

PE_TEST(without_grace_too)
{
    struct waiting *w = begin_waiting();
    pe_pool *pool = w->pool;

    MUST(pe_loop_set_grace(w->loop, PE_NOW), 0);
    MUST(pe_loop_close(w->loop, NULL), 0);
    end_waiting(w, PE_ECANCELED, PE_CANCELLED);
    pool_end(pool);
}

PE_TEST(an_attached_loop_leaves_its_host_clean)
{
    uv_loop_t host;
    pe_loop *loop;
    pe_pool *pool = pool_of(1);
    struct traveller traveller = { .pool = pool, .left = 100 };

    MUST(uv_loop_init(&host), 0);
    MUST(pe_loop_new(&host, &loop), 0);
    MUST(pe_spawn(loop, await_many, &traveller, sizeof traveller, NULL), 0);
    MUST(uv_run(&host, UV_RUN_DEFAULT), 0);
    pe_loop_free(loop);
    MUST(uv_run(&host, UV_RUN_DEFAULT), 0);
    MUST(uv_loop_close(&host), 0);
    pool_end(pool);
}

/* The pool may go first, with the loop still there, which then keeps nothing of it. */
PE_TEST(a_loop_outlives_its_pools)
{
    pe_loop *loop = async_loop();
    char text[4096];
    int open = process_descriptors(text, sizeof text);

    for (int i = 0; i < 5; i++) {
        pe_pool *pool = pool_of(1);
        struct traveller traveller = { .pool = pool, .left = 10 };

        MUST(pe_spawn(loop, await_many, &traveller, sizeof traveller, NULL), 0);
        MUST(pe_loop_run(loop), 0);
        pool_end(pool);
        async_settle(loop);
        ck_assert_int_eq(process_descriptors(text, sizeof text), open);
    }
    pe_loop_free(loop);
}

/* ---- forks ---- */

PE_TEST(a_child_leaves_its_parents_waits_alone)
{
    struct waiting *w = begin_waiting();
    pe_pool *pool = w->pool;
    int ended;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        pe_status status;
        int refused = pe_loop_run(w->loop) == PE_EFORKED && pe_job_status(w->ones[0].job, &status) == PE_EFORKED;

        pe_pool_free(pool);
        pe_loop_free(w->loop);
        _exit(refused ? 0 : 1);
    }
    MUST(waitpid(child, &ended, 0), child);
    ck_assert(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
    MUST(pe_pool_kill(pool, PE_NOW), 0);
    MUST(pe_loop_run(w->loop), 0);
    end_waiting(w, 0, PE_CANCELLED);
    pe_pool_free(pool);
}

HARNESS_MAIN("await-storm")
