/*
 * regions.h - a pool's side of regions: the tables of its workers, and what the host measures of itself.
 *
 * A pool's tables are a source of reports (region/source.h) from before its keeper is forked until its memory goes;
 * what they held is kept then.
 */
#ifndef PE__POOL_REGIONS_H
#define PE__POOL_REGIONS_H

#include <stdint.h>

#include <parexec/pool.h>

#include "region/builtin.h"

/* Wished for the table of each worker number. */
uint64_t pe__pool_region_bytes(void);

/* Once the configuration is written, and before the keeper is forked. */
void pe__pool_begin_regions(pe_pool *pool);

/* There are numbers now that there were not before. */
void pe__pool_widen_regions(pe_pool *pool);

/* No process is left that writes there, or they are the parent's. */
void pe__pool_end_regions(pe_pool *pool);

/* The record is about to be pushed: an arrow begins here, which ends where it is run. */
void pe__pool_begin_flow(const pe_pool *pool, uint32_t record);

/* Around what a job or an item does in the calling thread. */
extern pe_region_site pe__pool_run_site;
void pe__pool_count_bytes(uint64_t in, uint64_t out);

extern pe_region_site pe__pool_start_site;  /* pe_pool_new */
extern pe_region_site pe__pool_submit_site; /* handing something over */
extern pe_region_site pe__pool_map_site;    /* a map from its call to its return */
extern pe_region_site pe__pool_wait_site;   /* waiting for whatever it is */
extern pe_region_site pe__pool_copy_site;   /* of arguments and results into and out of shared memory */

#endif
