/*
 * room.c - tasks that wait for room in a pool.
 *
 * A thread would sleep inside pe_pool_submit; a task waits in a list of the bridge, one list for each priority and one
 * for maps, and the one in front tries again whenever something has ended or begun in the pool. What it wants to hand
 * over is copied to a block of the loop's slab, since the caller's options and arguments may be gone by then.
 */
#include "bridge/room.h"

#include <string.h>

#include "base/clock.h"

struct pe__room {
    struct pe__base_list link; /* of the bridge's */
    struct pe__bridge *bridge;
    struct pe__task *task;
    struct pe__timer timer;
    size_t block_bytes;
    bool is_trying;            /* its task is not to be stopped by what the pool calls back meanwhile */
    struct pe__room_ask ask;
    _Alignas(16) unsigned char data[];
};

/* It has got what it waited for, or gives up. */
static struct pe__task *leave(struct pe__room *room)
{
    struct pe__bridge *bridge = room->bridge;
    struct pe__task *task = room->task;
    bool is_last = true;

    pe__base_list_remove(&room->link);
    pe__timer_stop(&bridge->loop->timers, &room->timer);
    pe__slab_free(&bridge->loop->slab, room, room->block_bytes);
    bridge->waits--;
    for (int i = 0; i < PE__ROOMS; i++)
        is_last &= pe__base_list_empty(&bridge->rooms[i]);
    bridge->listener.wants_room = !is_last;
    return task;
}

static int hand_over(struct pe__room *room, int give_up, pe_job **ret_job)
{
    const struct pe__room_ask *ask = &room->ask;
    pe_pool *pool = room->bridge->listener.pool;

    if (ask->job_fn == NULL)
        return pe__map_try_start(pool, &ask->map, give_up, ret_job);
    return give_up != 0 ? give_up
                        : pe_pool_try_submit(pool, ask->job_fn, ask->data, ask->bytes, &ask->job_options, ret_job);
}

/* The pool may find itself broken by this, and its log hook may cancel the task. */
static int attempt(struct pe__room *room, int give_up, pe_job **ret_job)
{
    room->is_trying = true;
    int result = hand_over(room, give_up, ret_job);
    room->is_trying = false;
    return result;
}

/* Its task does not wait for room any more; with an error nothing was handed over. */
static void settle(struct pe__room *room, int result, pe_job *job)
{
    struct pe__bridge *bridge = room->bridge;
    struct pe__room_ask ask = room->ask;
    struct pe__task *task = leave(room);

    if (ask.purpose == NULL && result == 0)
        *ask.ret_job = job;
    if (ask.purpose == NULL || (result < 0 && ask.purpose->refused == NULL)) {
        pe__wait_end(task, result);
    } else if (result < 0) {
        pe__wait_end(task, ask.purpose->refused(task, ask.isolated, result));
    } else {
        pe__job_wait_of(task)->isolated = ask.isolated;
        pe__await_started_job(bridge, task, ask.purpose, job);
    }
}

static void give_up(struct pe__room *room, int why)
{
    pe_job *job;

    (void)attempt(room, PE_ETIMEDOUT, &job); /* a map's items get their endings */
    settle(room, why, NULL);
}

static void cancel(struct pe__task *task)
{
    struct pe__room *room = task->object;

    if (!room->is_trying)
        give_up(room, PE_ECANCELED);
}

static void due(struct pe__timer *timer)
{
    give_up(PE__BASE_LIST_ENTRY(timer, struct pe__room, timer), PE_ETIMEDOUT);
}

static const struct pe__wait_kind kind = { .name = "room in a pool", .cancel = cancel };

/* True: whoever is behind it may try. */
static bool try_one(struct pe__room *room)
{
    pe_job *job = NULL;
    int result = attempt(room, 0, &job);

    if (result != PE_EAGAIN)
        settle(room, result, job);
    else if (room->task->stop & PE__STOP_ASKED)
        give_up(room, PE_ECANCELED);
    else
        return false;
    return true;
}

void pe__rooms_try(struct pe__bridge *bridge)
{
    for (int i = 0; i < PE__ROOMS && bridge->listener.wants_room; i++) {
        while (!pe__base_list_empty(&bridge->rooms[i]))
            if (!try_one(PE__BASE_LIST_ENTRY(bridge->rooms[i].next, struct pe__room, link)))
                break;
    }
}

static struct pe__room *new_room(struct pe__bridge *bridge, struct pe__task *task, const struct pe__room_ask *ask)
{
    size_t bytes = sizeof(struct pe__room) + ask->bytes;
    struct pe__room *room = bytes > ask->bytes ? pe__slab_new(&bridge->loop->slab, bytes) : NULL;

    if (room == NULL)
        return NULL;
    *room = (struct pe__room){ .bridge = bridge, .task = task, .block_bytes = bytes, .ask = *ask };
    if (ask->bytes > 0)
        memcpy(room->data, ask->data, ask->bytes);
    room->ask.data = room->data;
    if (ask->job_fn == NULL)
        room->ask.map.options.context = ask->bytes > 0 ? room->data : ask->map.options.context;
    return room;
}

int pe__room_wait(struct pe__bridge *bridge, struct pe__task *task, uint32_t which, const struct pe__room_ask *ask,
                  int64_t deadline_ns)
{
    pe_loop *loop = bridge->loop;
    bool is_timed = deadline_ns != 0 && deadline_ns != PE_FOREVER;
    int result = pe__base_deadline_check(deadline_ns);

    if (result == 0 && ask->data == NULL && ask->bytes > 0)
        result = PE_EINVAL;
    if (result < 0)
        return result;
    struct pe__room *room = new_room(bridge, task, ask);
    if (room == NULL)
        return PE_ENOMEM;
    if (is_timed)
        result = pe__timer_start(&loop->timers, &room->timer, deadline_ns, due);
    if (result == 0)
        result = pe__wait_begin(&task->head, &kind, room);
    if (result != PE_WAIT) {
        pe__timer_stop(&loop->timers, &room->timer);
        pe__slab_free(&loop->slab, room, room->block_bytes);
        return result;
    }
    pe__base_list_push_back(&bridge->rooms[which], &room->link);
    bridge->waits++;
    bridge->listener.wants_room = true;
    return PE_WAIT;
}
