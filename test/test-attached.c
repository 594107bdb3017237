/*
 * Loops attached to a libuv loop that the program runs by itself: its timers, sockets and idle handles go on, it is
 * neither stopped nor kept from sleeping, and when the loop has gone it finds no handle that is not its own.
 */
#include "harness/harness.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uv.h>

#include <parexec.h>

#include "harness/async.h"

#define PERIOD_MS 2

/* A program with a life of its own on the loop. */
struct host {
    uv_loop_t uv;
    uv_timer_t timer;
    uv_idle_t idle;
    uv_poll_t reader;
    int sockets[2];
    int ticks, idles, bytes_read;
    uint64_t begin_ms;
    int ends_after; /* ticks; then it closes its handles */
};

static void close_host_handles(struct host *host)
{
    if (uv_is_closing((uv_handle_t *)&host->timer))
        return;
    uv_close((uv_handle_t *)&host->timer, NULL);
    uv_close((uv_handle_t *)&host->idle, NULL);
    uv_close((uv_handle_t *)&host->reader, NULL);
}

static void on_tick(uv_timer_t *timer)
{
    struct host *host = timer->data;

    host->ticks++;
    ck_assert_uint_ge(uv_now(&host->uv), host->begin_ms + (uint64_t)host->ticks * PERIOD_MS);
    ck_assert_uint_eq(uv_timer_get_repeat(timer), PERIOD_MS);
    MUST((int)write(host->sockets[1], "x", 1), 1);
    if (host->ticks == host->ends_after)
        close_host_handles(host);
}

static void on_readable(uv_poll_t *reader, int status, int events)
{
    struct host *host = reader->data;
    char byte;

    MUST(status, 0);
    MUST(events, UV_READABLE);
    MUST((int)read(host->sockets[0], &byte, 1), 1);
    host->bytes_read++;
}

static void on_host_idle(uv_idle_t *idle)
{
    struct host *host = idle->data;

    if (++host->idles == 100)
        uv_idle_stop(idle); /* else nothing ever sleeps */
}

static struct host *host_new(int ends_after)
{
    struct host *host = calloc(1, sizeof *host);

    MUST(uv_loop_init(&host->uv), 0);
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, host->sockets), 0);
    uv_timer_init(&host->uv, &host->timer);
    uv_idle_init(&host->uv, &host->idle);
    MUST(uv_poll_init(&host->uv, &host->reader, host->sockets[0]), 0);
    host->timer.data = host->idle.data = host->reader.data = host;
    host->ends_after = ends_after;
    host->begin_ms = uv_now(&host->uv);
    uv_timer_start(&host->timer, on_tick, PERIOD_MS, PERIOD_MS);
    uv_idle_start(&host->idle, on_host_idle);
    uv_poll_start(&host->reader, UV_READABLE, on_readable);
    return host;
}

static pe_loop *attach(struct host *host)
{
    pe_loop *loop;

    MUST(pe_loop_new(&host->uv, &loop), 0);
    ck_assert_ptr_eq(pe_loop_uv(loop), &host->uv);
    return loop;
}

static void count_handle(uv_handle_t *handle, void *count)
{
    (void)handle;
    ++*(int *)count;
}

static int handles_of(struct host *host)
{
    int count = 0;

    uv_walk(&host->uv, count_handle, &count);
    return count;
}

/* Nothing but its own is left on its loop, which has done all that it was to do. */
static void host_end(struct host *host)
{
    MUST(uv_run(&host->uv, UV_RUN_DEFAULT), 0);
    ck_assert_int_ge(host->ticks, host->ends_after);
    ck_assert_int_ge(host->bytes_read, host->ends_after - 1);
    ck_assert_int_le(host->idles, 100); /* the timer may come before any of them */
    MUST(handles_of(host), 0);
    MUST(uv_loop_close(&host->uv), 0);
    close(host->sockets[0]);
    close(host->sockets[1]);
    free(host);
}

/* ---- tasks ---- */

struct work {
    int *done;
    int64_t sleep_ns;
    int left;
};

static int work(pe_task *t, void *frame)
{
    struct work *w = frame;

    PE_BEGIN(t);
    for (w->left = 10; w->left > 0; w->left--) {
        PE_TRY(t, pe_sleep(t, w->sleep_ns));
        PE_YIELD(t);
    }
    ++*w->done;
    PE_END(t);
}

