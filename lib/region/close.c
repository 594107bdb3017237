/*
 * close.c - opening and closing where there is more to do than to read the counter: sampling, CPU time, the timeline.
 *
 * How many calls pass until the next one is timed is drawn at random around sample_every, so that what recurs in step
 * with it is not always, or never, the one that is timed. The first call is timed.
 */
#include "region/close.h"

#include <time.h>

#include "region/state.h"

static uint64_t cpu_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* From 1 to 2 * every - 1, each as often. */
static uint32_t draw_interval(void)
{
    uint32_t every = (pe__region_mode() >> PE__MODE_SAMPLE_SHIFT) + 1;

    pe__region_here.random = pe__region_here.random * 1664525 + 1013904223;
    return 1 + (uint32_t)(((uint64_t)pe__region_here.random * (2 * every - 1)) >> 32);
}

void pe__region_open_slowly(struct pe__region_path *path)
{
    struct pe__region_node *node = path->node;

    if (path->how & PE__MODE_SAMPLED)
        path->left = draw_interval();
    if (path->how & PE__MODE_CPU_TIME)
        path->cpu_start_ns = cpu_now_ns();
    atomic_store_explicit(&node->start, pe__region_clock_begin_of(path->how), memory_order_relaxed);
}

void pe__region_close_slowly(struct pe__region_path *path, uint64_t end)
{
    struct pe__region_node *node = path->node;
    uint64_t start = atomic_load_explicit(&node->start, memory_order_relaxed);
    uint64_t ticks = pe__region_ticks_of_call(start, end);

    atomic_store_explicit(&node->start, 0, memory_order_relaxed);
    pe__region_note_call(node, ticks);
    if (path->how & PE__MODE_CPU_TIME)
        pe__region_add_to(&node->cpu_ns, cpu_now_ns() - path->cpu_start_ns);
    if (path->how & PE__MODE_TIMELINE)
        pe__region_event_add(pe__region_here.thread, PE__EVENT_CALL, path->label, start, end, 0);
    atomic_signal_fence(memory_order_seq_cst);
    pe__region_here.at = path->parent;
}
