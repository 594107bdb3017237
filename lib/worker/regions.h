/*
 * regions.h - what a worker measures of itself while regions are measured: its initialiser, jobs and parts of maps, how
 * long they waited in the queue, how long it waited for them, their bytes (parexec/report.h names them).
 *
 * The host's word for the mode is looked at once before each record, in a line that the worker reads anyway; while that
 * is off, this look and its branch are all there is.
 */
#ifndef PE__WORKER_REGIONS_H
#define PE__WORKER_REGIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <parexec/region.h>

#include "worker/worker.h"

/* Before the initialiser: from now on this process measures into the table of its number. `death`: the kind (PE_*) of
 * the end of the process that had the number before, 0: there was none, or it left by itself. */
void pe__worker_regions_begin(struct pe__worker *worker, uint32_t death);

/* Before _exit. */
void pe__worker_regions_end(struct pe__worker *worker);

/* There is something to do for the next record. */
static inline bool pe__worker_regions_due(const struct pe__worker *worker)
{
    uint32_t mode = atomic_load_explicit(&worker->shared->config->region_mode, memory_order_relaxed);
    return ((mode ^ worker->regions.followed) | pe_region_on) != 0;
}

/* Around the initialiser. */
void pe__worker_regions_begin_init(struct pe__worker *worker);
void pe__worker_regions_end_init(struct pe__worker *worker);

/* Around a record. `claimed`: it came from the queue and still tells when it was put there; `now`: ticks. */
void pe__worker_regions_begin_record(struct pe__worker *worker, bool claimed, uint64_t now);
void pe__worker_regions_end_record(struct pe__worker *worker);

#endif
