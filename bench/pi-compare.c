/* bench/pi --compare: how much faster than what it replaces?
 *
 * Everything runs once in each round, in turns. The slow ones draw fewer points; all figures are rates. */

#include "harness.h"
#include "pi-report.h"
#include "pi-rivals.h"

#include <math.h>
#include <parexec.h>
#include <stdio.h>

#define ROWS_MAX 16
#define RIVAL_SIGMAS_MAX 6.0

typedef double rival_fn(uint64_t samples, uint64_t *ret_hits);

typedef struct row {
    const char *name;
    rival_fn *rival;            /* or NULL: a run of ours */
    uint32_t mode, kernel;
    uint64_t samples;
    int absent;
    double rate[BENCH_ROUNDS_MAX];
} row;

static row rows[ROWS_MAX];

static row own(const char *name, uint32_t mode, uint32_t kernel, uint64_t samples)
{
    return (row){ .name = name, .mode = mode, .kernel = kernel, .samples = samples,
                  .absent = !pi_kernel_usable(kernel) };
}

static row other(const char *name, rival_fn *rival, uint64_t samples)
{
    return (row){ .name = name, .rival = rival, .samples = samples };
}

static size_t fill_rows(const pi_options *options)
{
    uint64_t samples = options->plan.samples;
    uint64_t slow = samples / 200 + 1;          /* for loops at a hundredth of the speed, */
    uint64_t slowest = samples / 20000 + 1;     /* and at a ten-thousandth */
    size_t count = 0;

    rows[count++] = own("pool", PI_MODE_POOL, options->plan.kernel, samples);
    rows[count++] = own("serial, AVX-512", PI_MODE_SERIAL, PI_KERNEL_AVX512, samples);
    rows[count++] = own("serial, AVX2", PI_MODE_SERIAL, PI_KERNEL_AVX2, samples);
    rows[count++] = own("serial, plain C", PI_MODE_SERIAL, PI_KERNEL_C, samples / 4 + 1);
    rows[count++] = other("hand-written AVX-512", pi_rival_avx512, samples);
    rows[count++] = other("scalar xoshiro256++", pi_rival_scalar, samples / 8 + 1);
    rows[count++] = other("C, two rand() calls", pi_rival_rand, slow);
    rows[count++] = other("numpy, vectorised", pi_rival_numpy, slow);
    rows[count++] = other("course loop, two rand()", pi_rival_course_two, slowest);
    rows[count++] = other("course loop, rand(2)", pi_rival_course, slowest);
    return count;
}

static int check_rival(const row *r, uint64_t samples, uint64_t hits)
{
    if (fabs(pi_z_score(hits, samples)) <= RIVAL_SIGMAS_MAX)
        return 0;
    fprintf(stderr, "pi: %s found %llu hits among %llu points\n", r->name, (unsigned long long)hits,
            (unsigned long long)samples);
    return 1;
}

static int measure(row *r, const pi_options *options, size_t round)
{
    pi_plan plan = options->plan;
    pi_result result;
    uint64_t hits = 0;
    int error;

    if (r->absent)
        return 0;
    if (r->rival != NULL) {
        r->rate[round] = r->rival(r->samples, &hits);
        r->absent = r->rate[round] < 0;
        /* Rivals may round the number of points down to whole vectors. */
        return r->absent || r->samples < 100000 ? 0 : check_rival(r, r->samples, hits);
    }
    plan.mode = r->mode;
    plan.kernel = r->kernel;
    plan.samples = r->samples;
    if (plan.mode == PI_MODE_SERIAL)
        plan.workers = 1;
    error = pi_run(&plan, &result);
    if (error < 0)
        return pi_report_failure(r->name, error);
    r->rate[round] = (double)result.samples / result.wall;
    return pi_report_check(&plan, &result);
}

static const char *why_absent(const row *r)
{
    if (r->rival == pi_rival_numpy || r->rival == pi_rival_course || r->rival == pi_rival_course_two)
        return "no python3 with numpy here";
    return "not on this processor";
}

static void print_rows(const pi_options *options, size_t count, const bench_stat *stats, double ghz)
{
    printf("%u workers, kernel %s; medians of %u rounds; cycles at %.2f GHz\n\n", options->plan.workers,
           pi_kernel_name(options->plan.kernel), options->rounds, ghz);
    printf("%-24s  M samples/s %10s %10s  %10s  %10s\n", "", "min", "max", "cycles", "pool is");
    for (size_t i = 0; i < count; i++) {
        const bench_stat *s = &stats[i];

        if (rows[i].absent)
            printf("%-24s  not run: %s\n", rows[i].name, why_absent(&rows[i]));
        else
            printf("%-24s  %11.3f %10.3f %10.3f  %10.3f  %9.4gx\n", rows[i].name, s->median * 1e-6,
                   s->min * 1e-6, s->max * 1e-6, ghz * 1e9 / s->median, stats[0].median / s->median);
    }
}

static void write_rows(const pi_options *options, size_t count, const bench_stat *stats, double ghz)
{
    bench_json json;

    bench_json_open(&json, stdout);
    bench_json_text(&json, "bench", "pi-compare");
    bench_json_text(&json, "kernel", pi_kernel_name(options->plan.kernel));
    bench_json_count(&json, "workers", options->plan.workers);
    bench_json_number(&json, "core_ghz", ghz);
    bench_json_array(&json, "rows");
    for (size_t i = 0; i < count; i++) {
        bench_json_object(&json, NULL);
        bench_json_text(&json, "name", rows[i].name);
        bench_json_flag(&json, "ran", !rows[i].absent);
        if (!rows[i].absent) {
            bench_json_count(&json, "samples", rows[i].samples);
            bench_json_stat(&json, "samples_per_second", &stats[i]);
        }
        bench_json_end_object(&json);
    }
    bench_json_end_array(&json);
    bench_json_close(&json);
}

int pi_compare(const pi_options *options)
{
    size_t count = fill_rows(options);
    bench_stat stats[ROWS_MAX];
    double ghz[BENCH_ROUNDS_MAX];
    double core_ghz;

    for (size_t round = 0; round < options->rounds; round++) {
        ghz[round] = bench_core_ghz();
        for (size_t i = 0; i < count; i++) {
            if (measure(&rows[i], options, round))
                return 1;
        }
    }
    for (size_t i = 0; i < count; i++)
        stats[i] = bench_stat_of(rows[i].rate, options->rounds);
    core_ghz = bench_stat_of(ghz, options->rounds).median;
    if (options->json)
        write_rows(options, count, stats, core_ghz);
    else if (!options->quiet)
        print_rows(options, count, stats, core_ghz);
    return 0;
}
