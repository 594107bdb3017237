/*
 * bridge.c - looks after a pool on a loop.
 *
 * While a task of the loop waits for something of the pool, the pool is looked at whenever no task is ready any more:
 * what has ended is taken over at once, and what ends within the short time of a spin goes on in the same pass. Before
 * the loop sleeps the descriptor is armed. A ring that turns out to be for nobody here is taken out of the descriptor
 * by the next look; with nobody left who waits, the descriptor is not watched any more, for nobody would take it out.
 */
#include "bridge/bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "bridge/room.h"

/* ---- the end ---- */

static void on_close(uv_handle_t *handle)
{
    struct pe__bridge *bridge = handle->data;
    pe_loop *loop = bridge->loop;

    free(bridge);
    pe__handle_gone(loop);
}

/* It is no longer one of the loop's objects. */
static void close_bridge(struct pe__object *object)
{
    struct pe__bridge *bridge = PE__BASE_LIST_ENTRY(object, struct pe__bridge, object);

    pe__base_list_remove(&bridge->source.link);
    pe__listener_stop(&bridge->listener);
    uv_close((uv_handle_t *)&bridge->poll, on_close);
    close(bridge->fd);
}

/* ---- looking ---- */

static enum pe__listen manner(const struct pe__bridge *bridge, enum pe__look how)
{
    if (bridge->waits == 0 || how == PE__LOOK_QUICK)
        return PE__LISTEN_QUICK;
    return how == PE__LOOK_LAST ? PE__LISTEN_SPIN : PE__LISTEN_ARM;
}

static void on_readable(uv_poll_t *poll, int status, int events);

static void watch(struct pe__bridge *bridge)
{
    if (bridge->is_watching)
        return;
    bridge->is_watching = uv_poll_start(&bridge->poll, UV_READABLE, on_readable) == 0;
}

/* True: look again before the loop sleeps. */
static bool look(struct pe__bridge *bridge, enum pe__listen how)
{
    struct pe__base_list ended, *link;

    pe__base_list_init(&ended);
    int result = pe__listener_look(&bridge->listener, how, &ended);
    while ((link = pe__base_list_pop_front(&ended)) != NULL)
        pe__await_job_ended(pe__job_waiter(link));
    if (result != 0 || how != PE__LISTEN_QUICK)
        pe__rooms_try(bridge);
    if (result < 0) {
        pe__object_close(&bridge->object);
        close_bridge(&bridge->object);
        return false;
    }
    if (result == 0 && how != PE__LISTEN_QUICK)
        watch(bridge);
    return bridge->waits > 0 && (result > 0 || bridge->loop->ready != NULL);
}

static bool look_at_source(struct pe__source *source, enum pe__look how)
{
    struct pe__bridge *bridge = PE__BASE_LIST_ENTRY(source, struct pe__bridge, source);

    if (how == PE__LOOK_WOKEN ? !atomic_exchange(&bridge->is_woken, false) : bridge->waits == 0)
        return false;
    return look(bridge, manner(bridge, how));
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct pe__bridge *bridge = poll->data;
    pe_loop *loop = bridge->loop;
    pe_loop *before = pe__loop_enter(loop);

    (void)events;
    if (bridge->waits == 0 || status < 0) {
        uv_poll_stop(poll);
        bridge->is_watching = false;
        pe__listener_rouse(&bridge->listener);
    }
    if (bridge->waits > 0 && look(bridge, PE__LISTEN_ARM))
        pe__loop_wake(loop);
    pe__loop_arm(loop);
    pe__loop_leave(before);
}

static void wake(struct pe__listener *listener)
{
    struct pe__bridge *bridge = PE__BASE_LIST_ENTRY(listener, struct pe__bridge, listener);

    atomic_store(&bridge->is_woken, true);
    uv_async_send(&bridge->loop->async);
}

/* ---- the beginning ---- */

static int open_poll(struct pe__bridge *bridge, const pe_pool *pool)
{
    bridge->fd = fcntl(pe_pool_fd(pool), F_DUPFD_CLOEXEC, 3);
    if (bridge->fd < 0)
        return -errno;
    int result = uv_poll_init(bridge->loop->uv, &bridge->poll, bridge->fd);
    if (result < 0)
        close(bridge->fd);
    return result;
}

static int start(struct pe__bridge *bridge, pe_pool *pool)
{
    bridge->listener.wake = wake;
    int result = pe__listener_start(&bridge->listener, pool);
    if (result < 0)
        return result;
    result = open_poll(bridge, pool);
    if (result < 0) {
        pe__listener_stop(&bridge->listener);
        return result;
    }
    bridge->poll.data = bridge;
    uv_unref((uv_handle_t *)&bridge->poll); /* the tasks that wait keep the loop alive */
    pe__handle_opened(bridge->loop);
    pe__object_open(bridge->loop, &bridge->object, "pool", close_bridge);
    bridge->source.look = look_at_source;
    pe__base_list_push_back(&bridge->loop->sources, &bridge->source.link);
    return 0;
}

static int new_bridge(pe_loop *loop, pe_pool *pool, struct pe__bridge **ret_bridge)
{
    struct pe__bridge *bridge = calloc(1, sizeof *bridge);

    if (bridge == NULL)
        return PE_ENOMEM;
    bridge->loop = loop;
    for (int i = 0; i < PE__ROOMS; i++)
        pe__base_list_init(&bridge->rooms[i]);
    int result = start(bridge, pool);
    if (result < 0)
        free(bridge);
    else
        *ret_bridge = bridge;
    return result;
}

struct pe__bridge *pe__bridge_find(pe_loop *loop, const pe_pool *pool)
{
    PE__BASE_LIST_EACH(link, &loop->sources) {
        struct pe__bridge *bridge = PE__BASE_LIST_ENTRY(link, struct pe__bridge, source.link);

        if (bridge->source.look == look_at_source && bridge->listener.pool == pool)
            return bridge;
    }
    return NULL;
}

int pe__bridge_of(pe_loop *loop, pe_pool *pool, struct pe__bridge **ret_bridge)
{
    struct pe__bridge *bridge = pe__bridge_find(loop, pool);

    if (bridge == NULL)
        return new_bridge(loop, pool, ret_bridge);
    *ret_bridge = bridge;
    return 0;
}
