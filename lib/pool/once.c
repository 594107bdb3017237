/*
 * once.c - pe_map_once: a pool for one map, forked at the moment of the call.
 *
 * The fork itself is what hands input and context over: every worker has the program's memory as it is at the
 * call, so the map reads both in place (PE_MAP_INHERITED). What comes back is as in any map: results, states and
 * statuses in shared memory, so a worker's death costs one item. No more workers are forked than there are items.
 */
#include <stddef.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "base/sized.h"
#include "pool/map_options.h"
#include "pool/options.h"

static int complete(const pe_pool_options *given, size_t count, pe_pool_options *ret)
{
    pe_pool_options checked;
    int result = PE__BASE_CHECK_SIZED(pe_pool_options, given, ret);
    if (result == 0)
        result = pe__pool_options_check(given, &checked);
    if (result != 0)
        return result;
    if ((ret->flags & PE_POOL_FROM_SEED) != 0)
        return PE_EINVAL;
    ret->workers = count < checked.workers ? (uint32_t)count : checked.workers;
    ret->queue_jobs = 1;
    if (count == 0)
        ret->flags |= PE_POOL_INLINE; /* nothing is going to run */
    return 0;
}

/* The workers have nothing to do any more: only for worker_exit need they leave by themselves. */
static void end(pe_pool *pool, const pe_pool_options *options, int64_t deadline_ns)
{
    if (options->worker_exit != NULL)
        pe_pool_join(pool, deadline_ns);
    pe_pool_kill(pool, PE_NOW);
    pe_pool_free(pool);
}

int pe_map_once(const pe_pool_options *pool_options, pe_map_fn *fn, const void *in, size_t in_bytes, void *out,
                size_t out_bytes, size_t count, const pe_map_options *options)
{
    struct pe__map_job wanted = { .fn = fn, .in = in, .in_bytes = in_bytes, .out = out, .out_bytes = out_bytes,
                                  .count = count };
    pe_pool_options own;
    pe_pool *pool;
    int result = pe__map_check(&wanted, options);
    if (result == 0)
        result = complete(pool_options, count, &own);
    if (result == 0)
        result = pe_pool_new(&own, &pool);
    if (result != 0)
        return result;
    wanted.options.flags |= PE_MAP_INHERITED;
    result = pe_pool_map(pool, fn, in, in_bytes, out, out_bytes, count, &wanted.options);
    end(pool, &own, wanted.options.deadline_ns);
    return result;
}
