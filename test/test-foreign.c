/*
 * Loops of other kinds that drive ours through a descriptor and a time: epoll, poll and GLib's. Tasks go on, nobody is
 * woken for nothing, posts and descriptors that come late are seen.
 */
#include "harness/harness.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#ifdef HAVE_GLIB
#include <glib.h>
#endif
#include <uv.h>

#include <parexec.h>

#include "harness/async.h"

#define GUARD_NS PE_SECONDS(20)

struct host;

/* A foreign loop: turn() sleeps until our descriptor is readable or our time has come, and looks after us. */
struct driver {
    const char *name;
    void (*open)(struct host *host);
    void (*turn)(struct host *host);
    void (*close)(struct host *host);
};

struct host {
    const struct driver *driver;
    pe_loop *loop;
    int turns, polls;
    int epoll;
    void *context; /* GLib's */
};

static void look_after(struct host *host)
{
    int result;

    do {
        host->polls++;
        result = pe_loop_poll(host->loop);
    } while (result > 0);
    ck_assert_int_eq(result, 0);
}

/* Rounded up: to be early would mean to turn round and round. */
static int milliseconds_of(int64_t next_ns)
{
    ck_assert_int_ge(next_ns, 0);
    return next_ns > GUARD_NS ? (int)(GUARD_NS / 1000000) : (int)((next_ns + 999999) / 1000000);
}

/* ---- epoll ---- */

static void epoll_open(struct host *host)
{
    struct epoll_event event = { .events = EPOLLIN };

    host->epoll = epoll_create1(EPOLL_CLOEXEC);
    MUST(epoll_ctl(host->epoll, EPOLL_CTL_ADD, pe_loop_fd(host->loop), &event), 0);
}

static void epoll_turn(struct host *host)
{
    struct epoll_event event;

    ck_assert_int_ge(epoll_wait(host->epoll, &event, 1, milliseconds_of(pe_loop_next_ns(host->loop))), 0);
    look_after(host);
}

static void epoll_end(struct host *host)
{
    close(host->epoll);
}

/* ---- poll ---- */

static void poll_open(struct host *host)
{
    (void)host;
}

static void poll_turn(struct host *host)
{
    struct pollfd watched = { pe_loop_fd(host->loop), POLLIN, 0 };

    ck_assert_int_ge(poll(&watched, 1, milliseconds_of(pe_loop_next_ns(host->loop))), 0);
    look_after(host);
}

/* ---- GLib ---- */

#ifdef HAVE_GLIB
struct source {
    GSource source;
    struct host *host;
    gpointer tag;
};

static gboolean source_prepare(GSource *source, gint *timeout)
{
    *timeout = milliseconds_of(pe_loop_next_ns(((struct source *)source)->host->loop));
    return *timeout == 0;
}

static gboolean source_check(GSource *source)
{
    struct source *ours = (struct source *)source;

    return g_source_query_unix_fd(source, ours->tag) != 0 || pe_loop_next_ns(ours->host->loop) == 0;
}

static gboolean source_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    (void)callback, (void)data;
    look_after(((struct source *)source)->host);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_functions = { .prepare = source_prepare, .check = source_check,
                                         .dispatch = source_dispatch };

static void glib_open(struct host *host)
{
    GSource *source = g_source_new(&source_functions, sizeof(struct source));
    struct source *ours = (struct source *)source;

    ours->host = host;
    ours->tag = g_source_add_unix_fd(source, pe_loop_fd(host->loop), G_IO_IN);
    host->context = g_main_context_new();
    g_source_attach(source, host->context);
    g_source_unref(source);
}

static void glib_turn(struct host *host)
{
    g_main_context_iteration(host->context, TRUE);
}

static void glib_end(struct host *host)
{
    g_main_context_unref(host->context);
}
#endif

/* ---- all of them ---- */

static const struct driver drivers[] = {
    { "epoll", epoll_open, epoll_turn, epoll_end },
    { "poll", poll_open, poll_turn, poll_open },
#ifdef HAVE_GLIB
    { "GLib", glib_open, glib_turn, glib_end },
#endif
};

#define DRIVERS ((int)(sizeof drivers / sizeof *drivers))

static void host_begin(struct host *host, int driver)
{
    *host = (struct host){ .driver = &drivers[driver] };
    MUST(pe_loop_new(NULL, &host->loop), 0);
    host->driver->open(host);
}

