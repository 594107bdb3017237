/*
 * Functions that block, off the loop: on threads of the loop's own, which libuv's files and names do not wait for, and
 * in processes, which a time limit stops.
 */
#include "harness/harness.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <uv.h>

#include <parexec.h>

#include "harness/async.h"
#include "harness/pool.h"
#include "harness/process.h"

/* A call and how the wait for it ended. */
struct call {
    pe_offload_fn *fn;
    void *arg;
    pe_offload_options options;
    pe_limit limit;
    int64_t within_ns;
    int result;
};

static int offload(pe_task *t, void *frame)
{
    struct call *call = frame;

    PE_BEGIN(t);
    if (call->within_ns != 0)
        MUST(pe_limit_enter(t, &call->limit, pe_after(call->within_ns)), 0);
    PE_AWAIT(t, pe_offload(t, call->fn, call->arg, call->options.size != 0 ? &call->options : NULL));
    call->result = t->result;
    PE_END(t);
}

static struct call call_of(pe_offload_fn *fn, void *arg)
{
    return (struct call){ .fn = fn, .arg = arg, .result = 12345 };
}

static struct call isolated(pe_offload_fn *fn, void *arg, size_t arg_bytes)
{
    struct call call = call_of(fn, arg);

    call.options = (pe_offload_options)PE_OFFLOAD_OPTIONS_INIT;
    call.options.flags = PE_ISOLATED;
    call.options.arg_bytes = arg_bytes;
    return call;
}

static int run_call(struct call *call)
{
    MUST(pe_run(offload, call, NULL), 0);
    return call->result;
}

/* ---- on threads ---- */

static pthread_t main_thread;

static int add_one(void *arg)
{
    sigset_t blocked;

    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    if (pthread_equal(pthread_self(), main_thread) || !sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGINT))
        return -1;
    return ++*(int *)arg;
}

PE_TEST(a_function_runs_on_a_thread_with_signals_blocked)
{
    int number = 41;
    struct call call = call_of(add_one, &number);

    main_thread = pthread_self();
    MUST(run_call(&call), 42);
    MUST(number, 42);
}

static int return_error(void *arg)
{
    (void)arg;
    return PE_ENODATA;
}

static int return_wait(void *arg)
{
    (void)arg;
    return PE_WAIT;
}

PE_TEST(what_it_returns_is_the_result)
{
    struct call error = call_of(return_error, NULL), wait = call_of(return_wait, NULL), none = call_of(NULL, NULL);

    MUST(run_call(&error), PE_ENODATA);
    MUST(run_call(&wait), PE_EINVAL);
    MUST(run_call(&none), PE_EINVAL);
}

PE_TEST(wrong_options)
{
    int number = 0;
    struct call calls[] = { isolated(add_one, NULL, 4), isolated(add_one, &number, 4), isolated(add_one, &number, 4),
                            isolated(add_one, &number, 4), isolated(add_one, &number, 4) };

    calls[1].options.flags = 2;
    calls[2].options.flags = 0;
    calls[3].options.timeout_ns = -1;
    calls[4].options.size = 3;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        MUST(run_call(&calls[i]), PE_EINVAL);
    MUST(number, 0);
}

/* Calls that stay until the gate is opened. */
struct gate {
    sem_t open;
    _Atomic int inside, most, order;
    int begun[64];
};

struct visitor {
    struct gate *gate;
    int number;
};

static int visit(void *arg)
{
    struct visitor *visitor = arg;
    struct gate *gate = visitor->gate;
    int inside = atomic_fetch_add(&gate->inside, 1) + 1;

    if (inside > atomic_load(&gate->most))
        atomic_store(&gate->most, inside);
    gate->begun[visitor->number] = atomic_fetch_add(&gate->order, 1);
    while (sem_wait(&gate->open) != 0)
        ;
    sem_post(&gate->open);
    atomic_fetch_sub(&gate->inside, 1);
    return visitor->number;
}

static void await_inside(struct gate *gate, int count)
{
    while (atomic_load(&gate->inside) < count)
        sched_yield();
}

