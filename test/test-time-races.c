/*
 * What ends at about the instant at which it is stopped, by a time limit or by a cancel: it is either done or stopped,
 * and what its worker does next is not hurt.
 */
#include "harness/harness.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "harness/items.h"
#include "harness/pool.h"

/* Runs for about as long as its limit, or until it is cancelled. */
static int takes_about(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    int64_t end;

    (void)arg_bytes;
    memcpy(&end, arg, sizeof end);
    for (end += pe_now(); pe_now() < end;)
        ;
    return pe_reply_write(reply, "end", 3);
}

/* Every second one may be stopped, by its limit or by a cancel, at about the time at which it returns; the others
 * follow on the same worker and are never hurt. */
PE_TEST_LOOP(either_done_or_stopped, 0, 2)
{
    enum { ROUNDS = 400 };
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .grace_ns = PE_NOW, .max_deaths = UINT32_MAX });
    int rounds = harness_long() ? 20 * ROUNDS : ROUNDS, done = 0, stopped = 0;

    for (int i = 0; i < rounds; i++) {
        int64_t length = PE_US(150 + i % 40), nothing = 0;
        pe_job *job = pool_submit_with(pool, takes_about, &length, sizeof length,
                                       (pe_job_options){ .timeout_ns = _i == 0 ? PE_US(150 + i * 7 % 40) : 0 });
        pe_job *next = pool_submit_with(pool, takes_about, &nothing, sizeof nothing, (pe_job_options){ .retries = 0 });
        const void *data;
        int asked = 0;
        for (int64_t until = pe_now() + PE_US(130 + i * 11 % 90); _i == 1 && pe_now() < until;)
            ;
        if (_i == 1)
            asked = pe_job_cancel(job);
        pe_status status = job_ended(job);
        int is_done = status.kind == PE_RETURNED;
        ck_assert(is_done || status.kind == (_i == 0 ? PE_TIMED_OUT : PE_CANCELLED));
        ck_assert(asked == 0 || (asked == PE_EALREADY && is_done));
        ck_assert_int_eq(pe_job_result(job, &data, NULL), is_done ? 0 : PE_ENODATA);
        ck_assert_uint_eq(job_finish(next).kind, PE_RETURNED);
        done += is_done;
        stopped += !is_done;
        pe_job_free(job);
    }
    if (harness_long())
        printf("# %d done, %d stopped\n", done, stopped);
    pool_end(pool);
}

/* The same for items of one map: what is stopped is that item, and all others have their results. */
static int item_takes_about(const void *in, void *out, const void *context)
{
    uint64_t number;
    int64_t end = pe_now();

    (void)context;
    memcpy(&number, in, sizeof number);
    for (end += number % 4 == 0 ? PE_US(95 + (int64_t)number % 10) : 0; pe_now() < end;)
        ;
    number *= number;
    memcpy(out, &number, sizeof number);
    return 0;
}

PE_TEST(items_either_done_or_stopped)
{
    enum { COUNT = 1200 };
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .grace_ns = PE_NOW, .max_deaths = UINT32_MAX });
    uint64_t *in = numbers(COUNT), *out = untouched(COUNT);
    static pe_status statuses[COUNT];
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    options.timeout_ns = PE_US(100);
    options.statuses = statuses;
    options.chunk = 100;
    int result = pe_pool_map(pool, item_takes_about, in, 8, out, 8, COUNT, &options);
    ck_assert(result == 0 || result == PE_EITEMS);
    for (uint64_t i = 0; i < COUNT; i++) {
        int is_done = statuses[i].kind == PE_RETURNED;
        ck_assert(is_done || statuses[i].kind == PE_TIMED_OUT);
        ck_assert(is_done || statuses[i].run_ns >= PE_US(100));
        ck_assert_uint_eq(statuses[i].attempts, 1);
        ck_assert_uint_eq(out[i], is_done ? i * i : UNTOUCHED);
    }
    pool_end(pool);
    free(in);
    free(out);
}

/* Every fifth item ends at about the instant at which its limit is over; those behind it on the same worker are far
 * from theirs. Each says when it began and was last seen, and as which worker. The first half takes longer, so that its
 * end is stolen: one worker runs the second half first. */
