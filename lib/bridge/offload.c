/*
 * offload.c - pe_offload: on a thread of the loop, or as a job of a pool.
 *
 * An isolated call is a job whose argument is the function and the caller's bytes, and whose reply is the bytes as the
 * function has left them. What belongs to it meanwhile lies in the loop's slab. The loop's own pool is one of its
 * objects, so it goes with the loop, after the last task; one that is broken is replaced by the next call.
 */
#include <parexec/offload.h>

#include <stdlib.h>
#include <string.h>

#include <parexec/worker.h>

#include "async/offload.h"
#include "base/sized.h"
#include "bridge/bridge.h"
#include "bridge/room.h"

#define THREADS_MOST 1024
#define WORKER_IDLE_NS PE_SECONDS(10)

/* ---- the loop's own pool ---- */

struct pe__isolated_pool {
    struct pe__object object;
    pe_pool *pool;
};

static void close_pool(struct pe__object *object)
{
    struct pe__isolated_pool *own = PE__BASE_LIST_ENTRY(object, struct pe__isolated_pool, object);

    pe_pool_free(own->pool);
    free(own);
}

static int open_pool(pe_loop *loop)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    struct pe__isolated_pool *own = calloc(1, sizeof *own);

    if (own == NULL)
        return PE_ENOMEM;
    options.grace_ns = PE_NOW;
    options.idle_ns = WORKER_IDLE_NS;
    int result = pe_pool_new(&options, &own->pool);
    if (result < 0) {
        free(own);
        return result;
    }
    pe__object_open(loop, &own->object, "own pool", close_pool);
    loop->isolated_pool = own;
    return 0;
}

static int own_pool(pe_loop *loop, pe_offload_fn *fn, pe_pool **ret_pool)
{
    struct pe__isolated_pool *own = loop->isolated_pool;

    if (own != NULL && pe__listener_check_fn(own->pool, (uintptr_t)fn) == PE_EBROKEN) {
        loop->isolated_pool = NULL;
        pe__object_close(&own->object);
        close_pool(&own->object);
        own = NULL;
    }
    int result = own != NULL ? 0 : open_pool(loop);
    if (result == 0)
        *ret_pool = loop->isolated_pool->pool;
    return result;
}

/* ---- in the worker ---- */

static int call_in_worker(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    pe_offload_fn *fn;
    size_t bytes = arg_bytes - sizeof fn;
    void *copy = NULL;

    memcpy(&fn, arg, sizeof fn);
    if (bytes > 0) {
        copy = pe_reply_reserve(reply, bytes);
        if (copy == NULL)
            return PE_ENOMEM;
        memcpy(copy, (const unsigned char *)arg + sizeof fn, bytes);
    }
    return fn(copy);
}

/* ---- the wait ---- */

struct pe__isolated {
    void *arg;
    size_t bytes;
    pe_status *ret_status;
    size_t block_bytes;
    pe_offload_fn *fn; /* and the bytes behind it: the job's argument */
    unsigned char data[];
};

static void give_back(struct pe__task *task, struct pe__isolated *isolated)
{
    pe__slab_free(&task->loop->slab, isolated, isolated->block_bytes);
}

static int result_of(const pe_status *status)
{
    switch (status->kind) {
    case PE_RETURNED: return status->code == PE_WAIT ? PE_EINVAL : status->code;
    case PE_TIMED_OUT: return PE_ETIMEDOUT;
    case PE_CANCELLED: return PE_ECANCELED;
    case PE_LOST: return PE_EBROKEN;
    default: return PE_ECRASHED;
    }
}

static int finish(struct pe__job_wait *wait, pe_job *job)
{
    struct pe__isolated *isolated = wait->isolated;
    struct pe__task *task = pe__job_waiter(&wait->watch.link);
    pe_status status = { .kind = PE_LOST };
    const void *data;
    size_t bytes;

    (void)pe_job_status(job, &status);
    if (isolated->bytes > 0 && pe_job_result(job, &data, &bytes) == 0 && bytes == isolated->bytes)
        memcpy(isolated->arg, data, bytes);
    if (isolated->ret_status != NULL)
        *isolated->ret_status = status;
    give_back(task, isolated);
    pe_job_free(job);
    return result_of(&status);
}

static int refused(struct pe__task *task, struct pe__isolated *isolated, int result)
{
    if (isolated->ret_status != NULL)
        *isolated->ret_status = (pe_status){ .kind = result == PE_EBROKEN ? PE_LOST : PE_CANCELLED, .worker = -1 };
    give_back(task, isolated);
    return result;
}

