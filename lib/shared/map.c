/* map.c - a map's common words: its wish to stop, its count of failures, its room for texts. */
#include "shared/map.h"

#include "shared/lane.h"
#include "shared/limit.h"
#include "shared/reset.h"

void pe__map_live_reset(struct pe__map_live *live)
{
    PE__RESET(&live->stop, 0);
    PE__RESET(&live->failed, 0);
    PE__RESET(&live->text_used, 0);
    PE__RESET(&live->output_used, 0);
}

static bool take_room(_Atomic uint64_t *used, uint64_t room, uint64_t bytes, uint32_t *ret_at)
{
    uint64_t at = atomic_fetch_add_explicit(used, bytes, memory_order_relaxed);
    if (bytes > room || at > room - bytes)
        return false;
    *ret_at = (uint32_t)at;
    return true;
}

bool pe__map_take_text(const struct pe__map *map, struct pe__map_live *live, uint64_t bytes, uint32_t *ret_at)
{
    return take_room(&live->text_used, map->text_bytes, bytes, ret_at);
}

bool pe__map_take_output(const struct pe__map *map, struct pe__map_live *live, uint64_t bytes, uint32_t *ret_at)
{
    return take_room(&live->output_used, map->outputs_bytes, bytes, ret_at);
}

void pe__map_stop(struct pe__map_live *live, struct pe__lane *lanes, uint32_t limited)
{
    atomic_store_explicit(&live->stop, 1, memory_order_seq_cst);
    for (uint32_t lane = 0; lane < limited; lane++)
        pe__limit_ask(&lanes[lane].asked, UINT64_MAX);
}

void pe__map_stop_all(const struct pe__map *map, struct pe__map_live *live, struct pe__lane *lanes)
{
    pe__map_stop(live, lanes, map->limits != 0 ? map->lanes : 0);
}

void pe__map_count_failure(const struct pe__map *map, struct pe__map_live *live, struct pe__lane *lanes)
{
    uint64_t failed = atomic_fetch_add_explicit(&live->failed, 1, memory_order_relaxed) + 1;
    if (map->on_error != 0 && failed >= map->on_error)
        pe__map_stop_all(map, live, lanes);
}