enum { NEIGHBOURS = 5, ITEMS = NEIGHBOURS * 300 };
#define LIMIT_NS PE_MS(10)

struct trace {
    _Atomic int64_t begun, seen;
    _Atomic int32_t worker;
};

static int item_near_its_limit(const void *in, void *out, const void *context)
{
    struct trace *traces;
    uint64_t number = pe_worker_item();
    int64_t begin = pe_now(), now = begin, late = PE_US(-50 + (int64_t)(number * 37 % 200));
    int64_t length = number % NEIGHBOURS == 0 ? LIMIT_NS + late : PE_US(number < ITEMS / 2 ? 400 : 20);

    (void)in;
    (void)out;
    memcpy(&traces, context, sizeof traces);
    atomic_store(&traces[number].worker, pe_worker_index());
    atomic_store(&traces[number].begun, begin);
    for (; now < begin + length; now = pe_now())
        atomic_store(&traces[number].seen, now);
    return 0;
}

struct span {
    int64_t begin, end;
};

/* For how long, while the map ran, the worker number had nothing else to do than what was stopped. The limit of that
 * began before its first step, for it may have been kept from its CPU in between, and at the earliest when what ran
 * there before it was last seen. That need not be the item with the number before: items are stolen. */
static int64_t time_for(const struct trace *traces, uint64_t item, struct span map)
{
    int64_t begun = traces[item].begun;
    struct span span = map;

    if (begun == 0)
        return INT64_MAX; /* it was stopped before its first step: nothing is known */
    for (uint64_t i = 0; i < ITEMS; i++) {
        if (i == item || traces[i].begun == 0 || traces[i].worker != traces[item].worker)
            continue;
        if (traces[i].begun < begun && traces[i].seen > span.begin)
            span.begin = traces[i].seen;
        if (traces[i].begun > begun && traces[i].begun < span.end)
            span.end = traces[i].begun;
    }
    return span.end - span.begin;
}

/* No signal for one item hits the next. A neighbour may be kept from its CPU until its limit is really over; but then
 * its worker number has begun nothing else for so long. */
PE_TEST_FULL(neighbours_of_what_is_stopped_are_not_hurt, 4 * HARNESS_TIMEOUT_SECONDS, 0, 1)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .grace_ns = PE_NOW, .max_deaths = UINT32_MAX });
    struct trace *traces = pool_shared(pool, ITEMS * sizeof *traces);
    static pe_status statuses[ITEMS];
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    int rounds = harness_long() ? 20 : 1, done = 0, stopped = 0, excused = 0;

    options.timeout_ns = LIMIT_NS;
    options.statuses = statuses;
    options.chunk = 100;
    options.context = &traces;
    options.context_bytes = sizeof traces;
    for (int round = 0; round < rounds; round++) {
        memset(traces, 0, ITEMS * sizeof *traces);
        struct span map = { .begin = pe_now() };
        int result = pe_pool_map(pool, item_near_its_limit, NULL, 0, NULL, 0, ITEMS, &options);
        map.end = pe_now();
        ck_assert(result == 0 || result == PE_EITEMS);
        for (uint64_t i = 0; i < ITEMS; i++) {
            int is_done = statuses[i].kind == PE_RETURNED, is_near = i % NEIGHBOURS == 0;
            ck_assert(is_done || statuses[i].kind == PE_TIMED_OUT);
            ck_assert(traces[i].begun == 0 || traces[i].worker == (int32_t)statuses[i].worker);
            done += is_near && is_done;
            stopped += is_near && !is_done;
            excused += !is_near && !is_done;
            if (!is_done)
                ck_assert_int_ge(time_for(traces, i, map), LIMIT_NS);
        }
    }
    ck_assert_int_gt(done, 0);
    ck_assert_int_gt(stopped, 0);
    if (harness_long())
        printf("# %d done, %d stopped, %d others that were kept from their CPU for as long\n", done, stopped, excused);
    pe_pool_dealloc(pool, traces);
    pool_end(pool);
}

HARNESS_MAIN("time-races")
