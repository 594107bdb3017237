/*
 * close.c - making and closing loops, see the phases in loop.h.
 *
 * A loop of its own is closed inside pe_loop_close, which runs it till nothing is left. One that is attached may also
 * be left to its host: then whoever leaves it last (pe__loop_leave) after the last task has ended closes the handles,
 * and the close callback of the last one gives the memory back.
 */
#include <stdlib.h>
#include <unistd.h>

#include "async/failure.h"
#include "async/task.h"
#include "async/wait.h"
#include "base/clock.h"
#include "base/forked.h"

#define GRACE_NS PE_SECONDS(5)

static void destroy(pe_loop *loop)
{
    pe__timers_fini(&loop->timers);
    pe__fd_table_fini(&loop->fds);
    pe__slab_fini(&loop->slab);
    pthread_mutex_destroy(&loop->post_mutex);
    free(loop);
}

static void destroy_if_unused(pe_loop *loop)
{
    if (loop->is_freed && loop->phase == PE__LOOP_CLOSED && loop->kept == 0)
        destroy(loop);
}

void pe__loop_unused(pe_loop *loop)
{
    destroy_if_unused(loop);
}

/* ---- new ---- */

/* Before 1.51 libuv leaves its epoll descriptor open where it fails later than that. */
static int init_uv(uv_loop_t *uv)
{
    int result = uv_loop_init(uv);

    if (result < 0 && uv_version() < UINT32_C(0x013300) && uv_backend_fd(uv) > 0)
        close(uv_backend_fd(uv));
    return result;
}

static int open_loop(pe_loop *loop, uv_loop_t *attach)
{
    int result = pe__base_forked_token(&loop->token);

    loop->owns_uv = attach == NULL;
    loop->uv = attach != NULL ? attach : &loop->own_uv;
    if (result == 0 && loop->owns_uv)
        result = init_uv(loop->uv);
    if (result < 0)
        return result;
    result = pe__loop_open_handles(loop);
    if (result < 0 && loop->owns_uv)
        uv_loop_close(loop->uv);
    return result;
}

int pe_loop_new(struct uv_loop_s *attach_or_null, pe_loop **ret_loop)
{
    if (ret_loop == NULL)
        return PE_EINVAL;
    pe_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return PE_ENOMEM;
    int result = open_loop(loop, attach_or_null);
    if (result < 0) {
        free(loop);
        return result;
    }
    pthread_mutex_init(&loop->post_mutex, NULL);
    pe__slab_init(&loop->slab);
    pe__timers_init(&loop->timers);
    pe__base_list_init(&loop->tasks);
    pe__base_list_init(&loop->failed);
    pe__base_list_init(&loop->signals);
    pe__base_list_init(&loop->objects);
    pe__base_list_init(&loop->sources);
    loop->armed_ns = PE_FOREVER;
    loop->grace_ns = GRACE_NS;
    loop->takes_posts = true;
    *ret_loop = loop;
    return 0;
}

int pe_loop_set_grace(pe_loop *loop, int64_t grace_ns)
{
    int result = pe__loop_check(loop);

    if (result == 0 && grace_ns < 0 && grace_ns != PE_NOW)
        result = PE_EINVAL;
    if (result == 0)
        loop->grace_ns = grace_ns == 0 ? GRACE_NS : grace_ns;
    return result;
}

/* ---- objects ---- */

void pe__object_open(pe_loop *loop, struct pe__object *object, const char *name,
                     void (*close)(struct pe__object *object))
{
    object->loop = loop;
    object->close = close;
    object->name = name;
    pe__base_list_push_back(&loop->objects, &object->link);
}

void pe__object_close(struct pe__object *object)
{
    pe__base_list_remove(&object->link);
    object->loop = NULL;
}

static void close_objects(pe_loop *loop)
{
    while (!pe__base_list_empty(&loop->objects)) {
        struct pe__object *object = PE__BASE_LIST_ENTRY(loop->objects.next, struct pe__object, link);

        pe__object_close(object);
        object->close(object);
    }
}

/* ---- close ---- */

static void end_grace(pe_loop *loop)
{
    loop->phase = PE__LOOP_FINAL;
    pe__wait_stop_all(loop);
}