PE_TEST(threads_are_bounded_and_calls_begin_in_order)
{
    struct gate gate = { .inside = 0 };
    struct visitor visitors[20];
    struct call calls[20];
    pe_loop *loop = async_loop();

    sem_init(&gate.open, 0, 0);
    MUST(pe_loop_set_threads(loop, 1025), PE_EINVAL);
    MUST(pe_loop_set_threads(loop, 3), 0);
    for (int i = 0; i < 20; i++) {
        visitors[i] = (struct visitor){ &gate, i };
        calls[i] = call_of(visit, &visitors[i]);
        MUST(pe_spawn(loop, offload, &calls[i], 0, NULL), 0);
    }
    async_settle(loop);
    await_inside(&gate, 3);
    sem_post(&gate.open);
    MUST(pe_loop_run(loop), 0);
    MUST(gate.most <= 3, 1);
    for (int i = 0; i < 20; i++)
        MUST(calls[i].result, i);
    for (int i = 6; i < 20; i++)
        ck_assert_int_gt(gate.begun[i], gate.begun[i - 6]); /* three at a time */
    pe_loop_free(loop);
    sem_destroy(&gate.open);
}

PE_TEST(four_threads_are_there_on_any_machine)
{
    struct gate gate = { .inside = 0 };
    struct visitor visitors[4];
    struct call calls[4];
    pe_loop *loop = async_loop();

    sem_init(&gate.open, 0, 0);
    for (int i = 0; i < 4; i++) {
        visitors[i] = (struct visitor){ &gate, i };
        calls[i] = call_of(visit, &visitors[i]);
        MUST(pe_spawn(loop, offload, &calls[i], 0, NULL), 0);
    }
    async_settle(loop);
    await_inside(&gate, 4);
    sem_post(&gate.open);
    MUST(pe_loop_run(loop), 0);
    pe_loop_free(loop);
    sem_destroy(&gate.open);
}

static int until_cancelled(void *arg)
{
    struct gate *gate = arg;

    atomic_fetch_add(&gate->inside, 1);
    while (!pe_offload_cancelled())
        sched_yield();
    return PE_ECANCELED;
}

/* The one that runs is asked and answers; the one in the queue never begins; the third one's turn comes. */
PE_TEST(cancelled_calls)
{
    struct gate gate = { .inside = 0 };
    struct visitor visitor = { &gate, 7 };
    struct call calls[3] = { call_of(until_cancelled, &gate), call_of(visit, &visitor), call_of(visit, &visitor) };
    pe_task *tasks[3];
    pe_loop *loop = async_loop();

    sem_init(&gate.open, 0, 1);
    MUST(pe_loop_set_threads(loop, 1), 0);
    MUST(pe_offload_cancelled(), 0);
    for (int i = 0; i < 3; i++)
        MUST(pe_spawn(loop, offload, &calls[i], 0, &tasks[i]), 0);
    async_settle(loop);
    await_inside(&gate, 1);
    MUST(pe_task_cancel(tasks[1]), 0);
    MUST(pe_task_cancel(tasks[0]), 0);
    MUST(pe_loop_run(loop), 0);
    MUST(calls[0].result, PE_ECANCELED);
    MUST(calls[1].result, PE_ECANCELED);
    MUST(calls[2].result, 7);
    MUST(gate.order, 1);
    for (int i = 0; i < 3; i++)
        pe_task_free(tasks[i]);
    pe_loop_free(loop);
    sem_destroy(&gate.open);
}

PE_TEST(a_time_limit_asks_a_call_that_runs)
{
    struct gate gate = { .inside = 0 };
    struct call call = call_of(until_cancelled, &gate);

    call.within_ns = PE_MS(10);
    MUST(run_call(&call), PE_ETIMEDOUT);
}

