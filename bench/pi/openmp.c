/* The estimator in threads of OpenMP, with the kernels of ours. */

#include "pi/run.h"
#include "harness.h"

double pi_run_openmp(const pi_plan *plan, uint32_t workers, uint64_t *ret_hits)
{
#ifdef _OPENMP
    pi_stream stream = pi_stream_of(plan);
    uint64_t blocks = pi_blocks(plan->samples);
    uint64_t hits = 0;
    double start = bench_now();

#pragma omp parallel for schedule(static) num_threads((int)workers) reduction(+ : hits)
    for (uint32_t i = 0; i < workers; i++)
        hits += pi_hits(&stream, blocks * i / workers, blocks * (i + 1) / workers, NULL);
    *ret_hits = hits;
    return bench_now() - start;
#else
    (void)plan;
    (void)workers;
    (void)ret_hits;
    return -1;
#endif
}
