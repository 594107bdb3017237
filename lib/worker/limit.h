/* limit.h - the worker's part of time limits (shared/limit.h). */
#ifndef PE__WORKER_LIMIT_H
#define PE__WORKER_LIMIT_H

#include <stdbool.h>

#include "worker/worker.h"

/* What runs from here on is over its limit at the worker's `due`; it has returned. */
void pe__worker_begin_limit(struct pe__worker *worker);
void pe__worker_end_limit(struct pe__worker *worker);

/* Of the job in hand. False: its deadline has passed, and it is not to be begun. */
bool pe__worker_begin_job(struct pe__worker *worker);

#endif
