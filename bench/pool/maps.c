/* Maps, measured the same way for everybody. Arrays are filled before, one unmeasured map comes first,
 * results are compared with the plain loop's.
 *
 * MAP, NOOP_MAP: values[0] milliseconds a map (mean of some in a row), values[1] worker nanoseconds an
 * item, that is wall time x workers / items. TINY_MAP: values[0] microseconds a map. INPUTS, RESULTS:
 * values[0] milliseconds. SPEED_UP: values[0] how many times as fast as the plain loop over the same arrays just
 * before and after, values[1] that loop's nanoseconds an item. */

#include "pool/maps.h"
#include "harness.h"
#include "machine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TINY_ITEMS    16
#define LARGE_ITEMS   64
#define MAPS_IN_A_ROW 4
#define CHAIN_ITEMS   500

struct maps {
    struct plan plan;
    const struct map_ops *ops;
    void *state;
    struct map_job job;
    uint64_t context; /* what the job's context points to: bytes of an item, or steps */
};

static int serial_open(const struct plan *plan, void **ret_state)
{
    (void)plan;
    *ret_state = NULL;
    return 0;
}

static int serial_map(void *state, const struct map_job *job)
{
    (void)state;
    return work_serial(job->fn, job->in, job->in_bytes, job->out, job->out_bytes, job->count, job->context);
}

static void serial_close(void *state)
{
    (void)state;
}

const struct map_ops serial_maps = { NULL, serial_open, NULL, NULL, serial_map, serial_close };

static void *take(struct maps *maps, size_t bytes)
{
    return maps->ops->alloc ? maps->ops->alloc(maps->state, bytes) : malloc(bytes);
}

static void give(struct maps *maps, const void *memory)
{
    void *it = (void *)(uintptr_t)memory;
    if (!it)
        return;
    if (maps->ops->dealloc)
        maps->ops->dealloc(maps->state, it);
    else
        free(it);
}

/* Functions, counts and sizes of an activity. */
static struct map_job shape(const struct plan *plan)
{
    struct map_job job = { .in_bytes = 8, .out_bytes = 8, .count = (size_t)plan->n };
    switch (plan->activity) {
    case MAP:
        job.fn = work_double;
        break;
    case SPEED_UP:
        job.fn = work_chain;
        break;
    case INPUTS:
        job.fn = work_sum;
        job.in_bytes = plan->bytes;
        job.count = LARGE_ITEMS;
        break;
    case RESULTS:
        job.fn = work_fill;
        job.out_bytes = plan->bytes;
        job.count = LARGE_ITEMS;
        break;
    default:
        job.fn = work_noop;
        job.count = plan->activity == TINY_MAP ? TINY_ITEMS : job.count;
    }
    return job;
}

/* Numbers between 0 and 1 where doubles are wanted, any words elsewhere. */
static void fill_inputs(const struct map_job *job, void *in)
{
    size_t words = job->in_bytes * job->count / 8;
    for (size_t i = 0; i < words; i++) {
        if (job->fn == work_double || job->fn == work_chain)
            ((double *)in)[i] = (double)i / (double)words;
        else
            ((uint64_t *)in)[i] = i * 3 + 1;
    }
}

static int enough_memory(const struct plan *plan, const struct map_job *job)
{
    if ((job->in_bytes + job->out_bytes) * job->count * 2 < machine_memory_bytes())
        return 1;
    snprintf(plan->note, NOTE_BYTES, "not enough memory");
    return 0;
}

static void maps_close(void *state)
{
    struct maps *maps = state;
    give(maps, maps->job.in);
    give(maps, maps->job.out);
    maps->ops->close(maps->state);
    free(maps);
}

/* Compares with the plain loop, on the last item of each stretch of 1 / LARGE_ITEMS of the array. */
static int check_outputs(const struct maps *maps)
{
    const struct map_job *job = &maps->job;
    char *expected = malloc(job->out_bytes);
    size_t wrong = 0, step = job->count < LARGE_ITEMS ? 1 : job->count / LARGE_ITEMS;
    for (size_t i = step - 1; i < job->count && job->fn != work_noop; i += step) {
        job->fn((const char *)job->in + i * job->in_bytes, expected, job->context);
        wrong += memcmp(expected, (const char *)job->out + i * job->out_bytes, job->out_bytes) != 0;
    }
    free(expected);
    if (wrong > 0)
        snprintf(maps->plan.note, NOTE_BYTES, "wrong results");
    return wrong > 0 ? -1 : 0;
}

