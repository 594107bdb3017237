#ifndef PE__BENCH_POOL_RIVALS_H
#define PE__BENCH_POOL_RIVALS_H

/* The rivals. Each exists in every build; one whose library is missing says so in `absent` and in the
 * table. */

#include "pool/jobs.h"
#include "pool/maps.h"

extern const struct job_ops uv_jobs;   /* uv_queue_work, UV_THREADPOOL_SIZE = workers */
extern const struct job_ops glib_jobs; /* GThreadPool */
extern const struct job_ops tbb_jobs;  /* task_arena::enqueue for one, task_group for many */

enum openmp_variant { OPENMP_STATIC, OPENMP_GUIDED, OPENMP_DYNAMIC_1 };
extern const struct map_ops openmp_maps; /* parallel for */
extern const struct map_ops tbb_maps;    /* parallel_for */

/* Programs beside us that are told what to do over a pipe: Python's, ops being the program's name in bench/rivals, and
 * Go's. */
extern const struct driver python_driver;
extern const struct driver go_jobs_driver; /* goroutines that take jobs from a channel */

#endif
