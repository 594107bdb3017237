/* Pools within workers, and how deep they may go. */

#include "harness/harness.h"

#include <parexec.h>

#include "harness/items.h"
#include "harness/pool.h"

static int sum_squares(const void *arg, size_t bytes, pe_reply *reply)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    uint64_t count, numbers[100], squares[100], sum = 0;
    pe_pool *inner;
    int result;

    (void)bytes;
    memcpy(&count, arg, sizeof count);
    for (uint64_t i = 0; i < count; i++)
        numbers[i] = i;
    options.workers = 2;
    result = pe_pool_new(&options, &inner);
    if (result < 0)
        return result;
    result = pe_pool_map(inner, item_square, numbers, 8, squares, 8, count, NULL);
    if (result == 0)
        result = pe_pool_join(inner, PE_FOREVER);
    pe_pool_free(inner);
    for (uint64_t i = 0; i < count; i++)
        sum += squares[i];
    return result < 0 ? result : pe_reply_write(reply, &sum, sizeof sum);
}

PE_TEST(p61_pool_within_a_worker)
{
    pe_pool *pool = pool_of(2);
    pe_job *jobs[4];

    for (uint64_t i = 0; i < 4; i++) {
        uint64_t count = i * 33;

        jobs[i] = pool_submit(pool, sum_squares, &count, sizeof count);
    }
    for (uint64_t i = 0; i < 4; i++) {
        uint64_t n = i * 33;

        job_assert_ended(jobs[i], PE_RETURNED, 0);
        ck_assert_uint_eq(job_number(jobs[i]), n == 0 ? 0 : (n - 1) * n * (2 * n - 1) / 6);
        pe_job_free(jobs[i]);
    }
    pool_end(pool);
}

/* Replies how deep it came; the error that ended the descent is its code. */
static int descend(const void *arg, size_t bytes, pe_reply *reply)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    uint64_t depth;
    pe_pool *inner;
    pe_job *job;
    pe_status status = { 0 };
    const void *data;
    int result;

    memcpy(&depth, arg, sizeof depth);
    options.workers = 1;
    result = pe_pool_new(&options, &inner);
    if (result < 0 || depth > 20) {
        pe_reply_write(reply, &depth, sizeof depth);
        return result;
    }
    depth++;
    result = pe_pool_submit(inner, descend, &depth, bytes, NULL, &job);
    if (result == 0)
        result = pe_job_wait(job, PE_FOREVER);
    if (result == 0)
        result = pe_job_status(job, &status);
    if (result == 0 && status.kind == PE_RETURNED && pe_job_result(job, &data, NULL) == 0)
        pe_reply_write(reply, data, sizeof depth);
    pe_job_free(job);
    pe_pool_free(inner);
    return result < 0 ? result : status.code;
}

PE_TEST(p61_depth_limit_gives_eperm)
{
    pe_pool *pool = pool_of(1);
    uint64_t depth = 1;
    pe_job *job = pool_submit(pool, descend, &depth, sizeof depth);

    job_assert_ended(job, PE_RETURNED, PE_EPERM);
    ck_assert_uint_eq(job_number(job), 4);
    pe_job_free(job);
    pool_end(pool);
}

HARNESS_MAIN("nested")
