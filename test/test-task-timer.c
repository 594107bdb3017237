/*
 * The timers of a loop against a plain list of them: what is due, in which order, however they were started and
 * stopped.
 */
#include "harness/harness.h"

#include <stdbool.h>
#include <stdlib.h>

#include <parexec.h>

#include "async/timer.h"
#include "harness/async.h"

enum { TIMERS = 300 };

struct entry {
    struct pe__timer timer;
    int64_t deadline_ns;
    uint64_t began; /* order of the starts; 0: not started */
};

struct model {
    struct pe__timers timers;
    struct entry entries[TIMERS];
    uint64_t state;
    uint64_t starts;
    uint64_t runs;
    int64_t now_ns;
    bool starts_inside; /* timers that are due start others */
};

static struct model *model;

static uint64_t draw(uint64_t below)
{
    model->state = model->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (model->state >> 33) % below;
}

/* Which comes first: NULL: none is started. */
static struct entry *first_of(void)
{
    struct entry *first = NULL;

    for (int i = 0; i < TIMERS; i++) {
        struct entry *at = &model->entries[i];

        if (at->began != 0 && (first == NULL || at->deadline_ns < first->deadline_ns ||
                               (at->deadline_ns == first->deadline_ns && at->began < first->began)))
            first = at;
    }
    return first;
}

/* Durations that repeat, as programs have them, some that are equal, and some in disorder. */
static int64_t draw_deadline(void)
{
    static const int64_t durations[] = { 0, 10, 50, 50, 1000, 3000 };

    switch (draw(4)) {
    case 0:
        return model->now_ns + (int64_t)draw(2000);
    case 1:
        return (model->now_ns / 64 + 1 + (int64_t)draw(3)) * 64;
    default:
        return model->now_ns + durations[draw(6)];
    }
}

static void due(struct pe__timer *timer);

static void start(struct entry *entry)
{
    entry->deadline_ns = draw_deadline();
    entry->began = ++model->starts;
    MUST(pe__timer_start(&model->timers, &entry->timer, entry->deadline_ns, due), 0);
    ck_assert(pe__timer_is_started(&entry->timer));
}

static void stop(struct entry *entry)
{
    pe__timer_stop(&model->timers, &entry->timer);
    ck_assert(!pe__timer_is_started(&entry->timer));
    entry->began = 0;
}

static void due(struct pe__timer *timer)
{
    struct entry *entry = (struct entry *)(void *)((char *)timer - offsetof(struct entry, timer));

    if (entry != first_of() || entry->deadline_ns > model->now_ns)
        ck_abort_msg("a timer that was not the first, or not due");
    ck_assert(!pe__timer_is_started(timer));
    entry->began = 0;
    model->runs++;
    if (model->starts_inside && draw(2)) {
        struct entry *other = &model->entries[draw(TIMERS)];

        if (other->began != 0)
            stop(other);
        else if (draw(3))
            start(other);
    }
}

static void check_first(void)
{
    struct entry *first = first_of();

    ck_assert_int_eq(pe__timers_next(&model->timers), first != NULL ? first->deadline_ns : PE_FOREVER);
}

static void run(void)
{
    model->now_ns += (int64_t)draw(draw(10) ? 30 : 1500);
    pe__timers_run(&model->timers, model->now_ns);
    struct entry *first = first_of();
    ck_assert(first == NULL || first->deadline_ns > model->now_ns);
}

static void step(uint64_t most)
{
    struct entry *entry = &model->entries[draw(most)];

    if (draw(5) == 0)
        run();
    else if (entry->began == 0)
        start(entry);
    else if (draw(3) == 0)
        stop(entry);
    check_first();
}

/* Few timers and many; due ones start and stop others, or do not; the numbers that tell equal ones apart overflow. */
PE_TEST_LOOP(a15_timers_are_due_in_order_whatever_happens, 0, 6)
{
    static const uint64_t most[] = { 3, 20, TIMERS };
    int steps = harness_long() ? 2000000 : 30000;

    model = calloc(1, sizeof *model);
    ck_assert_ptr_nonnull(model);
    model->state = (uint64_t)_i + 1;
    model->now_ns = 1000000;
    model->starts_inside = _i >= 3;
    pe__timers_init(&model->timers);
    model->timers.sequence = UINT32_MAX - 1000;
    for (int i = 0; i < steps; i++)
        step(most[_i % 3]);
    ck_assert_uint_gt(model->runs, (uint64_t)steps / 20);
    for (int i = 0; i < TIMERS; i++)
        stop(&model->entries[i]);
    ck_assert_int_eq(pe__timers_next(&model->timers), PE_FOREVER);
    pe__timers_fini(&model->timers);
    free(model);
}

static int runs;

static void count(struct pe__timer *timer)
{
    (void)timer;
    runs++;
}

/* Room that was reserved is there when memory is not. */
PE_TEST(a15_a_start_after_a_reservation_does_not_fail)
{
    static struct pe__timer timers[TIMERS];
    struct pe__timers all;

    pe__timers_init(&all);
    for (int i = 0; i < TIMERS; i++) {
        int64_t deadline_ns = 1000 - i;

        harness_fail_reset();
        MUST(pe__timer_reserve(&all, deadline_ns), 0);
        harness_fail_from(HARNESS_MALLOC, 1, ENOMEM);
        MUST(pe__timer_start(&all, &timers[i], deadline_ns, count), 0);
        MUST(pe__timer_reserve(&all, 1000), 0); /* fits behind one */
    }
    harness_fail_reset();
    pe__timers_run(&all, 1000);
    MUST(runs, TIMERS);
    pe__timers_fini(&all);
}

HARNESS_MAIN("task-timer")
