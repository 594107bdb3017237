/*
 * path.c - finding the next path, and making it.
 *
 * Paths of all threads are in one index by parent and key. An entry is stored with release once the path is whole, and
 * never changes, so a thread looks for its own paths without a lock; only making one takes it (state.c).
 *
 * A node's place is filled, its numbers at their first values, before `ready` is stored with release. A thread that
 * dies in between leaves a node that is not ready, or that is not counted yet and is made again. A process that dies
 * while it takes over what another had open leaves at most the one call out that it has in hand.
 *
 * What a dead process has left in a worker's table is believed in nothing: each number is read once and compared with
 * what there is, parents must lie before their children and in the same track, so there are no circles.
 */
#include "region/path.h"

#include <string.h>

#include "base/step.h"
#include "region/clock.h"
#include "region/event.h"
#include "region/label.h"
#include "region/mode.h"
#include "region/state.h"
#include "region/track.h"

struct pe__region_path pe__region_nowhere;
_Thread_local struct pe__region_here pe__region_here __attribute__((tls_model("initial-exec"))) = {
    .at = &pe__region_nowhere
};

static uint32_t number_of(const struct pe__region_path *path)
{
    return (uint32_t)(path - pe__region_memory->paths);
}

static _Atomic uint32_t *slot_of(uint32_t parent, uint64_t key, uint32_t probe)
{
    const struct pe__region_memory *memory = pe__region_memory;
    uint64_t hash = (key ^ parent * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xd6e8feb86659fd93);

    return &memory->path_index[((hash >> 32) + probe) & (memory->path_slots - 1)];
}

/* NULL: it is not there, and *ret_slot is where it would be. */
static struct pe__region_path *find(struct pe__region_path *parent, uint64_t key, _Atomic uint32_t **ret_slot)
{
    uint32_t above = number_of(parent), number;

    for (uint32_t probe = 0;; probe++) {
        _Atomic uint32_t *slot = slot_of(above, key, probe);
        struct pe__region_path *path;

        number = atomic_load_explicit(slot, memory_order_acquire);
        *ret_slot = slot;
        if (number == 0)
            return NULL;
        path = &pe__region_memory->paths[number - 1];
        if (path->parent == parent && path->key == key)
            return path;
    }
}

static uint32_t how_of(uint32_t mode)
{
    return mode & (PE__MODE_QUICK | PE__MODE_SAMPLED | PE__MODE_TIMELINE | PE__MODE_CPU_TIME | PE__MODE_NS);
}

/* The path to node `number`, whose ready, parent and track are known. */
static struct pe__region_path *fill_path(struct pe__region_state *state, uint32_t number,
                                         struct pe__region_path *parent, uint32_t track, uint32_t label,
                                         uint32_t kind, uint64_t key)
{
    struct pe__region_path *path = &pe__region_memory->paths[number];

    path->node = &state->table.nodes[number];
    path->parent = parent;
    path->label = label;
    path->kind = (uint8_t)kind;
    path->track = (uint8_t)track;
    path->frame = parent ? 0 : UINTPTR_MAX;
    path->depth = parent ? (uint8_t)(parent->depth + 1) : 0;
    path->how = how_of(pe__region_mode());
    path->left = 1;
    path->key = key;
    return path;
}

static void fill_node(struct pe__region_node *node, struct pe__region_path *parent, uint32_t track, uint32_t label,
                      uint32_t kind)
{
    bool is_counter = kind == PE_SITE_COUNTER;

    atomic_store_explicit(&node->ready, 0, memory_order_relaxed);
    memset(node, 0, sizeof *node);
    atomic_store_explicit(&node->least, is_counter ? (uint64_t)INT64_MAX : UINT64_MAX, memory_order_relaxed);
    atomic_store_explicit(&node->most, is_counter ? (uint64_t)INT64_MIN : 0, memory_order_relaxed);
    node->parent = parent ? number_of(parent) : PE__REGION_NOTHING;
    node->track = track;
    PE__STEP(NODE_FILLED);
    atomic_store_explicit(&node->ready, label + 1, memory_order_release);
    PE__STEP(NODE_READY);
}

