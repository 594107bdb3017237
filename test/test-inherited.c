/* PE_MAP_INHERITED: inputs and contexts that were there before the workers are read where they are; what is
 * younger is refused, as far as that can be seen. */

#include "harness/harness.h"

#include <parexec.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "harness/items.h"
#include "harness/pool.h"
#include "harness/process.h"

#define COUNT 1000

/* A context that means nothing to whoever gets its bytes alone. */
struct list {
    const uint64_t *numbers;
    const struct list *next;
};

static pe_map_options inherited(const void *context, size_t context_bytes)
{
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    options.flags = PE_MAP_INHERITED;
    options.context = context;
    options.context_bytes = context_bytes;
    return options;
}

struct seen {
    const void *in, *context;
    uint64_t number, sum;
};

static int look(const void *in, void *out, const void *context)
{
    struct seen *seen = out;

    *seen = (struct seen){ .in = in, .context = context };
    memcpy(&seen->number, in, sizeof seen->number);
    for (const struct list *list = context; list != NULL; list = list->next)
        seen->sum += list->numbers[pe_worker_item()];
    return 0;
}

static void assert_seen(const struct seen *seen, const uint64_t *in, const struct list *list, uint64_t sum_factor)
{
    for (uint64_t i = 0; i < COUNT; i++) {
        ck_assert_ptr_eq(seen[i].in, &in[i]);
        ck_assert_ptr_eq(seen[i].context, list);
        ck_assert_uint_eq(seen[i].number, i);
        ck_assert_uint_eq(seen[i].sum, sum_factor * i);
    }
}

PE_TEST(p17_array_and_pointers_from_before_the_pool)
{
    uint64_t *in = numbers(COUNT);
    struct list second = { in, NULL }, first = { in, &second };
    pe_map_options options = inherited(&first, sizeof first);
    struct seen seen[COUNT];
    pe_pool *pool = pool_of(3);

    ck_assert_int_eq(pe_pool_map(pool, look, in, sizeof *in, seen, sizeof *seen, COUNT, &options), 0);
    assert_seen(seen, in, &first, 2);
    pool_end(pool);
    free(in);
}

PE_TEST(p17_nothing_is_copied_in)
{
    size_t bytes = (size_t)64 << 20;
    unsigned char *in = calloc(2, bytes);
    unsigned char *out = malloc(2);
    pe_map_options options = inherited(NULL, 0);
    pe_pool *pool = pool_of(1);
    pe_job *job;

    ck_assert_int_eq(pe_pool_start_map(pool, item_nothing, in, bytes, out, 1, 2, &options, &job), 0);
    ck_assert_uint_lt(pool_stats(pool).shared_bytes_used, bytes);
    job_finish(job);
    pool_end(pool);
    free(out);
    free(in);
}

PE_TEST(p17_as_it_was_at_the_fork)
{
    uint64_t *in = numbers(COUNT);
    struct list list = { in, NULL };
    pe_map_options options = inherited(&list, sizeof list);
    struct seen seen[COUNT];
    pe_pool *pool = pool_of(2);

    for (int round = 0; round < 2; round++) {
        memset(in, 0xff, COUNT * sizeof *in);
        list.next = &list;
        ck_assert_int_eq(pe_pool_map(pool, look, in, sizeof *in, seen, sizeof *seen, COUNT, &options), 0);
        assert_seen(seen, in, &list, 1);
        kill(pool_worker_pid(pool), SIGKILL); /* whoever replaces it sees the same */
        pool_await_restarts(pool, (uint64_t)round + 1);
    }
    pool_end(pool);
    free(in);
}

