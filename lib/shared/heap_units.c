/*
 * The units of the heap's range; see heap_units.h for the contract.
 *
 * Two free extents never touch: giving back merges with both neighbours. Low addresses first, because pages that
 * were touched once are dear: the first touch of a shared page costs more than clearing it does later. Over the
 * limit, pages are given back to the system from the highest addresses downwards, as those are the last to be used
 * again.
 *
 * A dirty bit is set by those who take units, at the latest before they give them back, and is cleared when the
 * system has taken the pages. The bits of live extents are never counted; of each free extent its node knows how
 * many are set, and `warm` is their sum over all of them.
 *
 * Taking back never needs memory: it turns a live extent into a free one and merges.
 */
#include "shared/heap_units.h"

#include <string.h>
#include <sys/mman.h>

#include <parexec/error.h>

#include "base/pages.h"

/* ---- dirty bits ---- */

static uint64_t mask_of(size_t from, size_t count)
{
    return (count >= 64 ? UINT64_MAX : ((uint64_t)1 << count) - 1) << from;
}

/* The part of [unit, end) in the word of `unit`, as a mask; moves `unit` to the next word or the end. */
static uint64_t next_mask(size_t *unit, size_t end)
{
    size_t from = *unit % 64;
    size_t count = 64 - from < end - *unit ? 64 - from : end - *unit;
    *unit += count;
    return mask_of(from, count);
}

static uint32_t dirty_count(const struct pe__heap_units *units, size_t first, size_t count)
{
    uint32_t sum = 0;
    for (size_t unit = first, end = first + count; unit < end;) {
        uint64_t word = units->dirty_bits[unit / 64];
        sum += (uint32_t)__builtin_popcountll(word & next_mask(&unit, end));
    }
    return sum;
}

static void set_dirty(struct pe__heap_units *units, size_t first, size_t count, bool dirty)
{
    for (size_t unit = first, end = first + count; unit < end;) {
        uint64_t *word = &units->dirty_bits[unit / 64];
        uint64_t mask = next_mask(&unit, end);
        *word = dirty ? *word | mask : *word & ~mask;
    }
}

bool pe__heap_units_is_dirty(const struct pe__heap_units *units, size_t unit)
{
    return units->dirty_bits[unit / 64] >> (unit % 64) & 1;
}

void pe__heap_units_mark_dirty(struct pe__heap_units *units, size_t first, size_t count)
{
    set_dirty(units, first, count, true);
}

void pe__heap_units_zero(struct pe__heap_units *units, size_t first, size_t bytes)
{
    size_t end = first + pe__heap_units_for(bytes);

    for (size_t unit = first; unit < end;) {
        size_t from = unit;
        while (unit < end && pe__heap_units_is_dirty(units, unit))
            unit++;
        if (unit > from) {
            size_t left = bytes - ((from - first) << PE__HEAP_UNIT_SHIFT);
            size_t run = (unit - from) << PE__HEAP_UNIT_SHIFT;
            memset(pe__heap_units_address(units, from), 0, run < left ? run : left);
        }
        while (unit < end && !pe__heap_units_is_dirty(units, unit))
            unit++;
    }
}

/* ---- taking ---- */

/* How many of the first units of a hole are dirty; most holes are wholly so, or not at all. */
static uint32_t dirty_in_hole(const struct pe__heap_units *units, const struct pe__heap_extent *hole, uint32_t count)
{
    if (!hole->dirty)
        return 0;
    return hole->dirty == hole->units ? count : dirty_count(units, hole->first, count);
}

/*
 * The lowest hole, or the lowest warm one where more pages are there already. Not for zeroed memory: it
 * would have to be cleared, and of a large zeroed block often only a part is ever touched.
 */
static uint32_t find_hole(const struct pe__heap_units *units, uint32_t count, bool zeroed)
{
    const struct pe__heap_extent *all = units->extents.all;
    uint32_t lowest = pe__heap_extents_first_fit(&units->extents, count);

    if (!lowest || zeroed || all[lowest].dirty == all[lowest].units)
        return lowest;
    uint32_t warm = pe__heap_extents_first_warm_fit(&units->extents, count);
    if (!warm || warm == lowest)
        return lowest;
    uint32_t in_lowest = dirty_in_hole(units, &all[lowest], count);
    return dirty_in_hole(units, &all[warm], count) > in_lowest ? warm : lowest;
}

