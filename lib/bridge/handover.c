/*
 * handover.c - tasks that hand jobs and maps over. What there is room for goes to the pool at once; else the task waits
 * its turn, behind those that came first.
 */
#include <parexec/await.h>

#include "base/sized.h"
#include "bridge/bridge.h"
#include "bridge/room.h"

int pe_await_submit(pe_task *t, pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes,
                    const pe_job_options *options, pe_job **ret_job)
{
    struct pe__room_ask ask = { .job_fn = fn, .data = arg, .bytes = arg_bytes, .ret_job = ret_job };
    struct pe__bridge *bridge;
    int result = pe__wait_check(t);

    if (result == 0 && (pool == NULL || fn == NULL || ret_job == NULL || (arg == NULL && arg_bytes > 0)))
        result = PE_EINVAL;
    if (result == 0)
        result = PE__BASE_CHECK_SIZED(pe_job_options, options, &ask.job_options);
    if (result == 0 && ask.job_options.priority > PE_PRIORITY_LOW)
        result = PE_EINVAL;
    if (result < 0)
        return result;
    struct pe__task *task = pe__task_of(t);
    if (!pe__room_has_waiters(pe__bridge_find(task->loop, pool), ask.job_options.priority)) {
        result = pe_pool_try_submit(pool, fn, arg, arg_bytes, options, ret_job);
        if (result != PE_EAGAIN)
            return result;
    }
    result = pe__bridge_of(task->loop, pool, &bridge);
    if (result < 0)
        return result;
    return pe__room_wait(bridge, task, ask.job_options.priority, &ask, ask.job_options.submit_deadline_ns);
}

int pe_await_map(pe_task *t, pe_pool *pool, pe_map_fn *fn, const void *in, size_t in_bytes, void *out,
                 size_t out_bytes, size_t count, const pe_map_options *options)
{
    struct pe__room_ask ask = { .purpose = &pe__map_purpose,
                                .map = { .fn = fn, .in = in, .in_bytes = in_bytes, .out = out,
                                         .out_bytes = out_bytes, .count = count } };
    struct pe__bridge *bridge;
    pe_job *job = NULL;
    int result = pe__bridge_check_start(t);

    if (result == 0)
        result = PE__BASE_CHECK_SIZED(pe_map_options, options, &ask.map.options);
    if (result == 0)
        result = pe__bridge_of(pe__task_of(t)->loop, pool, &bridge);
    if (result != 0)
        return result;
    result = pe__room_has_waiters(bridge, PE__ROOM_MAP) ? PE_EAGAIN : pe__map_try_start(pool, &ask.map, 0, &job);
    if (result == 0)
        return pe__await_own_job(bridge, pe__task_of(t), &pe__map_purpose, job);
    if (result != PE_EAGAIN)
        return result;
    if ((ask.map.options.flags & PE_MAP_INHERITED) == 0) {
        ask.data = ask.map.options.context;
        ask.bytes = ask.map.options.context_bytes;
    }
    return pe__room_wait(bridge, pe__task_of(t), PE__ROOM_MAP, &ask, ask.map.options.deadline_ns);
}
