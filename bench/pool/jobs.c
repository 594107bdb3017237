/* Jobs, measured the same way for everybody.
 *
 * MANY: values[0] million jobs a second from the first submit to the last result in the host's hands,
 * values[1] CPU nanoseconds a job, of all threads and processes that took part. Arguments and results
 * live in arrays that are touched before; a tenth of the jobs runs first, unmeasured, so that all
 * threads and workers are awake and all memory is warm.
 * GRAIN: values[0] efficiency, the work in CPU time as the host alone would need it, divided by the wall
 * time of all workers; values[1] million jobs a second. The work is measured anew before each run, since a virtual
 * CPU's speed varies. */

#include "pool/jobs.h"
#include "harness.h"
#include "pool/trips.h"
#include "pool/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct jobs {
    struct plan plan;
    const struct job_ops *ops;
    void *state;
    uint64_t *args, *results;
    struct {
        uint64_t *words;
        uint64_t *sums; /* of each block */
        size_t count;
    } blocks;
};

/* Many small blocks lie in the caches, as small payloads do; large ones do not. */
#define BLOCKS_BYTES ((size_t)16 << 20)
#define BLOCKS_MAX   1024

static int make_blocks(struct jobs *jobs)
{
    size_t bytes = jobs->plan.bytes, count = BLOCKS_BYTES / bytes;
    if (count > BLOCKS_MAX)
        count = BLOCKS_MAX;
    uint64_t *words = jobs->ops->alloc ? jobs->ops->alloc(jobs->state, bytes * count) : malloc(bytes * count);
    if (!words) {
        snprintf(jobs->plan.note, NOTE_BYTES, "no memory for the blocks");
        return -1;
    }
    for (size_t i = 0; i < bytes * count / sizeof(*words); i++)
        words[i] = i * 3 + 1;
    jobs->blocks.words = words;
    jobs->blocks.count = count;
    jobs->blocks.sums = malloc(count * sizeof(*jobs->blocks.sums));
    for (size_t i = 0; i < count; i++)
        jobs->blocks.sums[i] = work_sum_bytes((char *)words + i * bytes, bytes);
    return 0;
}

static void fill_addresses(struct jobs *jobs)
{
    for (uint64_t i = 0; i < jobs->plan.n; i++)
        jobs->args[i] = (uint64_t)(uintptr_t)jobs->blocks.words + i % jobs->blocks.count * jobs->plan.bytes;
}

static void fill_args(struct jobs *jobs, uint32_t steps)
{
    for (uint64_t i = 0; i < jobs->plan.n; i++)
        jobs->args[i] = (i << 32) | steps;
}

static void jobs_close(void *state)
{
    struct jobs *jobs = state;
    if (jobs->state)
        jobs->ops->close(jobs->state);
    if (!jobs->ops->alloc)
        free(jobs->blocks.words);
    free(jobs->blocks.sums);
    free(jobs->args);
    free(jobs->results);
    free(jobs);
}

static int jobs_open(const struct plan *plan, void **ret_state)
{
    const struct job_ops *ops = plan->ops;
    if (ops->absent) {
        snprintf(plan->note, NOTE_BYTES, "%s", ops->absent);
        return -1;
    }
    struct jobs *jobs = calloc(1, sizeof(*jobs));
    jobs->plan = *plan;
    jobs->ops = ops;
    if (plan->bytes > 0)
        work_choose_blocks(plan->bytes);
    if (ops->open(plan, &jobs->state) < 0) {
        jobs->state = NULL;
        jobs_close(jobs);
        return -1;
    }
    jobs->args = malloc(plan->n * sizeof(*jobs->args));
    jobs->results = malloc(plan->n * sizeof(*jobs->results));
    if (plan->bytes > 0 && make_blocks(jobs) < 0) {
        jobs_close(jobs);
        return -1;
    }
    if (plan->bytes > 0)
        fill_addresses(jobs);
    else
        fill_args(jobs, 0);
    *ret_state = jobs;
    return 0;
}

static int64_t host_cpu_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static int64_t cpu_ns(const struct jobs *jobs)
{
    return host_cpu_ns() + (jobs->ops->cpu_ns ? jobs->ops->cpu_ns(jobs->state) : 0);
}

