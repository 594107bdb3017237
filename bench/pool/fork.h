#ifndef PE__BENCH_POOL_FORK_H
#define PE__BENCH_POOL_FORK_H

/* Limits made of bare fork: what a process costs before any library has added to it. */

#include "pool/jobs.h"

extern const struct driver fork_start;   /* fork n, a byte from each */
extern const struct driver fork_death;   /* fork, exit, waitpid */
extern const struct driver fork_memory;  /* private memory of a child that does nothing */
extern const struct job_ops fork_shares; /* as many processes as workers, each a fixed share of the jobs, no queue */

#endif
