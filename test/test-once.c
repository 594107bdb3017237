/*
 * pe_map_once: workers that see the program as it is at the call, and are gone afterwards. What maps do in general is
 * tested with pools; here it is what differs, and that endings, retries and limits are the same.
 */

#include "harness/harness.h"

#include <parexec.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/death.h"
#include "harness/items.h"
#include "harness/pool.h"
#include "harness/process.h"

static pe_pool_options workers(uint32_t count)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;

    options.workers = count;
    return options;
}

static int round_of_program; /* changed between calls */

struct pair {
    const uint64_t *left, *right;
    const void *itself;
};

/* 1: it is not what the program has. */
static int add_pair(const void *in, void *out, const void *context)
{
    const struct pair *pair = in;
    uint64_t sum;

    if (pair->itself != in || *(const int *const *)context != &round_of_program)
        return 1;
    sum = *pair->left + *pair->right + (uint64_t)round_of_program;
    memcpy(out, &sum, sizeof sum);
    return 0;
}

PE_TEST(p17_once_sees_all_memory_as_it_is_now)
{
    pe_pool_options two = workers(2);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    const int *context = &round_of_program;

    options.context = &context;
    options.context_bytes = sizeof context;
    for (round_of_program = 1; round_of_program <= 3; round_of_program++) {
        uint64_t *in = numbers(100), *out = untouched(100);
        struct pair *pairs = malloc(100 * sizeof *pairs);

        for (uint64_t i = 0; i < 100; i++)
            pairs[i] = (struct pair){ &in[i], &in[99 - i], &pairs[i] };
        ck_assert_int_eq(pe_map_once(&two, add_pair, pairs, sizeof *pairs, out, 8, 100, &options), 0);
        for (uint64_t i = 0; i < 100; i++)
            ck_assert_uint_eq(out[i], 99 + (uint64_t)round_of_program);
        ck_assert_uint_eq(out[100], UNTOUCHED);
        free(pairs);
        free(out);
        free(in);
    }
}

PE_TEST_LOOP(p17_once_any_count_on_any_number_of_workers, 1, 5)
{
    static const size_t counts[] = { 0, 1, 2, 3, 70, 1000 };
    pe_pool_options some = workers((uint32_t)_i);
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    struct progress progress = { 0 };
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    options.summary = &summary;
    options.progress = progress_follow;
    options.progress_context = &progress;
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        uint64_t *in = numbers(counts[c]), *out = untouched(counts[c]);

        options.chunk = c * 3;
        progress = (struct progress){ 0 };
        ck_assert_int_eq(pe_map_once(&some, item_square, in, 8, out, 8, counts[c], &options), 0);
        for (uint64_t i = 0; i < counts[c]; i++)
            ck_assert_uint_eq(out[i], i * i);
        ck_assert_uint_eq(out[counts[c]], UNTOUCHED);
        ck_assert_uint_eq(summary.returned, counts[c]);
        ck_assert_uint_ge(progress.calls, 1);
        ck_assert_uint_eq(progress.done, counts[c]);
        free(out);
        free(in);
    }
    ck_assert_int_eq(pe_map_once(NULL, item_nothing, NULL, 0, NULL, 0, 10, NULL), 0);
}

/* Counts in shared memory. */
struct lives_told {
    _Atomic uint32_t begun, left;
};

static int begin(void *context)
{
    atomic_fetch_add(&((struct lives_told *)context)->begun, 1);
    return 0;
}

static int leave(void *context)
{
    atomic_fetch_add(&((struct lives_told *)context)->left, 1);
    return 0;
}

static int refuse(void *context)
{
    (void)context;
    return 1;
}

PE_TEST(once_forks_no_more_workers_than_items)
{
    struct lives_told *told = process_shared(sizeof *told);
    pe_pool_options options = workers(8);
    uint64_t in[3] = { 1, 2, 3 }, out[3];

    options.worker_init = begin;
    options.worker_exit = leave;
    options.worker_context = told;
    ck_assert_int_eq(pe_map_once(&options, item_square, in, 8, out, 8, 3, NULL), 0);
    ck_assert_uint_eq(out[2], 9);
    ck_assert_uint_ge(told->begun, 1);
    ck_assert_uint_le(told->begun, 3);
    ck_assert_uint_eq(told->left, told->begun);
    ck_assert_int_eq(pe_map_once(&options, item_square, in, 8, out, 8, 0, NULL), 0);
    ck_assert_uint_le(told->begun, 3);
    munmap(told, sizeof *told);
}

