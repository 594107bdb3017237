/*
 * A limit on what each worker may allocate: how jobs, items and blocks end that reach it, and what it is on.
 * Row P34 of the list of features.
 */

#include "harness/harness.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "harness/death.h"
#include "harness/items.h"
#include "harness/pool.h"
#include "harness/process.h"

#define MIB ((size_t)1 << 20)
#define LIMIT (64 * MIB)

enum hunger {
    HUNGER_NULL,   /* writes where malloc returned NULL */
    HUNGER_ABORT,  /* aborts, as C++ does when nobody catches what new throws */
    HUNGER_GROW,   /* grows bit by bit; errno says nothing when it aborts */
    HUNGER_EXIT,   /* exits with a failure, as programs do that check */
    HUNGER_RETURN, /* returns an error */
    SATED_NULL,    /* writes through NULL for no reason */
    SATED_ABORT,
    SATED_EXIT,
    SATED_KILL,
    HUNGER_WAYS
};

static const struct death_ending hunger_ends[HUNGER_WAYS] = {
    [HUNGER_NULL] = { PE_OUT_OF_MEMORY, SIGSEGV },  [HUNGER_ABORT] = { PE_OUT_OF_MEMORY, SIGABRT },
    [HUNGER_GROW] = { PE_OUT_OF_MEMORY, SIGABRT },  [HUNGER_EXIT] = { PE_OUT_OF_MEMORY, 0 },
    [HUNGER_RETURN] = { PE_RETURNED, 12 },          [SATED_NULL] = { PE_CRASHED, SIGSEGV },
    [SATED_ABORT] = { PE_CRASHED, SIGABRT },        [SATED_EXIT] = { PE_EXITED, DEATH_EXIT_CODE(3) },
    [SATED_KILL] = { PE_CRASHED, SIGKILL },
};

/* False under tools that take the place of the kernel in this and let mmap go on. */
static bool limits_hold(void)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        setrlimit(RLIMIT_DATA, &(struct rlimit){ 0, 0 });
        _exit(mmap(NULL, LIMIT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WEXITSTATUS(status) == 1;
}

static void *volatile kept;
static char *volatile nowhere;

/* A sanitizer would end it in its own way. */
static __attribute__((no_sanitize("address", "undefined"), noinline)) void write_at(volatile char *place)
{
    *place = 1;
}

static void grow_until_nothing_is_left(void)
{
    while ((kept = malloc(100000)) != NULL)
        memset(kept, 1, 100000);
    errno = 0;
    abort();
}

static int be_hungry(enum hunger how)
{
    kept = malloc(how < SATED_NULL && how != HUNGER_GROW ? 2 * LIMIT : 1000);
    switch (how) {
    case HUNGER_NULL: write_at(kept); break;
    case HUNGER_GROW: grow_until_nothing_is_left(); break;
    case HUNGER_EXIT: exit(kept == NULL ? 3 : 0);
    case HUNGER_RETURN: return kept == NULL ? 12 : 0;
    case SATED_NULL: write_at(nowhere); break;
    case SATED_EXIT: exit(3);
    case SATED_KILL: raise(SIGKILL); break;
    default: abort();
    }
    return 0;
}

static int job_hungry(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg_bytes, (void)reply;
    return be_hungry(*(const enum hunger *)arg);
}

static pe_pool *limited_pool(uint32_t workers)
{
    return pool_with((pe_pool_options){ .workers = workers, .memory_limit_bytes = LIMIT });
}

PE_TEST_LOOP(p34_how_a_job_ends, 0, HUNGER_WAYS)
{
    enum hunger how = (enum hunger)_i, before = HUNGER_RETURN;
    bool starved = hunger_ends[how].kind == PE_OUT_OF_MEMORY;
    pe_pool *pool;

    if (!limits_hold())
        HARNESS_SKIP("no limit of memory is kept here");
    pool = limited_pool(1);
    /* What failed in an earlier job says nothing of this one. */
    ck_assert_int_eq(pool_run(pool, job_hungry, &before, sizeof before).code, 12);
    for (int round = 0; round < 3; round++) {
        pe_status status = pool_run(pool, job_hungry, &how, sizeof how);

        ck_assert_uint_eq(status.kind, hunger_ends[how].kind);
        ck_assert_int_eq(status.code, hunger_ends[how].code);
        pool_assert_usable(pool);
    }
    ck_assert_uint_eq(pool_stats(pool).out_of_memory, starved ? 3 : 0);
    ck_assert_uint_eq(pool_stats(pool).crashed, starved || how == HUNGER_RETURN ? 0 : 3);
    pe_pool_free(pool);
}

PE_TEST(p34_retries_and_deaths_count)
{
    enum hunger how = HUNGER_NULL;
    pe_status status;
    pe_pool *pool;

    if (!limits_hold())
        HARNESS_SKIP("no limit of memory is kept here");
    pool = pool_with((pe_pool_options){ .workers = 1, .memory_limit_bytes = LIMIT, .max_deaths = 5 });
    status = job_finish(pool_submit_retried(pool, job_hungry, &how, sizeof how, 2));
    ck_assert_uint_eq(status.kind, PE_OUT_OF_MEMORY);
    ck_assert_uint_eq(status.attempts, 3);
    ck_assert_uint_eq(job_finish(pool_submit_retried(pool, job_hungry, &how, sizeof how, 100)).kind, PE_LOST);
    pe_pool_free(pool);
}

/* One item in ten ends in one of the ways; the others of its chunk are well. */
static int item_hungry(const void *in, void *out, const void *context)
{
    uint64_t item = *(const uint64_t *)in;

    (void)context;
    if (item % 10 == 5 && be_hungry((enum hunger)(item / 10 % HUNGER_WAYS)) != 0)
        return 12;
    *(uint64_t *)out = 2 * item;
    return 0;
}

PE_TEST_LOOP(p34_items_of_a_map, 0, 2)
{
    enum { ITEMS = 180 };
    uint64_t in[ITEMS], out[ITEMS] = { 0 };
    pe_status statuses[ITEMS];
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_pool *pool;
    pe_job *map;

    if (!limits_hold())
        HARNESS_SKIP("no limit of memory is kept here");
    pool = limited_pool(2);
    for (uint64_t i = 0; i < ITEMS; i++)
        in[i] = i;
    options.chunk = 50;
    options.statuses = _i != 0 ? statuses : NULL;
    ck_assert_int_eq(
        pe_pool_start_map(pool, item_hungry, in, sizeof *in, out, sizeof *out, ITEMS, &options, &map), 0);
    ck_assert_int_eq(job_ended(map).code, PE_EITEMS);
    for (uint64_t i = 0; i < ITEMS; i++) {
        const struct death_ending *wanted = &hunger_ends[i / 10 % HUNGER_WAYS];
        pe_status status;

        ck_assert_int_eq(pe_job_item_status(map, i, &status), 0);
        ck_assert_uint_eq(status.kind, i % 10 == 5 ? wanted->kind : PE_RETURNED);
        ck_assert_int_eq(status.code, i % 10 == 5 ? wanted->code : 0);
        ck_assert_uint_eq(out[i], i % 10 == 5 ? 0 : 2 * i);
    }
    pe_job_free(map);
    pool_assert_usable(pool);
    pe_pool_free(pool);
}

static int fold_hungry(uint64_t first, uint64_t last, void *acc, const void *context)
{
    (void)context;
    if (first <= 500 && last > 500)
        be_hungry(HUNGER_ABORT);
    *(uint64_t *)acc += last - first;
    return 0;
}

PE_TEST(p34_a_block_of_a_reduce)
{
    uint64_t sum = 0;
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_pool *pool;

    if (!limits_hold())
        HARNESS_SKIP("no limit of memory is kept here");
    pool = limited_pool(2);
    options.summary = &summary;
    ck_assert_int_eq(pe_pool_reduce(pool, fold_hungry, combine_sum, 0, 1000, &sum, sizeof sum, &options), PE_EITEMS);
    ck_assert_uint_eq(summary.first_failed, 500);
    ck_assert_uint_eq(summary.first.kind, PE_OUT_OF_MEMORY);
    ck_assert_uint_eq(sum, 0);
    pe_pool_free(pool);
}

/* arg: megabytes to allocate and touch. Returns 12 when there are not so many. */
static int job_take(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    size_t bytes = (size_t)*(const int *)arg * MIB;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)arg_bytes, (void)reply;
    if (memory == MAP_FAILED)
        return 12;
    process_touch(memory, bytes);
    munmap(memory, bytes);
    return 0;
}

