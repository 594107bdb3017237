/* work.h - functions for pools to call, though few ever do; they do next to nothing. */
#ifndef PE__TEST_WORK_H
#define PE__TEST_WORK_H

#include <parexec/job.h>
#include <parexec/map.h>
#include <parexec/stream.h>
#include <parexec/worker.h>

extern pe_job_fn work_job;
extern pe_map_fn work_item;
extern pe_range_fn work_range;
extern pe_combine_fn work_combine; /* of 8 bytes at least */
extern pe_source_fn work_source; /* of 8 bytes, without end */
extern pe_progress_fn work_progress; /* demands that it makes sense */
extern pe_worker_fn work_worker;

#endif