static const struct pe__job_purpose isolated_purpose = { { .name = "a call in a process",
                                                           .cancel = pe__await_cancel_job },
                                                         finish, refused };

static struct pe__isolated *new_isolated(pe_loop *loop, pe_offload_fn *fn, void *arg, const pe_offload_options *options)
{
    size_t bytes = options->arg_bytes, block_bytes = sizeof(struct pe__isolated) + bytes;
    struct pe__isolated *isolated = block_bytes > bytes ? pe__slab_new(&loop->slab, block_bytes) : NULL;

    if (isolated == NULL)
        return NULL;
    *isolated = (struct pe__isolated){
        .arg = arg, .bytes = bytes, .ret_status = options->status, .block_bytes = block_bytes, .fn = fn
    };
    if (bytes > 0)
        memcpy(isolated->data, arg, bytes);
    return isolated;
}

/* Hands it over, or waits for room. */
static int start(struct pe__task *task, struct pe__bridge *bridge, struct pe__isolated *isolated, int64_t timeout_ns)
{
    struct pe__room_ask ask = { .purpose = &isolated_purpose,
                                .isolated = isolated,
                                .job_fn = call_in_worker,
                                .job_options = { .size = sizeof ask.job_options, .timeout_ns = timeout_ns },
                                .data = &isolated->fn,
                                .bytes = sizeof isolated->fn + isolated->bytes };
    pe_job *job = NULL;
    int result = PE_EAGAIN;

    if (!pe__room_has_waiters(bridge, PE_PRIORITY_NORMAL))
        result = pe_pool_try_submit(bridge->listener.pool, ask.job_fn, ask.data, ask.bytes, &ask.job_options, &job);
    if (result == PE_EAGAIN)
        result = pe__room_wait(bridge, task, PE_PRIORITY_NORMAL, &ask, 0);
    if (result < 0)
        return result == PE_WAIT ? result : refused(task, isolated, result);
    pe__job_wait_of(task)->isolated = isolated;
    return pe__await_own_job(bridge, task, &isolated_purpose, job);
}

static int offload_isolated(struct pe__task *task, pe_offload_fn *fn, void *arg, const pe_offload_options *options)
{
    pe_pool *pool = options->pool;
    struct pe__bridge *bridge;
    int result = pool != NULL ? 0 : own_pool(task->loop, fn, &pool);

    if (result == 0)
        result = pe__listener_check_fn(pool, (uintptr_t)fn);
    if (result == 0)
        result = pe__bridge_of(task->loop, pool, &bridge);
    if (result != 0)
        return result;
    struct pe__isolated *isolated = new_isolated(task->loop, fn, arg, options);
    if (isolated == NULL)
        return PE_ENOMEM;
    return start(task, bridge, isolated, options->timeout_ns);
}

/* ---- public ---- */

static int check(const pe_offload_options *given, const void *arg, pe_offload_options *ret)
{
    int result = PE__BASE_CHECK_SIZED(pe_offload_options, given, ret);

    if (result < 0)
        return result;
    if ((ret->flags & ~PE_ISOLATED) != 0 || ret->reserved != 0 || ret->timeout_ns < 0)
        return PE_EINVAL;
    if ((ret->flags & PE_ISOLATED) == 0)
        return ret->pool != NULL || ret->arg_bytes != 0 || ret->timeout_ns != 0 || ret->status != NULL ? PE_EINVAL : 0;
    return arg == NULL && ret->arg_bytes > 0 ? PE_EINVAL : 0;
}

int pe_offload(pe_task *t, pe_offload_fn *fn, void *arg, const pe_offload_options *options)
{
    pe_offload_options checked;
    int result = pe__bridge_check_start(t);

    if (result == 0)
        result = fn == NULL ? PE_EINVAL : check(options, arg, &checked);
    if (result != 0)
        return result;
    if ((checked.flags & PE_ISOLATED) == 0)
        return pe__offload_wait(t, fn, arg);
    return offload_isolated(pe__task_of(t), fn, arg, &checked);
}

int pe_offload_cancelled(void)
{
    return pe__offload_is_cancelled() || pe_worker_cancelled();
}

int pe_loop_set_threads(pe_loop *loop, uint32_t threads)
{
    int result = pe__loop_check(loop);

    if (result == 0 && threads > THREADS_MOST)
        result = PE_EINVAL;
    return result < 0 ? result : pe__offload_set_most(loop, threads);
}
