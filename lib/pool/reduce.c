/*
 * reduce.c - a fold over a range of integers with the same result for any number of workers.
 *
 * The range is cut into blocks whose borders follow from the range alone. Each block is folded, in a worker,
 * into its own copy of the neutral element; the parts are combined in the calling thread in the order of the
 * blocks, whenever they arrive. A group of blocks is one job, submitted in order, and only so many are in
 * flight at once, so waiting parts are bounded. A retried job starts from fresh copies.
 *
 * Each time the calling thread is woken it takes a CPU from a worker that computes, so it sleeps until half of
 * what is in flight should be done and combines that at once; the other half keeps the workers busy meanwhile,
 * also when the scheduler lets a whole time slice pass before it runs this thread.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/sized.h"
#include "pool/inherited.h"
#include "pool/job.h"
#include "pool/map_options.h"
#include "pool/pool.h"
#include "pool/submit.h"
#include "worker/reply.h"

#define PART_ALIGN 16
/* In flight. Few of the large ones, which would hold much memory and take long enough as they are. */
#define GROUPS_PER_WORKER 16
#define LARGE_GROUPS_PER_WORKER 4
#define LARGE_GROUP_BYTES 16384
#define PROGRESS_NS PE_MS(100)

/* A job's argument. Pointers lead into the pool's shared memory. */
struct group {
    pe_range_fn *fn;
    const void *neutral;
    const void *context;
    uint64_t first, last; /* of the whole range */
    uint64_t acc_bytes;
    uint32_t blocks;      /* of the whole range */
    uint32_t from, to;    /* blocks of this group */
};

struct reduction {
    pe_pool *pool;
    pe_combine_fn *combine;
    struct group whole;
    pe_map_options options;
    const void *context; /* the caller's, for combine */
    uint32_t per_group;
    uint32_t window;     /* groups in flight at most */
    pe_job **jobs;       /* of group g at g % window */
    uint32_t submitted, merged; /* groups */
    void *shared;
    unsigned char *acc;  /* private: the caller's is written at the very end */
    pe_map_summary summary;
    int64_t start_ns, progress_due_ns;
};

static uint64_t stride_of(uint64_t acc_bytes)
{
    return (acc_bytes + PART_ALIGN - 1) / PART_ALIGN * PART_ALIGN;
}

static uint64_t border(const struct group *group, uint32_t block)
{
    uint64_t width = group->last - group->first, whole = width / group->blocks, rest = width % group->blocks;
    return group->first + whole * block + rest * block / group->blocks;
}

/* In a worker. */
static int fold_group(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct group group;
    (void)arg_bytes;
    memcpy(&group, arg, sizeof group);
    uint64_t stride = stride_of(group.acc_bytes);
    unsigned char *part = pe_reply_reserve(reply, stride * (group.to - group.from));
    if (part == NULL)
        return PE_ENOMEM;
    for (uint32_t block = group.from; block < group.to; block++, part += stride) {
        memcpy(part, group.neutral, group.acc_bytes);
        int result = group.fn(border(&group, block), border(&group, block + 1), part, group.context);
        if (result != 0 || pe__reply_is_of_parent(reply))
            return result;
    }
    return 0;
}

static uint32_t group_count(const struct reduction *reduction)
{
    return (reduction->whole.blocks + reduction->per_group - 1) / reduction->per_group;
}

static int submit_group(struct reduction *reduction)
{
    struct group group = reduction->whole;
    pe_job_options options = { PE_SIZED(pe_job_options), .retries = reduction->options.retries,
                               .priority = reduction->options.priority,
                               .timeout_ns = reduction->options.timeout_ns };
    options.submit_deadline_ns = reduction->options.deadline_ns;
    group.from = reduction->submitted * reduction->per_group;
    group.to = group.from + reduction->per_group;
    if (group.to > group.blocks)
        group.to = group.blocks;
    pe_job **job = &reduction->jobs[reduction->submitted % reduction->window];
    int result = pe__pool_submit(reduction->pool, fold_group, &group, sizeof group, &options, true, job);
    reduction->submitted += result == 0;
    return result;
}

static void note_failure(struct reduction *reduction, const pe_status *status, uint32_t block)
{
    reduction->summary.failed++;
    reduction->summary.first_failed = block;
    reduction->summary.first = *status;
    reduction->summary.first.item = block;
}

