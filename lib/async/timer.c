/*
 * timer.c - the timers of a loop.
 *
 * Each lane is sorted because a timer is appended only where the last one is not later. Of the lanes that fit, the one
 * whose last timer is latest is taken, so a long duration does not use up the lane of a short one. The heap has four
 * children to an entry, and the deadlines are in it: fewer cache lines on the way.
 */
#include "async/timer.h"

#include <stdlib.h>

#include <parexec/error.h>
#include <parexec/options.h>

#define HEAP_PLACE (PE__TIMER_LANES + 1) /* of the heap's first entry */
#define HEAP_CHILDREN 4

static struct pe__timer *of_link(struct pe__base_list *link)
{
    return PE__BASE_LIST_ENTRY(link, struct pe__timer, link);
}

static bool is_before(const struct pe__timer *a, const struct pe__timer *b)
{
    if (a->deadline_ns != b->deadline_ns)
        return a->deadline_ns < b->deadline_ns;
    return (int32_t)(a->sequence - b->sequence) < 0;
}

static bool is_entry_before(const struct pe__timer_entry *a, const struct pe__timer_entry *b)
{
    return a->deadline_ns != b->deadline_ns ? a->deadline_ns < b->deadline_ns : is_before(a->timer, b->timer);
}

void pe__timers_init(struct pe__timers *timers)
{
    *timers = (struct pe__timers){ 0 };
    for (int i = 0; i < PE__TIMER_LANES; i++)
        pe__base_list_init(&timers->lanes[i]);
}

void pe__timers_fini(struct pe__timers *timers)
{
    free(timers->heap);
}

/* ---- the heap ---- */

static void put_at(struct pe__timers *timers, uint32_t index, struct pe__timer_entry entry)
{
    timers->heap[index] = entry;
    entry.timer->place = HEAP_PLACE + index;
}

static void move_up(struct pe__timers *timers, uint32_t index, struct pe__timer_entry entry)
{
    while (index > 0) {
        uint32_t parent = (index - 1) / HEAP_CHILDREN;

        if (!is_entry_before(&entry, &timers->heap[parent]))
            break;
        put_at(timers, index, timers->heap[parent]);
        index = parent;
    }
    put_at(timers, index, entry);
}

static uint32_t first_child(const struct pe__timers *timers, uint32_t index)
{
    uint32_t best = index * HEAP_CHILDREN + 1;
    uint32_t end = best + HEAP_CHILDREN < timers->heap_count ? best + HEAP_CHILDREN : timers->heap_count;

    for (uint32_t child = best + 1; child < end; child++) {
        if (is_entry_before(&timers->heap[child], &timers->heap[best]))
            best = child;
    }
    return best;
}

static void move_down(struct pe__timers *timers, uint32_t index, struct pe__timer_entry entry)
{
    while (index * HEAP_CHILDREN + 1 < timers->heap_count) {
        uint32_t child = first_child(timers, index);

        if (!is_entry_before(&timers->heap[child], &entry))
            break;
        put_at(timers, index, timers->heap[child]);
        index = child;
    }
    put_at(timers, index, entry);
}

static int heap_reserve(struct pe__timers *timers)
{
    if (timers->heap_count < timers->heap_capacity)
        return 0;
    uint32_t capacity = timers->heap_capacity ? timers->heap_capacity * 2 : 64;
    struct pe__timer_entry *heap = realloc(timers->heap, capacity * sizeof *heap);
    if (heap == NULL)
        return PE_ENOMEM;
    timers->heap = heap;
    timers->heap_capacity = capacity;
    return 0;
}

static int heap_add(struct pe__timers *timers, struct pe__timer *timer)
{
    if (heap_reserve(timers) < 0)
        return PE_ENOMEM;
    move_up(timers, timers->heap_count++, (struct pe__timer_entry){ timer->deadline_ns, timer });
    return 0;
}

static void heap_remove(struct pe__timers *timers, uint32_t index)
{
    struct pe__timer_entry last = timers->heap[--timers->heap_count];

    if (index == timers->heap_count)
        return;
    if (index > 0 && is_entry_before(&last, &timers->heap[(index - 1) / HEAP_CHILDREN]))
        move_up(timers, index, last);
    else
        move_down(timers, index, last);
}

/* ---- both ---- */

/* The lane for this deadline, -1: none. */
static int lane_for(const struct pe__timers *timers, int64_t deadline_ns)
{
    int best = -1;
    int64_t best_last = -1;

    for (int i = 0; i < PE__TIMER_LANES; i++) {
        const struct pe__base_list *lane = &timers->lanes[i];
        int64_t last = pe__base_list_empty(lane) ? 0 : of_link(lane->previous)->deadline_ns;

        if (last <= deadline_ns && last > best_last) {
            best = i;
            best_last = last;
        }
    }
    return best;
}

int pe__timer_start(struct pe__timers *timers, struct pe__timer *timer, int64_t deadline_ns,
                    void (*due)(struct pe__timer *timer))
{
    int lane = lane_for(timers, deadline_ns);

    timer->deadline_ns = deadline_ns;
    timer->sequence = timers->sequence++;
    timer->due = due;
    if (lane < 0)
        return heap_add(timers, timer);
    timer->place = (uint32_t)lane + 1;
    pe__base_list_push_back(&timers->lanes[lane], &timer->link);
    return 0;
}

/* A lane that fits now fits also when timers have been stopped. */
int pe__timer_reserve(struct pe__timers *timers, int64_t deadline_ns)
{
    return lane_for(timers, deadline_ns) < 0 ? heap_reserve(timers) : 0;
}

void pe__timer_stop(struct pe__timers *timers, struct pe__timer *timer)
{
    if (timer->place >= HEAP_PLACE)
        heap_remove(timers, timer->place - HEAP_PLACE);
    else if (timer->place != 0)
        pe__base_list_remove(&timer->link);
    timer->place = 0;
}

static struct pe__timer *first_of(const struct pe__timers *timers)
{
    struct pe__timer *first = timers->heap_count > 0 ? timers->heap[0].timer : NULL;

    for (int i = 0; i < PE__TIMER_LANES; i++) {
        const struct pe__base_list *lane = &timers->lanes[i];

        if (!pe__base_list_empty(lane) && (first == NULL || is_before(of_link(lane->next), first)))
            first = of_link(lane->next);
    }
    return first;
}

int64_t pe__timers_next(const struct pe__timers *timers)
{
    const struct pe__timer *first = first_of(timers);

    return first ? first->deadline_ns : PE_FOREVER;
}

void pe__timers_run(struct pe__timers *timers, int64_t now_ns)
{
    struct pe__timer *timer;

    while ((timer = first_of(timers)) != NULL && timer->deadline_ns <= now_ns) {
        pe__timer_stop(timers, timer);
        timer->due(timer);
    }
}
