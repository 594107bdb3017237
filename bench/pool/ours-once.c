/* Our maps over memory that the workers have by their fork: a pool that is made after the arrays (PE_MAP_INHERITED),
 * and pe_map_once, which forks for each map. */

#include "pool/crew.h"
#include "pool/ours.h"

#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_BYTES ((size_t)2 << 20)

struct heirs {
    struct plan plan;
    pe_pool *pool; /* made by the first map */
};

static int heirs_open(const struct plan *plan, void **ret_state)
{
    struct heirs *heirs = calloc(1, sizeof(*heirs));
    heirs->plan = *plan;
    *ret_state = heirs;
    return 0;
}

static void *heirs_alloc(void *state, size_t bytes)
{
    const struct heirs *heirs = state;
    if (heirs->plan.variant == ONCE_SMALL_PAGES || heirs->plan.variant == INHERITED_SMALL_PAGES)
        return malloc(bytes);
    bytes = (bytes + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES;
    void *memory = aligned_alloc(HUGE_BYTES, bytes);
    if (memory)
        madvise(memory, bytes, MADV_HUGEPAGE);
    return memory;
}

static void heirs_dealloc(void *state, void *memory)
{
    (void)state;
    free(memory);
}

static int map_inherited(struct heirs *heirs, const struct map_job *job, pe_map_options *options)
{
    pe_pool_options pool_options = { .size = sizeof(pool_options), .workers = heirs->plan.workers };
    int r = heirs->pool ? 0 : pe_pool_new(&pool_options, &heirs->pool);
    if (r < 0)
        return crew_failed(&heirs->plan, "pe_pool_new", r);
    options->flags = PE_MAP_INHERITED;
    r = pe_pool_map(heirs->pool, job->fn, job->in, job->in_bytes, job->out, job->out_bytes, job->count, options);
    return r < 0 ? crew_failed(&heirs->plan, "pe_pool_map", r) : 0;
}

static int heirs_map(void *state, const struct map_job *job)
{
    struct heirs *heirs = state;
    pe_map_options options = { .size = sizeof(options), .context = job->context, .context_bytes = job->context_bytes };
    pe_pool_options pool_options = { .size = sizeof(pool_options), .workers = heirs->plan.workers };
    if (heirs->plan.variant == INHERITED || heirs->plan.variant == INHERITED_SMALL_PAGES)
        return map_inherited(heirs, job, &options);
    int r = pe_map_once(&pool_options, job->fn, job->in, job->in_bytes, job->out, job->out_bytes, job->count, &options);
    return r < 0 ? crew_failed(&heirs->plan, "pe_map_once", r) : 0;
}

static void heirs_close(void *state)
{
    struct heirs *heirs = state;
    pe_pool_free(heirs->pool);
    free(heirs);
}

const struct map_ops ours_heirs = { NULL, heirs_open, heirs_alloc, heirs_dealloc, heirs_map, heirs_close };