static uint64_t expected(const struct jobs *jobs, size_t i)
{
    return jobs->plan.bytes > 0 ? jobs->blocks.sums[i % jobs->blocks.count] : work_job(jobs->args[i]);
}

static int check_results(const struct jobs *jobs, size_t n)
{
    size_t wrong = 0;
    for (size_t i = 0; i < n; i += jobs->plan.job_ns ? 97 : 1)
        wrong += jobs->results[i] != expected(jobs, i);
    if (wrong > 0)
        snprintf(jobs->plan.note, NOTE_BYTES, "%zu wrong results", wrong);
    return wrong > 0 ? -1 : 0;
}

/* Wall nanoseconds of n jobs, -1 on failure. Results are wiped before and checked after. */
static int64_t time_many(struct jobs *jobs, size_t n, int64_t *ret_cpu_ns)
{
    memset(jobs->results, 0, n * sizeof(*jobs->results));
    int64_t cpu = cpu_ns(jobs), start = bench_now_ns();
    int r = jobs->ops->many(jobs->state, jobs->args, jobs->results, n);
    int64_t wall = bench_now_ns() - start;
    *ret_cpu_ns = cpu_ns(jobs) - cpu;
    return r < 0 || check_results(jobs, n) < 0 ? -1 : wall;
}

static int run_many(struct jobs *jobs, double *values)
{
    size_t n = (size_t)jobs->plan.n;
    int64_t cpu, wall;
    if (time_many(jobs, n / 10 + 1, &cpu) < 0 || (wall = time_many(jobs, n, &cpu)) < 0)
        return -1;
    values[0] = (double)n * 1e3 / (double)wall;
    values[1] = (double)cpu / (double)n;
    return 0;
}

/* Nanoseconds of one job in a plain loop: the best of three short passes. */
static double serial_job_ns(const struct jobs *jobs, uint32_t steps)
{
    const int64_t count = 1000000 / (int64_t)jobs->plan.job_ns + 1;
    int64_t best = INT64_MAX;
    for (int pass = 0; pass < 3; pass++) {
        int64_t start = bench_now_ns();
        for (int64_t i = 0; i < count; i++)
            bench_keep(work_job(((uint64_t)i << 32) | steps));
        int64_t took = bench_now_ns() - start;
        if (took < best)
            best = took;
    }
    return (double)best / (double)count;
}

static int run_grain(struct jobs *jobs, double *values)
{
    uint32_t steps = work_steps(jobs->plan.job_ns);
    size_t n = (size_t)jobs->plan.n;
    int64_t cpu, wall;
    fill_args(jobs, steps);
    if (time_many(jobs, n / 10 + 1, &cpu) < 0)
        return -1;
    double before = serial_job_ns(jobs, steps);
    if ((wall = time_many(jobs, n, &cpu)) < 0)
        return -1;
    double after = serial_job_ns(jobs, steps);
    values[0] = (double)n * (before + after) / 2 / ((double)wall * jobs->plan.workers);
    values[1] = (double)n * 1e3 / (double)wall;
    return 0;
}

static int trip(void *context, uint64_t arg, uint64_t *ret_result)
{
    struct jobs *jobs = context;
    return jobs->ops->one(jobs->state, arg, ret_result);
}

/* The same with a block: trips_measure knows the number of the trip and what work_job makes of it. */
static int trip_block(void *context, uint64_t arg, uint64_t *ret_result)
{
    struct jobs *jobs = context;
    size_t i = (size_t)(arg >> 32) % jobs->plan.n;
    uint64_t sum = 0;
    if (jobs->ops->one(jobs->state, jobs->args[i], &sum) < 0)
        return -1;
    *ret_result = sum == expected(jobs, i) ? work_job(arg) : 0;
    return 0;
}

static int jobs_run(void *state, double *values)
{
    struct jobs *jobs = state;
    switch (jobs->plan.activity) {
    case ROUND_TRIP:
    case PAUSED:
        return trips_measure(&jobs->plan, jobs->plan.bytes > 0 ? trip_block : trip, jobs, values);
    case GRAIN:
        return run_grain(jobs, values);
    default:
        return run_many(jobs, values);
    }
}

const struct driver jobs_driver = { jobs_open, jobs_run, jobs_close };
