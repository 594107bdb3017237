/*
 * The tree of the heap's extents; see heap_extents.h for the contract.
 *
 * All extents stand in a treap ordered by address and in a list of the same order. Every node knows the longest
 * free and the longest warm extent below it, so the lowest hole that fits is found on one way down. These sums are
 * right whenever a function of this file returns; rotations keep them for the two nodes that they turn, and what is
 * above is summed up once at the end.
 *
 * Index 0 is nobody: all zero for ever, so that the sums of a child that is missing need no question. Extents that
 * are not in the tree are in the list of spare ones, or were never used.
 */
#include "shared/heap_extents.h"

#include <stdlib.h>
#include <string.h>

#include <parexec/error.h>

static uint32_t max_u32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static void sum_up(struct pe__heap_extent *all, uint32_t index)
{
    struct pe__heap_extent *e = &all[index];
    const struct pe__heap_extent *left = &all[e->left], *right = &all[e->right];
    uint32_t own = e->free ? e->units : 0;

    e->free_max = max_u32(own, max_u32(left->free_max, right->free_max));
    e->warm_max = max_u32(e->dirty ? own : 0, max_u32(left->warm_max, right->warm_max));
}

static void sum_up_to_root(struct pe__heap_extent *all, uint32_t index)
{
    for (; index; index = all[index].parent)
        sum_up(all, index);
}

static void put_in_place_of(struct pe__heap_extents *extents, uint32_t old, uint32_t new)
{
    struct pe__heap_extent *all = extents->all;
    uint32_t parent = all[old].parent;

    if (!parent)
        extents->root = new;
    else if (all[parent].left == old)
        all[parent].left = new;
    else
        all[parent].right = new;
    if (new)
        all[new].parent = parent;
}

/* The child goes up, its parent down. Sums both up, not what is above. */
static void rotate_up(struct pe__heap_extents *extents, uint32_t child)
{
    struct pe__heap_extent *all = extents->all;
    uint32_t parent = all[child].parent, moved;

    put_in_place_of(extents, parent, child);
    if (all[parent].left == child) {
        moved = all[parent].left = all[child].right;
        all[child].right = parent;
    } else {
        moved = all[parent].right = all[child].left;
        all[child].left = parent;
    }
    if (moved)
        all[moved].parent = parent;
    all[parent].parent = child;
    sum_up(all, parent);
    sum_up(all, child);
}

static uint32_t next_priority(struct pe__heap_extents *extents)
{
    extents->seed ^= extents->seed << 13;
    extents->seed ^= extents->seed >> 17;
    extents->seed ^= extents->seed << 5;
    return extents->seed;
}

/* `index` follows `before` in the order of addresses. */
static void insert_after(struct pe__heap_extents *extents, uint32_t before, uint32_t index)
{
    struct pe__heap_extent *all = extents->all, *e = &all[index];
    uint32_t parent = all[before].right;

    if (!parent) {
        parent = before;
        all[before].right = index;
    } else {
        while (all[parent].left)
            parent = all[parent].left;
        all[parent].left = index;
    }
    e->parent = parent;
    e->left = e->right = 0;
    e->priority = next_priority(extents);
    e->prev = before;
    e->next = all[before].next;
    if (e->next)
        all[e->next].prev = index;
    all[before].next = index;
    sum_up(all, index);
    while (e->parent && all[e->parent].priority < e->priority)
        rotate_up(extents, index);
    sum_up_to_root(all, e->parent);
}

void pe__heap_extents_remove(struct pe__heap_extents *extents, uint32_t index)
{
    struct pe__heap_extent *all = extents->all, *e = &all[index];

    while (e->left && e->right)
        rotate_up(extents, all[e->left].priority > all[e->right].priority ? e->left : e->right);
    put_in_place_of(extents, index, e->left ? e->left : e->right);
    sum_up_to_root(all, e->parent);
    if (e->prev)
        all[e->prev].next = e->next;
    if (e->next)
        all[e->next].prev = e->prev;
    e->next = extents->spare;
    extents->spare = index;
}

