/*
 * heap_extents.h - the tree of the heap's extents: runs of units that are live or free.
 *
 * Extents cover the units [0, count) without gaps. They are named by index, since their array moves when it grows;
 * index 0 is nobody. Who changes `free`, `units` or `dirty` of one says so by pe__heap_extents_changed.
 *
 * Threads: as heap.h. Child: never.
 */
#ifndef PE__SHARED_HEAP_EXTENTS_H
#define PE__SHARED_HEAP_EXTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pe__heap_extent {
    uint32_t left, right, parent; /* treap */
    uint32_t prev, next;          /* by address; `next` alone links the unused ones */
    uint32_t first, units;
    uint32_t dirty;               /* dirty units, counted only while it is free */
    uint32_t free_max, warm_max;  /* longest free and longest warm extent from here down */
    uint32_t priority;            /* no smaller than the children's */
    bool free;
};

struct pe__heap_extents {
    struct pe__heap_extent *all;
    uint32_t count;
    uint32_t capacity;
    uint32_t spare; /* list of unused extents */
    uint32_t root;
    uint32_t seed;
};

/* One free extent of `units`, none of them dirty. PE_ENOMEM: nothing to give back. */
int pe__heap_extents_init(struct pe__heap_extents *extents, uint32_t units);
void pe__heap_extents_fini(struct pe__heap_extents *extents);

/* Sees to it that one extent can be added without fail. May move the array. PE_ENOMEM. */
int pe__heap_extents_have_spare(struct pe__heap_extents *extents);

/* A free one that begins where `before` ends; a spare one was had. */
void pe__heap_extents_add_free(struct pe__heap_extents *extents, uint32_t before, uint32_t units, uint32_t dirty);
void pe__heap_extents_remove(struct pe__heap_extents *extents, uint32_t index);
void pe__heap_extents_changed(struct pe__heap_extents *extents, uint32_t index);

/* The lowest free one, and the lowest free one with dirty units, of at least `units`; 0: none. */
uint32_t pe__heap_extents_first_fit(const struct pe__heap_extents *extents, uint32_t units);
uint32_t pe__heap_extents_first_warm_fit(const struct pe__heap_extents *extents, uint32_t units);

/* The highest free one with dirty units; 0: none. */
uint32_t pe__heap_extents_highest_warm(const struct pe__heap_extents *extents);

/* The first by address; `next` leads to the others. 0: none, before a successful init. */
uint32_t pe__heap_extents_lowest(const struct pe__heap_extents *extents);

/* The one that holds a unit, which is one of those covered. */
const struct pe__heap_extent *pe__heap_extents_at(const struct pe__heap_extents *extents, size_t unit);

#endif
