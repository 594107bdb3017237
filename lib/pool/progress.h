/* progress.h - calls the progress functions of maps. */
#ifndef PE__POOL_PROGRESS_H
#define PE__POOL_PROGRESS_H

#include <stdint.h>

#include <parexec/pool.h>

/* Calls those that are due, without the mutex; when the next one is due, INT64_MAX for none. */
void pe__pool_report_progress(pe_pool *pool);
int64_t pe__pool_progress_due(const pe_pool *pool);

/* Has the last call come after the map's end. 0 or PE_ENOMEM. */
int pe__map_plan_last_progress(pe_job *job);

#endif