static void host_turn(struct host *host)
{
    int fd = pe_loop_fd(host->loop);

    host->turns++;
    host->driver->turn(host);
    MUST(pe_loop_fd(host->loop), fd);
}

/* Until it is no longer 0. */
static void host_run_until(struct host *host, _Atomic int *flag)
{
    int64_t guard = pe_after(GUARD_NS);

    while (atomic_load(flag) == 0 && pe_now() < guard)
        host_turn(host);
    ck_assert_int_ne(atomic_load(flag), 0);
}

static void host_end(struct host *host)
{
    host->driver->close(host);
    pe_loop_free(host->loop);
}

/* ---- tasks ---- */

struct nap {
    int64_t sleep_ns;
    int count;
    _Atomic int *left; /* tasks; the last one sets the flag */
    _Atomic int *flag;
};

static int nap(pe_task *t, void *frame)
{
    struct nap *n = frame;

    PE_BEGIN(t);
    while (n->count-- > 0)
        PE_TRY(t, pe_sleep(t, n->sleep_ns));
    if (atomic_fetch_sub(n->left, 1) == 1)
        atomic_store(n->flag, 1);
    PE_END(t);
}

PE_TEST_LOOP(tasks_go_on_in_a_foreign_loop, 0, DRIVERS)
{
    struct host host;
    _Atomic int left = 100, flag = 0;

    host_begin(&host, _i);
    for (int i = 0; i < 100; i++) {
        struct nap n = { PE_US(100) * (i % 30), 5, &left, &flag };
        MUST(pe_spawn(host.loop, nap, &n, sizeof n, NULL), 0);
    }
    host_run_until(&host, &flag);
    MUST(atomic_load(&left), 0);
    host_end(&host);
}

PE_TEST_LOOP(i16_a_wait_causes_few_wake_ups, 0, DRIVERS)
{
    struct host host;
    _Atomic int left = 1, flag = 0;
    struct nap n = { PE_MS(200), 1, &left, &flag };

    host_begin(&host, _i);
    look_after(&host);
    int64_t begin_ns = pe_now();
    MUST(pe_spawn(host.loop, nap, &n, sizeof n, NULL), 0);
    host_run_until(&host, &flag);
    ck_assert_int_ge(pe_now() - begin_ns, PE_MS(200));
    ck_assert_int_le(host.turns, 4);
    ck_assert_int_le(host.polls, 12);
    host_end(&host);
}

/* Short waits cost a few turns each too, not a busy loop till the millisecond is over. */
PE_TEST_LOOP(short_waits_cost_few_turns, 0, DRIVERS)
{
    struct host host;
    _Atomic int left = 1, flag = 0;
    struct nap n = { PE_US(1300), 50, &left, &flag };

    host_begin(&host, _i);
    MUST(pe_spawn(host.loop, nap, &n, sizeof n, NULL), 0);
    host_run_until(&host, &flag);
    ck_assert_int_le(host.turns, 150);
    ck_assert_int_le(host.polls, 400);
    host_end(&host);
}

/* What it says to have to do. */
PE_TEST(the_time_that_is_told)
{
    struct host host;
    _Atomic int left = 1, flag = 0;
    struct nap n = { PE_SECONDS(1), 1, &left, &flag };

    host_begin(&host, 0);
    ck_assert_int_eq(pe_loop_next_ns(host.loop), 0); /* its own descriptors are new to it */
    look_after(&host);
    ck_assert_int_eq(pe_loop_next_ns(host.loop), PE_FOREVER);
    MUST(pe_spawn(host.loop, nap, &n, sizeof n, NULL), 0);
    ck_assert_int_eq(pe_loop_next_ns(host.loop), 0);
    look_after(&host);
    ck_assert_int_gt(pe_loop_next_ns(host.loop), 0);
    ck_assert_int_le(pe_loop_next_ns(host.loop), PE_MS(1001));
    host_end(&host);
}

PE_TEST(a_loop_that_has_an_owner_is_not_polled)
{
    uv_loop_t uv;
    pe_loop *loop;

    MUST(uv_loop_init(&uv), 0);
    MUST(pe_loop_new(&uv, &loop), 0);
    MUST(pe_loop_poll(loop), PE_EINVAL);
    MUST(pe_loop_close(loop, NULL), 0);
    pe_loop_free(loop);
    MUST(uv_loop_close(&uv), 0);
}

