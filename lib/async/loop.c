/*
 * loop.c - a loop and its handles: turns of tasks, timers, running it.
 *
 * Three libuv handles do all of it. The idle handle is started while tasks are ready; libuv does not sleep then, and
 * its callback runs the ready queue until it is empty or the time of a turn is over. The timer follows the first of the
 * loop's own timers. The async handle is what other threads wake; it is referenced while there are tasks, so that the
 * libuv loop goes on even if they wait for each other only.
 *
 * Tasks that become ready in another callback of libuv, a read say, run in the next idle phase, which comes before
 * libuv would sleep.
 */
#include "async/loop.h"

#include "async/source.h"
#include "async/task.h"
#include "async/wait.h"
#include "base/clock.h"
#include "base/forked.h"

/* The loop that runs on this thread. Initial-exec: one load. */
static _Thread_local pe_loop *running __attribute__((tls_model("initial-exec")));

/* A child that was forked inside a loop is outside. */
bool pe__loop_is_inside(void)
{
    return running != NULL && !pe__base_forked(running->token);
}

pe_loop *pe__loop_enter(pe_loop *loop)
{
    pe_loop *before = running;

    running = loop;
    return before;
}

void pe__loop_leave(pe_loop *before)
{
    pe_loop *loop = running;

    running = before;
    if (loop != before)
        pe__loop_close_if_done(loop);
}

/* ---- turns ---- */

static void note_turn(struct pe__figures *figures, uint64_t ticks)
{
    figures->turns++;
    figures->turn_ticks += ticks;
    if (ticks > figures->turn_longest_ticks)
        figures->turn_longest_ticks = ticks;
}

static void on_idle(uv_idle_t *idle)
{
    pe_loop *loop = idle->data;
    pe_loop *before = pe__loop_enter(loop);

    uint64_t begin = pe__base_ticks();
    if (!pe__source_run_pass(loop)) {
        uv_idle_stop(&loop->idle);
        loop->is_idling = false;
    }
    note_turn(&loop->figures, pe__base_ticks() - begin);
    pe__loop_arm(loop);
    pe__loop_leave(before);
}

void pe__loop_wake(pe_loop *loop)
{
    loop->is_idling = true;
    uv_idle_start(&loop->idle, on_idle);
}

/* ---- timers ---- */

static void note_lag(struct pe__figures *figures, int64_t lag_ns)
{
    figures->timers++;
    figures->lag_ns += lag_ns;
    if (lag_ns > figures->lag_longest_ns)
        figures->lag_longest_ns = lag_ns;
}

static void on_timer(uv_timer_t *timer)
{
    pe_loop *loop = timer->data;

    int64_t now_ns = pe__base_now_ns();
    note_lag(&loop->figures, now_ns - loop->armed_ns);
    loop->armed_ns = PE_FOREVER;
    pe__timers_run(&loop->timers, now_ns);
    pe__loop_arm(loop);
}

/* libuv's clock is the same in milliseconds; rounded up, no timer is early. */
static uint64_t milliseconds_until(const pe_loop *loop, int64_t deadline_ns)
{
    uint64_t due_ms = (uint64_t)(deadline_ns / 1000000 + (deadline_ns % 1000000 != 0));
    uint64_t now_ms = uv_now(loop->uv);

    return due_ms > now_ms ? due_ms - now_ms : 0;
}

void pe__loop_arm(pe_loop *loop)
{
    int64_t next_ns = pe__timers_next(&loop->timers);

    if (next_ns == loop->armed_ns || loop->is_closing_handles)
        return;
    loop->armed_ns = next_ns;
    if (next_ns == PE_FOREVER)
        uv_timer_stop(&loop->timer);
    else
        uv_timer_start(&loop->timer, on_timer, milliseconds_until(loop, next_ns), 0);
}

/* ---- tasks ---- */

void pe__loop_keep_alive(pe_loop *loop, bool on)
{
    if (on)
        uv_ref((uv_handle_t *)&loop->async);
    else
        uv_unref((uv_handle_t *)&loop->async);
}

/* ---- handles ---- */

static void on_async(uv_async_t *async)
{
    pe_loop *loop = async->data;

    pe__loop_run_posts(loop);
    if (!pe__base_list_empty(&loop->sources))
        pe__source_look_woken(loop);
    pe__loop_arm(loop);
}

int pe__loop_open_handles(pe_loop *loop)
{
    int result = uv_async_init(loop->uv, &loop->async, on_async);

    if (result < 0)
        return result;
    uv_unref((uv_handle_t *)&loop->async);
    uv_idle_init(loop->uv, &loop->idle);
    uv_timer_init(loop->uv, &loop->timer);
    loop->async.data = loop->idle.data = loop->timer.data = loop;
    loop->handles = 3;
    return 0;
}

/* ---- running ---- */

static int check_outside(const pe_loop *loop)
{
    int result = pe__loop_check(loop);

    return result == 0 && pe__loop_is_inside() ? PE_EINLOOP : result;
}

int pe_loop_run(pe_loop *loop)
{
    int result = check_outside(loop);

    if (result < 0)
        return result;
    pe__loop_hold(loop); /* it may be freed meanwhile */
    pe_loop *before = pe__loop_enter(loop);
    pe__loop_run_posts(loop);
    while (loop->live > 0 && !loop->is_stopped)
        uv_run(loop->uv, UV_RUN_ONCE);
    loop->is_stopped = false;
    pe__loop_leave(before);
    pe__loop_let_go(loop);
    return 0;
}

int pe_loop_stop(pe_loop *loop)
{
    int result = pe__loop_check(loop);

    if (result == 0) {
        loop->is_stopped = true;
        pe__loop_wake(loop); /* a turn, so that libuv does not sleep on */
    }
    return result;
}

int pe_loop_fd(const pe_loop *loop)
{
    int result = pe__loop_check(loop);

    return result < 0 ? result : uv_backend_fd(loop->uv);
}

/* Milliseconds until libuv has something to do, -1: for ever. 0 also where descriptors are new to it, which it hands to
 * the kernel when it next polls. Where nothing holds the loop libuv would say 0 and not poll: our handle does. */
static int backend_timeout(pe_loop *loop)
{
    uv_ref((uv_handle_t *)&loop->async);
    if (loop->owns_uv)
        uv_update_time(loop->uv); /* what libuv answers is reckoned from there */
    int milliseconds = uv_backend_timeout(loop->uv);
    if (loop->live == 0)
        uv_unref((uv_handle_t *)&loop->async);
    return milliseconds;
}

int64_t pe_loop_next_ns(const pe_loop *loop)
{
    int result = pe__loop_check(loop);

    if (result < 0)
        return result;
    if (loop->ready != NULL)
        return 0;
    int milliseconds = backend_timeout((pe_loop *)(uintptr_t)loop);
    return milliseconds < 0 ? PE_FOREVER : PE_MS(milliseconds);
}

int pe_loop_poll(pe_loop *loop)
{
    int result = check_outside(loop);

    if (result == 0 && !loop->owns_uv)
        result = PE_EINVAL;
    if (result < 0)
        return result;
    pe_loop *before = pe__loop_enter(loop);
    uv_ref((uv_handle_t *)&loop->async); /* without that libuv does not look where there is no task */
    uv_run(loop->uv, UV_RUN_NOWAIT);
    if (loop->live == 0)
        uv_unref((uv_handle_t *)&loop->async);
    pe__loop_leave(before);
    return pe_loop_next_ns(loop) == 0;
}

struct uv_loop_s *pe_loop_uv(const pe_loop *loop)
{
    return pe__loop_check(loop) == 0 ? loop->uv : NULL;
}