uint32_t pe__heap_units_take(struct pe__heap_units *units, uint32_t count, bool zeroed)
{
    uint32_t hole = find_hole(units, count, zeroed);
    if (!hole || pe__heap_extents_have_spare(&units->extents) < 0)
        return 0;

    struct pe__heap_extent *e = &units->extents.all[hole];
    uint32_t rest_units = e->units - count;
    uint32_t taken_dirty = dirty_in_hole(units, e, count);
    uint32_t rest_dirty = e->dirty - taken_dirty;

    units->warm -= taken_dirty;
    e->free = false;
    e->units = count;
    e->dirty = 0;
    pe__heap_extents_changed(&units->extents, hole);
    if (rest_units)
        pe__heap_extents_add_free(&units->extents, hole, rest_units, rest_dirty);
    return hole;
}

/* ---- giving back ---- */

/* Gives back the highest dirty run of a free extent, at most `most` units of it. 0: the system refused. */
static uint32_t punch_run(struct pe__heap_units *units, uint32_t index, size_t most)
{
    const struct pe__heap_extent *e = &units->extents.all[index];
    size_t end = (size_t)e->first + e->units, first;

    while (!pe__heap_units_is_dirty(units, end - 1)) {
        size_t in_word = (end - 1) % 64 + 1;
        uint64_t word = units->dirty_bits[(end - 1) / 64] & mask_of(0, in_word);
        /* What is dirty below the extent does not matter: by its count it holds a dirty unit further up. */
        end -= word ? in_word - (64 - (size_t)__builtin_clzll(word)) : in_word;
    }
    for (first = end; first > e->first && end - first < most && pe__heap_units_is_dirty(units, first - 1);)
        first--;
    if (madvise(pe__heap_units_address(units, first), (end - first) << PE__HEAP_UNIT_SHIFT, MADV_REMOVE) < 0)
        return 0;
    set_dirty(units, first, end - first, false);
    return (uint32_t)(end - first);
}

static void cool_down(struct pe__heap_units *units)
{
    while (units->warm > units->warm_limit && !units->keeps_pages) {
        uint32_t index = pe__heap_extents_highest_warm(&units->extents);
        uint32_t count = punch_run(units, index, units->warm - units->warm_limit);
        if (!count)
            units->keeps_pages = true;
        units->extents.all[index].dirty -= count;
        units->warm -= count;
        pe__heap_extents_changed(&units->extents, index);
    }
}

/* `right` is the neighbour of `left`, both are free. */
static void merge(struct pe__heap_extents *extents, uint32_t left, uint32_t right)
{
    extents->all[left].units += extents->all[right].units;
    extents->all[left].dirty += extents->all[right].dirty;
    pe__heap_extents_remove(extents, right);
}

void pe__heap_units_give(struct pe__heap_units *units, uint32_t index)
{
    struct pe__heap_extents *extents = &units->extents;
    struct pe__heap_extent *all = extents->all, *e = &all[index];

    e->free = true;
    e->dirty = dirty_count(units, e->first, e->units);
    units->warm += e->dirty;
    if (e->next && all[e->next].free)
        merge(extents, index, e->next);
    if (e->prev && all[e->prev].free) {
        uint32_t prev = e->prev;
        merge(extents, prev, index);
        index = prev;
    }
    pe__heap_extents_changed(extents, index);
    cool_down(units);
}

/* ---- the whole range ---- */

static size_t dirty_bytes(size_t count)
{
    return (count + 63) / 64 * sizeof(uint64_t);
}

int pe__heap_units_init(struct pe__heap_units *units, void *base, size_t bytes, size_t warm_limit_bytes)
{
    memset(units, 0, sizeof *units);
    units->base = (uintptr_t)base;
    units->count = bytes >> PE__HEAP_UNIT_SHIFT;
    units->warm_limit = warm_limit_bytes >> PE__HEAP_UNIT_SHIFT;
    units->owners = pe__base_pages_new(units->count * sizeof units->owners[0]);
    units->dirty_bits = pe__base_pages_new(dirty_bytes(units->count));
    if (!units->owners || !units->dirty_bits)
        return PE_ENOMEM;
    return pe__heap_extents_init(&units->extents, (uint32_t)units->count);
}

void pe__heap_units_fini(struct pe__heap_units *units)
{
    pe__heap_extents_fini(&units->extents);
    pe__base_pages_free(units->dirty_bits, dirty_bytes(units->count));
    pe__base_pages_free(units->owners, units->count * sizeof units->owners[0]);
    memset(units, 0, sizeof *units);
}
