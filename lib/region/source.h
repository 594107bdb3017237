/*
 * source.h - the tables that a report reads: this process's own, and those of pools.
 *
 * A pool adds the tables of its worker numbers when it is made and removes them when it is freed; what they held is taken
 * over then into memory of the host. A source also hears of the mode: its word in shared memory follows what
 * pe_region_enable says. In a forked child there are no sources.
 */
#ifndef PE__REGION_SOURCE_H
#define PE__REGION_SOURCE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/list.h"
#include "region/table.h"

struct pe__region_source {
    struct pe__base_list link; /* the room's */
    unsigned char *tables; /* of number 0 */
    size_t stride;         /* to the next one's */
    uint32_t count;
    uint32_t pool;         /* this program's pools, counted from 1 */
    struct pe__region_geometry geometry;
    _Atomic uint32_t *mode; /* the workers' word (mode.h) */
};

/* The sizes that pe_region_setup asked for, or the defaults. */
struct pe__region_geometry pe__region_geometry_wanted(void);

/* All members but the link are set by the caller. The source must stay where it is until it is removed. */
void pe__region_source_add(struct pe__region_source *source);

/* Takes over what the tables hold. Nobody may write to them any more. */
void pe__region_source_remove(struct pe__region_source *source);

#endif
