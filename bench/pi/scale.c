/* bench/pi --scale: what do more workers bring, and how much of what this machine can give?
 *
 * In every round the serial run, then for each number of workers the pool and the same number of bare forked
 * processes are measured right after each other: two virtual CPUs are not two cores at every minute, and only
 * neighbours in time compare. The limit is the rate of the bare processes, forks not counted. */

#include "harness.h"
#include "pi/report.h"

#include <parexec.h>
#include <stdio.h>

#define ROWS_MAX 32
#define ALL_UP_TO 16        /* beyond, the numbers of workers double */
#define GOAL 0.97           /* of the limit, with all workers */

typedef struct row {
    uint32_t workers;
    double wall[BENCH_ROUNDS_MAX], fork[BENCH_ROUNDS_MAX], dispatch[BENCH_ROUNDS_MAX];
    double compute[BENCH_ROUNDS_MAX], waiting[BENCH_ROUNDS_MAX];
    double speed_up[BENCH_ROUNDS_MAX], limit[BENCH_ROUNDS_MAX], of_limit[BENCH_ROUNDS_MAX];
} row;

/* Some 2 MiB; too much for a stack. */
static row rows[ROWS_MAX];
static double serial_rate[BENCH_ROUNDS_MAX];

static size_t choose_rows(uint32_t most)
{
    size_t count = 0;

    for (uint32_t workers = 1; workers < most && count < ROWS_MAX - 1;) {
        rows[count++].workers = workers;
        workers = workers < ALL_UP_TO ? workers + 1 : workers * 2;
    }
    rows[count++].workers = most;
    return count;
}

static int measure_row(row *into, const pi_plan *plan, size_t round, uint64_t hits, double serial_wall)
{
    pi_plan pool = *plan;
    pi_result result;
    uint64_t bare_hits = 0;
    double bare;
    int error;

    pool.workers = into->workers;
    error = pi_run(&pool, &result);
    if (error < 0)
        return pi_report_failure("the run on the pool failed", error);
    bare = pi_run_bare(plan, into->workers, &bare_hits);
    if (bare < 0)
        return pi_report_failure("bare processes failed", -errno);
    if (result.hits != hits || bare_hits != hits) {
        fprintf(stderr, "pi: %u workers found %llu hits, bare processes %llu, the serial run %llu\n",
                into->workers, (unsigned long long)result.hits, (unsigned long long)bare_hits,
                (unsigned long long)hits);
        return 1;
    }
    into->wall[round] = result.wall;
    into->fork[round] = result.fork;
    into->dispatch[round] = result.dispatch;
    into->compute[round] = result.compute;
    into->waiting[round] = result.waiting;
    into->speed_up[round] = serial_wall / result.wall;
    into->limit[round] = serial_wall / bare;
    into->of_limit[round] = bare / result.wall;
    return 0;
}

static int measure_round(const pi_plan *plan, size_t count, size_t round)
{
    pi_plan serial = *plan;
    pi_result result;
    int error;

    serial.mode = PI_MODE_SERIAL;
    serial.workers = 1;
    error = pi_run(&serial, &result);
    if (error < 0)
        return pi_report_failure("the serial run failed", error);
    if (pi_report_check(&serial, &result))
        return 1;
    serial_rate[round] = (double)result.samples / result.wall;
    for (size_t i = 0; i < count; i++) {
        if (measure_row(&rows[i], plan, round, result.hits, result.wall))
            return 1;
    }
    return 0;
}

static void print_rows(const pi_options *options, size_t count, size_t rounds)
{
    bench_stat serial = bench_stat_of(serial_rate, rounds);

    printf("%llu samples, kernel %s, class %s, seed %llu; medians of %zu rounds\n",
           (unsigned long long)options->plan.samples, pi_kernel_name(options->plan.kernel),
           pi_class_name(options->plan.kernel_class), (unsigned long long)options->plan.seed, rounds);
    printf("serial: %.3f G samples/s (%.3f to %.3f)\n\n", serial.median * 1e-9, serial.min * 1e-9,
           serial.max * 1e-9);
    printf("workers  fork ms  dispatch ms  compute ms  waiting ms  G samples/s  speed-up  (min-max)"
           "        limit  of limit\n");
    for (size_t i = 0; i < count; i++) {
        row *r = &rows[i];
        bench_stat speed_up = bench_stat_of(r->speed_up, rounds);

        printf("%7u  %7.3f  %11.3f  %10.2f  %10.2f  %11.3f  %8.3f  (%.3f-%.3f)  %7.3f  %8.3f\n", r->workers,
               bench_stat_of(r->fork, rounds).median * 1e3, bench_stat_of(r->dispatch, rounds).median * 1e3,
               bench_stat_of(r->compute, rounds).median * 1e3, bench_stat_of(r->waiting, rounds).median * 1e3,
               (double)options->plan.samples / bench_stat_of(r->wall, rounds).median * 1e-9, speed_up.median,
               speed_up.min, speed_up.max, bench_stat_of(r->limit, rounds).median,
               bench_stat_of(r->of_limit, rounds).median);
    }
    printf("\nlimit: as many bare forked processes, each on a CPU of its own if there are as many and computing its\n"
           "share, against the same serial run\ngoal: >= %g of the limit with %u workers: %s\n", GOAL,
           rows[count - 1].workers, bench_stat_of(rows[count - 1].of_limit, rounds).median >= GOAL ? "yes" : "NO");
}

static void put_stat(bench_json *json, const char *key, double *values, size_t rounds)
{
    bench_stat stat = bench_stat_of(values, rounds);

    bench_json_stat(json, key, &stat);
}

static void write_rows(const pi_options *options, size_t count, size_t rounds)
{
    bench_json json;

    bench_json_open(&json, stdout);
    bench_json_text(&json, "bench", "pi-scale");
    bench_json_text(&json, "kernel", pi_kernel_name(options->plan.kernel));
    bench_json_text(&json, "class", pi_class_name(options->plan.kernel_class));
    bench_json_count(&json, "samples", options->plan.samples);
    bench_json_count(&json, "seed", options->plan.seed);
    put_stat(&json, "serial_samples_per_second", serial_rate, rounds);
    bench_json_array(&json, "rows");
    for (size_t i = 0; i < count; i++) {
        row *r = &rows[i];
        bench_json_object(&json, NULL);
        bench_json_count(&json, "workers", r->workers);
        put_stat(&json, "wall_s", r->wall, rounds);
        put_stat(&json, "fork_s", r->fork, rounds);
        put_stat(&json, "dispatch_s", r->dispatch, rounds);
        put_stat(&json, "compute_s", r->compute, rounds);
        put_stat(&json, "waiting_s", r->waiting, rounds);
        put_stat(&json, "speed_up", r->speed_up, rounds);
        put_stat(&json, "limit", r->limit, rounds);
        put_stat(&json, "of_limit", r->of_limit, rounds);
        bench_json_end_object(&json);
    }
    bench_json_end_array(&json);
    bench_json_number(&json, "goal_of_limit", GOAL);
    bench_json_flag(&json, "met", bench_stat_of(rows[count - 1].of_limit, rounds).median >= GOAL);
    bench_json_close(&json);
}

int pi_scale(const pi_options *options)
{
    size_t count = choose_rows(options->plan.workers);

    for (size_t round = 0; round < options->rounds; round++) {
        if (measure_round(&options->plan, count, round))
            return 1;
    }
    if (options->json)
        write_rows(options, count, options->rounds);
    else if (!options->quiet)
        print_rows(options, count, options->rounds);
    return 0;
}
