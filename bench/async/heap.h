#ifndef PE__BENCH_ASYNC_HEAP_H
#define PE__BENCH_ASYNC_HEAP_H

/* Sleepers by their deadlines: an array in which an entry's four children follow it. All zero is an empty one; who has
 * it frees the entries. */

#include <stddef.h>
#include <stdint.h>

struct heap_entry {
    int64_t deadline_ns;
    void *sleeper;
};

struct async_heap {
    struct heap_entry *entries;
    size_t count, room;
};

void heap_push(struct async_heap *heap, int64_t deadline_ns, void *sleeper);
void *heap_pop(struct async_heap *heap); /* the first; there must be one */
int64_t heap_first_ns(const struct async_heap *heap);
void heap_sleep(const struct async_heap *heap); /* until the first deadline */

#endif
