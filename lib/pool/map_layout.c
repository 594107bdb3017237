/*
 * map_layout.c - what workers see of a map: one block of the heap with its context, item states, inputs and outputs
 * that are neither shared nor inherited, details and texts; its descriptor; and the lanes that its items are dealt to
 * (shared/lane.h).
 */
#include "pool/map_layout.h"

#include <string.h>

#include "pool/pool.h"
#include "pool/regions.h"
#include "shared/output.h"

#define BLOCK_ALIGN 64

/* Adds a part to the block's plan; returns its offset. */
static uint64_t plan(uint64_t *total, uint64_t bytes)
{
    uint64_t offset = (*total + BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN;
    *total = offset + bytes;
    return offset;
}

static bool is_shared(const pe_pool *pool, const void *memory, size_t bytes)
{
    return bytes == 0 || pe__shared_heap_owns(&pool->heap, memory, bytes);
}

/* Of a map that nobody can ask afterwards none is kept. */
static uint64_t room_for_outputs(const pe_pool *pool, const struct pe__map_job *map)
{
    uint64_t each = map->keeps_handle ? pool->shared.geometry.output_bytes : 0;
    return each == 0 || map->count < PE__OUTPUT_MAP_BYTES / each ? map->count * each : PE__OUTPUT_MAP_BYTES;
}

/* What is touched always comes first, what is touched only on failure last. */
int pe__map_place(pe_pool *pool, struct pe__map_job *map)
{
    const pe_map_options *options = &map->options;
    bool inherited = (options->flags & PE_MAP_INHERITED) != 0;
    bool copy_in = !inherited && !is_shared(pool, map->in, map->in_bytes * map->count);
    bool copy_out = !is_shared(pool, map->out, map->out_bytes * map->count);
    uint64_t total = 0;
    map->text_bytes = map->count < PE__MAP_TEXT_BYTES / PE_TEXT_BYTES_MAX ? map->count * PE_TEXT_BYTES_MAX
                                                                         : PE__MAP_TEXT_BYTES;
    map->outputs_bytes = room_for_outputs(pool, map);
    uint64_t context_bytes = inherited ? 0 : options->context_bytes;
    uint64_t context = plan(&total, context_bytes), state = plan(&total, map->count);
    uint64_t in = plan(&total, copy_in ? map->in_bytes * map->count : 0);
    uint64_t out = plan(&total, copy_out ? map->out_bytes * map->count : 0);
    uint64_t detail = plan(&total, map->count * sizeof *map->detail), texts = plan(&total, map->text_bytes);
    uint64_t outputs = plan(&total, map->outputs_bytes);
    int result = pe__shared_heap_alloc(&pool->heap, total, false, &map->block);
    if (result < 0)
        return result;
    unsigned char *block = map->block;
    map->state = (_Atomic uint8_t *)(block + state);
    map->detail = (struct pe__item_detail *)(void *)(block + detail);
    map->texts = block + texts;
    map->outputs = block + outputs;
    map->shared_in = copy_in ? block + in : (unsigned char *)map->in;
    map->shared_out = copy_out ? block + out : map->out;
    memset((void *)map->state, PE__ITEM_OPEN, map->count);
    if (context_bytes > 0)
        memcpy(block + context, options->context, context_bytes);
    if (copy_in) {
        PE__BUILTIN_SCOPE(&pe__pool_copy_site);
        memcpy(map->shared_in, map->in, map->in_bytes * map->count);
    }
    if (context_bytes > 0)
        map->options.context = block + context;
    return 0;
}

/* Where the share of a lane begins when the units are dealt to so many; the lanes behind them get none. */
static uint64_t share(uint64_t units, uint32_t lane, uint32_t dealt)
{
    return lane < dealt ? units * lane / dealt : units;
}

void pe__map_describe(pe_pool *pool, struct pe__map_job *map)
{
    struct pe__map *shown = &pool->shared.maps[map->index];
    uint64_t unit = (map->count + PE__LANE_UNITS_MAX - 1) / PE__LANE_UNITS_MAX;
    uint64_t units = (map->count + unit - 1) / unit;
    uint64_t chunk = map->options.chunk;
    struct pe__map wanted = { .fn = map->fn,
                              .context = map->options.context,
                              .in = map->shared_in,
                              .out = map->shared_out,
                              .in_bytes = map->in_bytes,
                              .out_bytes = map->out_bytes,
                              .count = map->count,
                              .unit = unit,
                              .chunk = chunk != 0 && chunk < unit ? 1 : chunk / unit,
                              .state = map->state,
                              .detail = map->detail,
                              .texts = map->texts,
                              .text_bytes = map->text_bytes,
                              .outputs = map->outputs,
                              .outputs_bytes = map->outputs_bytes,
                              .lanes = map->lanes,
                              .retries = map->options.retries,
                              .on_error = map->options.on_error,
                              .timed = map->options.statuses != NULL || map->outputs_bytes > 0,
                              .limits = pe__map_limits(map),
                              .timeout_ns = map->options.timeout_ns,
                              .deadline_ns = pe__map_deadline(map) };
    /* Of a map like the last one the workers have most of this in their caches: leave it there. */
    if (memcmp(shown, &wanted, sizeof wanted) != 0)
        *shown = wanted;
    pe__map_live_reset(&pool->shared.lives[map->index]);
    struct pe__lane *lanes = pe__mapping_lanes(&pool->shared, map->index);
    for (uint32_t lane = 0; lane < map->lanes; lane++)
        pe__lane_reset(&lanes[lane], share(units, lane, map->ticketed), share(units, lane + 1, map->ticketed));
}
