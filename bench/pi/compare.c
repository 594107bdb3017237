/* bench/pi --compare: the table of limits, rivals and ours, with the goals. How rows are measured is told in
 * table/measure.c, how they are shown in table/table.c.
 *
 * Everything is judged in its class: plain against plain, lazy against lazy. */

#include "pi/contenders.h"
#include "pi/report.h"
#include "pi/rivals.h"
#include "machine.h"
#include "table/measure.h"
#include "table/table.h"

#include <string.h>

#define PYTHON 1 /* variant: the rival needs it */

#define RUN(MODE, KERNEL, CLASS) &(const pi_runner){ PI_MODE_##MODE, PI_KERNEL_##KERNEL, PI_CLASS_##CLASS }
#define OWN(LABEL, KERNEL, CLASS, DIVISOR) \
    { LABEL, OURS, &pi_run_driver, RUN(SERIAL, KERNEL, CLASS), 0, DIVISOR, "ours", 1, 0 }
#define OTHER(LABEL, FUNCTION, DIVISOR, VARIANT) \
    { LABEL, RIVAL, &pi_rival_driver, &(const pi_rival){ FUNCTION }, VARIANT, DIVISOR, NULL, 1, 0 }
#define RATE { { "rate", "M samples/s", MORE_IS_BETTER } }

static const struct row rows[] = {
    {
        .key = "plain",
        .what = "one core, plain class: 32 bits a coordinate, 24 of them in a float",
        .activity = POINTS,
        .metrics = RATE,
        .contenders = {
            OWN("AVX-512", AVX512, PLAIN, 2),
            OWN("AVX2", AVX2, PLAIN, 4),
            OWN("plain C", C, PLAIN, 8),
            OTHER("hand-written AVX-512", pi_rival_avx512, 2, 0),
            OTHER("hand-written AVX2", pi_rival_avx2, 4, 0),
            OTHER("hand-written C", pi_rival_c, 8, 0),
            OTHER("scalar xoshiro256++", pi_rival_scalar, 16, 0),
            OTHER("C loop, rand() twice", pi_rival_rand, 400, 0),
            OTHER("numpy, vectorised", pi_rival_numpy, 400, PYTHON),
            OTHER("course loop, rand() twice", pi_rival_course_two, 40000, PYTHON),
            OTHER("course loop, rand(2)", pi_rival_course, 40000, PYTHON),
        },
        .goals = {
            { 0, RATIO_AT_LEAST, 0.95, "AVX-512", "hand-written AVX-512" },
            { 0, RATIO_AT_LEAST, 0.95, "AVX2", "hand-written AVX2" },
            { 0, RATIO_AT_LEAST, 0.95, "plain C", "hand-written C" },
            { 0, RATIO_AT_LEAST, 3200, "ours", "course loop, rand() twice" },
            { 0, RATIO_AT_LEAST, 100, "ours", "numpy, vectorised" },
        },
    },
    {
        .key = "lazy",
        .what = "one core, lazy class: 16 bits a coordinate, and 32 more where they decide",
        .activity = POINTS,
        .metrics = RATE,
        .contenders = {
            OWN("AVX-512", AVX512, LAZY, 2),
            OWN("AVX2", AVX2, LAZY, 4),
            OWN("plain C", C, LAZY, 8),
            OTHER("hand-written AVX-512", pi_rival_lazy_avx512, 2, 0),
            OTHER("hand-written AVX2", pi_rival_lazy_avx2, 4, 0),
            OTHER("hand-written C", pi_rival_lazy_c, 8, 0),
            OTHER("course loop, rand() twice", pi_rival_course_two, 40000, PYTHON),
        },
        .goals = {
            { 0, RATIO_AT_LEAST, 0.95, "AVX-512", "hand-written AVX-512" },
            { 0, RATIO_AT_LEAST, 0.95, "AVX2", "hand-written AVX2" },
            { 0, RATIO_AT_LEAST, 0.95, "plain C", "hand-written C" },
            { 0, RATIO_AT_LEAST, 5500, "ours", "course loop, rand() twice" },
        },
    },
    {
        .key = "workers",
        .what = "all workers, plain class, from before the pool is made until the count is there",
        .activity = POINTS,
        .metrics = RATE,
        .contenders = {
            { "pool", OURS, &pi_run_driver, RUN(POOL, AUTO, PLAIN), 0, 0, NULL, 0, 0 },
            { "pool, 1 worker", OURS, &pi_run_driver, RUN(POOL, AUTO, PLAIN), 0, 0, NULL, 1, 0 },
            { "bare processes, pinned", LIMIT, &pi_bare_driver, RUN(SERIAL, AUTO, PLAIN), 0, 0, NULL, 0, 0 },
            { "1 bare process", LIMIT, &pi_bare_driver, RUN(SERIAL, AUTO, PLAIN), 0, 0, NULL, 1, 0 },
        },
        .goals = { { 0, RATIO_AT_LEAST, 0.97, "pool", "bare processes, pinned" } },
    },
    {
        .key = "first-sample",
        .what = "from before the pool is made until a worker draws its first point",
        .activity = POINTS,
        .metrics = { { "time", "ms", LESS_IS_BETTER } },
        .contenders = {
            { "pool", OURS, &pi_first_driver, RUN(POOL, AUTO, PLAIN), 0, 10, NULL, 0, 0 },
            { "bare forks", LIMIT, &pi_first_bare_driver, NULL, 0, 0, NULL, 0, 0 },
        },
        .goals = { { 0, VALUE_AT_MOST, 5, "pool", NULL } },
    },
    { .key = NULL },
};

static void measure(const struct row *from, const pi_options *options, struct outcome *outcome, struct row *ret_row)
{
    struct measure_options how = { .quick = options->quick, .rounds = options->rounds };

    *ret_row = *from;
    ret_row->n = ret_row->quick_n = options->plan.samples;
    ret_row->workers = options->plan.workers;
    memset(outcome, 0, sizeof(*outcome));
    measure_row(ret_row, &how, outcome);
    for (int i = 0; i < CONTENDERS_MAX && ret_row->contenders[i].label; i++) {
        if (pi_contender_impossible(&ret_row->contenders[i]))
            outcome->answers[i].failed = 0;
    }
}

int pi_compare(const pi_options *options)
{
    struct measure_options how = { .quick = options->quick, .rounds = options->rounds };
    struct outcome *outcome = machine_shared(sizeof(*outcome));
    struct tally tally = { 0 };
    bench_json json;
    struct row row;

    pi_contenders_seed(options->plan.seed);
    if (options->json)
        table_json_open(&json, "pi", &how);
    else
        table_open(&how);
    for (const struct row *from = rows; from->key != NULL; from++) {
        measure(from, options, outcome, &row);
        if (options->json)
            table_json_row(&json, &row, outcome, &tally);
        else
            table_row(&row, outcome, &tally);
    }
    if (options->json)
        table_json_close(&json, &tally);
    else
        table_close(&tally);
    machine_unshare(outcome, sizeof(*outcome));
    return tally.failed > 0;
}