static void start_work(pe_loop *loop, int count, int *done)
{
    for (int i = 0; i < count; i++) {
        struct work w = { done, PE_US(100) * (i % 20), 0 };
        MUST(pe_spawn(loop, work, &w, sizeof w, NULL), 0);
    }
}

struct waiter {
    int *began, *cleaned;
};

/* Cleans up with waits of its own. */
static int wait_and_clean_up(pe_task *t, void *frame)
{
    struct waiter *w = frame;

    PE_BEGIN(t);
    ++*w->began;
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    ck_assert_int_eq(t->result, PE_ECANCELED);
    PE_AWAIT(t, pe_sleep(t, PE_MS(3)));
    ck_assert_int_eq(t->result, 0);
    ck_assert_ptr_nonnull(pe_task_loop(t));
    PE_YIELD(t);
    ++*w->cleaned;
    PE_RETURN(t, PE_ECANCELED);
    PE_END(t);
}

/* ---- before, during and after ---- */

PE_TEST(i15_host_goes_on_before_during_and_after)
{
    struct host *host = host_new(60);
    int done = 0;

    while (host->ticks < 3)
        uv_run(&host->uv, UV_RUN_ONCE);
    int before = handles_of(host);
    pe_loop *loop = attach(host);
    start_work(loop, 100, &done);
    int begun = host->ticks;
    while (done < 100)
        ck_assert_int_ne(uv_run(&host->uv, UV_RUN_ONCE), 0);
    ck_assert_int_gt(host->ticks, begun);
    MUST(pe_loop_close(loop, NULL), 0);
    MUST(handles_of(host), before);
    pe_loop_free(loop);
    MUST(handles_of(host), before);
    host_end(host);
}

static int yield_until(pe_task *t, void *frame)
{
    int64_t *end_ns = frame;

    PE_BEGIN(t);
    while (pe_now() < *end_ns)
        PE_YIELD(t);
    PE_END(t);
}

/* Tasks that are always ready leave the host its turns. */
PE_TEST(busy_tasks_do_not_starve_the_host)
{
    struct host *host = host_new(30);
    pe_loop *loop = attach(host);

    for (int i = 0; i < 10; i++) {
        int64_t end_ns = pe_after(PE_MS(100));
        MUST(pe_spawn(loop, yield_until, &end_ns, sizeof end_ns, NULL), 0);
    }
    MUST(pe_loop_run(loop), 0);
    ck_assert_int_ge(host->ticks, 5);
    ck_assert_int_ge(host->bytes_read, 4);
    pe_loop_free(loop);
    host_end(host);
}

/* Without tasks it does not hold the host's loop, nor keep it from sleeping. */
PE_TEST(an_idle_loop_holds_nothing)
{
    struct host *host = host_new(10);
    pe_loop *loop = attach(host);
    int done = 0;

    start_work(loop, 5, &done);
    MUST(uv_run(&host->uv, UV_RUN_DEFAULT), 0); /* returns: the host has closed all of its own */
    MUST(done, 5);
    MUST(uv_loop_alive(&host->uv), 0);
    MUST(uv_run(&host->uv, UV_RUN_NOWAIT), 0);
    MUST(pe_loop_close(loop, NULL), 0);
    pe_loop_free(loop);
    host_end(host);
}

/* Tasks hold it: the host's loop runs till they have ended. */
PE_TEST(tasks_hold_the_host_loop)
{
    struct host *host = host_new(1);
    pe_loop *loop = attach(host);
    int done = 0;

    start_work(loop, 20, &done);
    MUST(uv_run(&host->uv, UV_RUN_DEFAULT), 0);
    MUST(done, 20);
    MUST(pe_loop_close(loop, NULL), 0);
    pe_loop_free(loop);
    host_end(host);
}

/* ---- uv_stop ---- */

