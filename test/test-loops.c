/*
 * The pool in event loops of several makes: poll, epoll (level and edge triggered), GLib's and libuv's. In each of
 * them every job is answered by the loop alone, whatever else waits in the pool, and nothing wakes an idle loop.
 */

#include "harness/harness.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_GLIB
#include <glib-unix.h>
#endif
#ifdef HAVE_UV
#include <uv.h>
#endif

#include <parexec/error.h>

#include "harness/pool.h"
#include "harness/process.h"

#define POOLS_MAX 3
#define GUARD_MS 10000

/* What the loop does when the pool's descriptor is readable. */
typedef void ready_fn(pe_pool *pool);

struct loop {
    pe_pool *pools[POOLS_MAX];
    int count;
    ready_fn *ready;
    _Atomic int wakes; /* how often a descriptor was readable */
    void *own;
};

/* turn: sleeps until something is readable, and looks after it; 0 when the hang guard has passed. */
struct driver {
    const char *name;
    void (*open)(struct loop *loop);
    int (*turn)(struct loop *loop);
    void (*close)(struct loop *loop);
};

static void call_ready(struct loop *loop, pe_pool *pool)
{
    atomic_fetch_add(&loop->wakes, 1);
    loop->ready(pool);
}

/* ---- poll ---- */

static void poll_open(struct loop *loop)
{
    struct pollfd *watched = calloc(POOLS_MAX, sizeof *watched);

    for (int i = 0; i < loop->count; i++)
        watched[i] = (struct pollfd){ .fd = pe_pool_fd(loop->pools[i]), .events = POLLIN };
    loop->own = watched;
}

static int poll_turn(struct loop *loop)
{
    struct pollfd *watched = loop->own;
    int count = poll(watched, (nfds_t)loop->count, GUARD_MS);

    for (int i = 0; i < loop->count; i++) {
        if (watched[i].revents)
            call_ready(loop, loop->pools[i]);
    }
    return count > 0;
}

static void poll_close(struct loop *loop)
{
    free(loop->own);
}

/* ---- epoll ---- */

static void watch_by_epoll(struct loop *loop, uint32_t trigger)
{
    int *epoll = malloc(sizeof *epoll);

    *epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < loop->count; i++) {
        struct epoll_event event = { .events = EPOLLIN | trigger, .data.ptr = loop->pools[i] };

        ck_assert_int_eq(epoll_ctl(*epoll, EPOLL_CTL_ADD, pe_pool_fd(loop->pools[i]), &event), 0);
    }
    loop->own = epoll;
}

static void level_open(struct loop *loop)
{
    watch_by_epoll(loop, 0);
}

static void edge_open(struct loop *loop)
{
    watch_by_epoll(loop, EPOLLET);
}

static int epoll_turn(struct loop *loop)
{
    struct epoll_event events[POOLS_MAX];
    int count = epoll_wait(*(int *)loop->own, events, POOLS_MAX, GUARD_MS);

    for (int i = 0; i < count; i++)
        call_ready(loop, events[i].data.ptr);
    return count > 0;
}

static void epoll_close(struct loop *loop)
{
    close(*(int *)loop->own);
    free(loop->own);
}

/* ---- GLib ---- */

#ifdef HAVE_GLIB
struct glib_watch {
    struct loop *loop;
    pe_pool *pool;
};

static gboolean glib_ready(gint fd, GIOCondition condition, gpointer context)
{
    struct glib_watch *watch = context;

    (void)fd;
    (void)condition;
    call_ready(watch->loop, watch->pool);
    return G_SOURCE_CONTINUE;
}

static void glib_open(struct loop *loop)
{
    GMainContext *context = g_main_context_new();

    for (int i = 0; i < loop->count; i++) {
        GSource *source = g_unix_fd_source_new(pe_pool_fd(loop->pools[i]), G_IO_IN);
        struct glib_watch *watch = malloc(sizeof *watch);

        *watch = (struct glib_watch){ loop, loop->pools[i] };
        g_source_set_callback(source, (GSourceFunc)(void (*)(void))glib_ready, watch, free);
        g_source_attach(source, context);
        g_source_unref(source);
    }
    loop->own = context;
}

static gboolean glib_guard(gpointer over)
{
    *(int *)over = 1;
    return G_SOURCE_CONTINUE;
}

