/* Maps and reductions: order, statuses, messages, memory used in place, borders, what is left alone when
 * items fail. Items that must meet each other do so at a gate in shared memory. */

#include "harness/harness.h"

#include <limits.h>
#include <linux/futex.h>
#include <parexec.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UNTOUCHED UINT64_C(0xeeeeeeeeeeeeeeee)

static pe_pool *pool_of(uint32_t workers)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool = NULL;

    options.workers = workers;
    ck_assert_int_eq(pe_pool_new(&options, &pool), 0);
    return pool;
}

static void end_pool(pe_pool *pool)
{
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    pe_pool_free(pool);
}

static void *shared(pe_pool *pool, size_t bytes)
{
    void *memory = NULL;

    ck_assert_int_eq(pe_pool_alloc(pool, bytes, &memory), 0);
    return memory;
}

static void await_at_least(_Atomic uint32_t *word, uint32_t least)
{
    uint32_t now;

    while ((now = atomic_load(word)) < least)
        syscall(SYS_futex, word, FUTEX_WAIT, now, NULL, NULL, 0);
}

static void add_one(_Atomic uint32_t *word)
{
    atomic_fetch_add(word, 1);
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static uint64_t *numbers(size_t count)
{
    uint64_t *in = malloc((count + 1) * sizeof *in);

    ck_assert_ptr_nonnull(in);
    for (size_t i = 0; i < count; i++)
        in[i] = i;
    return in;
}

static uint64_t *untouched(size_t count)
{
    uint64_t *out = malloc((count + 1) * sizeof *out);

    ck_assert_ptr_nonnull(out);
    memset(out, 0xee, (count + 1) * sizeof *out);
    return out;
}

/* ---- what runs in workers ---- */

static int square(const void *in, void *out, const void *context)
{
    uint64_t number;

    (void)context;
    memcpy(&number, in, sizeof number);
    number *= number;
    memcpy(out, &number, sizeof number);
    return 0;
}

/* Fails on what the context lists: {code, count, items...}. */
static int square_or_fail(const void *in, void *out, const void *context)
{
    const uint64_t *list = context;
    uint64_t number;

    square(in, out, NULL);
    memcpy(&number, in, sizeof number);
    for (uint64_t i = 0; i < list[1]; i++)
        if (list[2 + i] == number)
            return pe_worker_fail((int)list[0], "item %d is no good", (int)number);
    return 0;
}

/* ---- maps ---- */

PE_TEST(a01_map_squares_any_chunk)
{
    static const uint64_t chunks[] = { 1, 7, 100, 1000, 5000, PE_CHUNK_AUTO };
    pe_pool *pool = pool_of(4);
    uint64_t *in = numbers(1000);

    for (int c = 0; c < 6; c++) {
        pe_map_options options = PE_MAP_OPTIONS_INIT;
        uint64_t *out = untouched(1000);

        options.chunk = chunks[c];
        ck_assert_int_eq(pe_pool_map(pool, square, in, 8, out, 8, 1000, &options), 0);
        for (uint64_t i = 0; i < 1000; i++)
            ck_assert_uint_eq(out[i], i * i);
        ck_assert_uint_eq(out[1000], UNTOUCHED);
        free(out);
    }
    free(in);
    end_pool(pool);
}

PE_TEST_LOOP(map_of_any_count_on_any_number_of_workers, 1, 6)
{
    pe_pool *pool = pool_of((uint32_t)_i);
    uint64_t *in = numbers(70);

    for (size_t count = 0; count <= 70; count++) {
        uint64_t *out = untouched(count);

        ck_assert_int_eq(pe_pool_map(pool, square, in, 8, out, 8, count, NULL), 0);
        for (uint64_t i = 0; i < count; i++)
            ck_assert_uint_eq(out[i], i * i);
        ck_assert_uint_eq(out[count], UNTOUCHED);
        free(out);
    }
    free(in);
    end_pool(pool);
}

struct progress {
    uint64_t calls, done, failed, total;
    int backwards;
};

static void follow(uint64_t done, uint64_t failed, uint64_t total, void *context)
{
    struct progress *progress = context;

    progress->backwards |=
        done < progress->done || failed < progress->failed || done > total || failed > done;
    progress->calls++;
    progress->done = done;
    progress->failed = failed;
    progress->total = total;
}

static void count_call(pe_job *job, void *context)
{
    (void)job;
    ++*(int *)context;
}

PE_TEST(a02_map_of_nothing)
{
    pe_pool *pool = pool_of(2);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    struct progress progress = { 0 };
    uint64_t in[3] = { 1, 2, 3 }, out[3] = { 0, 0, 0 };
    pe_job *job = NULL;
    pe_status status;
    int done = 0;

    options.summary = &summary;
    options.progress = follow;
    options.progress_context = &progress;
    ck_assert_int_eq(pe_pool_map(pool, square, NULL, 8, NULL, 8, 0, &options), 0);
    ck_assert_uint_eq(summary.returned + summary.failed + summary.cancelled + summary.lost, 0);
    ck_assert_uint_eq(summary.first_failed, UINT64_MAX);
    ck_assert_uint_eq(progress.calls, 1);
    ck_assert_uint_eq(progress.done, 0);
    ck_assert_int_eq(pe_pool_start_map(pool, square, NULL, 8, NULL, 8, 0, NULL, &job), 0);
    ck_assert_int_eq(pe_job_on_done(job, count_call, &done), 0);
    ck_assert_int_eq(pe_job_wait(job, 0), 0);
    ck_assert_int_eq(done, 1);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_eq(status.code, 0);
    ck_assert_int_eq(pe_job_item_status(job, 0, &status), PE_EINVAL);
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    ck_assert_int_eq(done, 1);
    pe_job_free(job);
    ck_assert_int_eq(pe_pool_map(pool, square, in, 8, out, 8, 3, NULL), 0);
    ck_assert_uint_eq(out[2], 9);
    end_pool(pool);
}

PE_TEST(a03_bad_map_starts_nothing)
{
    pe_pool *pool = pool_of(1);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    unsigned char longer[sizeof options + 8] = { 0 };
    size_t longer_bytes = sizeof longer;
    uint64_t memory[2];
    pe_stats stats = PE_STATS_INIT;
    pe_job *job = NULL;

    ck_assert_int_eq(pe_pool_map(pool, NULL, memory, 8, memory, 8, 2, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_map(pool, square, memory, SIZE_MAX / 2, memory, 8, 3, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_map(pool, square, memory, 8, memory, SIZE_MAX / 2, 3, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_map(pool, square, memory, 8, memory, 8, SIZE_MAX, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_map(pool, square, memory, 0, memory, 0, SIZE_MAX, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_start_map(pool, square, memory, 8, memory, 8, SIZE_MAX / 8 + 1, NULL, &job),
                     PE_EINVAL);
    memcpy(longer, &options, sizeof options);
    memcpy(longer, &longer_bytes, sizeof longer_bytes);
    ck_assert_int_eq(pe_pool_map(pool, square, memory, 8, memory, 8, 0, (void *)longer), 0);
    longer[sizeof options + 3] = 1; /* a member of a later release */
    ck_assert_int_eq(pe_pool_map(pool, square, memory, 8, memory, 8, 2, (void *)longer), PE_EINVAL);
    ck_assert_ptr_null(job);
    ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
    ck_assert_uint_eq(stats.submitted, 1); /* the map of nothing */
    end_pool(pool);
}

PE_TEST_LOOP(a09_on_error_continue_keeps_the_others, 0, 2)
{
    uint64_t list[] = { 7, 2, 2, 5 }, *in = numbers(10), *out = untouched(10);
    pe_pool *pool = pool_of(4);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_status statuses[10], status;
    pe_job *job = NULL;
    const char *text = NULL;
    size_t bytes = 0;

    options.context = list;
    options.context_bytes = sizeof list;
    options.statuses = _i ? statuses : NULL;
    ck_assert_int_eq(pe_pool_map(pool, square_or_fail, in, 8, out, 8, 10, &options), PE_EITEMS);
    memset(out, 0xee, 10 * sizeof *out);
    ck_assert_int_eq(pe_pool_start_map(pool, square_or_fail, in, 8, out, 8, 10, &options, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    for (uint64_t i = 0; i < 10; i++) {
        int bad = i == 2 || i == 5;

        ck_assert_uint_eq(out[i], bad ? UNTOUCHED : i * i);
        ck_assert_int_eq(pe_job_item_status(job, i, &status), 0);
        ck_assert_uint_eq(status.kind, PE_RETURNED);
        ck_assert_int_eq(status.code, bad ? 7 : 0);
        ck_assert_uint_eq(status.item, i);
        ck_assert_uint_eq(status.attempts, 1);
        ck_assert_int_eq(status.worker >= 0 && status.worker < 4, bad); /* kept of failed items only */
        ck_assert_int_eq(pe_job_item_text(job, i, PE_TEXT_MESSAGE, &text, &bytes), bad ? 0 : PE_ENODATA);
        if (bad) {
            char wanted[32];

            snprintf(wanted, sizeof wanted, "item %d is no good", (int)i);
            ck_assert_str_eq(text, wanted);
            ck_assert_uint_eq(bytes, strlen(wanted));
        }
        ck_assert_int_eq(pe_job_item_text(job, i, PE_TEXT_OUTPUT, &text, &bytes), PE_ENODATA);
        if (_i)
            ck_assert(statuses[i].kind == PE_RETURNED && statuses[i].code == (bad ? 7 : 0));
    }
    ck_assert_int_eq(pe_job_item_text(job, 10, PE_TEXT_MESSAGE, &text, &bytes), PE_EINVAL);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_eq(status.code, PE_EITEMS);
    pe_job_free(job);
    free(in);
    free(out);
    end_pool(pool);
}

/* Context: the address of {arrived, last round's leavers...}. */
struct meeting {
    _Atomic uint32_t arrived;
    _Atomic int32_t pids[7];
};

static int meet(const void *in, void *out, const void *context)
{
    struct meeting *meeting;
    int32_t index = pe_worker_index();

    (void)in;
    memcpy(&meeting, context, sizeof meeting);
    if (index >= 0 && index < 7)
        atomic_store(&meeting->pids[index], (int32_t)getpid());
    add_one(&meeting->arrived);
    await_at_least(&meeting->arrived, (uint32_t)(7 * ((atomic_load(&meeting->arrived) + 6) / 7)));
    memcpy(out, &index, sizeof index);
    return 0;
}

static void assert_all_seven(pe_pool *pool, struct meeting *meeting)
{
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    int32_t indices[7], seen = 0;

    options.context = &meeting;
    options.context_bytes = sizeof meeting;
    options.chunk = 1;
    ck_assert_int_eq(pe_pool_map(pool, meet, NULL, 0, indices, sizeof *indices, 7, &options), 0);
    for (int i = 0; i < 7; i++)
        seen |= 1 << indices[i];
    ck_assert_int_eq(seen, 127);
}

static int die(const void *arg, size_t bytes, pe_reply *reply)
{
    (void)arg, (void)bytes, (void)reply;
    kill(getpid(), SIGKILL);
    return 0;
}

PE_TEST(a11_worker_indices_are_reused)
{
    pe_pool *pool = pool_of(7);
    struct meeting *meeting = shared(pool, sizeof *meeting);
    int32_t before[7], replaced = 0;
    pe_status status;
    pe_job *job;

    assert_all_seven(pool, meeting);
    for (int i = 0; i < 7; i++)
        before[i] = atomic_load(&meeting->pids[i]);
    ck_assert_int_eq(pe_pool_submit(pool, die, NULL, 0, NULL, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    ck_assert_uint_eq(status.kind, PE_CRASHED);
    pe_job_free(job);
    assert_all_seven(pool, meeting);
    for (int i = 0; i < 7; i++) {
        int other = before[i] != atomic_load(&meeting->pids[i]);

        ck_assert_int_eq(other, status.worker == i);
        replaced += other;
    }
    ck_assert_int_eq(replaced, 1);
    end_pool(pool);
}

static int echo_item(const void *in, void *out, const void *context)
{
    size_t bytes;

    memcpy(&bytes, context, sizeof bytes);
    memcpy(out, in, bytes);
    return 0;
}

PE_TEST(map_items_of_any_size)
{
    static const size_t sizes[] = { 1, 2, 3, 7, 63, 64, 65, 4095, 4096, 4097, 65535, 65537, 3000001 };
    pe_pool *pool = pool_of(2);
    pe_stats stats = PE_STATS_INIT;

    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        size_t size = sizes[s], count = 5;
        unsigned char *in = malloc(size * count), *out = malloc(size * count + 1);
        pe_map_options options = PE_MAP_OPTIONS_INIT;

        for (size_t i = 0; i < size * count; i++)
            in[i] = (unsigned char)(i * 7 + i / 255);
        out[size * count] = 0xee;
        options.context = &size;
        options.context_bytes = sizeof size;
        ck_assert_int_eq(pe_pool_map(pool, echo_item, in, size, out, size, count, &options), 0);
        ck_assert(memcmp(in, out, size * count) == 0);
        ck_assert_uint_eq(out[size * count], 0xee);
        free(in);
        free(out);
    }
    ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
    ck_assert_uint_eq(stats.shared_bytes_used, 0);
    end_pool(pool);
}

/* ---- where in and out lie ---- */

PE_TEST_LOOP(map_with_in_and_out_shared_or_private, 0, 4)
{
    enum { COUNT = 300 };
    pe_pool *pool = pool_of(3);
    uint64_t *private_in = numbers(COUNT), *private_out = untouched(COUNT);
    uint64_t *in = _i & 1 ? shared(pool, COUNT * 8) : private_in;
    uint64_t *out = _i & 2 ? shared(pool, COUNT * 8) : private_out;

    memcpy(in, private_in, _i & 1 ? COUNT * 8 : 0);
    ck_assert_int_eq(pe_pool_map(pool, square, in, 8, out, 8, COUNT, NULL), 0);
    for (uint64_t i = 0; i < COUNT; i++) {
        ck_assert_uint_eq(out[i], i * i);
        ck_assert_uint_eq(in[i], i);
    }
    free(private_in);
    free(private_out);
    end_pool(pool);
}

static int tell_addresses(const void *in, void *out, const void *context)
{
    const void *wanted[2];
    uint64_t item = pe_worker_item();

    memcpy(wanted, context, sizeof wanted);
    *(uint64_t *)out = item;
    return in != (const char *)wanted[0] + 8 * item
           || out != (const void *)((const char *)wanted[1] + 8 * item);
}

PE_TEST(map_uses_shared_memory_in_place)
{
    enum { COUNT = 100 };
    pe_pool *pool = pool_of(2);
    uint64_t *memory = shared(pool, 2 * COUNT * 8);
    const void *wanted[2] = { memory, memory + COUNT };
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    ck_assert_uint_eq((uintptr_t)memory % 64, 0);
    options.context = wanted;
    options.context_bytes = sizeof wanted;
    ck_assert_int_eq(pe_pool_map(pool, tell_addresses, wanted[0], 8, memory + COUNT, 8, COUNT, &options), 0);
    for (uint64_t i = 0; i < COUNT; i++)
        ck_assert_uint_eq(memory[COUNT + i], i);
    end_pool(pool);
}

static int expect_null(const void *in, void *out, const void *context)
{
    (void)in, (void)out;
    return context != NULL;
}

static int make_number(const void *in, void *out, const void *context)
{
    uint64_t item = pe_worker_item();

    (void)in, (void)context;
    memcpy(out, &item, sizeof item);
    return 0;
}

static int add_up(const void *in, void *out, const void *context)
{
    _Atomic uint64_t *sum;
    uint64_t number;

    (void)out;
    memcpy(&sum, context, sizeof sum);
    memcpy(&number, in, sizeof number);
    atomic_fetch_add(sum, number);
    return 0;
}

PE_TEST(map_without_input_or_output)
{
    pe_pool *pool = pool_of(2);
    _Atomic uint64_t *sum = shared(pool, sizeof *sum);
    uint64_t out[50];
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    ck_assert_int_eq(pe_pool_map(pool, make_number, NULL, 0, out, 8, 50, NULL), 0);
    options.context = &sum;
    options.context_bytes = sizeof sum;
    ck_assert_int_eq(pe_pool_map(pool, add_up, out, 8, NULL, 0, 50, &options), 0);
    ck_assert_uint_eq(atomic_load(sum), 49 * 50 / 2);
    ck_assert_int_eq(pe_pool_map(pool, expect_null, NULL, 0, NULL, 0, 50, NULL), 0);
    end_pool(pool);
}

/* A counter for each worker, a cache line apart. */
struct tally {
    _Alignas(64) _Atomic uint64_t items;
    _Atomic uint64_t sum;
};

static int count_item(const void *in, void *out, const void *context)
{
    struct tally *tallies;

    (void)in, (void)out;
    memcpy(&tallies, context, sizeof tallies);
    struct tally *own = &tallies[pe_worker_index()];
    atomic_store_explicit(&own->items, atomic_load_explicit(&own->items, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    atomic_store_explicit(&own->sum, atomic_load_explicit(&own->sum, memory_order_relaxed) + pe_worker_item(),
                          memory_order_relaxed);
    return 0;
}

/* More items than a lane has units, so a unit is more than one item; the last one is not full. */
PE_TEST_SLOW(map_of_more_than_2_to_the_24_items, 100)
{
    const uint64_t count = 2 * (UINT64_C(1) << 24) + 5;
    pe_pool *pool = pool_of(2);
    struct tally *tallies = shared(pool, 2 * sizeof *tallies);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;

    options.context = &tallies;
    options.context_bytes = sizeof tallies;
    options.summary = &summary;
    ck_assert_int_eq(pe_pool_map(pool, count_item, NULL, 0, NULL, 0, count, &options), 0);
    ck_assert_uint_eq(summary.returned, count);
    ck_assert_uint_eq(tallies[0].items + tallies[1].items, count);
    ck_assert_uint_eq(tallies[0].sum + tallies[1].sum,
                      count / 2 * (count - 1) + (count & 1) * (count - 1) / 2);
    end_pool(pool);
}

/* ---- context ---- */

struct held {
    _Atomic uint32_t open;
};

static int sum_context(const void *in, void *out, const void *context)
{
    const unsigned char *bytes = context;
    struct held *held;
    uint64_t sum = 0, count;

    memcpy(&count, in, sizeof count);
    memcpy(&held, bytes, sizeof held);
    await_at_least(&held->open, 1);
    for (uint64_t i = sizeof held; i < count; i++)
        sum += bytes[i];
    memcpy(out, &sum, sizeof sum);
    return 0;
}

PE_TEST(context_is_copied_when_the_map_starts)
{
    enum { BYTES = 200001 };
    pe_pool *pool = pool_of(2);
    struct held *held = shared(pool, sizeof *held);
    unsigned char *context = malloc(BYTES);
    uint64_t in[4] = { 8, 9, 1000, BYTES }, out[4], wanted[4] = { 0 };
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_job *job;

    for (int i = 0; i < BYTES; i++)
        context[i] = (unsigned char)(i * 13 + 1);
    memcpy(context, &held, sizeof held);
    for (int k = 0; k < 4; k++)
        for (uint64_t i = sizeof held; i < in[k]; i++)
            wanted[k] += context[i];
    options.context = context;
    options.context_bytes = BYTES;
    ck_assert_int_eq(pe_pool_start_map(pool, sum_context, in, 8, out, 8, 4, &options, &job), 0);
    memset(context, 0, BYTES);
    free(context);
    add_one(&held->open);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    for (int k = 0; k < 4; k++)
        ck_assert_uint_eq(out[k], wanted[k]);
    pe_job_free(job);
    end_pool(pool);
}

/* ---- statuses, summary, messages ---- */

/* Items 3 and 30 fail, 10 dies, 20 exits. */
static int mixed_ends(const void *in, void *out, const void *context)
{
    uint64_t number;

    square(in, out, context);
    memcpy(&number, in, sizeof number);
    if (number == 10)
        kill(getpid(), SIGKILL);
    if (number == 20)
        _exit(9);
    return number % 27 == 3 ? (int)number : 0;
}

static void assert_mixed(const pe_status *status, uint64_t i)
{
    uint32_t kind = i == 10 ? PE_CRASHED : i == 20 ? PE_EXITED : PE_RETURNED;

    ck_assert_uint_eq(status->kind, kind);
    ck_assert_int_eq(status->code, i == 10 ? SIGKILL : i == 20 ? 9 : i == 3 || i == 30 ? (int)i : 0);
    ck_assert_uint_eq(status->item, i);
    ck_assert_uint_eq(status->attempts, 1);
}

PE_TEST(statuses_and_summary_of_mixed_ends)
{
    enum { COUNT = 50 };
    pe_pool *pool = pool_of(3);
    uint64_t *in = numbers(COUNT), *out = untouched(COUNT);
    pe_status statuses[COUNT];
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;

    memset(statuses, 0xee, sizeof statuses);
    options.statuses = statuses;
    options.summary = &summary;
    ck_assert_int_eq(pe_pool_map(pool, mixed_ends, in, 8, out, 8, COUNT, &options), PE_EITEMS);
    for (uint64_t i = 0; i < COUNT; i++) {
        const pe_status *status = &statuses[i];

        assert_mixed(status, i);
        ck_assert_int_gt(status->pid, 0);
        ck_assert_int_ne(status->pid, getpid());
        ck_assert(status->worker >= 0 && status->worker < 3);
        ck_assert_int_ge(status->run_ns, 0);
        ck_assert_int_eq(status->stop_signal, 0);
        ck_assert_uint_eq(status->reserved[0] | status->reserved[1], 0);
        ck_assert_uint_eq(out[i], status->kind == PE_RETURNED && status->code == 0 ? i * i : UNTOUCHED);
    }
    ck_assert_uint_eq(summary.size, sizeof summary);
    ck_assert_uint_eq(summary.returned, COUNT - 4);
    ck_assert_uint_eq(summary.failed, 4);
    ck_assert_uint_eq(summary.cancelled, 0);
    ck_assert_uint_eq(summary.lost, 0);
    ck_assert_uint_eq(summary.first_failed, 3);
    ck_assert(memcmp(&summary.first, &statuses[3], sizeof statuses[3]) == 0);
    ck_assert_int_gt(summary.wall_ns, 0);
    free(in);
    free(out);
    end_pool(pool);
}

PE_TEST(item_statuses_of_a_map_without_statuses)
{
    enum { COUNT = 50 };
    pe_pool *pool = pool_of(3);
    uint64_t *in = numbers(COUNT), *out = untouched(COUNT);
    pe_status status;
    pe_job *job;

    ck_assert_int_eq(pe_pool_start_map(pool, mixed_ends, in, 8, out, 8, COUNT, NULL, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    for (uint64_t i = 0; i < COUNT; i++) {
        ck_assert_int_eq(pe_job_item_status(job, i, &status), 0);
        assert_mixed(&status, i);
        ck_assert_uint_eq(out[i], status.kind == PE_RETURNED && status.code == 0 ? i * i : UNTOUCHED);
    }
    pe_job_free(job);
    free(in);
    free(out);
    end_pool(pool);
}

/* The times of a map job are wall-clock times, in nanoseconds like all others. */
PE_TEST(status_of_a_map_job)
{
    pe_pool *pool = pool_of(2);
    struct held *held = shared(pool, sizeof *held);
    uint64_t in[2] = { 8, 8 }, out[2];
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    int64_t before = pe_now(), took, least = PE_MS(20);
    pe_status status;
    pe_job *job;

    options.context = &held;
    options.context_bytes = sizeof held;
    options.summary = &summary;
    ck_assert_int_eq(pe_pool_start_map(pool, sum_context, in, 8, out, 8, 2, &options, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, pe_after(least)), PE_ETIMEDOUT);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    ck_assert_uint_eq(status.kind, PE_PENDING);
    ck_assert_int_eq(pe_job_item_status(job, 1, &status), 0);
    ck_assert_uint_eq(status.kind, PE_PENDING);
    add_one(&held->open);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    took = pe_now() - before;
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_eq(status.worker, -1);
    ck_assert_int_eq(pe_job_result(job, NULL, NULL), PE_ENODATA);
    ck_assert_int_eq(pe_job_cancel(job), PE_EALREADY);
    ck_assert_int_ge(summary.wall_ns, least);
    ck_assert_int_le(summary.wall_ns, took);
    ck_assert_int_eq(status.run_ns, summary.wall_ns);
    pe_job_free(job);
    end_pool(pool);
}

static int long_message(const void *in, void *out, const void *context)
{
    static char text[10241];

    (void)in, (void)out, (void)context;
    memset(text, 'a' + (int)(pe_worker_item() % 26), sizeof text - 1);
    return pe_worker_fail(4, "%s", text);
}

PE_TEST(messages_share_a_megabyte_and_codes_stay)
{
    enum { COUNT = 3000 };
    pe_pool *pool = pool_of(2);
    pe_status status;
    uint64_t with_text = 0;
    pe_job *job;

    ck_assert_int_eq(pe_pool_start_map(pool, long_message, NULL, 0, NULL, 0, COUNT, NULL, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    for (uint64_t i = 0; i < COUNT; i++) {
        const char *text = NULL;
        size_t bytes = 0;

        ck_assert_int_eq(pe_job_item_status(job, i, &status), 0);
        ck_assert(status.kind == PE_RETURNED && status.code == 4);
        if (pe_job_item_text(job, i, PE_TEXT_MESSAGE, &text, &bytes) != 0)
            continue;
        with_text++;
        ck_assert_uint_eq(bytes, PE_TEXT_BYTES_MAX - 1);
        ck_assert_uint_eq(strlen(text), bytes);
        ck_assert_int_eq(text[0], 'a' + (int)(i % 26));
        ck_assert_str_eq(text + bytes - 3, "...");
    }
    ck_assert_uint_ge(with_text, 1024);
    ck_assert_uint_lt(with_text, 1030);
    pe_job_free(job);
    end_pool(pool);
}

static int say_and_succeed(const void *in, void *out, const void *context)
{
    (void)in, (void)out, (void)context;
    if (pe_worker_item() == 1)
        pe_worker_fail(7, "not that bad");
    return pe_worker_item() == 2 ? 3 : 0; /* without a message of its own */
}

PE_TEST_LOOP(message_belongs_to_its_item, 0, 2)
{
    pe_pool *pool = pool_of(1);
    pe_status statuses[3];
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    const char *text;
    pe_job *job;

    options.statuses = _i ? statuses : NULL;
    ck_assert_int_eq(pe_pool_start_map(pool, say_and_succeed, NULL, 0, NULL, 0, 3, &options, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_MESSAGE, &text, NULL), PE_ENODATA);
    ck_assert_int_eq(pe_job_item_text(job, 2, PE_TEXT_MESSAGE, &text, NULL), PE_ENODATA);
    pe_job_free(job);
    end_pool(pool);
}

/* ---- on_error ---- */

static int always_fail(const void *in, void *out, const void *context)
{
    (void)in, (void)out, (void)context;
    return 1;
}

PE_TEST_LOOP(on_error_stops_after_k_failures, 1, 4)
{
    enum { COUNT = 10000 };
    pe_pool *pool = pool_of(2);
    static pe_status statuses[COUNT];
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    uint64_t failed = 0, cancelled = 0;

    options.on_error = (uint32_t)_i;
    options.statuses = statuses;
    options.summary = &summary;
    ck_assert_int_eq(pe_pool_map(pool, always_fail, NULL, 0, NULL, 0, COUNT, &options), PE_EITEMS);
    for (uint64_t i = 0; i < COUNT; i++) {
        failed += statuses[i].kind == PE_RETURNED && statuses[i].code == 1;
        cancelled += statuses[i].kind == PE_CANCELLED && statuses[i].worker == -1 && statuses[i].item == i;
    }
    ck_assert_uint_eq(failed + cancelled, COUNT);
    ck_assert_uint_ge(failed, (uint64_t)_i);
    ck_assert_uint_le(failed, (uint64_t)_i + 1); /* the other worker's item in hand */
    ck_assert_uint_eq(summary.failed, failed);
    ck_assert_uint_eq(summary.cancelled, cancelled);
    end_pool(pool);
}

PE_TEST(on_error_of_more_failures_than_there_are_runs_all)
{
    uint64_t list[] = { 7, 2, 2, 5 }, *in = numbers(100), *out = untouched(100);
    pe_pool *pool = pool_of(2);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;

    options.context = list;
    options.context_bytes = sizeof list;
    options.on_error = 3;
    options.summary = &summary;
    ck_assert_int_eq(pe_pool_map(pool, square_or_fail, in, 8, out, 8, 100, &options), PE_EITEMS);
    ck_assert_uint_eq(summary.returned, 98);
    ck_assert_uint_eq(summary.failed, 2);
    ck_assert_uint_eq(summary.cancelled, 0);
    free(in);
    free(out);
    end_pool(pool);
}

/* Item 5 dies as often as the context's counter says. */
static int die_a_few_times(const void *in, void *out, const void *context)
{
    _Atomic int32_t *left;

    square(in, out, NULL);
    memcpy(&left, context, sizeof left);
    if (pe_worker_item() == 5 && atomic_fetch_sub(left, 1) > 0)
        kill(getpid(), SIGKILL);
    return 0;
}

PE_TEST_LOOP(retried_item_counts_attempts, 1, 4)
{
    pe_pool *pool = pool_of(2);
    _Atomic int32_t *left = shared(pool, sizeof *left);
    uint64_t *in = numbers(20), *out = untouched(20);
    pe_status statuses[20];
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    int fails = _i == 3;

    atomic_store(left, _i);
    options.context = &left;
    options.context_bytes = sizeof left;
    options.statuses = statuses;
    options.retries = 2;
    ck_assert_int_eq(pe_pool_map(pool, die_a_few_times, in, 8, out, 8, 20, &options), fails ? PE_EITEMS : 0);
    for (uint64_t i = 0; i < 20; i++) {
        ck_assert_uint_eq(statuses[i].kind, i == 5 && fails ? PE_CRASHED : PE_RETURNED);
        ck_assert_uint_eq(statuses[i].attempts, i == 5 ? (fails ? 3 : (uint32_t)_i + 1) : 1);
        ck_assert_uint_eq(out[i], i == 5 && fails ? UNTOUCHED : i * i);
    }
    free(in);
    free(out);
    end_pool(pool);
}

/* ---- progress and maps as jobs ---- */

static int pass_in_time(const void *in, void *out, const void *context)
{
    struct held *held;

    (void)in, (void)out;
    memcpy(&held, context, sizeof held);
    if (pe_worker_item() >= 10)
        await_at_least(&held->open, 1);
    return pe_worker_item() == 4;
}

struct opener {
    struct progress progress;
    struct held *held;
};

/* Lets the rest pass once it has been told of a part. */
static void follow_and_open(uint64_t done, uint64_t failed, uint64_t total, void *context)
{
    struct opener *opener = context;

    follow(done, failed, total, &opener->progress);
    add_one(&opener->held->open);
}

PE_TEST(progress_is_told_during_the_map_and_at_its_end)
{
    pe_pool *pool = pool_of(2);
    struct opener opener = { .held = shared(pool, sizeof *opener.held) };
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    options.context = &opener.held;
    options.context_bytes = sizeof opener.held;
    options.progress = follow_and_open;
    options.progress_context = &opener;
    ck_assert_int_eq(pe_pool_map(pool, pass_in_time, NULL, 0, NULL, 0, 20, &options), PE_EITEMS);
    ck_assert_uint_ge(opener.progress.calls, 2);
    ck_assert_int_eq(opener.progress.backwards, 0);
    ck_assert_uint_eq(opener.progress.done, 20);
    ck_assert_uint_eq(opener.progress.failed, 1);
    ck_assert_uint_eq(opener.progress.total, 20);
    end_pool(pool);
}

PE_TEST(progress_has_a_last_call_however_short_the_map)
{
    pe_pool *pool = pool_of(2);
    struct progress progress = { 0 };
    uint64_t in[3] = { 1, 2, 3 }, out[3];
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    options.progress = follow;
    options.progress_context = &progress;
    ck_assert_int_eq(pe_pool_map(pool, square, in, 8, out, 8, 3, &options), 0);
    ck_assert_uint_ge(progress.calls, 1);
    ck_assert_uint_eq(progress.done, 3);
    ck_assert_uint_eq(progress.failed, 0);
    end_pool(pool);
}

PE_TEST(many_maps_at_once)
{
    enum { MAPS = 40, COUNT = 100 };
    pe_pool *pool = pool_of(3);
    uint64_t *in = numbers(COUNT), *outs[MAPS];
    pe_job *jobs[MAPS];
    int done = 0;

    for (int m = 0; m < MAPS; m++) { /* more than 16: the later ones wait for room */
        outs[m] = untouched(COUNT);
        ck_assert_int_eq(pe_pool_start_map(pool, square, in, 8, outs[m], 8, COUNT, NULL, &jobs[m]), 0);
        ck_assert_int_eq(pe_job_on_done(jobs[m], count_call, &done), 0);
    }
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    ck_assert_int_eq(done, MAPS);
    for (int m = 0; m < MAPS; m++) {
        for (uint64_t i = 0; i < COUNT; i++)
            ck_assert_uint_eq(outs[m][i], i * i);
        pe_job_free(jobs[m]);
        free(outs[m]);
    }
    free(in);
    end_pool(pool);
}

PE_TEST(detached_map_runs_to_its_end)
{
    pe_pool *pool = pool_of(2);
    _Atomic uint64_t *sum = shared(pool, sizeof *sum);
    uint64_t *in = numbers(100);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_job *job;

    options.context = &sum;
    options.context_bytes = sizeof sum;
    ck_assert_int_eq(pe_pool_start_map(pool, add_up, in, 8, NULL, 0, 100, &options, NULL), 0);
    ck_assert_int_eq(pe_pool_start_map(pool, add_up, in, 8, NULL, 0, 100, &options, &job), 0);
    pe_job_free(job);
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    ck_assert_uint_eq(atomic_load(sum), 99 * 100);
    free(in);
    end_pool(pool);
}

PE_TEST(cancelled_map_leaves_final_statuses)
{
    enum { COUNT = 1000 };
    pe_pool *pool = pool_of(2);
    static pe_status statuses[COUNT];
    struct held *held = shared(pool, sizeof *held);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    uint64_t in[COUNT], *out = untouched(COUNT), cancelled = 0;
    pe_status status;
    pe_job *job;

    for (int i = 0; i < COUNT; i++)
        in[i] = 8;
    options.context = &held;
    options.context_bytes = sizeof held;
    options.statuses = statuses;
    ck_assert_int_eq(pe_pool_start_map(pool, sum_context, in, 8, out, 8, COUNT, &options, &job), 0);
    ck_assert_int_eq(pe_job_cancel(job), 0);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    ck_assert_uint_eq(status.kind, PE_CANCELLED);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_uint_eq(statuses[i].kind, PE_CANCELLED);
        ck_assert_uint_eq(out[i], UNTOUCHED);
        cancelled++;
    }
    ck_assert_uint_eq(cancelled, COUNT);
    ck_assert_int_eq(pe_job_cancel(job), PE_EALREADY);
    pe_job_free(job);
    add_one(&held->open);
    ck_assert_int_eq(pe_pool_map(pool, sum_context, in, 8, out, 8, COUNT, &options), 0);
    free(out);
    end_pool(pool);
}

/* ---- reduce ---- */

/* Not commutative and not the same for other borders: shows the order and the borders of the fold. */
static int mix_range(uint64_t first, uint64_t last, void *acc, const void *context)
{
    uint64_t *sums = acc; /* {fold, length} */

    (void)context;
    sums[0] = sums[0] * 31 + first * 7 + last;
    sums[1] += last - first;
    return 0;
}

static int mix_parts(void *acc, const void *part, const void *context)
{
    uint64_t *sums = acc, add[2];

    (void)context;
    memcpy(add, part, sizeof add);
    sums[0] = sums[0] * 1000003 + add[0];
    sums[1] += add[1];
    return 0;
}

PE_TEST(reduce_is_the_same_for_any_workers_and_chunk)
{
    static const uint64_t chunks[] = { 0, 1, 7, 1023, 5000, UINT64_MAX };
    static const uint64_t lasts[] = { 1, 2, 1023, 1024, 1025, 1000003 };
    static const uint32_t workers[] = { 1, 2, 3, 7 };

    for (int k = 0; k < 6; k++) {
        uint64_t wanted[2] = { 0, 0 };

        for (int w = 0; w < 4; w++) {
            pe_pool *pool = pool_of(workers[w]);

            for (int c = 0; c < 6; c++) {
                uint64_t acc[2] = { 5, 0 };
                pe_map_options options = PE_MAP_OPTIONS_INIT;

                options.chunk = chunks[c];
                ck_assert_int_eq(pe_pool_reduce(pool, mix_range, mix_parts, 100, 100 + lasts[k], acc,
                                                sizeof acc, &options),
                                 0);
                if (wanted[1] == 0)
                    memcpy(wanted, acc, sizeof acc);
                ck_assert_uint_eq(acc[0], wanted[0]);
                ck_assert_uint_eq(acc[1], lasts[k]);
            }
            end_pool(pool);
        }
    }
}

PE_TEST(reduce_covers_the_whole_range)
{
    pe_pool *pool = pool_of(2);
    uint64_t acc[2] = { 0, 0 };
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    struct progress progress = { 0 };
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    options.summary = &summary;
    options.progress = follow;
    options.progress_context = &progress;
    ck_assert_int_eq(pe_pool_reduce(pool, mix_range, mix_parts, 0, UINT64_MAX, acc, sizeof acc, &options), 0);
    ck_assert_uint_eq(acc[1], UINT64_MAX);
    ck_assert_uint_eq(summary.returned, PE_REDUCE_BLOCKS_MAX);
    ck_assert_uint_eq(summary.failed, 0);
    ck_assert_uint_eq(summary.first_failed, UINT64_MAX);
    ck_assert_uint_eq(progress.done, PE_REDUCE_BLOCKS_MAX);
    ck_assert_uint_eq(progress.total, PE_REDUCE_BLOCKS_MAX);
    ck_assert_int_eq(progress.backwards, 0);
    end_pool(pool);
}

/* Fails on a block that does not start from {9, 8}; otherwise makes it {the block's last, 1}. */
static int expect_neutral(uint64_t first, uint64_t last, void *acc, const void *context)
{
    uint64_t *sums = acc;

    (void)first, (void)context;
    if (sums[0] != 9 || sums[1] != 8)
        return 1;
    sums[0] = last;
    sums[1] = 1;
    return 0;
}

/* Fails on a part out of order. */
static int expect_order(void *acc, const void *part, const void *context)
{
    uint64_t *sums = acc, add[2];
    int first = sums[0] == 9 && sums[1] == 8;

    (void)context;
    memcpy(add, part, sizeof add);
    if (add[1] != 1 || (!first && add[0] <= sums[0]))
        return 1;
    sums[0] = add[0];
    sums[1] = first ? 1 : sums[1] + 1;
    return 0;
}

PE_TEST(reduce_starts_each_block_from_acc_and_folds_in_order)
{
    pe_pool *pool = pool_of(3);

    for (uint64_t chunk = 0; chunk < 12; chunk += 5) {
        uint64_t acc[2] = { 9, 8 };
        pe_map_options options = PE_MAP_OPTIONS_INIT;

        options.chunk = chunk;
        ck_assert_int_eq(
            pe_pool_reduce(pool, expect_neutral, expect_order, 10, 100000, acc, sizeof acc, &options), 0);
        ck_assert_uint_eq(acc[0], 100000);
        ck_assert_uint_eq(acc[1], PE_REDUCE_BLOCKS_MAX);
    }
    end_pool(pool);
}

PE_TEST(reduce_of_nothing_leaves_acc)
{
    pe_pool *pool = pool_of(1);
    uint64_t acc[2] = { 11, 12 };
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    options.summary = &summary;
    ck_assert_int_eq(pe_pool_reduce(pool, mix_range, mix_parts, 7, 7, acc, sizeof acc, &options), 0);
    ck_assert_int_eq(
        pe_pool_reduce(pool, mix_range, mix_parts, UINT64_MAX, UINT64_MAX, acc, sizeof acc, NULL), 0);
    ck_assert(acc[0] == 11 && acc[1] == 12);
    ck_assert_uint_eq(summary.returned, 0);
    end_pool(pool);
}

/* Context: {block's first that fails, how: 'r' returns 6, 'k' dies, 'o' dies once; address of a counter}. */
struct trouble {
    uint64_t first;
    char how;
    _Atomic uint32_t *deaths;
};

static int troubled_range(uint64_t first, uint64_t last, void *acc, const void *context)
{
    struct trouble trouble;

    memcpy(&trouble, context, sizeof trouble);
    mix_range(first, last, acc, NULL);
    if (first != trouble.first)
        return 0;
    if (trouble.how == 'r')
        return 6;
    if (trouble.how == 'k' || (trouble.how == 'o' && atomic_fetch_add(trouble.deaths, 1) == 0))
        kill(getpid(), SIGKILL);
    return 0;
}

static int refuse_parts(void *acc, const void *part, const void *context)
{
    mix_parts(acc, part, context);
    return ((uint64_t *)acc)[1] > 100;
}

PE_TEST(reduce_with_an_error_leaves_acc)
{
    pe_pool *pool = pool_of(2);
    struct trouble trouble = { .first = 300, .how = 'r' };
    uint64_t acc[2] = { 11, 12 };
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    options.context = &trouble;
    options.context_bytes = sizeof trouble;
    options.summary = &summary;
    ck_assert_int_eq(pe_pool_reduce(pool, troubled_range, mix_parts, 0, 1000, acc, sizeof acc, &options),
                     PE_EITEMS);
    ck_assert(acc[0] == 11 && acc[1] == 12);
    ck_assert_uint_eq(summary.returned, 300);
    ck_assert_uint_eq(summary.first_failed, 300);
    ck_assert_uint_eq(summary.first.kind, PE_RETURNED);
    ck_assert_int_eq(summary.first.code, 6);
    trouble.how = 'k';
    ck_assert_int_eq(pe_pool_reduce(pool, troubled_range, mix_parts, 0, 1000, acc, sizeof acc, &options),
                     PE_EITEMS);
    ck_assert_uint_eq(summary.first.kind, PE_CRASHED);
    ck_assert_int_eq(summary.first.code, SIGKILL);
    ck_assert(acc[0] == 11 && acc[1] == 12);
    ck_assert_int_eq(pe_pool_reduce(pool, mix_range, refuse_parts, 0, 1000, acc, sizeof acc, NULL),
                     PE_EITEMS);
    ck_assert(acc[0] == 11 && acc[1] == 12);
    end_pool(pool);
}

PE_TEST(reduce_retries_from_fresh_copies)
{
    pe_pool *pool = pool_of(2);
    struct trouble trouble = { .first = 300, .how = 'o', .deaths = shared(pool, sizeof *trouble.deaths) };
    uint64_t wanted[2] = { 3, 0 }, acc[2] = { 3, 0 };
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_stats stats = PE_STATS_INIT;

    ck_assert_int_eq(pe_pool_reduce(pool, mix_range, mix_parts, 0, 1000, wanted, sizeof wanted, NULL), 0);
    options.context = &trouble;
    options.context_bytes = sizeof trouble;
    options.retries = 1;
    ck_assert_int_eq(pe_pool_reduce(pool, troubled_range, mix_parts, 0, 1000, acc, sizeof acc, &options), 0);
    ck_assert(acc[0] == wanted[0] && acc[1] == wanted[1]);
    ck_assert_uint_eq(atomic_load(trouble.deaths), 2);
    ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
    ck_assert_uint_eq(stats.restarts, 1);
    end_pool(pool);
}

#define WIDE 1001

static int fill_wide(uint64_t first, uint64_t last, void *acc, const void *context)
{
    unsigned char *bytes = acc;

    (void)context;
    for (uint64_t i = first; i < last; i++)
        bytes[i % WIDE]++;
    return 0;
}

static int add_wide(void *acc, const void *part, const void *context)
{
    (void)context;
    for (int i = 0; i < WIDE; i++)
        ((unsigned char *)acc)[i] =
            (unsigned char)(((unsigned char *)acc)[i] + ((const unsigned char *)part)[i]);
    return 0;
}

PE_TEST(reduce_with_a_wide_accumulator)
{
    pe_pool *pool = pool_of(2);
    unsigned char acc[WIDE + 1] = { 0 };

    acc[WIDE] = 0xee;
    ck_assert_int_eq(pe_pool_reduce(pool, fill_wide, add_wide, 0, 200 * WIDE, acc, WIDE, NULL), 0);
    for (int i = 0; i < WIDE; i++)
        ck_assert_uint_eq(acc[i], 200);
    ck_assert_uint_eq(acc[WIDE], 0xee);
    end_pool(pool);
}

HARNESS_MAIN("map")