/* The memory is the task's: the loop is closed only once the call has returned. */
PE_TEST(a_loop_that_is_closed_waits_for_its_calls)
{
    struct gate gate = { .inside = 0 };
    struct call call = call_of(until_cancelled, &gate);
    uint64_t cancelled;
    pe_loop *loop = async_loop();

    MUST(pe_spawn(loop, offload, &call, 0, NULL), 0);
    async_settle(loop);
    await_inside(&gate, 1);
    MUST(pe_loop_close(loop, &cancelled), 0);
    ck_assert_uint_eq(cancelled, 1);
    MUST(call.result, PE_ECANCELED);
    pe_loop_free(loop);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int call_often(pe_task *t, void *frame)
{
    int *left = frame;

    PE_BEGIN(t);
    while ((*left)-- > 0) {
        PE_AWAIT(t, pe_offload(t, nothing, NULL, NULL));
        MUST(t->result, 0);
    }
    PE_END(t);
}

PE_TEST(many_calls_of_many_tasks)
{
    pe_loop *loop = async_loop();
    int left = 50;

    for (int i = 0; i < 100; i++)
        MUST(pe_spawn(loop, call_often, &left, sizeof left, NULL), 0);
    MUST(pe_loop_run(loop), 0);
    pe_loop_free(loop);
}

/* ---- libuv's own threads ---- */

static void on_stat(uv_fs_t *request)
{
    *(int *)request->data = (int)request->result;
    uv_fs_req_cleanup(request);
}

PE_TEST(files_do_not_wait_for_offloaded_calls)
{
    enum { CALLS = 40 };
    struct gate gate = { .inside = 0 };
    struct visitor visitors[CALLS];
    struct call calls[CALLS];
    pe_loop *loop = async_loop();
    uv_fs_t request;
    int result = 1;

    sem_init(&gate.open, 0, 0);
    for (int i = 0; i < CALLS; i++) {
        visitors[i] = (struct visitor){ &gate, i };
        calls[i] = call_of(visit, &visitors[i]);
        MUST(pe_spawn(loop, offload, &calls[i], 0, NULL), 0);
    }
    async_settle(loop);
    await_inside(&gate, 4);
    request.data = &result;
    MUST(uv_fs_stat(pe_loop_uv(loop), &request, "/", on_stat), 0);
    while (result == 1)
        uv_run(pe_loop_uv(loop), UV_RUN_ONCE);
    MUST(result, 0);
    ck_assert_int_eq(calls[0].result, 12345);
    sem_post(&gate.open);
    MUST(pe_loop_run(loop), 0);
    pe_loop_free(loop);
    sem_destroy(&gate.open);
}

static void wait_at_gate(uv_work_t *work)
{
    (void)visit(work->data);
}

static void after_gate(uv_work_t *work, int status)
{
    (void)work, (void)status;
}

PE_TEST(offloaded_calls_do_not_wait_for_files)
{
    enum { CALLS = 64 };
    struct gate gate = { .inside = 0 };
    struct visitor visitors[CALLS];
    static uv_work_t works[CALLS];
    struct call call = call_of(nothing, NULL);
    pe_loop *loop = async_loop();

    sem_init(&gate.open, 0, 0);
    for (int i = 0; i < CALLS; i++) {
        visitors[i] = (struct visitor){ &gate, i };
        works[i].data = &visitors[i];
        MUST(uv_queue_work(pe_loop_uv(loop), &works[i], wait_at_gate, after_gate), 0);
    }
    await_inside(&gate, 1);
    MUST(pe_spawn(loop, offload, &call, 0, NULL), 0);
    MUST(pe_loop_run(loop), 0);
    MUST(call.result, 0);
    ck_assert_int_ge(atomic_load(&gate.inside), 1);
    sem_post(&gate.open);
    uv_run(pe_loop_uv(loop), UV_RUN_DEFAULT);
    pe_loop_free(loop);
    sem_destroy(&gate.open);
}

/* ---- in processes ---- */

struct page {
    int number;
    int32_t pid;
    _Atomic int32_t *shown; /* memory that both see */
    char rest[5000];
};

static int fill_page(void *arg)
{
    struct page *page = arg;

    page->number++;
    page->pid = getpid();
    memset(page->rest, 'x', sizeof page->rest);
    return page->number;
}

PE_TEST(isolated_calls_work_on_a_copy_that_comes_back)
{
    static struct page page = { .number = 41 };
    struct call call = isolated(fill_page, &page, sizeof page);
    pe_status status;

    call.options.status = &status;
    MUST(run_call(&call), 42);
    MUST(page.number, 42);
    ck_assert_int_ne(page.pid, getpid());
    ck_assert_int_eq(page.rest[4999], 'x');
    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_eq(status.pid, page.pid);
}

static int hang(void *arg)
{
    struct page *page = arg;

    page->number = 99;
    atomic_store(page->shown, getpid());
    for (;;)
        pause();
    return 0;
}

static void assert_gone(int32_t pid)
{
    ck_assert_int_gt(pid, 0);
    for (int i = 0; kill(pid, 0) == 0 && i < 10000; i++)
        usleep(1000); /* its keeper may reap it a little later */
    ck_assert_int_eq(kill(pid, 0), -1);
    ck_assert_int_eq(errno, ESRCH);
}

PE_TEST(i13_a_time_limit_ends_the_process)
{
    struct page page = { .number = 1, .shown = process_shared(sizeof(int32_t)) };
    struct call call = isolated(hang, &page, sizeof page);
    pe_status status;
    int64_t begin_ns = pe_now();

    call.options.timeout_ns = PE_MS(100);
    call.options.status = &status;
    MUST(run_call(&call), PE_ETIMEDOUT);
    ck_assert_int_ge(pe_now() - begin_ns, PE_MS(100));
    ck_assert_uint_eq(status.kind, PE_TIMED_OUT);
    ck_assert_int_eq(status.stop_signal, SIGKILL);
    assert_gone(atomic_load(page.shown));
    MUST(page.number, 1);
    munmap(page.shown, sizeof(int32_t));
}

PE_TEST(i13_so_does_a_limit_around_the_wait)
{
    struct page page = { .number = 1, .shown = process_shared(sizeof(int32_t)) };
    struct call call = isolated(hang, &page, sizeof page);

    call.within_ns = (int64_t)((double)PE_MS(100) * harness_slowness()); /* the pool is made within it */
    MUST(run_call(&call), PE_ETIMEDOUT);
    assert_gone(atomic_load(page.shown));
    MUST(page.number, 1);
    munmap(page.shown, sizeof(int32_t));
}

PE_TEST(a_cancelled_call_ends_its_process)
{
    struct page page = { .number = 1, .shown = process_shared(sizeof(int32_t)) };
    struct call call = isolated(hang, &page, sizeof page);
    pe_loop *loop = async_loop();
    pe_task *task;

    MUST(pe_spawn(loop, offload, &call, 0, &task), 0);
    async_settle(loop);
    while (atomic_load(page.shown) == 0)
        sched_yield();
    MUST(pe_task_cancel(task), 0);
    MUST(pe_loop_run(loop), 0);
    MUST(call.result, PE_ECANCELED);
    assert_gone(atomic_load(page.shown));
    pe_task_free(task);
    pe_loop_free(loop);
    munmap(page.shown, sizeof(int32_t));
}

static int crash(void *arg)
{
    (void)arg;
    raise(SIGSEGV);
    return 0;
}

static int leave(void *arg)
{
    (void)arg;
    exit(3);
}

PE_TEST(crashes_and_exits_are_errors_of_the_wait)
{
    pe_pool *pool = pool_of(1);
    struct page page = { .number = 1 };
    struct call crashed = isolated(crash, &page, sizeof page), exited = isolated(leave, NULL, 0);
    pe_status statuses[2];

    crashed.options.pool = exited.options.pool = pool;
    crashed.options.status = &statuses[0];
    exited.options.status = &statuses[1];
    MUST(run_call(&crashed), PE_ECRASHED);
    MUST(run_call(&exited), PE_ECRASHED);
    ck_assert_uint_eq(statuses[0].kind, PE_CRASHED);
    ck_assert_int_eq(statuses[0].code, SIGSEGV);
    ck_assert_uint_eq(statuses[1].kind, PE_EXITED);
    ck_assert_int_eq(statuses[1].code, 3);
    pool_end(pool);
}

static int asked_in_worker(void *arg)
{
    while (!pe_offload_cancelled())
        sched_yield();
    *(int *)arg = 77;
    return 5;
}

/* With a grace the function may answer, and its bytes come back. */
PE_TEST(a_pool_with_a_grace_lets_the_function_return)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .grace_ns = PE_SECONDS(20) });
    int number = 1;
    struct call call = isolated(asked_in_worker, &number, sizeof number);

    call.options.pool = pool;
    call.options.timeout_ns = PE_MS(5);
    MUST(run_call(&call), 5);
    MUST(number, 77);
    pool_end(pool);
}