/* Item 1 dies, item 2 exits, item 3 fails; the context counts attempts of item 1 in shared memory. */
static int item_goes_wrong(const void *in, void *out, const void *context)
{
    _Atomic uint32_t *attempts = *(_Atomic uint32_t *const *)context;

    memcpy(out, "written", 8);
    switch (pe_worker_item()) {
    case 1: atomic_fetch_add(attempts, 1); raise(SIGKILL); break;
    case 2: exit(7);
    case 3: return pe_worker_fail(5, "no");
    }
    return item_square(in, out, NULL);
}

PE_TEST(once_endings_are_those_of_any_map)
{
    _Atomic uint32_t *attempts = process_shared(sizeof *attempts);
    uint64_t *in = numbers(20), *out = untouched(20);
    pe_pool_options two = workers(2);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_status statuses[20];

    options.context = &attempts;
    options.context_bytes = sizeof attempts;
    options.statuses = statuses;
    options.retries = 2;
    ck_assert_int_eq(pe_map_once(&two, item_goes_wrong, in, 8, out, 8, 20, &options), PE_EITEMS);
    ck_assert_uint_eq(atomic_load(attempts), 3);
    ck_assert_uint_eq(statuses[1].kind, PE_CRASHED);
    ck_assert_int_eq(statuses[1].code, SIGKILL);
    ck_assert_uint_eq(statuses[1].attempts, 3);
    ck_assert_uint_eq(statuses[2].kind, PE_EXITED);
    ck_assert_int_eq(statuses[2].code, DEATH_EXIT_CODE(7));
    ck_assert_uint_eq(statuses[3].kind, PE_RETURNED);
    ck_assert_int_eq(statuses[3].code, 5);
    for (uint64_t i = 0; i < 20; i++)
        ck_assert_uint_eq(out[i], i >= 1 && i <= 3 ? UNTOUCHED : i * i);
    munmap(attempts, sizeof *attempts);
    free(out);
    free(in);
}

PE_TEST(once_stops_at_errors)
{
    uint64_t *in = numbers(1000), wrong[] = { 5, 3, 2, 3, 4 }, out[1000];
    pe_pool_options one = workers(1);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;

    options.context = wrong;
    options.context_bytes = sizeof wrong;
    options.on_error = 2;
    options.chunk = 1;
    options.summary = &summary;
    ck_assert_int_eq(pe_map_once(&one, item_square_or_fail, in, 8, out, 8, 1000, &options), PE_EITEMS);
    ck_assert_uint_eq(summary.failed, 2);
    ck_assert_uint_gt(summary.cancelled, 900);
    free(in);
}

static int item_stays(const void *in, void *out, const void *context)
{
    (void)in, (void)out, (void)context;
    signal(SIGTERM, SIG_IGN);
    while (pause() < 0)
        ;
    return 0;
}

PE_TEST(once_gives_up_at_the_deadline)
{
    pe_pool_options two = workers(2);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_status statuses[5];
    int64_t before = pe_now();

    options.deadline_ns = pe_after(PE_MS(50));
    options.statuses = statuses;
    ck_assert_int_eq(pe_map_once(&two, item_stays, NULL, 0, NULL, 0, 5, &options), PE_ETIMEDOUT);
    ck_assert_int_ge(pe_now() - before, PE_MS(50));
    for (int i = 0; i < 5; i++)
        ck_assert_uint_eq(statuses[i].kind, PE_CANCELLED);
}

static int item_2_stays(const void *in, void *out, const void *context)
{
    return pe_worker_item() == 2 ? item_stays(in, out, context) : item_square(in, out, context);
}

