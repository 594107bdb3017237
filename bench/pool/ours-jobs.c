/* Our jobs: pe_pool_submit for each, pe_job_wait and pe_job_result for each, nothing batched. */

#include "pool/crew.h"
#include "pool/ours.h"
#include "pool/work.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW 1024

struct ours {
    struct plan plan;
    struct crew crew;
    pe_job **handles; /* n, or WINDOW of them */
    void *blocks;
};

static int run_job(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    uint64_t word;
    (void)arg_bytes;
    memcpy(&word, arg, sizeof(word));
    word = work_chosen(word);
    return pe_reply_write(reply, &word, sizeof(word));
}

static int run_copied(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    uint64_t sum = work_sum_bytes(arg, arg_bytes);
    return pe_reply_write(reply, &sum, sizeof(sum));
}

/* Waits for a job, takes its 8 bytes and frees it. */
static int collect(const struct ours *ours, pe_job *job, uint64_t *ret_result)
{
    const void *data;
    size_t bytes;
    int r = pe_job_wait(job, PE_FOREVER);
    if (r >= 0)
        r = pe_job_result(job, &data, &bytes);
    if (r >= 0)
        memcpy(ret_result, data, sizeof(*ret_result));
    pe_job_free(job);
    return r < 0 ? crew_failed(&ours->plan, "pe_job_result", r) : 0;
}

static int submit(const struct ours *ours, const uint64_t *arg, pe_job **ret_job)
{
    int is_copied = ours->plan.variant == OURS_WINDOW_COPIED;
    const void *data = is_copied ? (const void *)(uintptr_t)*arg : arg;
    size_t bytes = is_copied ? ours->plan.bytes : sizeof(*arg);
    int r = pe_pool_submit(ours->crew.pool, is_copied ? run_copied : run_job, data, bytes, NULL, ret_job);
    return r < 0 ? crew_failed(&ours->plan, "pe_pool_submit", r) : 0;
}

static int ours_one(void *state, uint64_t arg, uint64_t *ret_result)
{
    const struct ours *ours = state;
    pe_job *job;
    return submit(ours, &arg, &job) < 0 ? -1 : collect(ours, job, ret_result);
}

static int many_held(const struct ours *ours, const uint64_t *args, uint64_t *results, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (submit(ours, &args[i], &ours->handles[i]) < 0)
            return -1;
    int r = pe_pool_wait(ours->crew.pool, PE_FOREVER);
    if (r < 0)
        return crew_failed(&ours->plan, "pe_pool_wait", r);
    for (size_t i = 0; i < n; i++)
        if (collect(ours, ours->handles[i], &results[i]) < 0)
            return -1;
    return 0;
}

static int many_window(const struct ours *ours, const uint64_t *args, uint64_t *results, size_t n)
{
    for (size_t i = 0; i < n + WINDOW; i++) {
        pe_job **handle = &ours->handles[i % WINDOW];
        if (i >= WINDOW && i - WINDOW < n && collect(ours, *handle, &results[i - WINDOW]) < 0)
            return -1;
        if (i < n && submit(ours, &args[i], handle) < 0)
            return -1;
    }
    return 0;
}

static int ours_many(void *state, const uint64_t *args, uint64_t *results, size_t n)
{
    const struct ours *ours = state;
    return ours->plan.variant == OURS_HELD ? many_held(ours, args, results, n) : many_window(ours, args, results, n);
}

static void *ours_alloc(void *state, size_t bytes)
{
    struct ours *ours = state;
    if (ours->plan.variant != OURS_WINDOW_SHARED)
        return ours->blocks = malloc(bytes);
    return pe_pool_alloc(ours->crew.pool, bytes, &ours->blocks) < 0 ? NULL : ours->blocks;
}

static int64_t ours_cpu_ns(void *state)
{
    const struct ours *ours = state;
    return crew_cpu_ns(&ours->crew, ours->plan.workers);
}

static int ours_open(const struct plan *plan, void **ret_state)
{
    struct ours *ours = calloc(1, sizeof(*ours));
    pe_pool_options options = { .size = sizeof(options), .workers = plan->workers };
    size_t handles = plan->n > WINDOW ? (size_t)plan->n : WINDOW;
    ours->plan = *plan;
    if (crew_open(&ours->crew, plan, &options) < 0) {
        free(ours);
        return -1;
    }
    crew_await(&ours->crew, plan->workers);
    ours->handles = malloc(handles * sizeof(*ours->handles));
    memset(ours->handles, 0, handles * sizeof(*ours->handles));
    *ret_state = ours;
    return 0;
}

static void ours_close(void *state)
{
    struct ours *ours = state;
    if (ours->plan.variant != OURS_WINDOW_SHARED)
        free(ours->blocks);
    crew_close(&ours->crew);
    free(ours->handles);
    free(ours);
}

const struct job_ops ours_jobs = {
    NULL, ours_open, ours_one, ours_many, ours_cpu_ns, ours_close, ours_alloc
};
