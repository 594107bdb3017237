#ifndef PE__BENCH_POOL_OURS_H
#define PE__BENCH_POOL_OURS_H

/* libparexec as a contender. */

#include "pool/jobs.h"
#include "pool/maps.h"

enum ours_jobs_variant {
    OURS_HELD,  /* a handle for every job, all results taken at the end */
    OURS_WINDOW, /* at most 1,024 handles, the oldest result taken before the next submit */
    OURS_WINDOW_SHARED, /* the same, blocks from pe_pool_alloc, used in place */
    OURS_WINDOW_COPIED  /* the same, blocks from malloc, which go with the job as its argument */
};
extern const struct job_ops ours_jobs;

enum ours_maps_variant {
    OURS_SHARED,   /* arrays from pe_pool_alloc, used in place */
    OURS_ORDINARY, /* arrays from malloc, made after the workers' fork */
    OURS_CHUNK_1   /* shared, items taken one at a time */
};
extern const struct map_ops ours_maps;

enum ours_heirs_variant {
    ONCE, /* pe_map_once, arrays in huge pages */
    ONCE_SMALL_PAGES,
    INHERITED, /* a pool that was made after the input */
    INHERITED_SMALL_PAGES
};
extern const struct map_ops ours_heirs;

enum storm_variant { STORM_CALM, STORM_KILLS };
extern const struct driver ours_start, ours_kill, ours_storm, ours_idle, ours_memory;

#endif
