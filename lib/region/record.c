/*
 * record.c - the worker's side: recording into a table of the pool.
 */
#define PE__REGION_ON_IS_DEFINED_HERE
#include "region/record.h"

#include "region/label.h"
#include "region/path.h"
#include "region/state.h"
#include "region/track.h"

void pe__region_begin(void *table, const struct pe__region_geometry *geometry, const char *name, uint32_t mode)
{
    struct pe__region_state *state;

    pe__region_here = (struct pe__region_here){ &pe__region_nowhere, NULL, 0 };
    pe_region_on = 0;
    if (pe__region_memory_new(geometry))
        return;
    pe__region_mode_set(mode);
    state = pe__region_memory->state;
    atomic_store_explicit(&state->lock, (uintptr_t)&pe__region_here, memory_order_relaxed);
    pe__region_state_begin(state, table, geometry);
    pe__region_label_inherit(state);
    pe__region_track_inherit(state);
    pe__region_path_inherit(state);
    pe__region_track_take(state, name);
    pe__region_state_unlock(state);
}

void pe__region_end(void)
{
    pe__region_track_end();
}
