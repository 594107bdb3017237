#ifndef PE__BENCH_POOL_CREW_H
#define PE__BENCH_POOL_CREW_H

/* A pool of ours together with the process ids behind it. Workers enter themselves in a shared table
 * from their initialiser, so that the benchmark can add up their CPU time, look at their memory and kill
 * them. */

#include "table/row.h"

#include <parexec.h>
#include <stdatomic.h>

#define CREW_MAX 64

struct crew_table {
    _Atomic int32_t keeper;
    _Atomic int32_t workers[CREW_MAX];
    _Atomic int32_t busy; /* the worker that runs the endless job; 0 ends it */
    int ready_fd;         /* each worker writes a byte when it is ready; -1: it does not */
};

struct crew {
    pe_pool *pool;
    struct crew_table *table;
};

/* Options are completed with the initialiser; workers must be set. -1 with plan->note filled. */
int crew_open(struct crew *crew, const struct plan *plan, pe_pool_options *options);
void crew_close(struct crew *crew);

/* Waits, outside any measurement, until `workers` have entered themselves. */
void crew_await(const struct crew *crew, uint32_t workers);

/* Sums over workers and keeper. */
int64_t crew_cpu_ns(const struct crew *crew, uint32_t workers);
int64_t crew_switches(const struct crew *crew, uint32_t workers);

/* For every failing call of ours: fills the note with the error's name, returns -1. */
int crew_failed(const struct plan *plan, const char *call, int error);

#endif
