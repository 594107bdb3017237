/* OpenMP as a rival: one parallel for with as many threads as the others have workers, its caller being
 * one of them. How long its threads spin between regions is left at the default, which favours it in
 * short maps. */

#include "pool/rivals.h"

#ifdef _OPENMP

#include <stdlib.h>

struct openmp {
    int threads, variant;
};

static int run_item(const struct map_job *job, size_t i)
{
    return job->fn((const char *)job->in + i * job->in_bytes, (char *)job->out + i * job->out_bytes,
                   job->context);
}

static int map_static(const struct map_job *job, int threads)
{
    int failed = 0;
#pragma omp parallel for schedule(static) num_threads(threads) reduction(| : failed)
    for (size_t i = 0; i < job->count; i++)
        failed |= run_item(job, i);
    return failed;
}

static int map_guided(const struct map_job *job, int threads)
{
    int failed = 0;
#pragma omp parallel for schedule(guided) num_threads(threads) reduction(| : failed)
    for (size_t i = 0; i < job->count; i++)
        failed |= run_item(job, i);
    return failed;
}

static int map_dynamic_1(const struct map_job *job, int threads)
{
    int failed = 0;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) reduction(| : failed)
    for (size_t i = 0; i < job->count; i++)
        failed |= run_item(job, i);
    return failed;
}

static int openmp_map(void *state, const struct map_job *job)
{
    const struct openmp *openmp = state;
    switch (openmp->variant) {
    case OPENMP_GUIDED:
        return map_guided(job, openmp->threads);
    case OPENMP_DYNAMIC_1:
        return map_dynamic_1(job, openmp->threads);
    default:
        return map_static(job, openmp->threads);
    }
}

static int openmp_open(const struct plan *plan, void **ret_state)
{
    struct openmp *openmp = malloc(sizeof(*openmp));
    *openmp = (struct openmp){ (int)plan->workers, plan->variant };
    *ret_state = openmp;
    return 0;
}

const struct map_ops openmp_maps = { NULL, openmp_open, NULL, NULL, openmp_map, free };

#else
const struct map_ops openmp_maps = { .absent = "built without OpenMP" };
#endif