static int glib_turn(struct loop *loop)
{
    GSource *guard = g_timeout_source_new(GUARD_MS);
    int over = 0;

    g_source_set_callback(guard, glib_guard, &over, NULL);
    g_source_attach(guard, loop->own);
    g_main_context_iteration(loop->own, TRUE);
    g_source_destroy(guard);
    g_source_unref(guard);
    return !over;
}

static void glib_close(struct loop *loop)
{
    g_main_context_unref(loop->own);
}
#endif

/* ---- libuv ---- */

#ifdef HAVE_UV
struct uv_host {
    uv_loop_t loop;
    uv_timer_t guard;
    uv_poll_t watches[POOLS_MAX];
    int over;
};

static void uv_ready(uv_poll_t *watch, int status, int events)
{
    struct loop *loop = watch->loop->data;

    (void)status;
    (void)events;
    call_ready(loop, watch->data);
}

static void uv_guard(uv_timer_t *timer)
{
    ((struct uv_host *)timer->data)->over = 1;
}

static void uv_open(struct loop *loop)
{
    struct uv_host *host = calloc(1, sizeof *host);

    ck_assert_int_eq(uv_loop_init(&host->loop), 0);
    host->loop.data = loop;
    uv_timer_init(&host->loop, &host->guard);
    host->guard.data = host;
    for (int i = 0; i < loop->count; i++) {
        ck_assert_int_eq(uv_poll_init(&host->loop, &host->watches[i], pe_pool_fd(loop->pools[i])), 0);
        host->watches[i].data = loop->pools[i];
        ck_assert_int_eq(uv_poll_start(&host->watches[i], UV_READABLE, uv_ready), 0);
    }
    loop->own = host;
}

static int uv_turn(struct loop *loop)
{
    struct uv_host *host = loop->own;

    uv_timer_start(&host->guard, uv_guard, GUARD_MS, 0);
    uv_run(&host->loop, UV_RUN_ONCE);
    return !host->over;
}

static void uv_end(struct loop *loop)
{
    struct uv_host *host = loop->own;

    uv_close((uv_handle_t *)&host->guard, NULL);
    for (int i = 0; i < loop->count; i++)
        uv_close((uv_handle_t *)&host->watches[i], NULL);
    uv_run(&host->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&host->loop), 0);
    free(host);
}
#endif

static const struct driver drivers[] = {
    { "poll", poll_open, poll_turn, poll_close },
    { "epoll, level triggered", level_open, epoll_turn, epoll_close },
    { "epoll, edge triggered", edge_open, epoll_turn, epoll_close },
#ifdef HAVE_GLIB
    { "GLib", glib_open, glib_turn, glib_close },
#else
    { "GLib", NULL, NULL, NULL },
#endif
#ifdef HAVE_UV
    { "libuv", uv_open, uv_turn, uv_end },
#else
    { "libuv", NULL, NULL, NULL },
#endif
};
#define DRIVERS (int)(sizeof drivers / sizeof *drivers)

#define NEEDS_DRIVER(driver) \
    do { \
        if (!(driver)->open) \
            HARNESS_SKIP("built without %s", (driver)->name); \
    } while (0)

/* libuv keeps a pipe from its first loop on. */
static void warm_up(const struct driver *driver)
{
    struct loop none = { .count = 0 };

    driver->open(&none);
    driver->close(&none);
    harness_leaks_mark();
}

/* Handles what there is: the descriptor is armed then. */
static void drain(pe_pool *pool)
{
    int result;

    while ((result = pe_pool_poll(pool)) > 0)
        ck_assert_int_le(result, 256);
    if (result != 0 && result != PE_EINTR)
        ck_abort_msg("pe_pool_poll: %s", pe_err_name(result));
}

/* ---- every job is answered ---- */

#define JOBS 3000
#define IN_FLIGHT 100
#define CRASHES_EVERY 60

struct work {
    pe_pool *pool;
    uint32_t next; /* to be submitted */
    _Atomic uint32_t ended;
    unsigned char answers[JOBS];
};

struct ticket {
    struct work *work;
    uint32_t number;
};

static int echo_or_crash(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    uint32_t number;

    memcpy(&number, arg, sizeof number);
    if (number % CRASHES_EVERY == CRASHES_EVERY - 1)
        kill(getpid(), SIGSEGV);
    return pe_reply_write(reply, arg, arg_bytes);
}

static void take_answer(pe_job *job, void *context);

