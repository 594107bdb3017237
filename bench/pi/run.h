#ifndef PE__BENCH_PI_RUN_H
#define PE__BENCH_PI_RUN_H

/* One run of the pi estimator: serially, on a pool, or through the pool's calls in the caller. The count
 * of hits depends on samples, seed and class alone. */

#include "pi/kernel.h"

#define PI_MODE_SERIAL 0
#define PI_MODE_POOL 1
#define PI_MODE_INLINE 2
#define PI_MODE_COUNT 3

/* Told now and then how many of the run's blocks are done. */
typedef void pi_progress_fn(uint64_t done, uint64_t total, void *context);

typedef struct pi_plan {
    uint64_t samples;           /* 1 at least */
    uint64_t seed;
    uint64_t chunk;             /* 0: chosen by the pool */
    int64_t kill_every_ns;      /* 0: nobody is killed */
    uint32_t workers;           /* 1 at least */
    uint32_t mode;
    uint32_t kernel;
    uint32_t kernel_class;
    pi_progress_fn *progress;   /* or NULL */
    void *progress_context;
} pi_plan;

/* Times in seconds. wall = fork + dispatch + compute + waiting; stopping the workers comes after it. */
typedef struct pi_result {
    uint64_t hits;
    uint64_t samples;
    double wall;                /* from before the pool was made until the count was there */
    double fork;                /* pe_pool_new */
    double dispatch;            /* from there until the first worker computes */
    double compute;             /* in the kernel, mean of the workers */
    double waiting;             /* the rest: workers out of work or not yet started, merging */
    double stop;                /* pe_pool_join and pe_pool_free */
    double first_sample;        /* from before the pool was made until the first point is drawn */
    uint64_t kills;
    uint64_t restarts;
} pi_result;

/* 0, or a negative PE_E* code with *ret_result untouched. PE_EINVAL for no samples, no workers, an unknown
 * mode or class, or a kernel that cannot run here. */
int pi_run(const pi_plan *plan, pi_result *ret_result);

/* The machine's own limit: `workers` forked processes, each on a CPU of its own if there are as many, compute an
 * equal share each with nothing between them.
 * Seconds from the common start until the last has ended; *ret_hits gets their count. Negative on failure. */
double pi_run_bare(const pi_plan *plan, uint32_t workers, uint64_t *ret_hits);

/* The same with threads of OpenMP, whose loop shares the points out in equal parts. Negative without OpenMP. */
double pi_run_openmp(const pi_plan *plan, uint32_t workers, uint64_t *ret_hits);

/* The stream of a plan's seed and kernel. */
pi_stream pi_stream_of(const pi_plan *plan);

const char *pi_mode_name(uint32_t mode);

/* 4 * hits / samples, its standard error, and the distance from pi in standard errors. */
double pi_estimate(uint64_t hits, uint64_t samples);
double pi_standard_error(uint64_t samples);
double pi_z_score(uint64_t hits, uint64_t samples);

#endif