/* In place of what was kept free. */
static uint64_t *page(void *at)
{
    return mmap(at, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void assert_refused(pe_pool *pool, const void *in, size_t in_bytes, const pe_map_options *options)
{
    uint64_t out = UNTOUCHED;
    pe_job *job = NULL;

    ck_assert_int_eq(pe_pool_map(pool, item_square, in, in_bytes, &out, sizeof out, 1, options), PE_EFAULT);
    ck_assert_int_eq(pe_pool_start_map(pool, item_square, in, in_bytes, &out, sizeof out, 1, options, &job), PE_EFAULT);
    ck_assert_uint_eq(out, UNTOUCHED);
    ck_assert_ptr_null(job);
}

PE_TEST(p17_what_is_younger_than_the_workers)
{
    uint64_t old = 3, out, acc = 0;
    unsigned char *room = mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t *first = page(room);
    pe_map_options options = inherited(NULL, 0);
    pe_pool *pool = pool_of(1);
    uint64_t *young = page(room + 4096);
    pe_status status = { .kind = 99 };
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;

    options.statuses = &status;
    options.summary = &summary;
    assert_refused(pool, young, sizeof *young, &options);
    assert_refused(pool, first, 4096 + 8, &options); /* it begins soundly */
    assert_refused(pool, young - 1, 16, &options);
    ck_assert_uint_eq(status.kind, 99);
    ck_assert_uint_eq(summary.first_failed, 0);
    options = inherited(young, 8);
    assert_refused(pool, &old, sizeof old, &options);
    ck_assert_int_eq(pe_pool_reduce(pool, range_nothing, combine_nothing, 0, 9, &acc, 8, &options), PE_EFAULT);
    ck_assert_uint_eq(pool_stats(pool).submitted, 0);
    options = inherited(NULL, 0);
    ck_assert_int_eq(pe_pool_map(pool, item_square, &old, 8, &out, 8, 1, &options), 0);
    ck_assert_uint_eq(out, 9);
    ck_assert_int_eq(pe_pool_map(pool, item_square, young, 8, &out, 8, 1, NULL), 0); /* a copy is made */
    ck_assert_uint_eq(out, 0);
    pool_end(pool);
    munmap(room, 3 * 4096);
}

PE_TEST(p17_memory_of_the_pool_and_no_input)
{
    pe_map_options options = inherited(NULL, 0);
    pe_pool *pool = pool_of(2);
    uint64_t *in = pool_shared(pool, 16), out[2];

    in[0] = 5;
    in[1] = 6;
    ck_assert_int_eq(pe_pool_map(pool, item_square, in, 8, out, 8, 2, &options), 0);
    ck_assert_uint_eq(out[0], 25);
    ck_assert_uint_eq(out[1], 36);
    ck_assert_int_eq(pe_pool_map(pool, item_nothing, NULL, 0, NULL, 0, 2, &options), 0);
    pool_end(pool);
}

static int add_range(uint64_t first, uint64_t last, void *acc, const void *context)
{
    const struct list *list = context;
    uint64_t sum = 0;

    for (uint64_t i = first; i < last; i++)
        sum += list->next->numbers[i];
    memcpy(acc, &sum, sizeof sum);
    return 0;
}

static int add(void *acc, const void *part, const void *context)
{
    uint64_t sum, more;

    (void)context;
    memcpy(&sum, acc, sizeof sum);
    memcpy(&more, part, sizeof more);
    sum += more;
    memcpy(acc, &sum, sizeof sum);
    return 0;
}

PE_TEST(p17_context_of_a_reduce)
{
    uint64_t *in = numbers(COUNT), acc = 0;
    struct list second = { in, NULL }, first = { NULL, &second };
    pe_map_options options = inherited(&first, sizeof first);
    pe_pool *pool = pool_of(2);

    memset(in, 0xff, COUNT * sizeof *in);
    memset(&first, 0xff, sizeof first);
    ck_assert_int_eq(pe_pool_reduce(pool, add_range, add, 0, COUNT, &acc, sizeof acc, &options), 0);
    ck_assert_uint_eq(acc, COUNT * (COUNT - 1) / 2);
    pool_end(pool);
    free(in);
}

PE_TEST(p17_inline_reads_what_is_there_now)
{
    uint64_t in = 1, out = 0;
    pe_map_options options = inherited(NULL, 0);
    pe_pool *pool = pool_with((pe_pool_options){ .flags = PE_POOL_INLINE });

    in = 7;
    ck_assert_int_eq(pe_pool_map(pool, item_square, &in, 8, &out, 8, 1, &options), 0);
    ck_assert_uint_eq(out, 49);
    pool_end(pool);
}

PE_TEST(p17_from_a_seed_as_of_pe_init)
{
    if (!harness_forks())
        HARNESS_SKIP("pe_init is for the whole life of a process");
    uint64_t *in = numbers(COUNT);
    struct list list = { in, NULL };
    pe_map_options options = inherited(&list, sizeof list);
    struct seen seen[COUNT];
    void *room = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    process_start_seed();
    memset(in, 0xff, COUNT * sizeof *in);
    uint64_t *young = page(room);
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .flags = PE_POOL_FROM_SEED });
    ck_assert_int_eq(pe_pool_map(pool, look, in, sizeof *in, seen, sizeof *seen, COUNT, &options), 0);
    assert_seen(seen, in, &list, 1);
    options = inherited(NULL, 0);
    assert_refused(pool, young, sizeof *young, &options);
    pool_end(pool);
    munmap(young, 4096);
    free(in);
}

HARNESS_MAIN("inherited")