static void submit_next(struct work *work)
{
    struct ticket *ticket = malloc(sizeof *ticket);
    pe_job *job;
    int result;

    *ticket = (struct ticket){ work, work->next++ };
    result = pe_pool_try_submit(work->pool, echo_or_crash, &ticket->number, sizeof ticket->number, NULL, &job);
    if (result != 0 || pe_job_on_done(job, take_answer, ticket) != 0)
        ck_abort_msg("job %u is refused: %s", ticket->number, pe_err_name(result));
}

/* Each end lets one more job in. */
static void take_answer(pe_job *job, void *context)
{
    struct ticket *ticket = context;
    struct work *work = ticket->work;
    pe_status status = job_status(job);
    const void *data;
    size_t bytes;
    uint32_t number;

    if (ticket->number % CRASHES_EVERY == CRASHES_EVERY - 1) {
        ck_assert(status.kind == PE_CRASHED && status.code == SIGSEGV);
    } else {
        ck_assert(pe_job_result(job, &data, &bytes) == 0 && bytes == sizeof number);
        memcpy(&number, data, sizeof number);
        ck_assert_uint_eq(number, ticket->number);
    }
    work->answers[ticket->number]++;
    work->ended++;
    pe_job_free(job);
    free(ticket);
    if (work->next < JOBS)
        submit_next(work);
}

static void begin_work(struct work *work, pe_pool *pool)
{
    *work = (struct work){ .pool = pool };
    drain(pool);
    while (work->next < IN_FLIGHT)
        submit_next(work);
    drain(pool);
}

static void assert_answered_once(const struct work *work)
{
    ck_assert_uint_eq(work->ended, JOBS);
    for (int i = 0; i < JOBS; i++)
        ck_assert_uint_eq(work->answers[i], 1);
}

static void *wait_beside_the_loop(void *pool)
{
    for (int i = 0; i < 500; i++)
        ck_assert_uint_eq(pool_run(pool, job_nothing, NULL, 0).kind, PE_RETURNED);
    return NULL;
}

/* Two kinds of pools in one loop, crashes, and a thread that waits in one of them. */
PE_TEST_LOOP(p62_every_job_is_answered_by_the_loop, 0, DRIVERS)
{
    static struct work works[2];
    const struct driver *driver = &drivers[_i];
    struct loop loop = { .count = 2, .ready = drain };
    pthread_t thread;

    NEEDS_DRIVER(driver);
    if (!harness_forks())
        HARNESS_SKIP("pe_init is for the whole life of a process");
    process_start_seed();
    warm_up(driver);
    loop.pools[0] = pool_of(2);
    loop.pools[1] = pool_with((pe_pool_options){ .workers = 2, .flags = PE_POOL_FROM_SEED });
    driver->open(&loop);
    for (int i = 0; i < 2; i++)
        begin_work(&works[i], loop.pools[i]);
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_beside_the_loop, loop.pools[0]), 0);
    while (works[0].ended < JOBS || works[1].ended < JOBS) {
        if (!driver->turn(&loop))
            ck_abort_msg("%s: lost: %u and %u of %d have ended", driver->name, works[0].ended, works[1].ended, JOBS);
    }
    pthread_join(thread, NULL);
    driver->close(&loop);
    for (int i = 0; i < 2; i++) {
        pool_end(loop.pools[i]);
        assert_answered_once(&works[i]);
    }
}
END_TEST

static void count_end(pe_job *job, void *count)
{
    ++*(uint32_t *)count;
    pe_job_free(job);
}

/* A pool without processes has its answers at hand, and its descriptor tells of them. */
PE_TEST_LOOP(p62_a_pool_without_processes_in_the_loop, 0, DRIVERS)
{
    const struct driver *driver = &drivers[_i];
    struct loop loop = { .count = 2, .ready = drain };
    uint32_t ended = 0;

    NEEDS_DRIVER(driver);
    warm_up(driver);
    loop.pools[0] = pool_with((pe_pool_options){ .flags = PE_POOL_INLINE });
    loop.pools[1] = pool_of(1);
    driver->open(&loop);
    for (int i = 0; i < 2; i++)
        drain(loop.pools[i]);
    for (uint32_t i = 0; i < 600; i++)
        ck_assert_int_eq(pe_job_on_done(pool_submit(loop.pools[i % 2], job_nothing, NULL, 0), count_end, &ended), 0);
    while (ended < 600) {
        if (!driver->turn(&loop))
            ck_abort_msg("%s: lost: %u of 600 have ended", driver->name, ended);
    }
    driver->close(&loop);
    for (int i = 0; i < 2; i++)
        pool_end(loop.pools[i]);
}
END_TEST

