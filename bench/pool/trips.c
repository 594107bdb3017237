/* Round trips. The mean comes from a pass without a clock read per trip, since a read costs a good part
 * of the shortest trips; the median trip from a second, shorter pass with one. A slow contender stops at
 * a time limit and so does fewer trips than a quick one, but always the same kind. */

#include "pool/trips.h"
#include "harness.h"
#include "machine.h"
#include "pool/work.h"

#include <math.h>
#include <stdio.h>

#define PASS_NS INT64_C(50000000)
#define BATCH   32

static int check_trip(const struct plan *plan, trip_fn *trip, void *context, uint64_t number)
{
    uint64_t arg = (number & 0xffff) << 32, result = 0;
    if (trip(context, arg, &result) == 0 && result == work_job(arg))
        return 0;
    if (!plan->note[0])
        snprintf(plan->note, NOTE_BYTES, "a trip failed or brought a wrong result");
    return -1;
}

static int run_batch(const struct plan *plan, trip_fn *trip, void *context, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (check_trip(plan, trip, context, i) < 0)
            return -1;
    return 0;
}

/* Mean microseconds of at most n trips in at most `pass_ns`; NAN when one fails. */
static double mean_of(const struct plan *plan, trip_fn *trip, void *context, uint64_t n, int64_t pass_ns)
{
    uint64_t done = 0;
    int64_t start = bench_now_ns(), now = start;
    while (done < n && now - start < pass_ns) {
        if (run_batch(plan, trip, context, BATCH) < 0)
            return NAN;
        done += BATCH;
        now = bench_now_ns();
    }
    return (double)(now - start) / (double)done / 1e3;
}

/* Trips timed one by one, into `times` in microseconds. Returns how many, 0 when one fails. */
static size_t time_each(const struct plan *plan, trip_fn *trip, void *context, size_t n, double *times)
{
    int64_t started = bench_now_ns();
    size_t count = 0;
    while (count < n && (plan->activity == PAUSED || bench_now_ns() - started < PASS_NS)) {
        if (plan->activity == PAUSED)
            machine_sleep_ns(1000000);
        int64_t start = bench_now_ns();
        if (check_trip(plan, trip, context, count) < 0)
            return 0;
        times[count++] = (double)(bench_now_ns() - start) / 1e3;
    }
    return count;
}

static double mean(const double *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    return sum / (double)n;
}

static double middle(double *values, size_t n)
{
    return n <= BENCH_ROUNDS_MAX ? bench_stat_of(values, n).median : NAN;
}

int trips_measure(const struct plan *plan, trip_fn *trip, void *context, double *values)
{
    static double times[BENCH_ROUNDS_MAX];
    size_t n = plan->n < BENCH_ROUNDS_MAX ? (size_t)plan->n : BENCH_ROUNDS_MAX;
    if (plan->activity == ROUND_TRIP) {
        if (isnan(mean_of(plan, trip, context, plan->n / 10 + BATCH, PASS_NS / 10)))
            return -1;
        values[0] = mean_of(plan, trip, context, plan->n, PASS_NS);
    }
    n = time_each(plan, trip, context, n, times);
    if (n == 0)
        return -1;
    if (plan->activity == PAUSED)
        values[0] = mean(times, n);
    values[1] = middle(times, n);
    return isnan(values[0]) ? -1 : 0;
}
