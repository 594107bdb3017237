/*
 * source.h - the tables that a report reads: this process's own, and those of pools.
 *
 * A pool adds the tables of its worker numbers when it is made and removes them when it is freed; what they held is
 * taken over then into memory of the host (report/kept.h). A source also hears of the mode: its word in shared memory
 * follows what pe_region_enable says. In a forked child there are no sources, and nothing that the parent's had
 * left.
 *
 * Any thread. Not in signal handlers.
 */
#ifndef PE__REGION_SOURCE_H
#define PE__REGION_SOURCE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/list.h"
#include "region/table.h"

struct pe__region_source {
    struct pe__base_list link; /* the room's, as are token and pool */
    uint64_t token;
    uint32_t pool;         /* 0: this process's own; this program's pools, counted from 1 */
    _Atomic uint32_t count; /* grows with the worker numbers that have ever been in use */
    unsigned char *tables; /* of number 0 */
    size_t stride;         /* to the next one's */
    struct pe__region_geometry geometry;
    _Atomic uint32_t *mode; /* the workers' word (mode.h); NULL: there is none */
};

/* The sizes that pe_region_setup asked for, or the defaults. */
struct pe__region_geometry pe__region_geometry_wanted(void);

/* The caller has set all that is not the room's. The source must stay where it is until it is removed. Its word gets
 * the mode that holds now. */
void pe__region_source_add(struct pe__region_source *source);

struct pe__region_sources;

/* Gets what a source's tables hold before it goes; called with the lock held. */
typedef void pe__region_take_over_fn(struct pe__region_sources *sources, const struct pe__region_source *source);

/* Nobody may write to the tables any more. Nothing happens in a child of the process that added the source. */
void pe__region_source_remove(struct pe__region_source *source, pe__region_take_over_fn *take_over);

/* From now on this is the mode; all words follow. The first time is the moment when measuring began, and this process's
 * own table is among the sources from then on. */
void pe__region_sources_follow(uint32_t mode);

/* What profile.c works with, under the lock. */
struct pe__region_sources {
    struct pe__base_list list;
    uint32_t pools; /* numbers given out */
    uint32_t mode;
    uint64_t begin_ticks; /* 0: measuring has not begun */
    int64_t begin_ns, begin_unix_ns;
    struct pe__kept *kept; /* of pools that were freed; NULL: nothing */
};

struct pe__region_sources *pe__region_sources_lock(void);
void pe__region_sources_unlock(void);

/* Without the lock, while nobody else uses them. NULL: there are none, or they are an ancestor's. */
struct pe__region_sources *pe__region_sources_here(void);

#endif