static struct pe__region_path *make(struct pe__region_state *state, struct pe__region_path *parent, uint32_t track,
                                    const pe_region_site *site, uint64_t key)
{
    uint32_t number = state->nodes, label;

    if (number >= state->table.geometry.nodes) {
        atomic_fetch_add_explicit(&state->table.head->dropped_nodes, 1, memory_order_relaxed);
        return NULL;
    }
    label = pe__region_label_take(state, site, key);
    if (label == PE__REGION_NOTHING)
        return NULL;
    state->nodes = number + 1;
    PE__STEP(NODE_TAKEN);
    fill_node(&state->table.nodes[number], parent, track, label, site->kind);
    atomic_store_explicit(&state->table.head->nodes, number + 1, memory_order_release);
    PE__STEP(NODE_COUNTED);
    return fill_path(state, number, parent, track, label, site->kind, key);
}

struct pe__region_path *pe__region_path_root(struct pe__region_state *state, uint32_t track)
{
    static const pe_region_site root = { PE__REGION_KEY_ROOT, "", NULL, 0, PE__KIND_ROOT, { 0, 0 } };

    return make(state, NULL, track, &root, root.key);
}

struct pe__region_path *pe__region_path_child(struct pe__region_path *parent, pe_region_site *site)
{
    uint64_t key = pe__region_label_key(site);
    _Atomic uint32_t *slot;
    struct pe__region_path *child = find(parent, key, &slot);
    struct pe__region_state *state;

    if (child)
        return child;
    if (parent->depth + 1 >= PE__REGION_DEPTH_MOST)
        return NULL;
    state = pe__region_state_lock();
    if (!state)
        return NULL;
    find(parent, key, &slot);
    child = make(state, parent, pe__region_here.thread->number, site, key);
    if (child)
        atomic_store_explicit(slot, number_of(child) + 1, memory_order_release);
    return pe__region_state_unlock(state) ? child : NULL;
}

/* What an earlier process of this number had open: cut short by its death, which is no wrong use. When that was is
 * known no better than that it has been by now. */
static void close_node(struct pe__region_state *state, struct pe__region_node *node, uint32_t track, uint32_t label)
{
    uint64_t start = atomic_exchange_explicit(&node->start, 0, memory_order_relaxed);
    uint32_t mode = pe__region_mode();

    if (start == 0)
        return;
    PE__STEP(NODE_CUT);
    atomic_fetch_add_explicit(&node->unfinished, 1, memory_order_relaxed);
    if (mode & PE__MODE_TIMELINE && start != PE__REGION_UNTIMED && track < state->inherited_tracks)
        pe__region_event_add(&pe__region_memory->threads[track], PE__EVENT_CUT, label, start,
                             pe__region_clock_begin_of(mode), 0);
}

static bool inherit_root(uint32_t number, uint32_t track)
{
    struct pe__region_thread *thread = &pe__region_memory->threads[track];

    if (thread->root)
        return false;
    thread->root = &pe__region_memory->paths[number];
    return true;
}

static void inherit(struct pe__region_state *state, uint32_t number)
{
    struct pe__region_node *node = &state->table.nodes[number];
    uint32_t label = atomic_load_explicit(&node->ready, memory_order_acquire) - 1; /* 0 becomes too large */
    uint32_t track = *(volatile uint32_t *)&node->track, above = *(volatile uint32_t *)&node->parent, kind;
    struct pe__region_path *parent = NULL;
    _Atomic uint32_t *slot = NULL;
    uint64_t key;

    if (label >= state->labels || track >= PE__REGION_TRACKS || (above != PE__REGION_NOTHING && above >= number))
        return;
    kind = atomic_load_explicit(&state->table.labels[label].ready, memory_order_acquire) - 1;
    key = *(volatile uint64_t *)&state->table.labels[label].hash;
    if (kind > PE__KIND_ROOT || key == 0)
        return;
    if (above == PE__REGION_NOTHING) {
        if (kind != PE__KIND_ROOT || !inherit_root(number, track))
            return;
    } else {
        parent = &pe__region_memory->paths[above];
        if (kind == PE__KIND_ROOT || parent->key == 0 || parent->track != track ||
            parent->depth + 1 >= PE__REGION_DEPTH_MOST || find(parent, key, &slot))
            return;
    }
    fill_path(state, number, parent, track, label, kind, parent ? key : PE__REGION_KEY_ROOT);
    if (slot)
        atomic_store_explicit(slot, number + 1, memory_order_release);
    close_node(state, node, track, label);
}

void pe__region_path_inherit(struct pe__region_state *state)
{
    uint32_t count = atomic_load_explicit(&state->table.head->nodes, memory_order_relaxed);

    state->nodes = count < state->table.geometry.nodes ? count : state->table.geometry.nodes;
    for (uint32_t i = 0; i < state->nodes; i++)
        inherit(state, i);
}