void pe__heap_extents_changed(struct pe__heap_extents *extents, uint32_t index)
{
    sum_up_to_root(extents->all, index);
}

int pe__heap_extents_have_spare(struct pe__heap_extents *extents)
{
    if (extents->spare || extents->count < extents->capacity)
        return 0;
    size_t capacity = extents->capacity ? (size_t)extents->capacity * 2 : 64;
    struct pe__heap_extent *all = realloc(extents->all, capacity * sizeof *all);
    if (!all)
        return PE_ENOMEM;
    extents->all = all;
    extents->capacity = (uint32_t)capacity;
    return 0;
}

static uint32_t take_spare(struct pe__heap_extents *extents)
{
    uint32_t index = extents->spare;
    if (index)
        extents->spare = extents->all[index].next;
    else
        index = extents->count++;
    memset(&extents->all[index], 0, sizeof extents->all[index]);
    return index;
}

void pe__heap_extents_add_free(struct pe__heap_extents *extents, uint32_t before, uint32_t units, uint32_t dirty)
{
    uint32_t index = take_spare(extents);
    struct pe__heap_extent *e = &extents->all[index];

    e->first = extents->all[before].first + extents->all[before].units;
    e->units = units;
    e->dirty = dirty;
    e->free = true;
    insert_after(extents, before, index);
}

int pe__heap_extents_init(struct pe__heap_extents *extents, uint32_t units)
{
    memset(extents, 0, sizeof *extents);
    extents->seed = 2463534242u;
    if (pe__heap_extents_have_spare(extents) < 0)
        return PE_ENOMEM;
    take_spare(extents); /* nobody */
    extents->root = take_spare(extents);
    struct pe__heap_extent *e = &extents->all[extents->root];
    e->units = units;
    e->free = true;
    e->priority = next_priority(extents);
    sum_up(extents->all, extents->root);
    return 0;
}

void pe__heap_extents_fini(struct pe__heap_extents *extents)
{
    free(extents->all);
    memset(extents, 0, sizeof *extents);
}

uint32_t pe__heap_extents_first_fit(const struct pe__heap_extents *extents, uint32_t units)
{
    const struct pe__heap_extent *all = extents->all;
    uint32_t index = extents->root;

    while (index && all[index].free_max >= units) {
        if (all[all[index].left].free_max >= units)
            index = all[index].left;
        else if (all[index].free && all[index].units >= units)
            return index;
        else
            index = all[index].right;
    }
    return 0;
}

static bool is_warm(const struct pe__heap_extent *e)
{
    return e->free && e->dirty;
}

uint32_t pe__heap_extents_first_warm_fit(const struct pe__heap_extents *extents, uint32_t units)
{
    const struct pe__heap_extent *all = extents->all;
    uint32_t index = extents->root;

    while (index && all[index].warm_max >= units) {
        if (all[all[index].left].warm_max >= units)
            index = all[index].left;
        else if (is_warm(&all[index]) && all[index].units >= units)
            return index;
        else
            index = all[index].right;
    }
    return 0;
}

uint32_t pe__heap_extents_highest_warm(const struct pe__heap_extents *extents)
{
    const struct pe__heap_extent *all = extents->all;
    uint32_t index = extents->root;

    while (index && all[index].warm_max) {
        if (all[all[index].right].warm_max)
            index = all[index].right;
        else if (is_warm(&all[index]))
            return index;
        else
            index = all[index].left;
    }
    return 0;
}

uint32_t pe__heap_extents_lowest(const struct pe__heap_extents *extents)
{
    uint32_t index = extents->root;

    while (index && extents->all[index].left)
        index = extents->all[index].left;
    return index;
}

const struct pe__heap_extent *pe__heap_extents_at(const struct pe__heap_extents *extents, size_t unit)
{
    const struct pe__heap_extent *all = extents->all, *e = &all[extents->root];

    while (unit < e->first || unit >= (size_t)e->first + e->units)
        e = &all[unit < e->first ? e->left : e->right];
    return e;
}