/* ---- what comes from elsewhere ---- */

struct posting {
    pe_loop *loop;
    _Atomic int flag;
};

static void set_flag(void *flag)
{
    atomic_store((_Atomic int *)flag, 1);
}

static void *post_once(void *context)
{
    struct posting *posting = context;

    MUST(pe_loop_post(posting->loop, set_flag, &posting->flag), 0);
    return NULL;
}

/* Without any task, and with nothing to wake for. */
PE_TEST_LOOP(a_post_wakes_a_foreign_loop, 0, DRIVERS)
{
    struct host host;
    struct posting posting = { .flag = 0 };
    pthread_t thread;

    host_begin(&host, _i);
    posting.loop = host.loop;
    look_after(&host);
    ck_assert_int_eq(pe_loop_next_ns(host.loop), PE_FOREVER);
    int64_t begin_ns = pe_now();
    MUST(pthread_create(&thread, NULL, post_once, &posting), 0);
    host_run_until(&host, &posting.flag);
    ck_assert_int_lt(pe_now() - begin_ns, GUARD_NS / 2);
    ck_assert_int_le(host.turns, 3);
    MUST(pthread_join(thread, NULL), 0);
    host_end(&host);
}

/* ---- descriptors that come late ---- */

struct late {
    uv_poll_t first, second;
    int pipes[2][2];
    _Atomic int flag;
};

static void on_second(uv_poll_t *watch, int status, int events)
{
    struct late *late = watch->data;

    (void)status, (void)events;
    uv_poll_stop(watch);
    atomic_store(&late->flag, 1);
}

/* Begins to watch the other inside the poll itself, when that has handed over what there was before. */
static void on_first(uv_poll_t *watch, int status, int events)
{
    struct late *late = watch->data;

    (void)status, (void)events;
    uv_poll_stop(watch);
    uv_poll_start(&late->second, UV_READABLE, on_second);
}

static void late_open(struct late *late, pe_loop *loop)
{
    for (int i = 0; i < 2; i++) {
        uv_poll_t *watch = i == 0 ? &late->first : &late->second;

        MUST(pipe2(late->pipes[i], O_CLOEXEC | O_NONBLOCK), 0);
        MUST(uv_poll_init(pe_loop_uv(loop), watch, late->pipes[i][0]), 0);
        watch->data = late;
    }
}

static void late_close(struct late *late)
{
    for (int i = 0; i < 4; i++)
        close(late->pipes[i / 2][i % 2]);
}

static void *write_once(void *fd)
{
    MUST((int)write(*(int *)fd, "x", 1), 1);
    return NULL;
}

/* Between two polls: the host asks for the time, and need not know that something was begun. */
PE_TEST_LOOP(a_descriptor_registered_between_polls_is_seen, 0, DRIVERS)
{
    struct host host;
    struct late late = { .flag = 0 };
    pthread_t thread;

    host_begin(&host, _i);
    late_open(&late, host.loop);
    look_after(&host);
    uv_poll_start(&late.second, UV_READABLE, on_second);
    MUST(pthread_create(&thread, NULL, write_once, &late.pipes[1][1]), 0);
    int64_t begin_ns = pe_now();
    host_run_until(&host, &late.flag);
    ck_assert_int_lt(pe_now() - begin_ns, GUARD_NS / 2);
    MUST(pthread_join(thread, NULL), 0);
    host_end(&host);
    late_close(&late);
}

PE_TEST_LOOP(a_descriptor_registered_inside_a_poll_is_seen, 0, DRIVERS)
{
    struct host host;
    struct late late = { .flag = 0 };

    host_begin(&host, _i);
    late_open(&late, host.loop);
    uv_poll_start(&late.first, UV_READABLE, on_first);
    look_after(&host);
    MUST((int)write(late.pipes[0][1], "x", 1), 1);
    MUST((int)write(late.pipes[1][1], "x", 1), 1);
    int64_t begin_ns = pe_now();
    host_run_until(&host, &late.flag);
    ck_assert_int_lt(pe_now() - begin_ns, GUARD_NS / 2);
    host_end(&host);
    late_close(&late);
}

HARNESS_MAIN("foreign")