static void stop_on_timer(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

PE_TEST(host_that_stops_its_loop_finds_the_tasks_again)
{
    struct host *host = host_new(30);
    pe_loop *loop = attach(host);
    uv_timer_t stopper;
    int done = 0, stops = 0;

    start_work(loop, 50, &done);
    uv_timer_init(&host->uv, &stopper);
    uv_timer_start(&stopper, stop_on_timer, 1, 1);
    while (done < 50) {
        ck_assert_int_ne(uv_run(&host->uv, UV_RUN_DEFAULT), 0);
        stops++;
    }
    ck_assert_int_ge(stops, 2);
    uv_close((uv_handle_t *)&stopper, NULL);
    pe_loop_free(loop);
    host_end(host);
}

/* What runs a loop of ours till its tasks have ended is not ended by that. */
PE_TEST(uv_stop_does_not_end_our_run)
{
    struct host *host = host_new(30);
    pe_loop *loop = attach(host);
    uv_timer_t stopper;
    int done = 0;

    start_work(loop, 50, &done);
    uv_timer_init(&host->uv, &stopper);
    uv_timer_start(&stopper, stop_on_timer, 1, 1);
    uv_stop(&host->uv);
    MUST(pe_loop_run(loop), 0);
    MUST(done, 50);
    uv_close((uv_handle_t *)&stopper, NULL);
    pe_loop_free(loop);
    host_end(host);
}

/* ---- freed anywhere ---- */

static void free_on_timer(uv_timer_t *timer)
{
    pe_loop_free(timer->data);
    uv_close((uv_handle_t *)timer, NULL);
}

static void free_in(struct host *host, uv_timer_t *timer, pe_loop *loop)
{
    uv_timer_init(&host->uv, timer);
    timer->data = loop;
    uv_timer_start(timer, free_on_timer, 1, 0);
}

PE_TEST(freed_in_a_callback_of_the_host_with_tasks)
{
    struct host *host = host_new(20);
    pe_loop *loop = attach(host);
    uv_timer_t timer;
    int began = 0, cleaned = 0;
    struct waiter w = { &began, &cleaned };
    pe_task *task;

    for (int i = 0; i < 10; i++)
        MUST(pe_spawn(loop, wait_and_clean_up, &w, sizeof w, NULL), 0);
    MUST(pe_spawn(loop, wait_and_clean_up, &w, sizeof w, &task), 0);
    while (began < 11)
        uv_run(&host->uv, UV_RUN_ONCE);
    free_in(host, &timer, loop);
    host_end(host);
    MUST(began, 11);
    MUST(cleaned, 11);
    MUST(pe_task_result(task), PE_ECANCELED);
    ck_assert_ptr_null(pe_task_loop(task));
    pe_task_free(task);
}

PE_TEST(freed_in_a_callback_of_the_host_with_nothing)
{
    struct host *host = host_new(20);
    pe_loop *loop = attach(host);
    uv_timer_t timer;

    free_in(host, &timer, loop);
    host_end(host);
}

PE_TEST(freed_before_it_was_ever_used)
{
    struct host *host = host_new(1);

    pe_loop_free(attach(host));
    host_end(host);
}

/* The first turn of those that were not called yet never comes. */
PE_TEST(freed_before_the_first_turn)
{
    struct host *host = host_new(1);
    pe_loop *loop = attach(host);
    int began = 0, cleaned = 0;
    struct waiter w = { &began, &cleaned };

    MUST(pe_spawn(loop, wait_and_clean_up, &w, sizeof w, NULL), 0);
    pe_loop_free(loop);
    host_end(host);
    MUST(began, 0);
}

struct freer {
    struct waiter waiter;
    pe_loop **also; /* another loop to free; may be NULL */
};

static int free_own_loop(pe_task *t, void *frame)
{
    struct freer *f = frame;

    PE_BEGIN(t);
    PE_YIELD(t);
    if (f->also != NULL)
        pe_loop_free(*f->also);
    pe_loop_free(pe_task_loop(t));
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    ck_assert_int_eq(t->result, PE_ECANCELED);
    PE_AWAIT(t, pe_sleep(t, PE_MS(2)));
    ck_assert_int_eq(t->result, 0);
    ++*f->waiter.cleaned;
    PE_END(t);
}

static void start_freer(pe_loop *loop, pe_loop **also, int *began, int *cleaned)
{
    struct freer f = { { began, cleaned }, also };

    MUST(pe_spawn(loop, wait_and_clean_up, &f.waiter, sizeof f.waiter, NULL), 0);
    MUST(pe_spawn(loop, free_own_loop, &f, sizeof f, NULL), 0);
    MUST(pe_spawn(loop, wait_and_clean_up, &f.waiter, sizeof f.waiter, NULL), 0);
}

PE_TEST(freed_inside_a_task)
{
    struct host *host = host_new(20);
    int began = 0, cleaned = 0;

    start_freer(attach(host), NULL, &began, &cleaned);
    host_end(host);
    MUST(began, 2);
    MUST(cleaned, 3);
}

/* The call that runs it returns, though the loop is gone by then. */
PE_TEST(freed_inside_a_task_that_we_run)
{
    struct host *host = host_new(20);
    pe_loop *loop = attach(host);
    int began = 0, cleaned = 0;

    start_freer(loop, NULL, &began, &cleaned);
    MUST(pe_loop_run(loop), 0);
    MUST(cleaned, 3);
    host_end(host);
}

/* Its handles are all that is left of it afterwards. */
PE_TEST(freed_as_the_last_thing_of_a_task)
{
    struct host *host = host_new(20);
    pe_loop *loop = attach(host);
    uv_timer_t timer;
    int done = 0;

    start_work(loop, 3, &done);
    MUST(pe_loop_run(loop), 0);
    free_in(host, &timer, loop);
    MUST(pe_loop_run(loop), 0); /* without tasks it does not even look */
    host_end(host);
    MUST(done, 3);
}

/* ---- posts ---- */

struct note {
    pe_loop *loop;
    int next, order[8];
};

static struct note note;

static void note_number(void *number)
{
    note.order[note.next++] = *(int *)number;
}

static void free_loop(void *context)
{
    (void)context;
    pe_loop_free(note.loop);
}

/* What was accepted before and after it still comes, in its order. */
PE_TEST(freed_in_a_post)
{
    static int numbers[] = { 0, 1, 2, 3 };
    struct host *host = host_new(10);

    note = (struct note){ .loop = attach(host) };
    MUST(pe_loop_post(note.loop, note_number, &numbers[0]), 0);
    MUST(pe_loop_post(note.loop, free_loop, NULL), 0);
    for (int i = 1; i < 4; i++)
        MUST(pe_loop_post(note.loop, note_number, &numbers[i]), 0);
    host_end(host);
    MUST(note.next, 4);
    for (int i = 0; i < 4; i++)
        MUST(note.order[i], i);
}

static void stop_post(void *uv)
{
    uv_stop(uv);
}

static void *post_from_afar(void *loop)
{
    MUST(pe_loop_post(loop, stop_post, pe_loop_uv(loop)), 0);
    return NULL;
}

PE_TEST(a_post_wakes_the_host)
{
    struct host *host = host_new(1);
    pe_loop *loop = attach(host);
    pthread_t thread;
    int began = 0, cleaned = 0;
    struct waiter w = { &began, &cleaned };

    MUST(pe_spawn(loop, wait_and_clean_up, &w, sizeof w, NULL), 0); /* holds it, and sleeps */
    while (host->ticks < 1 || began < 1)
        uv_run(&host->uv, UV_RUN_ONCE);
    MUST(pthread_create(&thread, NULL, post_from_afar, loop), 0);
    ck_assert_int_ne(uv_run(&host->uv, UV_RUN_DEFAULT), 0);
    MUST(pthread_join(thread, NULL), 0);
    pe_loop_free(loop);
    host_end(host);
    MUST(cleaned, 1);
}

/* ---- several ---- */

PE_TEST(several_loops_on_one_of_the_host)
{
    struct host *host = host_new(40);
    pe_loop *loops[4];
    int done[4] = { 0 }, began = 0, cleaned = 0;
    struct waiter w = { &began, &cleaned };

    for (int i = 0; i < 4; i++) {
        loops[i] = attach(host);
        start_work(loops[i], 10, &done[i]);
        MUST(pe_spawn(loops[i], wait_and_clean_up, &w, sizeof w, NULL), 0);
    }
    while (done[0] + done[1] + done[2] + done[3] < 40)
        ck_assert_int_ne(uv_run(&host->uv, UV_RUN_ONCE), 0);
    uint64_t cancelled;
    MUST(pe_loop_close(loops[0], &cancelled), 0);
    ck_assert_uint_eq(cancelled, 1);
    MUST(cleaned, 1);
    pe_loop_free(loops[0]);
    pe_loop_free(loops[1]);
    start_freer(loops[2], &loops[3], &began, &cleaned);
    host_end(host);
    MUST(cleaned, 7);
}

/* One is run, and tasks of the other free it. */
PE_TEST(a_loop_that_runs_is_freed_by_another)
{
    struct host *host = host_new(20);
    pe_loop *one = attach(host), *other = attach(host);
    int began = 0, cleaned = 0, done = 0;

    start_work(one, 5, &done);
    start_freer(other, &one, &began, &cleaned);
    MUST(pe_loop_run(one), 0);
    MUST(done, 0);
    host_end(host);
    MUST(cleaned, 3);
}

HARNESS_MAIN("attached")
