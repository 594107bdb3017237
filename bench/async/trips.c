/* Jobs on a worker, awaited: one at a time, where a mark after each gives the time of each (a reading of the clock more
 * for everybody), or many under way. */

#include "async/steps.h"
#include "harness.h"

#include <math.h>
#include <stdlib.h>

static double *trips_us;
static uint64_t trip_count, trip_max;
static int64_t last_ns;

struct journey {
    struct plan plan;
    const struct steps *steps;
    void *state;
    double *trips_us;
};

void trip_mark(void)
{
    int64_t now_ns = bench_now_ns();
    if (trip_count < trip_max)
        trips_us[trip_count++] = (double)(now_ns - last_ns) / 1e3;
    last_ns = now_ns;
}

static int open_trips(const struct plan *plan, void **ret_state)
{
    struct journey *journey = malloc(sizeof(*journey));
    *journey = (struct journey){ .plan = *plan, .steps = plan->ops };
    if (journey->steps->open(plan, &journey->state) < 0) {
        free(journey);
        return -1;
    }
    journey->trips_us = calloc(plan->n, sizeof(*journey->trips_us));
    *ret_state = journey;
    return 0;
}

static int64_t travel(struct journey *journey, uint64_t n)
{
    trips_us = journey->trips_us;
    trip_max = n;
    trip_count = 0;
    int64_t start_ns = last_ns = bench_now_ns();
    uint64_t proof = journey->steps->run(journey->state, &journey->plan, n);
    int64_t took_ns = bench_now_ns() - start_ns;
    return steps_check(&journey->plan, n, proof) < 0 ? -1 : took_ns;
}

static int run_trips(void *state, double *values)
{
    struct journey *journey = state;
    uint64_t n = journey->plan.n;
    int64_t took_ns;
    if (travel(journey, n / 10 + 1) < 0 || (took_ns = travel(journey, n)) < 0)
        return -1;
    if (journey->plan.activity == MANY) {
        values[0] = (double)n * 1e3 / (double)took_ns;
        return 0;
    }
    values[0] = (double)took_ns / (double)n / 1e3;
    values[1] = trip_count > 0 ? bench_stat_of(journey->trips_us, trip_count).median : NAN;
    return 0;
}

static void close_trips(void *state)
{
    struct journey *journey = state;
    journey->steps->close(journey->state);
    free(journey->trips_us);
    free(journey);
}

const struct driver trips_driver = { open_trips, run_trips, close_trips };