static int kill_the_keeper(void *arg)
{
    (void)arg;
    kill(getppid(), SIGKILL);
    for (;;)
        pause();
    return 0;
}

static int isolated_after_broken(pe_task *t, void *frame)
{
    struct call *calls = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_offload(t, calls[0].fn, NULL, &calls[0].options));
    calls[0].result = t->result;
    PE_AWAIT(t, pe_offload(t, calls[1].fn, NULL, &calls[1].options));
    calls[1].result = t->result;
    PE_END(t);
}

PE_TEST(a_broken_pool_of_the_loop_is_replaced)
{
    struct call calls[2] = { isolated(kill_the_keeper, NULL, 0), isolated(nothing, NULL, 0) };

    MUST(pe_run(isolated_after_broken, calls, NULL), 0);
    MUST(calls[0].result, PE_EBROKEN);
    MUST(calls[1].result, 0);
}

/* The argument waits for room in the queue as well. */
PE_TEST(isolated_calls_wait_for_room)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .queue_jobs = 1 });
    static struct page pages[30];
    struct call calls[30];
    pe_loop *loop = async_loop();

    for (int i = 0; i < 30; i++) {
        pages[i].number = i;
        calls[i] = isolated(fill_page, &pages[i], sizeof pages[i]);
        calls[i].options.pool = pool;
        MUST(pe_spawn(loop, offload, &calls[i], 0, NULL), 0);
    }
    MUST(pe_loop_run(loop), 0);
    for (int i = 0; i < 30; i++) {
        MUST(calls[i].result, i + 1);
        MUST(pages[i].number, i + 1);
    }
    pe_loop_free(loop);
    pool_end(pool);
}

