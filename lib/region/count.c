/*
 * count.c - what is not nested: counters, marks, calls that were measured elsewhere, arrows of the timeline. Their
 * nodes are children of the track's root.
 */
#include <parexec/region.h>

#include "region/close.h"
#include "region/event.h"
#include "region/label.h"
#include "region/record.h"
#include "region/state.h"
#include "region/track.h"

/* NULL: there is no place, which is counted. */
static struct pe__region_path *top_path(struct pe__region_thread *thread, pe_region_site *site, uint32_t kind)
{
    struct pe__region_path *path;
    pe_region_site other;

    if (site->kind != kind) {
        other = pe__region_label_as(site, kind);
        site = &other;
    }
    path = pe__region_path_child(thread->root, site);
    if (!path)
        atomic_fetch_add_explicit(&thread->track->dropped_calls, 1, memory_order_relaxed);
    return path;
}

static uint64_t now_for(uint32_t mode)
{
    return pe__region_clock_begin_of(mode);
}

/* Like sums over threads (builder.c) it stays at its ends. */
static void add_amount(_Atomic uint64_t *sum, int64_t amount)
{
    int64_t total;

    if (__builtin_add_overflow((int64_t)atomic_load_explicit(sum, memory_order_relaxed), amount, &total))
        total = amount < 0 ? INT64_MIN : INT64_MAX;
    atomic_store_explicit(sum, (uint64_t)total, memory_order_relaxed);
}

void pe_region_count(pe_region_site *site, int64_t amount)
{
    struct pe__region_thread *thread = pe_region_on ? pe__region_track_here() : NULL;
    struct pe__region_path *path = thread ? top_path(thread, site, PE_SITE_COUNTER) : NULL;
    struct pe__region_node *node;

    if (!path)
        return;
    node = path->node;
    pe__region_add_to(&node->calls, 1);
    add_amount(&node->total, amount);
    if (amount < (int64_t)atomic_load_explicit(&node->least, memory_order_relaxed))
        atomic_store_explicit(&node->least, (uint64_t)amount, memory_order_relaxed);
    if (amount > (int64_t)atomic_load_explicit(&node->most, memory_order_relaxed))
        atomic_store_explicit(&node->most, (uint64_t)amount, memory_order_relaxed);
    if (path->how & PE__MODE_TIMELINE)
        pe__region_event_add(thread, PE__EVENT_COUNTER, path->label, now_for(path->how), 0, (uint64_t)amount);
}

void pe_region_mark(pe_region_site *site)
{
    struct pe__region_thread *thread = pe_region_on ? pe__region_track_here() : NULL;
    struct pe__region_path *path = thread ? top_path(thread, site, PE_SITE_MARK) : NULL;

    if (!path)
        return;
    pe__region_add_to(&path->node->calls, 1);
    if (path->how & PE__MODE_TIMELINE)
        pe__region_event_add(thread, PE__EVENT_MARK, path->label, now_for(path->how), 0, 0);
}

/* Of the pool's ticks, where regions use nanoseconds instead. */
static uint64_t own_ticks(uint64_t ticks, uint32_t mode)
{
    if (!(mode & PE__MODE_NS) || !pe__base_clock_tsc)
        return ticks;
    return (uint64_t)(pe__base_now_ns() - pe__base_ticks_to_ns(pe__base_ticks() - ticks));
}

void pe__region_add(pe_region_site *site, uint64_t start, uint64_t end)
{
    struct pe__region_thread *thread = pe_region_on ? pe__region_track_here() : NULL;
    struct pe__region_path *path = thread ? top_path(thread, site, site->kind) : NULL;

    if (!path)
        return;
    start = own_ticks(start, path->how);
    end = own_ticks(end, path->how);
    pe__region_note_call(path->node, pe__region_ticks_between(start, end));
    if (path->how & PE__MODE_TIMELINE)
        pe__region_event_add(thread, PE__EVENT_CALL, path->label, start, end, 0);
}

/* The label alone, since these have no times; the last one is remembered. */
static uint32_t flow_label(struct pe__region_thread *thread, pe_region_site *site)
{
    uint64_t key = pe__region_label_key(site);
    struct pe__region_state *state;

    if (thread->flow_key == key)
        return thread->flow_label;
    state = pe__region_state_lock();
    if (!state)
        return PE__REGION_NOTHING;
    thread->flow_label = pe__region_label_take(state, site, key);
    thread->flow_key = thread->flow_label != PE__REGION_NOTHING ? key : 0;
    return pe__region_state_unlock(state) ? thread->flow_label : PE__REGION_NOTHING;
}

void pe__region_flow(pe_region_site *site, enum pe__region_event_kind kind, uint64_t job)
{
    uint32_t mode = pe_region_on, label;
    struct pe__region_thread *thread = mode & PE__MODE_TIMELINE ? pe__region_track_here() : NULL;

    if (!thread)
        return;
    label = flow_label(thread, site);
    if (label != PE__REGION_NOTHING)
        pe__region_event_add(thread, kind, label, now_for(mode), 0, job);
}