static int map_checked(struct maps *maps)
{
    memset(maps->job.out, 0, maps->job.out_bytes * maps->job.count);
    if (maps->ops->map(maps->state, &maps->job) < 0) {
        if (!maps->plan.note[0])
            snprintf(maps->plan.note, NOTE_BYTES, "a map failed");
        return -1;
    }
    return check_outputs(maps);
}

/* The best of some: an interruption only ever makes it longer. */
static double chain_ns(uint64_t steps, size_t count)
{
    double in[CHAIN_ITEMS] = { 0 }, out[CHAIN_ITEMS], best = INFINITY;
    for (int i = 0; i < 10; i++) {
        int64_t start = bench_now_ns();
        work_serial(work_chain, in, 8, out, 8, count, &steps);
        best = fmin(best, (double)(bench_now_ns() - start) / (double)count);
    }
    return best;
}

/* Steps with which an item of work_chain takes so long in the plain loop, about: the chains of neighbours overlap, so
 * that the time is not in proportion to the steps. */
static uint64_t steps_of(uint64_t item_ns)
{
    uint64_t steps = item_ns;
    for (int attempt = 0; attempt < 6; attempt++)
        steps = (uint64_t)((double)steps * (double)item_ns / chain_ns(steps, item_ns > 1000 ? 10 : CHAIN_ITEMS));
    return steps;
}

static int prepare(struct maps *maps)
{
    struct map_job *job = &maps->job;
    void *in = take(maps, job->in_bytes * job->count);
    job->in = in;
    job->out = take(maps, job->out_bytes * job->count);
    if (!in || !job->out) {
        snprintf(maps->plan.note, NOTE_BYTES, "no memory for the arrays");
        return -1;
    }
    fill_inputs(job, in);
    maps->context = maps->plan.activity == SPEED_UP ? steps_of(maps->plan.job_ns) : maps->plan.bytes;
    job->context = &maps->context;
    job->context_bytes = sizeof(maps->context);
    return map_checked(maps);
}

static int maps_open(const struct plan *plan, void **ret_state)
{
    const struct map_ops *ops = plan->ops;
    struct map_job job = shape(plan);
    if (ops->absent)
        snprintf(plan->note, NOTE_BYTES, "%s", ops->absent);
    if (ops->absent || !enough_memory(plan, &job))
        return -1;
    struct maps *maps = calloc(1, sizeof(*maps));
    maps->plan = *plan;
    maps->ops = ops;
    maps->job = job;
    if (ops->open(plan, &maps->state) < 0) {
        free(maps);
        return -1;
    }
    if (prepare(maps) < 0) {
        maps_close(maps);
        return -1;
    }
    *ret_state = maps;
    return 0;
}

/* Mean nanoseconds of a map, `count` in a row; below 0 on failure. */
static double time_maps(struct maps *maps, uint64_t count)
{
    int r = 0;
    int64_t start = bench_now_ns();
    for (uint64_t i = 0; i < count; i++)
        r |= maps->ops->map(maps->state, &maps->job);
    return r < 0 ? -1 : (double)(bench_now_ns() - start) / (double)count;
}

static double time_serial(const struct map_job *job)
{
    int64_t start = bench_now_ns();
    work_serial(job->fn, job->in, job->in_bytes, job->out, job->out_bytes, job->count, job->context);
    return (double)(bench_now_ns() - start);
}

static int run_speed_up(struct maps *maps, double *values)
{
    if (time_maps(maps, 1) < 0)
        return -1;
    double before = time_serial(&maps->job), ns = time_maps(maps, MAPS_IN_A_ROW), after = time_serial(&maps->job);
    if (ns < 0 || check_outputs(maps) < 0)
        return -1;
    values[0] = (before + after) / 2 / ns;
    values[1] = (before + after) / 2 / (double)maps->job.count;
    return 0;
}

static int maps_run(void *state, double *values)
{
    struct maps *maps = state;
    enum activity activity = maps->plan.activity;
    if (activity == SPEED_UP)
        return run_speed_up(maps, values);
    int large = activity == INPUTS || activity == RESULTS;
    uint64_t count = large ? 1 : activity == TINY_MAP ? maps->plan.n : MAPS_IN_A_ROW;
    if (!large && time_maps(maps, count / 10 + 1) < 0)
        return -1;
    double ns = time_maps(maps, count);
    if (ns < 0 || check_outputs(maps) < 0)
        return -1;
    values[0] = activity == TINY_MAP ? ns / 1e3 : ns / 1e6;
    if (activity == MAP || activity == NOOP_MAP)
        values[1] = ns * (maps->ops == &serial_maps ? 1 : maps->plan.workers) / (double)maps->job.count;
    return 0;
}

const struct driver maps_driver = { maps_open, maps_run, maps_close };
