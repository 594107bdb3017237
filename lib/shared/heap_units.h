/*
 * heap_units.h - the heap's range in units of 64 KiB, handed out and taken back in runs.
 *
 * A unit is dirty when its pages may differ from zero. Free dirty units are warm: they keep their pages, up to a
 * limit, for the next who wants some.
 *
 * Threads: as heap.h. Child: never.
 */
#ifndef PE__SHARED_HEAP_UNITS_H
#define PE__SHARED_HEAP_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/heap_extents.h"

#define PE__HEAP_UNIT_SHIFT 16
#define PE__HEAP_UNIT_BYTES ((size_t)1 << PE__HEAP_UNIT_SHIFT)
#define PE__HEAP_UNITS_MAX ((size_t)1 << 30)

struct pe__heap_units {
    uintptr_t base;
    size_t count;
    size_t warm;
    size_t warm_limit;
    uintptr_t *owners;    /* by unit: whatever those who took it say of themselves; they leave 0 behind */
    uint64_t *dirty_bits; /* by unit */
    struct pe__heap_extents extents;
    bool keeps_pages; /* the system refused to take pages back: not asked again */
};

/* All units of [base, base + bytes) free and clean. The caller has checked all values. PE_ENOMEM. */
int pe__heap_units_init(struct pe__heap_units *units, void *base, size_t bytes, size_t warm_limit_bytes);

/* Harmless on zeros and after a failed init. */
void pe__heap_units_fini(struct pe__heap_units *units);

/*
 * A live extent of `count` units: the lowest hole, or a warm one unless they are to be zeroed. 0: no hole, or no
 * memory. Dirty bits stay as they are.
 */
uint32_t pe__heap_units_take(struct pe__heap_units *units, uint32_t count, bool zeroed);

/* Gives a live extent back; whoever had it has marked those of its units that were written to. */
void pe__heap_units_give(struct pe__heap_units *units, uint32_t index);

bool pe__heap_units_is_dirty(const struct pe__heap_units *units, size_t unit);
void pe__heap_units_mark_dirty(struct pe__heap_units *units, size_t first, size_t count);

/* Writes zeros to those of the first `bytes` from unit `first` on that may differ from it. */
void pe__heap_units_zero(struct pe__heap_units *units, size_t first, size_t bytes);

static inline void *pe__heap_units_address(const struct pe__heap_units *units, size_t unit)
{
    return (void *)(units->base + (unit << PE__HEAP_UNIT_SHIFT));
}

/* How many units hold `bytes`. */
static inline size_t pe__heap_units_for(size_t bytes)
{
    return (bytes >> PE__HEAP_UNIT_SHIFT) + (bytes % PE__HEAP_UNIT_BYTES != 0);
}

#endif