/* *ret_code: what combine returned last. */
static int combine_parts(struct reduction *reduction, const unsigned char *parts, size_t bytes, uint32_t blocks,
                         int32_t *ret_code)
{
    uint64_t stride = stride_of(reduction->whole.acc_bytes);
    if (bytes != stride * blocks)
        return PE_EBROKEN; /* not what fold_group writes */
    for (uint32_t block = 0; block < blocks; block++) {
        *ret_code = reduction->combine(reduction->acc, parts + block * stride, reduction->context);
        if (*ret_code != 0)
            return PE_EITEMS;
    }
    return 0;
}

/* Until half a window more is done, or for as long as the progress may stand still. Whatever ends a wait in
 * earnest is left to that for the oldest group. */
static int rest(const struct reduction *reduction)
{
    uint32_t half = reduction->window / 2, last = reduction->merged + half - 1;
    if (reduction->merged % half != 0)
        return 0;
    if (last >= reduction->submitted)
        last = reduction->submitted - 1;
    int64_t until_ns = pe_after(PROGRESS_NS);
    if (until_ns > reduction->options.deadline_ns)
        until_ns = reduction->options.deadline_ns;
    int result = pe_job_wait(reduction->jobs[last % reduction->window], until_ns);
    return result == PE_ETIMEDOUT ? 0 : result;
}

/* Waits for the oldest group and folds its parts in. */
static int merge_group(struct reduction *reduction)
{
    pe_job *job = reduction->jobs[reduction->merged % reduction->window];
    uint32_t from = reduction->merged * reduction->per_group, left = reduction->whole.blocks - from;
    uint32_t blocks = left < reduction->per_group ? left : reduction->per_group;
    pe_status status;
    const void *parts = NULL;
    size_t bytes = 0;
    int result = pe_job_wait(job, reduction->options.deadline_ns);
    if (result < 0)
        return result;
    pe_job_status(job, &status);
    if (status.kind == PE_LOST)
        return PE_EBROKEN;
    if (status.kind == PE_CANCELLED)
        return PE_ECANCELED;
    if (status.kind != PE_RETURNED || status.code != 0 || pe_job_result(job, &parts, &bytes) != 0) {
        note_failure(reduction, &status, from);
        return PE_EITEMS;
    }
    result = combine_parts(reduction, parts, bytes, blocks, &status.code);
    pe_job_free(job);
    reduction->merged++;
    if (result == PE_EITEMS)
        note_failure(reduction, &status, from);
    else if (result == 0)
        reduction->summary.returned += blocks;
    return result;
}

static void report(struct reduction *reduction, bool last)
{
    const pe_map_options *options = &reduction->options;
    int64_t now_ns = pe__base_now_ns();
    if (options->progress == NULL || (!last && now_ns < reduction->progress_due_ns))
        return;
    reduction->progress_due_ns = now_ns + PROGRESS_NS;
    options->progress(reduction->summary.returned + reduction->summary.failed, reduction->summary.failed,
                      reduction->whole.blocks, options->progress_context);
}

/* Ends what is still in flight; nothing of this call runs any more afterwards. */
static void drop_rest(struct reduction *reduction)
{
    for (uint32_t group = reduction->merged; group < reduction->submitted; group++)
        pe_job_cancel(reduction->jobs[group % reduction->window]);
    for (; reduction->merged < reduction->submitted; reduction->merged++) {
        pe_job *job = reduction->jobs[reduction->merged % reduction->window];
        pe__job_wait_surely(job);
        pe_job_free(job);
    }
}

static void count_rest(struct reduction *reduction, int result)
{
    pe_map_summary *summary = &reduction->summary;
    uint64_t rest = reduction->whole.blocks - summary->returned - summary->failed;
    if (result == PE_EBROKEN)
        summary->lost = rest;
    else
        summary->cancelled = rest;
}

static int run(struct reduction *reduction)
{
    uint32_t groups = group_count(reduction);
    int result = 0;
    while (result == 0 && reduction->merged < groups) {
        while (result == 0 && reduction->submitted < groups &&
               reduction->submitted - reduction->merged < reduction->window)
            result = submit_group(reduction);
        if (result == 0)
            result = rest(reduction);
        if (result == 0)
            result = merge_group(reduction);
        report(reduction, false);
    }
    drop_rest(reduction);
    count_rest(reduction, result);
    report(reduction, true);
    return result;
}