static void grace_due(struct pe__timer *timer)
{
    end_grace((pe_loop *)(void *)((char *)timer - offsetof(pe_loop, grace_timer)));
}

static void cancel_all(pe_loop *loop)
{
    PE__BASE_LIST_EACH_SAFE(link, after, &loop->tasks)
        (void)pe_task_cancel(&PE__BASE_LIST_ENTRY(link, struct pe__task, all)->head);
}

/* Without memory for the timer there is no grace. */
static void begin_closing(pe_loop *loop)
{
    loop->phase = PE__LOOP_GRACE;
    cancel_all(loop);
    bool is_timed = loop->grace_ns != PE_NOW && loop->grace_ns != PE_FOREVER && loop->live > 0;
    if (loop->grace_ns == PE_NOW ||
        (is_timed && pe__timer_start(&loop->timers, &loop->grace_timer, pe_after(loop->grace_ns), grace_due) < 0))
        end_grace(loop);
    pe__loop_arm(loop);
}

void pe__handle_gone(pe_loop *loop)
{
    if (--loop->handles > 0)
        return;
    loop->phase = PE__LOOP_CLOSED;
    destroy_if_unused(loop);
}

static void on_close(uv_handle_t *handle)
{
    pe__handle_gone(handle->data);
}

/* No task is left. */
static void close_handles(pe_loop *loop)
{
    loop->is_closing_handles = true;
    pe__loop_end_posts(loop);
    pe__timer_stop(&loop->timers, &loop->grace_timer);
    pe__failure_report_all(loop);
    close_objects(loop);
    uv_close((uv_handle_t *)&loop->async, on_close);
    uv_close((uv_handle_t *)&loop->idle, on_close);
    uv_close((uv_handle_t *)&loop->timer, on_close);
}

void pe__loop_close_if_done(pe_loop *loop)
{
    if (!loop->is_freed || loop->live > 0 || loop->is_closing_handles)
        return;
    pe_loop *before = pe__loop_enter(loop);
    close_handles(loop);
    pe__loop_leave(before);
}

/* What the program has opened on our libuv loop by itself and not closed. */
static void close_foreign(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* Again and again, since what is waited for may open more. */
static void close_uv(uv_loop_t *uv)
{
    do {
        uv_walk(uv, close_foreign, NULL);
        uv_run(uv, UV_RUN_ONCE);
    } while (uv_loop_close(uv) == UV_EBUSY);
}

static uint64_t close_now(pe_loop *loop)
{
    uint64_t live = loop->live;
    pe_loop *before = pe__loop_enter(loop);

    begin_closing(loop);
    while (loop->live > 0)
        uv_run(loop->uv, UV_RUN_ONCE);
    if (!loop->is_closing_handles)
        close_handles(loop);
    while (loop->phase != PE__LOOP_CLOSED)
        uv_run(loop->uv, UV_RUN_ONCE);
    if (loop->owns_uv)
        close_uv(loop->uv);
    pe__loop_leave(before);
    return live;
}

int pe_loop_close(pe_loop *loop, uint64_t *ret_cancelled)
{
    int result = pe__loop_check(loop);
    uint64_t live = 0;

    if (result < 0 && result != PE_ECLOSED)
        return result;
    if (pe__loop_is_inside())
        return PE_EINLOOP;
    if (result == 0) {
        pe__loop_hold(loop);
        live = close_now(loop);
        pe__loop_let_go(loop);
    }
    if (ret_cancelled != NULL)
        *ret_cancelled = live;
    return 0;
}

/* The host's loop sees to the rest. */
static void detach(pe_loop *loop)
{
    pe_loop *before = pe__loop_enter(loop);

    loop->is_freed = true;
    if (loop->phase == PE__LOOP_OPEN)
        begin_closing(loop);
    pe__loop_leave(before);
}

void pe_loop_free(pe_loop *loop)
{
    if (loop == NULL || pe__base_forked(loop->token))
        return;
    if (loop->phase != PE__LOOP_CLOSED && !loop->owns_uv) {
        detach(loop);
    } else if (loop->phase == PE__LOOP_CLOSED || pe_loop_close(loop, NULL) == 0) {
        loop->is_freed = true; /* NOLINT(clang-analyzer-unix.Malloc): only once, so nobody else has destroyed it */
        destroy_if_unused(loop);
    }
}
