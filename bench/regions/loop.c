/* Loops in children: see the header. */

#include "regions/loop.h"
#include "harness.h"
#include "machine.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <parexec.h>

#define THREADS_MAX 64

int loop_set_up(enum setting setting, char *note)
{
    pe_region_options options = PE_REGION_OPTIONS_INIT;
    if (setting == NO_REGIONS)
        return 0;
    if (setting == QUICK || setting == QUICK_TIMELINE)
        options.clock = PE_CLOCK_QUICK;
    if (setting == SAMPLED)
        options.clock = PE_CLOCK_SAMPLED;
    if (setting == EXACT_TIMELINE || setting == QUICK_TIMELINE)
        options.flags = PE_REGION_TIMELINE;
    int error = pe_region_setup(&options);
    if (error == 0 && setting != SWITCHED_OFF)
        error = pe_region_enable(1);
    if (error < 0)
        snprintf(note, NOTE_BYTES, "%s", pe_strerror(error));
    return error < 0 ? -1 : 0;
}

double loop_measure(loop_fn *fn, uint64_t n)
{
    fn(n / 10 + 1);
    int64_t start_ns = bench_now_ns();
    fn(n);
    return (double)(bench_now_ns() - start_ns) / (double)n;
}

static int open_loop(const struct plan *plan, void **ret_state)
{
    const struct loop *loop = plan->ops;
    if (loop->needs_counter && !loop_has_counter()) {
        snprintf(plan->note, NOTE_BYTES, "no time-stamp counter");
        return -1;
    }
    return child_open(plan, ret_state);
}

struct hand {
    pthread_t thread;
    pthread_barrier_t *start;
    loop_fn *fn;
    uint64_t n;
    int64_t begin_ns, end_ns;
};

static void *run_in_thread(void *context)
{
    struct hand *hand = context;
    hand->fn(hand->n / 10 + 1);
    pthread_barrier_wait(hand->start);
    hand->begin_ns = bench_now_ns();
    hand->fn(hand->n);
    hand->end_ns = bench_now_ns();
    return NULL;
}

/* The time of one CPU for each turn: threads that share one take turns. */
static double measure_threads(loop_fn *fn, uint64_t n, uint32_t threads)
{
    struct hand hands[THREADS_MAX];
    pthread_barrier_t start;
    int all[MACHINE_CPUS_MAX], cpus = machine_cpus(all, MACHINE_CPUS_MAX);
    int64_t begin_ns = INT64_MAX, end_ns = 0;
    pthread_barrier_init(&start, NULL, threads);
    for (uint32_t i = 0; i < threads; i++) {
        hands[i] = (struct hand){ .start = &start, .fn = fn, .n = n };
        if (pthread_create(&hands[i].thread, NULL, run_in_thread, &hands[i]) != 0)
            abort();
    }
    for (uint32_t i = 0; i < threads; i++) {
        pthread_join(hands[i].thread, NULL);
        begin_ns = hands[i].begin_ns < begin_ns ? hands[i].begin_ns : begin_ns;
        end_ns = hands[i].end_ns > end_ns ? hands[i].end_ns : end_ns;
    }
    return (double)(end_ns - begin_ns) * fmin(cpus, threads) / (double)threads / (double)n;
}

static int measure_loop(const struct plan *plan, double *values)
{
    const struct loop *loop = plan->ops;
    if (loop_set_up(loop->setting, plan->note) < 0)
        return -1;
    values[0] = plan->workers > 1 ? measure_threads(loop->fn, plan->n, plan->workers)
                                  : loop_measure(loop->fn, plan->n);
    return 0;
}

static int run_loop(void *state, double *values)
{
    return child_run(state, measure_loop, values);
}

const struct driver loop_driver = { open_loop, run_loop, child_close };

static int measure_added(const struct plan *plan, double *values)
{
    const struct loop *loop = plan->ops;
    if (loop_set_up(loop->setting, plan->note) < 0)
        return -1;
    double before = loop_measure(loop_body, plan->n), with = loop_measure(loop->fn, plan->n);
    values[0] = with - (before + loop_measure(loop_body, plan->n)) / 2;
    return 0;
}

static int run_added(void *state, double *values)
{
    return child_run(state, measure_added, values);
}

const struct driver added_driver = { open_loop, run_added, child_close };
