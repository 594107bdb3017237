/* A heap of sleepers: see the header. */

#include "async/heap.h"

#include <stdlib.h>
#include <time.h>

enum { CHILDREN = 4, FIRST_ROOM = 1024 };

static void grow(struct async_heap *heap)
{
    heap->room = heap->room ? heap->room * 2 : FIRST_ROOM;
    heap->entries = realloc(heap->entries, heap->room * sizeof(*heap->entries));
    if (!heap->entries)
        abort();
}

void heap_push(struct async_heap *heap, int64_t deadline_ns, void *sleeper)
{
    if (heap->count == heap->room)
        grow(heap);
    size_t place = heap->count++;
    while (place > 0 && heap->entries[(place - 1) / CHILDREN].deadline_ns > deadline_ns) {
        heap->entries[place] = heap->entries[(place - 1) / CHILDREN];
        place = (place - 1) / CHILDREN;
    }
    heap->entries[place] = (struct heap_entry){ deadline_ns, sleeper };
}

static size_t earliest_child(const struct async_heap *heap, size_t place)
{
    size_t child = place * CHILDREN + 1, last = child + CHILDREN, best = child;
    for (size_t i = child + 1; i < last && i < heap->count; i++)
        if (heap->entries[i].deadline_ns < heap->entries[best].deadline_ns)
            best = i;
    return best;
}

void *heap_pop(struct async_heap *heap)
{
    void *first = heap->entries[0].sleeper;
    struct heap_entry moved = heap->entries[--heap->count];
    size_t place = 0;
    while (place * CHILDREN + 1 < heap->count) {
        size_t child = earliest_child(heap, place);
        if (heap->entries[child].deadline_ns >= moved.deadline_ns)
            break;
        heap->entries[place] = heap->entries[child];
        place = child;
    }
    heap->entries[place] = moved;
    return first;
}

int64_t heap_first_ns(const struct async_heap *heap)
{
    return heap->entries[0].deadline_ns;
}

void heap_sleep(const struct async_heap *heap)
{
    int64_t deadline_ns = heap_first_ns(heap);
    struct timespec until = { deadline_ns / 1000000000, deadline_ns % 1000000000 };
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}
