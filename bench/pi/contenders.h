#ifndef PE__BENCH_PI_CONTENDERS_H
#define PE__BENCH_PI_CONTENDERS_H

/* The drivers of the contenders in the rows of pi/compare.c. The figures are millions of samples a second; of
 * pi_first_* the milliseconds until the first point is drawn. */

#include "pi/run.h"
#include "table/row.h"

/* The ops of ours: what pi_run is asked for. Workers and points come from the row, the seed from
 * pi_contenders_seed. */
typedef struct pi_runner {
    uint32_t mode;
    uint32_t kernel;
    uint32_t kernel_class;
} pi_runner;

/* The ops of a rival: its function, of pi/rivals.h. */
typedef struct pi_rival {
    double (*run)(uint64_t samples, uint64_t *ret_hits);
} pi_rival;

extern const struct driver pi_run_driver;           /* ours */
extern const struct driver pi_rival_driver;
extern const struct driver pi_bare_driver;          /* bare forked processes, pinned, with the ops of ours */
extern const struct driver pi_openmp_driver;        /* threads, with the ops of ours */
extern const struct driver pi_first_driver;         /* ours, until the first sample */
extern const struct driver pi_first_bare_driver;    /* bare forked processes */

/* Before the first row: the seed of ours. */
void pi_contenders_seed(uint64_t wanted);

/* 1 when the processor cannot run this one of ours, which is no failure then. */
int pi_contender_impossible(const struct contender *contender);

#endif
