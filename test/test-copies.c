/*
 * Functions that fork in a worker, and whose child returns instead of ending: it takes no part in the worker's work.
 */

#include "harness/harness.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/pool.h>
#include <parexec/stream.h>
#include <parexec/worker.h>

#include "harness/pool.h"

#define ITEMS 12
#define CODE 5

/* Shared by all processes: who did what. */
struct seen {
    _Atomic uint32_t calls;   /* of the function, in whatever process */
    _Atomic uint32_t copies;  /* that ended with CODE */
    _Atomic uint32_t strange; /* that ended in any other way */
    _Atomic int32_t reply_result;
};

static struct seen *seen;

static void note_end(pid_t child)
{
    int status = -1;

    if (waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == CODE)
        atomic_fetch_add(&seen->copies, 1);
    else
        atomic_fetch_add(&seen->strange, 1);
}

/* Comes back twice: with CODE in the child, with 0 in the worker, when the child has ended. */
static int return_twice(void)
{
    pid_t child;

    atomic_fetch_add(&seen->calls, 1);
    child = fork();
    if (child == 0)
        return CODE;
    note_end(child);
    return 0;
}

static int job_forks(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    int result = return_twice();

    (void)arg, (void)arg_bytes;
    if (result == CODE)
        atomic_store(&seen->reply_result, pe_reply_write(reply, "child", 5));
    else
        pe_reply_write(reply, "worker", 6);
    return result;
}

static int item_forks(const void *in, void *out, const void *context)
{
    int result = return_twice();

    (void)context;
    if (result == 0)
        *(int *)out = *(const int *)in + 1;
    return result;
}

static int range_forks(uint64_t first, uint64_t last, void *acc, const void *context)
{
    int result = return_twice();

    (void)context;
    if (result == 0)
        *(uint64_t *)acc += last - first;
    return 0; /* in the child too, for it would go on with the next block */
}

static int add(void *acc, const void *part, const void *context)
{
    (void)context;
    *(uint64_t *)acc += *(const uint64_t *)part;
    return 0;
}

static int worker_forks(void *context)
{
    (void)context;
    return return_twice();
}

/* Each call was made once, and each child ended with what it had returned. */
static void assert_seen(uint32_t calls)
{
    ck_assert_uint_eq(atomic_load(&seen->calls), calls);
    ck_assert_uint_eq(atomic_load(&seen->copies), calls);
    ck_assert_uint_eq(atomic_load(&seen->strange), 0);
}

static pe_pool *begin(pe_pool_options options)
{
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(seen, MAP_FAILED);
    options.workers = 1; /* so that a copy would find items left to take */
    return pool_with(options);
}

static void end(pe_pool *pool)
{
    pool_end(pool);
    munmap(seen, sizeof *seen);
}

static void map_with(pe_pool *pool, pe_map_options options)
{
    int in[ITEMS], out[ITEMS] = { 0 };
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;

    for (int i = 0; i < ITEMS; i++)
        in[i] = i;
    options.size = sizeof options;
    options.summary = &summary;
    ck_assert_int_eq(pe_pool_map(pool, item_forks, in, sizeof *in, out, sizeof *out, ITEMS, &options), 0);
    for (int i = 0; i < ITEMS; i++)
        ck_assert_int_eq(out[i], i + 1);
    ck_assert_uint_eq(summary.returned, ITEMS);
    assert_seen(ITEMS);
}

PE_TEST(child_of_a_job_that_returns_ends)
{
    pe_pool *pool = begin((pe_pool_options){ 0 });
    pe_job *jobs[ITEMS];

    for (int i = 0; i < ITEMS; i++)
        jobs[i] = pool_submit(pool, job_forks, NULL, 0);
    for (int i = 0; i < ITEMS; i++) {
        job_assert_ended(jobs[i], PE_RETURNED, 0);
        job_assert_reply(jobs[i], "worker", 6);
    }
    assert_seen(ITEMS);
    ck_assert_int_eq(atomic_load(&seen->reply_result), PE_EFORKED);
    ck_assert_uint_eq(pool_stats(pool).restarts, 0);
    end(pool);
}

/* The ways in which a worker goes through items: without options, with a time limit, with statuses, watched. */
PE_TEST(child_of_a_plain_item_that_returns_ends)
{
    pe_pool *pool = begin((pe_pool_options){ 0 });

    map_with(pool, (pe_map_options){ .chunk = ITEMS });
    end(pool);
}

PE_TEST(child_of_a_limited_item_that_returns_ends)
{
    pe_pool *pool = begin((pe_pool_options){ 0 });

    map_with(pool, (pe_map_options){ .chunk = ITEMS, .timeout_ns = PE_SECONDS(600) });
    end(pool);
}

PE_TEST(child_of_a_timed_item_that_returns_ends)
{
    pe_pool *pool = begin((pe_pool_options){ 0 });
    pe_status statuses[ITEMS];

    map_with(pool, (pe_map_options){ .chunk = ITEMS, .statuses = statuses });
    for (int i = 0; i < ITEMS; i++)
        ck_assert(statuses[i].kind == PE_RETURNED && statuses[i].code == 0);
    end(pool);
}

PE_TEST(child_of_a_watched_item_that_returns_ends)
{
    pe_pool *pool = begin((pe_pool_options){ .rss_limit_bytes = UINT64_C(1) << 40 });

    map_with(pool, (pe_map_options){ .chunk = ITEMS });
    end(pool);
}

static int give_number(void *item, void *context)
{
    int *next = context;

    if (*next == ITEMS)
        return 0;
    *(int *)item = (*next)++;
    return 1;
}

PE_TEST(child_of_an_item_of_a_stream_that_returns_ends)
{
    pe_pool *pool = begin((pe_pool_options){ 0 });
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_stream *stream;
    pe_status status;
    const void *out;
    int next = 0;

    options.flags = PE_MAP_ORDERED;
    ck_assert_int_eq(pe_pool_stream(pool, item_forks, give_number, &next, sizeof(int), sizeof(int), &options, &stream),
                     0);
    for (int i = 0; i < ITEMS; i++) {
        ck_assert_int_eq(pe_stream_next(stream, PE_FOREVER, NULL, &status, &out, NULL), 1);
        ck_assert_int_eq(*(const int *)out, i + 1);
    }
    ck_assert_int_eq(pe_stream_next(stream, PE_FOREVER, NULL, &status, &out, NULL), 0);
    pe_stream_free(stream);
    assert_seen(ITEMS);
    end(pool);
}

PE_TEST(child_of_a_block_of_a_reduce_that_returns_ends)
{
    pe_pool *pool = begin((pe_pool_options){ 0 });
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    uint64_t sum = 0;

    options.chunk = ITEMS; /* one job */
    ck_assert_int_eq(pe_pool_reduce(pool, range_forks, add, 0, ITEMS, &sum, sizeof sum, &options), 0);
    ck_assert_uint_eq(sum, ITEMS);
    ck_assert_uint_eq(atomic_load(&seen->calls), ITEMS);
    end(pool);
}

/* Neither serves, nor tells that the worker is ready, nor leaves in its place. */
PE_TEST(child_of_worker_init_and_worker_exit_that_returns_ends)
{
    pe_pool *pool = begin((pe_pool_options){ .worker_init = worker_forks, .worker_exit = worker_forks });

    pool_assert_usable(pool);
    assert_seen(1);
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    assert_seen(2);
    end(pool);
}

HARNESS_MAIN("copies")
