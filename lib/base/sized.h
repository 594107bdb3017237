/*
 * The public sized structs for the checker of check.h: how long each was in the first release, which is the least that
 * calls take. It is told by the last member of then, so it stays when members are appended; sizeof, which grows, would
 * refuse every program that was built before. A line here never changes once its release is out.
 */
#ifndef PE__BASE_SIZED_H
#define PE__BASE_SIZED_H

#include <parexec.h>

#include "base/check.h"

#define PE__BASE_UP_TO(type, member) (offsetof(type, member) + sizeof(((type *)NULL)->member))

/* since 1.0 */
enum {
    PE__BASE_FIRST_pe_file_info = PE__BASE_UP_TO(pe_file_info, created_ns),
    PE__BASE_FIRST_pe_init_options = PE__BASE_UP_TO(pe_init_options, reserved),
    PE__BASE_FIRST_pe_job_options = PE__BASE_UP_TO(pe_job_options, submit_deadline_ns),
    PE__BASE_FIRST_pe_loop_figures = PE__BASE_UP_TO(pe_loop_figures, lag_mean_ns),
    PE__BASE_FIRST_pe_map_options = PE__BASE_UP_TO(pe_map_options, priority),
    PE__BASE_FIRST_pe_map_summary = PE__BASE_UP_TO(pe_map_summary, wall_ns),
    PE__BASE_FIRST_pe_offload_options = PE__BASE_UP_TO(pe_offload_options, status),
    PE__BASE_FIRST_pe_pool_options = PE__BASE_UP_TO(pe_pool_options, reserved),
    PE__BASE_FIRST_pe_process_options = PE__BASE_UP_TO(pe_process_options, flags),
    PE__BASE_FIRST_pe_region_options = PE__BASE_UP_TO(pe_region_options, events),
    PE__BASE_FIRST_pe_report_options = PE__BASE_UP_TO(pe_report_options, match),
    PE__BASE_FIRST_pe_stats = PE__BASE_UP_TO(pe_stats, last_death),
    PE__BASE_FIRST_pe_worker_stats = PE__BASE_UP_TO(pe_worker_stats, resident_bytes),
};

/* pe__base_check_sized for options of a type: 0 or PE_EINVAL. */
#define PE__BASE_CHECK_SIZED(type, given, copy) \
    pe__base_check_sized(given, sizeof(type), PE__BASE_FIRST_##type, copy)

/* pe__base_fill_sized for a result of a type: 0 or PE_EINVAL. */
#define PE__BASE_FILL_SIZED(type, given, full) \
    pe__base_fill_sized(given, full, sizeof(type), PE__BASE_FIRST_##type)

/* Whether PE__BASE_FILL_SIZED is going to take a struct that is to be filled in later. */
#define PE__BASE_IS_SIZED(type, given) \
    ((given)->size >= PE__BASE_FIRST_##type && (given)->size <= PE__BASE_SIZED_MAX_BYTES)

#endif
