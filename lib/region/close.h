/*
 * close.h - what opening and closing a path writes: shared by all ways in and out of a region.
 *
 * Opening sets where the thread is before it reads the clock, and closing sets it after it has written all else. So a
 * signal handler's regions in between are children of this one, and never write to the same node.
 */
#ifndef PE__REGION_CLOSE_H
#define PE__REGION_CLOSE_H

#include "region/clock.h"
#include "region/event.h"
#include "region/path.h"
#include "region/table.h"

/* Kinds of `how` for which an open, and for which a close, is more than reading the counter. */
#define PE__REGION_OPENS_SLOWLY (PE__MODE_SAMPLED | PE__MODE_CPU_TIME | PE__MODE_NS)
#define PE__REGION_CLOSES_SLOWLY (PE__MODE_TIMELINE | PE__MODE_CPU_TIME)

static inline void pe__region_add_to(_Atomic uint64_t *sum, uint64_t amount)
{
    atomic_store_explicit(sum, atomic_load_explicit(sum, memory_order_relaxed) + amount, memory_order_relaxed);
}

/* One more call, which took that long. Its bucket is counted at the next one: an address that depends on the clock's
 * last reading holds up the next reading. */
static inline __attribute__((always_inline)) void pe__region_note_call(struct pe__region_node *node, uint64_t ticks)
{
    uint64_t timed = atomic_load_explicit(&node->timed, memory_order_relaxed);
    uint64_t recent = atomic_load_explicit(&node->recent, memory_order_relaxed);

    if (__builtin_expect(timed != 0, 1))
        pe__region_add_to(&node->buckets[pe__region_bucket(pe__region_clock_ns(recent))], 1);
    atomic_store_explicit(&node->recent, ticks, memory_order_relaxed);
    atomic_store_explicit(&node->timed, timed + 1, memory_order_relaxed);
    pe__region_add_to(&node->calls, 1);
    pe__region_add_to(&node->total, ticks);
    if (ticks < atomic_load_explicit(&node->least, memory_order_relaxed))
        atomic_store_explicit(&node->least, ticks, memory_order_relaxed);
    if (ticks > atomic_load_explicit(&node->most, memory_order_relaxed))
        atomic_store_explicit(&node->most, ticks, memory_order_relaxed);
}

/* Counters may be apart by a little, and a table's words be garbage. */
static inline uint64_t pe__region_ticks_between(uint64_t start, uint64_t end)
{
    return (int64_t)(end - start) > 0 ? end - start : 0;
}

/* How long a call took that showed this. From twice of what is hidden on that is the difference less the lag; below,
 * down to 0 for what shows as nothing does. */
static inline __attribute__((always_inline)) uint64_t pe__region_ticks_of_call(uint64_t start, uint64_t end)
{
    uint64_t lag = atomic_load_explicit(&pe__region_clock_lag, memory_order_relaxed);
    uint64_t clear = 2 * atomic_load_explicit(&pe__region_clock_hidden, memory_order_relaxed);
    uint64_t ticks = pe__region_ticks_between(start + lag, end);
    uint64_t less = ticks < clear ? clear - ticks : 0;

    return ticks > less ? ticks - less : 0;
}

void pe__region_open_slowly(struct pe__region_path *path);
void pe__region_close_slowly(struct pe__region_path *path, uint64_t end);

/* The thread goes into this path, now. */
static inline void pe__region_open(struct pe__region_path *path)
{
    struct pe__region_node *node = path->node;

    pe__region_here.at = path;
    atomic_signal_fence(memory_order_seq_cst);
    if (__builtin_expect((path->how & PE__REGION_OPENS_SLOWLY) == 0, 1))
        atomic_store_explicit(&node->start, pe__region_clock_counter(), memory_order_relaxed);
    else if (path->how & PE__MODE_SAMPLED && --path->left != 0)
        atomic_store_explicit(&node->start, PE__REGION_UNTIMED, memory_order_relaxed);
    else
        pe__region_open_slowly(path);
}

static inline bool pe__region_is_untimed(const struct pe__region_path *path)
{
    return path->how & PE__MODE_SAMPLED &&
           atomic_load_explicit(&path->node->start, memory_order_relaxed) == PE__REGION_UNTIMED;
}

/* The clock's reading for the end of a path that is timed. */
static inline uint64_t pe__region_end_of(const struct pe__region_path *path)
{
    return __builtin_expect(path->how == 0, 1) ? pe__region_clock_counter_after() : pe__region_clock_end_of(path->how);
}

/* The thread leaves this path, whose call was not timed. */
static inline void pe__region_close_untimed(struct pe__region_path *path)
{
    atomic_store_explicit(&path->node->start, 0, memory_order_relaxed);
    pe__region_add_to(&path->node->calls, 1);
    atomic_signal_fence(memory_order_seq_cst);
    pe__region_here.at = path->parent;
}

/* The thread leaves this path, which ended at `end`; in a mode with nothing else to do. */
static inline __attribute__((always_inline)) void pe__region_close_counted(struct pe__region_path *path, uint64_t end)
{
    struct pe__region_node *node = path->node;
    uint64_t start = atomic_load_explicit(&node->start, memory_order_relaxed);

    atomic_store_explicit(&node->start, 0, memory_order_relaxed);
    pe__region_note_call(node, pe__region_ticks_of_call(start, end));
    atomic_signal_fence(memory_order_seq_cst);
    pe__region_here.at = path->parent;
}

/* The same in any mode. */
static inline void pe__region_close(struct pe__region_path *path, uint64_t end)
{
    if (path->how & PE__REGION_CLOSES_SLOWLY)
        pe__region_close_slowly(path, end);
    else
        pe__region_close_counted(path, end);
}

/* The same, whichever of the two it is. */
static inline void pe__region_close_any(struct pe__region_path *path, uint64_t end)
{
    if (pe__region_is_untimed(path))
        pe__region_close_untimed(path);
    else
        pe__region_close(path, end);
}

#endif