/* Copies what workers need into shared memory. */
static int share(struct reduction *reduction, const void *acc)
{
    bool inherited = (reduction->options.flags & PE_MAP_INHERITED) != 0;
    uint64_t context_at = stride_of(reduction->whole.acc_bytes);
    uint64_t context_bytes = inherited ? 0 : reduction->options.context_bytes;
    int result = pe_pool_alloc(reduction->pool, context_at + context_bytes, &reduction->shared);
    if (result < 0)
        return result;
    unsigned char *shared = reduction->shared;
    memcpy(shared, acc, reduction->whole.acc_bytes);
    if (context_bytes > 0)
        memcpy(shared + context_at, reduction->options.context, context_bytes);
    reduction->whole.neutral = shared;
    reduction->whole.context = context_bytes > 0 ? shared + context_at : reduction->options.context;
    return 0;
}

static uint32_t groups_in_flight(const struct reduction *reduction)
{
    uint64_t bytes = stride_of(reduction->whole.acc_bytes) * reduction->per_group;
    uint32_t each = bytes < LARGE_GROUP_BYTES ? GROUPS_PER_WORKER : LARGE_GROUPS_PER_WORKER;
    return reduction->pool->workers * each;
}

static int prepare(struct reduction *reduction, const void *acc)
{
    uint64_t width = reduction->whole.last - reduction->whole.first;
    uint64_t chunk = reduction->options.chunk;
    reduction->whole.blocks = width < PE_REDUCE_BLOCKS_MAX ? (uint32_t)width : PE_REDUCE_BLOCKS_MAX;
    reduction->per_group = chunk == 0 ? 1 : chunk < PE_REDUCE_BLOCKS_MAX ? (uint32_t)chunk : PE_REDUCE_BLOCKS_MAX;
    reduction->window = groups_in_flight(reduction);
    reduction->jobs = calloc(reduction->window, sizeof *reduction->jobs);
    reduction->acc = malloc(reduction->whole.acc_bytes);
    if (reduction->jobs == NULL || reduction->acc == NULL)
        return PE_ENOMEM;
    memcpy(reduction->acc, acc, reduction->whole.acc_bytes);
    return share(reduction, acc);
}

static int check(pe_pool *pool, pe_range_fn *fn, pe_combine_fn *combine, uint64_t first, uint64_t last,
                 const void *acc, size_t acc_bytes, const pe_map_options *given, pe_map_options *ret_options)
{
    if (pool == NULL || fn == NULL || combine == NULL || first > last || acc == NULL || acc_bytes == 0 ||
        acc_bytes > SIZE_MAX / PE_REDUCE_BLOCKS_MAX / 2)
        return PE_EINVAL;
    int result = pe__map_check_options(given, ret_options);
    if (result == 0 && ret_options->statuses != NULL)
        result = PE_EINVAL;
    if (result == 0)
        result = pe__pool_enter(pool);
    if (result < 0)
        return result;
    result = pe__pool_check_open(pool);
    if (result == 0 && !pe__pool_has_loaded(pool, (uintptr_t)fn))
        result = PE_ENOTLOADED;
    if (result == 0)
        result = pe__pool_check_inherited(pool, NULL, 0, ret_options);
    if (pe__pool_in_callback(pool))
        result = PE_EDEADLK;
    pe__pool_leave(pool);
    return result;
}

int pe_pool_reduce(pe_pool *pool, pe_range_fn *fn, pe_combine_fn *combine, uint64_t first, uint64_t last, void *acc,
                   size_t acc_bytes, const pe_map_options *options)
{
    struct reduction reduction = { .pool = pool,
                                   .combine = combine,
                                   .whole = { .fn = fn, .first = first, .last = last, .acc_bytes = acc_bytes },
                                   .summary = { .size = sizeof reduction.summary, .first_failed = UINT64_MAX } };
    int result = check(pool, fn, combine, first, last, acc, acc_bytes, options, &reduction.options);
    if (result < 0)
        return result;
    reduction.context = reduction.options.context;
    reduction.start_ns = pe__base_now_ns();
    reduction.progress_due_ns = reduction.start_ns + PROGRESS_NS;
    if (first < last)
        result = prepare(&reduction, acc);
    if (result == 0 && first < last)
        result = run(&reduction);
    if (result == 0 && first < last)
        memcpy(acc, reduction.acc, acc_bytes);
    reduction.summary.wall_ns = pe__base_now_ns() - reduction.start_ns;
    if (reduction.options.summary != NULL)
        PE__BASE_FILL_SIZED(pe_map_summary, reduction.options.summary, &reduction.summary);
    pe_pool_dealloc(pool, reduction.shared);
    free(reduction.jobs);
    free(reduction.acc);
    return result;
}
