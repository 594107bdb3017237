/*
 * record.c - the worker's side: recording into a table of the pool.
 *
 * A table that nobody has measured into is not touched, so that it costs no memory: a worker keeps in mind which one is
 * its own until measuring is on for the first time, be it that the host or that a job says so. A child that a job forks
 * is told apart by its token, and has no part in it.
 */
#define PE__REGION_ON_IS_DEFINED_HERE
#include "region/record.h"

#include <string.h>

#include "base/forked.h"
#include "base/step.h"
#include "region/label.h"
#include "region/path.h"
#include "region/state.h"
#include "region/track.h"

static struct {
    _Atomic uint64_t token; /* of the process that it is for; 0: there is none, or it has begun there */
    void *table;
    struct pe__region_geometry geometry;
    char name[PE__REGION_THREAD_BYTES];
} assigned;

void pe__region_begin(void *table, const struct pe__region_geometry *geometry, const char *name, uint32_t mode)
{
    uint64_t token;

    pe__region_here = (struct pe__region_here){ .at = &pe__region_nowhere };
    pe_region_on = 0;
    if (pe__base_forked_token(&token))
        return;
    assigned.table = table;
    assigned.geometry = *geometry;
    strncpy(assigned.name, name, sizeof assigned.name - 1);
    atomic_store_explicit(&assigned.token, token, memory_order_release);
    pe__region_mode_set(mode);
}

bool pe__region_is_assigned(void)
{
    uint64_t token = atomic_load_explicit(&assigned.token, memory_order_acquire);

    return token != 0 && !pe__base_forked(token);
}

void pe__region_begin_assigned(void)
{
    uint64_t token = atomic_load_explicit(&assigned.token, memory_order_relaxed);
    struct pe__region_state *state;

    if (token == 0 || pe__base_forked(token) ||
        !atomic_compare_exchange_strong_explicit(&assigned.token, &token, 0, memory_order_acquire,
                                                 memory_order_relaxed) ||
        pe__region_memory_new(&assigned.geometry))
        return;
    state = pe__region_memory->state;
    atomic_store_explicit(&state->lock, (uintptr_t)&pe__region_here, memory_order_relaxed);
    pe__region_state_begin(state, assigned.table, &assigned.geometry);
    PE__STEP(TABLE_BEGUN);
    pe__region_label_inherit(state);
    PE__STEP(LABELS_INHERITED);
    pe__region_track_inherit(state);
    PE__STEP(TRACKS_INHERITED);
    pe__region_path_inherit(state);
    PE__STEP(NODES_INHERITED);
    pe__region_track_take(state, assigned.name);
    pe__region_state_unlock(state);
}

void pe__region_end(void)
{
    pe__region_track_end();
}