struct buffers {
    void *inherited, *shared;
    size_t bytes;
};

static int touch_and_reply(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct buffers buffers;

    (void)arg_bytes;
    memcpy(&buffers, arg, sizeof buffers);
    process_touch(buffers.inherited, buffers.bytes);
    process_touch(buffers.shared, buffers.bytes);
    return pe_reply_reserve(reply, HARNESS_MIB(128)) != NULL ? 0 : 1;
}

/* The host has more than that already, and is not limited itself; shared memory and replies do not count. */
PE_TEST(p34_what_the_limit_is_on)
{
    struct buffers buffers = { .bytes = 2 * LIMIT };
    pe_pool *pool;
    void *more;

    if (!limits_hold())
        HARNESS_SKIP("no limit of memory is kept here");
    buffers.inherited = malloc(buffers.bytes);
    process_touch(buffers.inherited, buffers.bytes);
    pool = pool_with((pe_pool_options){ .workers = 2, .memory_limit_bytes = LIMIT,
                                         .shared_bytes = 2 * buffers.bytes });
    buffers.shared = pool_shared(pool, buffers.bytes);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(pool_run(pool, job_take, &(int){ 50 }, sizeof(int)).code, 0);
        ck_assert_int_eq(pool_run(pool, job_take, &(int){ 70 }, sizeof(int)).code, 12);
        ck_assert_int_eq(pool_run(pool, touch_and_reply, &buffers, sizeof buffers).code, 0);
    }
    more = malloc(2 * LIMIT);
    ck_assert_ptr_nonnull(more);
    free(more);
    pe_pool_free(pool);
    free(buffers.inherited);
}

static int take_too_much(void *context)
{
    (void)context;
    kept = malloc(2 * LIMIT);
    return kept == NULL;
}

PE_TEST(p34_the_initialiser_is_limited_too)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool = NULL;

    if (!limits_hold())
        HARNESS_SKIP("no limit of memory is kept here");
    options.memory_limit_bytes = LIMIT;
    options.worker_init = take_too_much;
    ck_assert_int_eq(pe_pool_new(&options, &pool), PE_EINIT);
    ck_assert_ptr_null(pool);
}

HARNESS_MAIN("memory-limit")