PE_TEST(once_limits_the_time_of_items)
{
    uint64_t *in = numbers(10), *out = untouched(10);
    pe_pool_options two = workers(2);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_status statuses[10];

    options.timeout_ns = (int64_t)(harness_slowness() * (double)PE_MS(200));
    options.statuses = statuses;
    ck_assert_int_eq(pe_map_once(&two, item_2_stays, in, 8, out, 8, 10, &options), PE_EITEMS);
    for (uint64_t i = 0; i < 10; i++) {
        ck_assert_uint_eq(statuses[i].kind, i == 2 ? PE_TIMED_OUT : PE_RETURNED);
        ck_assert_uint_eq(out[i], i == 2 ? UNTOUCHED : i * i);
    }
    free(out);
    free(in);
}

/* A worker_exit that does not come to an end delays the end until the deadline. */
static int stay(void *context)
{
    (void)context;
    return item_stays(NULL, NULL, NULL);
}

PE_TEST(once_does_not_wait_for_workers_that_stay)
{
    pe_pool_options one = workers(1);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    uint64_t in = 3, out;

    one.worker_exit = stay;
    options.deadline_ns = pe_after((int64_t)(1e9 * harness_slowness()));
    ck_assert_int_eq(pe_map_once(&one, item_square, &in, 8, &out, 8, 1, &options), 0);
    ck_assert_uint_eq(out, 9);
}

static int item_writes(const void *in, void *out, const void *context)
{
    (void)out;
    *(uint64_t *)(uintptr_t)in = 99;
    *(uint64_t *)(uintptr_t)context = 99;
    round_of_program = 99;
    return 0;
}

PE_TEST(once_changes_nothing_in_the_program)
{
    uint64_t in[2] = { 1, 2 }, context = 3;
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    round_of_program = 4;
    options.context = &context;
    options.context_bytes = sizeof context;
    ck_assert_int_eq(pe_map_once(NULL, item_writes, in, 8, NULL, 0, 2, &options), 0);
    ck_assert_uint_eq(in[0] + in[1] + context, 6);
    ck_assert_int_eq(round_of_program, 4);
}

