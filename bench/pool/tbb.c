/* oneTBB's place among the rivals: see pool/tbb.cpp for how it is used. */

#include "pool/rivals.h"

#ifdef HAVE_TBB

#include "pool/tbb.h"

static int tbb_open(const struct plan *plan, void **ret_state)
{
    *ret_state = tbb_rival_new(plan->workers);
    return 0;
}

static int tbb_jobs_one(void *state, uint64_t arg, uint64_t *ret_result)
{
    tbb_rival_one(state, arg, ret_result);
    return 0;
}

static int tbb_jobs_many(void *state, const uint64_t *args, uint64_t *results, size_t n)
{
    tbb_rival_many(state, args, results, n);
    return 0;
}

static int tbb_map(void *state, const struct map_job *job)
{
    return tbb_rival_map(state, job->fn, job->in, job->in_bytes, job->out, job->out_bytes, job->count,
                         job->context);
}

static void tbb_close(void *state)
{
    tbb_rival_free(state);
}

const struct job_ops tbb_jobs = { NULL, tbb_open, tbb_jobs_one, tbb_jobs_many, NULL, tbb_close, NULL };
const struct map_ops tbb_maps = { NULL, tbb_open, NULL, NULL, tbb_map, tbb_close };

#else
const struct job_ops tbb_jobs = { .absent = "built without oneTBB" };
const struct map_ops tbb_maps = { .absent = "built without oneTBB" };
#endif