/* What never began has an ending too, and its bytes are as they were. */
PE_TEST(an_isolated_call_that_waits_for_room_is_cancelled)
{
    enum { CALLS = 30 };
    struct page first = { .number = 1, .shown = process_shared(sizeof(int32_t)) }, page = { .number = 7 };
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .queue_jobs = 1 });
    struct call calls[CALLS];
    pe_task *tasks[CALLS];
    pe_status status = { .kind = PE_PENDING };
    pe_loop *loop = async_loop();

    for (int i = 0; i < CALLS; i++) {
        calls[i] = i == 0 ? isolated(hang, &first, sizeof first) : isolated(fill_page, &page, sizeof page);
        calls[i].options.pool = pool;
        MUST(pe_spawn(loop, offload, &calls[i], 0, &tasks[i]), 0);
    }
    calls[CALLS - 1].options.status = &status;
    while (atomic_load(first.shown) == 0)
        async_settle(loop);
    MUST(pe_task_cancel(tasks[CALLS - 1]), 0);
    async_settle(loop);
    MUST(calls[CALLS - 1].result, PE_ECANCELED);
    ck_assert_uint_eq(status.kind, PE_CANCELLED);
    ck_assert_int_eq(status.worker, -1);
    MUST(page.number, 7);
    for (int i = 0; i < CALLS; i++) {
        if (i < CALLS - 1)
            MUST(pe_task_cancel(tasks[i]), 0);
        pe_task_free(tasks[i]);
    }
    pe_loop_free(loop);
    pool_end(pool);
    munmap(first.shown, sizeof(int32_t));
}

static int offload_once(pe_task *t, void *frame)
{
    struct call *call = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, call->result = pe_offload(t, call->fn, call->arg, call->options.size != 0 ? &call->options : NULL));
    PE_END(t);
}

/* On a thread, in a process of a given pool, in one of the loop's own; each allocation fails once. */
PE_TEST_LOOP(without_memory_a_call_is_refused, 0, 3)
{
    pe_pool *pool = pool_of(1);
    int number = 1;
    struct call call = _i == 0 ? call_of(nothing, &number) : isolated(nothing, &number, sizeof number);
    pe_status status = { .kind = PE_PENDING };

    if (_i > 0)
        call.options.status = &status;
    if (_i == 1)
        call.options.pool = pool;
    ck_assert_int_gt(async_refusals(offload_once, &call, &call.result), 0);
    pool_end(pool);
}

/* ---- the text of a loop ---- */

PE_TEST(the_text_of_a_loop_names_threads_and_its_own_pool)
{
    static char text[1000];
    struct call calls[2] = { call_of(return_error, NULL), isolated(nothing, NULL, 0) };
    pe_loop *loop = async_loop();
    FILE *file = fmemopen(text, sizeof text, "w");

    for (int i = 0; i < 2; i++)
        MUST(pe_spawn(loop, offload, &calls[i], 0, NULL), 0);
    MUST(pe_loop_run(loop), 0);
    MUST(pe_loop_dump(loop, file), 0);
    fclose(file);
    ck_assert_str_eq(text, "loop: 0 tasks, 3 objects\n  1 thread pool\n  1 own pool\n  1 pool\n");
    pe_loop_free(loop);
}

HARNESS_MAIN("offload")
