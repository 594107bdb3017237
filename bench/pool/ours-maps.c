/* Our maps: pe_pool_map, with the arrays in shared memory or in ordinary memory. */

#include "pool/crew.h"
#include "pool/ours.h"

#include <stdlib.h>

#define ROOM_BYTES (UINT64_C(64) << 20)

struct ours {
    struct plan plan;
    struct crew crew;
};

/* What the pool must hold: both arrays when they are shared, and some room. */
static uint64_t shared_bytes(const struct plan *plan)
{
    if (plan->variant == OURS_ORDINARY)
        return 0;
    uint64_t arrays = plan->bytes > 0 ? 64 * (uint64_t)plan->bytes : 16 * plan->n;
    return arrays + ROOM_BYTES;
}

static int ours_open(const struct plan *plan, void **ret_state)
{
    struct ours *ours = calloc(1, sizeof(*ours));
    pe_pool_options options = { .size = sizeof(options),
                                .workers = plan->workers,
                                .shared_bytes = shared_bytes(plan) };
    ours->plan = *plan;
    if (crew_open(&ours->crew, plan, &options) < 0) {
        free(ours);
        return -1;
    }
    crew_await(&ours->crew, plan->workers);
    *ret_state = ours;
    return 0;
}

static void *ours_alloc(void *state, size_t bytes)
{
    struct ours *ours = state;
    void *memory = NULL;
    if (ours->plan.variant == OURS_ORDINARY)
        return malloc(bytes);
    return pe_pool_alloc(ours->crew.pool, bytes, &memory) < 0 ? NULL : memory;
}

static void ours_dealloc(void *state, void *memory)
{
    struct ours *ours = state;
    if (ours->plan.variant == OURS_ORDINARY)
        free(memory);
    else
        pe_pool_dealloc(ours->crew.pool, memory);
}

static int ours_map(void *state, const struct map_job *job)
{
    const struct ours *ours = state;
    pe_map_options options = { .size = sizeof(options),
                               .context = job->context,
                               .context_bytes = job->context_bytes,
                               .chunk = ours->plan.variant == OURS_CHUNK_1 ? 1 : PE_CHUNK_AUTO };
    int r = pe_pool_map(ours->crew.pool, job->fn, job->in, job->in_bytes, job->out, job->out_bytes,
                        job->count, &options);
    return r < 0 ? crew_failed(&ours->plan, "pe_pool_map", r) : 0;
}

static void ours_close(void *state)
{
    struct ours *ours = state;
    crew_close(&ours->crew);
    free(ours);
}

const struct map_ops ours_maps = { NULL, ours_open, ours_alloc, ours_dealloc, ours_map, ours_close };