/* ---- an idle loop sleeps ---- */

struct runner {
    const struct driver *driver;
    struct loop loop;
    _Atomic pid_t tid;
    _Atomic int stop;
};

static void *run_loop(void *context)
{
    struct runner *runner = context;

    atomic_store(&runner->tid, gettid());
    while (!atomic_load(&runner->stop)) {
        if (!runner->driver->turn(&runner->loop))
            ck_abort_msg("%s: not woken", runner->driver->name);
    }
    return NULL;
}

/* How often the loop was woken, and its thread gave up the CPU, in an idle second. */
static long long wakes_in_a_second(struct runner *runner)
{
    const struct timespec second = { 1, 0 };
    long long before = process_effort(runner->tid).voluntary_switches + atomic_load(&runner->loop.wakes);

    clock_nanosleep(CLOCK_MONOTONIC, 0, &second, NULL);
    return process_effort(runner->tid).voluntary_switches + atomic_load(&runner->loop.wakes) - before;
}

PE_TEST_LOOP(p73_nothing_wakes_an_idle_loop, 0, DRIVERS)
{
    struct runner runner = { .driver = &drivers[_i], .loop = { .count = 2, .ready = drain } };
    struct process_worker worker[2];
    pthread_t thread;

    NEEDS_DRIVER(runner.driver);
    warm_up(runner.driver);
    for (int i = 0; i < 2; i++) {
        runner.loop.pools[i] = pool_of(2);
        process_workers(runner.loop.pools[i], 2, worker); /* the start of a worker may ring */
        drain(runner.loop.pools[i]);
    }
    runner.driver->open(&runner.loop);
    ck_assert_int_eq(pthread_create(&thread, NULL, run_loop, &runner), 0);
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(pe_pool_submit(runner.loop.pools[i % 2], job_nothing, NULL, 0, NULL, NULL), 0);
    for (int i = 0; i < 2; i++)
        while (pool_stats(runner.loop.pools[i]).returned < 100)
            sched_yield();
    while (atomic_load(&runner.tid) == 0)
        sched_yield();
    for (int tries = 0; !process_is_idle(runner.tid, PE_MS(20)) && tries < 100; tries++)
        ;
    ck_assert_int_eq(wakes_in_a_second(&runner), 0);
    atomic_store(&runner.stop, 1);
    pe_pool_interrupt(runner.loop.pools[0]);
    pthread_join(thread, NULL);
    runner.driver->close(&runner.loop);
    for (int i = 0; i < 2; i++)
        pool_end(runner.loop.pools[i]);
}
END_TEST

/* ---- a host that is busy elsewhere ---- */

static void compute(int64_t for_ns)
{
    int64_t end_ns = process_thread_cpu_ns() + for_ns;

    while (process_thread_cpu_ns() < end_ns)
        ;
}

static int item_double(const void *in, void *out, const void *context)
{
    (void)context;
    *(uint32_t *)out = 2 * *(const uint32_t *)in;
    return 0;
}

/* Jobs, some of which kill their worker, and a map: no call is needed between handing over and the end. */
PE_TEST(jobs_are_done_when_the_host_comes_back)
{
    enum { COUNT = 2000 };
    static uint32_t in[COUNT], out[COUNT];
    static pe_job *jobs[COUNT];
    pe_pool *pool = pool_of(2);
    pe_job *map;

    for (uint32_t i = 0; i < COUNT; i++) {
        in[i] = i;
        jobs[i] = pool_submit(pool, echo_or_crash, &i, sizeof i);
    }
    ck_assert_int_eq(pe_pool_start_map(pool, item_double, in, sizeof *in, out, sizeof *out, COUNT, NULL, &map), 0);
    compute(PE_SECONDS(1));
    for (uint32_t i = 0; i < COUNT; i++)
        ck_assert_int_eq(pe_job_wait(jobs[i], 0), 0);
    ck_assert_int_eq(pe_job_wait(map, 0), 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        ck_assert_uint_eq(out[i], 2 * i);
        ck_assert_uint_eq(job_finish(jobs[i]).kind, i % CRASHES_EVERY == CRASHES_EVERY - 1 ? PE_CRASHED : PE_RETURNED);
    }
    pe_job_free(map);
    pool_end(pool);
}
END_TEST

HARNESS_MAIN("loops")
