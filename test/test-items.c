/* What a map tells of its items: statuses, summary, messages, progress, when it stops after failures, and
 * that the outputs of failed ones are left alone. */

#include "harness/harness.h"

#include <parexec.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/gate.h"
#include "harness/items.h"
#include "harness/pool.h"

/* ---- statuses, summary, messages ---- */

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
    ck_assert_int_eq(pe_pool_map(pool, item_square_or_fail, in, 8, out, 8, 10, &options), PE_EITEMS);
    memset(out, 0xee, 10 * sizeof *out);
    ck_assert_int_eq(pe_pool_start_map(pool, item_square_or_fail, in, 8, out, 8, 10, &options, &job), 0);
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
    pool_end(pool);
}

/* Items 3 and 30 fail, 10 dies, 20 exits. */
static int mixed_ends(const void *in, void *out, const void *context)
{
    uint64_t number;

    item_square(in, out, context);
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
    pool_end(pool);
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
    pool_end(pool);
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
    pool_end(pool);
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
    pool_end(pool);
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
    pool_end(pool);
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
    ck_assert_int_eq(pe_pool_map(pool, item_square_or_fail, in, 8, out, 8, 100, &options), PE_EITEMS);
    ck_assert_uint_eq(summary.returned, 98);
    ck_assert_uint_eq(summary.failed, 2);
    ck_assert_uint_eq(summary.cancelled, 0);
    free(in);
    free(out);
    pool_end(pool);
}

/* Item 5 dies as often as the context's counter says. */
static int die_a_few_times(const void *in, void *out, const void *context)
{
    _Atomic int32_t *left;

    item_square(in, out, NULL);
    memcpy(&left, context, sizeof left);
    if (pe_worker_item() == 5 && atomic_fetch_sub(left, 1) > 0)
        kill(getpid(), SIGKILL);
    return 0;
}

PE_TEST_LOOP(retried_item_counts_attempts, 1, 4)
{
    pe_pool *pool = pool_of(2);
    _Atomic int32_t *left = pool_shared(pool, sizeof *left);
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
    pool_end(pool);
}

/* ---- progress ---- */

static int pass_in_time(const void *in, void *out, const void *context)
{
    struct gate *gate;

    (void)in, (void)out;
    memcpy(&gate, context, sizeof gate);
    if (pe_worker_item() >= 10)
        word_await(&gate->open, 1);
    return pe_worker_item() == 4;
}

struct opener {
    struct progress progress;
    struct gate *gate;
};

/* Lets the rest pass once it has been told of a part. */
static void follow_and_open(uint64_t done, uint64_t failed, uint64_t total, void *context)
{
    struct opener *opener = context;

    progress_follow(done, failed, total, &opener->progress);
    word_add(&opener->gate->open);
}

PE_TEST(progress_is_told_during_the_map_and_at_its_end)
{
    pe_pool *pool = pool_of(2);
    struct opener opener = { .gate = pool_shared(pool, sizeof *opener.gate) };
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    options.context = &opener.gate;
    options.context_bytes = sizeof opener.gate;
    options.progress = follow_and_open;
    options.progress_context = &opener;
    ck_assert_int_eq(pe_pool_map(pool, pass_in_time, NULL, 0, NULL, 0, 20, &options), PE_EITEMS);
    ck_assert_uint_ge(opener.progress.calls, 2);
    ck_assert_int_eq(opener.progress.backwards, 0);
    ck_assert_uint_eq(opener.progress.done, 20);
    ck_assert_uint_eq(opener.progress.failed, 1);
    ck_assert_uint_eq(opener.progress.total, 20);
    pool_end(pool);
}

PE_TEST(progress_has_a_last_call_however_short_the_map)
{
    pe_pool *pool = pool_of(2);
    struct progress progress = { 0 };
    uint64_t in[3] = { 1, 2, 3 }, out[3];
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    options.progress = progress_follow;
    options.progress_context = &progress;
    ck_assert_int_eq(pe_pool_map(pool, item_square, in, 8, out, 8, 3, &options), 0);
    ck_assert_uint_ge(progress.calls, 1);
    ck_assert_uint_eq(progress.done, 3);
    ck_assert_uint_eq(progress.failed, 0);
    pool_end(pool);
}

HARNESS_MAIN("items")