PE_TEST(once_refused_before_anything_is_forked)
{
    pe_pool_options pool = PE_POOL_OPTIONS_INIT;
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    uint64_t in = 1, out = UNTOUCHED;

    harness_fail_reset();
    ck_assert_int_eq(pe_map_once(NULL, NULL, &in, 8, &out, 8, 1, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_map_once(NULL, item_square, NULL, 8, &out, 8, 1, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_map_once(NULL, item_square, &in, 8, NULL, 8, 1, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_map_once(NULL, item_square, &in, SIZE_MAX / 2, &out, 8, 3, NULL), PE_EINVAL);
    options.flags = UINT32_C(1) << 31;
    ck_assert_int_eq(pe_map_once(NULL, item_square, &in, 8, &out, 8, 1, &options), PE_EINVAL);
    options = (pe_map_options)PE_MAP_OPTIONS_INIT;
    options.deadline_ns = -1;
    ck_assert_int_eq(pe_map_once(NULL, item_square, &in, 8, &out, 8, 1, &options), PE_EINVAL);
    pool.flags = UINT32_C(1) << 31;
    ck_assert_int_eq(pe_map_once(&pool, item_square, &in, 8, &out, 8, 1, NULL), PE_EINVAL);
    pool.flags = 0;
    pool.workers = UINT32_MAX;
    ck_assert_int_eq(pe_map_once(&pool, item_square, &in, 8, &out, 8, 1, NULL), PE_EINVAL);
    pool = (pe_pool_options)PE_POOL_OPTIONS_INIT;
    pool.size = 7;
    ck_assert_int_eq(pe_map_once(&pool, item_square, &in, 8, &out, 8, 1, NULL), PE_EINVAL);
    ck_assert_uint_eq(harness_fail_count(HARNESS_FORK), 0);
    ck_assert_uint_eq(out, UNTOUCHED);
}

PE_TEST(once_not_from_a_seed)
{
    pe_pool_options pool = PE_POOL_OPTIONS_INIT;
    uint64_t in = 1, out;

    if (!harness_forks())
        HARNESS_SKIP("pe_init is for the whole life of a process");
    process_start_seed();
    pool.flags = PE_POOL_FROM_SEED;
    ck_assert_int_eq(pe_map_once(&pool, item_square, &in, 8, &out, 8, 1, NULL), PE_EINVAL);
}

PE_TEST(once_that_could_not_begin_has_changed_nothing)
{
    pe_pool_options pool = workers(2);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_status status = { .kind = 99 };
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    uint64_t in = 1, out = UNTOUCHED;

    options.statuses = &status;
    options.summary = &summary;
    pool.worker_init = refuse;
    ck_assert_int_eq(pe_map_once(&pool, item_square, &in, 8, &out, 8, 1, &options), PE_EINIT);
    pool.worker_init = NULL;
    harness_fail_nth(HARNESS_FORK, 1, EAGAIN);
    ck_assert_int_eq(pe_map_once(&pool, item_square, &in, 8, &out, 8, 1, &options), PE_EAGAIN);
    harness_fail_nth(HARNESS_EVENTFD, 1, EMFILE);
    ck_assert_int_eq(pe_map_once(&pool, item_square, &in, 8, &out, 8, 1, &options), PE_EMFILE);
    ck_assert_uint_eq(out, UNTOUCHED);
    ck_assert_uint_eq(status.kind, 99);
    ck_assert_uint_eq(summary.returned + summary.failed + summary.cancelled, 0);
    harness_fail_reset();
    ck_assert_int_eq(pe_map_once(&pool, item_square, &in, 8, &out, 8, 1, &options), 0);
    ck_assert_uint_eq(out, 1);
}

/* Each level maps over two items, until that is refused; the sum of what the items tell is how deep it went. */
static int item_descends(const void *in, void *out, const void *context)
{
    pe_pool_options one = workers(1);
    uint64_t deeper = 0;
    int result = pe_map_once(&one, item_descends, in, 8, &deeper, 8, 1, NULL);

    (void)context;
    deeper++;
    memcpy(out, &deeper, sizeof deeper);
    return result == PE_EPERM ? 0 : result;
}

PE_TEST(p61_once_within_workers_down_to_the_limit)
{
    uint64_t in[2] = { 0, 0 }, out[2];
    pe_pool_options two = workers(2);

    ck_assert_int_eq(pe_map_once(&two, item_descends, in, 8, out, 8, 2, NULL), 0);
    ck_assert_uint_eq(out[0], 4);
    ck_assert_uint_eq(out[1], 4);
}

PE_TEST(once_in_a_forked_child)
{
    pid_t child = fork();
    int ended;

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        uint64_t in = 6, out = 0;
        int result = pe_map_once(NULL, item_square, &in, 8, &out, 8, 1, NULL);
        kill(getpid(), result == 0 && out == 36 ? SIGKILL : SIGABRT);
    }
    ck_assert_int_eq(waitpid(child, &ended, 0), child);
    ck_assert(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL);
}

static void *maps_again(void *failed)
{
    for (uint64_t i = 0; i < 10; i++) {
        uint64_t in[2] = { i, i + 1 }, out[2] = { 0, 0 };
        int result = pe_map_once(NULL, item_square, in, 8, out, 8, 2, NULL);
        if (result != 0 || out[0] != i * i || out[1] != (i + 1) * (i + 1))
            atomic_fetch_add((_Atomic int *)failed, 1);
    }
    return NULL;
}

PE_TEST(once_in_several_threads_beside_a_pool)
{
    pthread_t threads[3];
    _Atomic int failed = 0;
    pe_pool *pool = pool_of(2);

    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, maps_again, &failed), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(failed, 0);
    pool_assert_usable(pool);
    pool_end(pool);
}

PE_TEST(once_inline)
{
    pe_pool_options pool = PE_POOL_OPTIONS_INIT;
    uint64_t in[2] = { 3, 4 }, out[2];

    pool.flags = PE_POOL_INLINE;
    harness_fail_reset();
    ck_assert_int_eq(pe_map_once(&pool, item_square, in, 8, out, 8, 2, NULL), 0);
    ck_assert_uint_eq(out[0] + out[1], 25);
    ck_assert_uint_eq(harness_fail_count(HARNESS_FORK), 0);
}

HARNESS_MAIN("once")
