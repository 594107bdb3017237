/* Parsing and checking. What is accepted here can run: a kernel that this processor lacks is refused. */

#include "pi/options.h"

#include "harness.h"
#include "table/measure.h"

#include <getopt.h>
#include <parexec.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SAMPLES_DEFAULT UINT64_C(20000000000)
#define SAMPLES_ROUNDS UINT64_C(4000000000)
#define SAMPLES_QUICK UINT64_C(100000000)
#define KILL_EVERY_MAX_MS UINT64_C(3600000)

static const char help_text[] =
    "usage: pi [options]\n"
    "Estimates pi from random points, on a pool of worker processes.\n"
    "\n"
    "  --samples N       points to draw: 1000000, 1e9, 2.5e9, 2^40 (default 2e10)\n"
    "  --workers N       worker processes (default: one per usable CPU)\n"
    "  --seed S          0 to 2^64 - 1 (default 1); a seed and class have one count of hits\n"
    "  --mode MODE       pool (default), serial, or inline (the pool's calls without processes)\n"
    "  --kernel KERNEL   auto (default), avx512, avx2 or c: the same count from each\n"
    "  --class CLASS     plain (default, 32 bits a coordinate) or lazy (16 bits, and 32 more where they matter)\n"
    "  --chunk N         most blocks of the reduce that a worker takes at once (default: chosen)\n"
    "  --kill-every MS   kill a random busy worker every MS milliseconds; the count stays the same\n"
    "  --scale           1 to P workers: speed-up, where the time went, and the machine's own limit\n"
    "  --compare         the table: limits, rivals, ours, goals; each class and kernel, and the pool\n"
    "  --rounds N        rounds of --scale and --compare (default 7)\n"
    "  --profile         after the run: where host and workers spent their time, by the library's regions\n"
    "  --json            one JSON object on stdout\n"
    "  --quiet           the estimate only\n"
    "  --quick           few samples, for a first look or a test\n"
    "  --help            this text\n"
    "\n"
    "Exit status: 0, 1 when something failed or the estimate is off by more than 5 standard errors,\n"
    "2 for a wrong option.\n";

enum { OPT_SAMPLES = 256, OPT_WORKERS, OPT_SEED, OPT_MODE, OPT_KERNEL, OPT_CLASS, OPT_CHUNK, OPT_KILL_EVERY, OPT_SCALE,
       OPT_COMPARE, OPT_ROUNDS, OPT_PROFILE, OPT_JSON, OPT_QUIET, OPT_QUICK, OPT_HELP };

static const struct option long_options[] = {
    { "samples", required_argument, NULL, OPT_SAMPLES },
    { "workers", required_argument, NULL, OPT_WORKERS },
    { "seed", required_argument, NULL, OPT_SEED },
    { "mode", required_argument, NULL, OPT_MODE },
    { "kernel", required_argument, NULL, OPT_KERNEL },
    { "class", required_argument, NULL, OPT_CLASS },
    { "chunk", required_argument, NULL, OPT_CHUNK },
    { "kill-every", required_argument, NULL, OPT_KILL_EVERY },
    { "scale", no_argument, NULL, OPT_SCALE },
    { "compare", no_argument, NULL, OPT_COMPARE },
    { "rounds", required_argument, NULL, OPT_ROUNDS },
    { "profile", no_argument, NULL, OPT_PROFILE },
    { "json", no_argument, NULL, OPT_JSON },
    { "quiet", no_argument, NULL, OPT_QUIET },
    { "quick", no_argument, NULL, OPT_QUICK },
    { "help", no_argument, NULL, OPT_HELP },
    { NULL, 0, NULL, 0 },
};

PE_FORMAT(1, 2)
static int refuse(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("pi: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs(" (see --help)\n", stderr);
    va_end(arguments);
    return -1;
}

static int parse_number(const char *name, const char *text, uint64_t least, uint64_t most,
                        uint64_t *ret_value)
{
    uint64_t value;

    if (bench_parse_count(text, &value) < 0)
        return refuse("--%s '%s' is not a whole number from 0 to 2^64 - 1", name, text);
    if (value < least)
        return refuse("--%s must be at least %llu", name, (unsigned long long)least);
    if (value > most)
        return refuse("--%s must be at most %llu", name, (unsigned long long)most);
    *ret_value = value;
    return 0;
}

static int parse_mode(const char *text, uint32_t *ret_mode)
{
    for (uint32_t mode = 0; mode < PI_MODE_COUNT; mode++) {
        if (strcmp(text, pi_mode_name(mode)) == 0) {
            *ret_mode = mode;
            return 0;
        }
    }
    return refuse("--mode '%s' is none of serial, pool, inline", text);
}

static int parse_kernel(const char *text, uint32_t *ret_kernel)
{
    int kernel = pi_kernel_find(text);

    if (kernel < 0)
        return refuse("--kernel '%s' is none of auto, avx512, avx2, c", text);
    if (!pi_kernel_usable((uint32_t)kernel))
        return refuse("--kernel %s cannot run on this processor", text);
    *ret_kernel = (uint32_t)kernel;
    return 0;
}

static int parse_class(const char *text, uint32_t *ret_class)
{
    for (uint32_t number = 0; number < PI_CLASS_COUNT; number++) {
        if (strcmp(text, pi_class_name(number)) == 0) {
            *ret_class = number;
            return 0;
        }
    }
    return refuse("--class '%s' is none of plain, lazy", text);
}

static int choose_task(pi_options *options, uint32_t task)
{
    if (options->task != PI_TASK_ESTIMATE && options->task != task)
        return refuse("--scale and --compare exclude each other");
    options->task = task;
    return 0;
}

/* One option; 1 for --help. */
static int take(pi_options *options, int code, const char *value)
{
    pi_plan *plan = &options->plan;
    uint64_t number = 0;
    int result = 0;

    switch (code) {
    case OPT_SAMPLES:
        return parse_number("samples", value, 1, UINT64_MAX, &plan->samples);
    case OPT_WORKERS:
        result = parse_number("workers", value, 1, PE_WORKERS_MAX, &number);
        plan->workers = (uint32_t)number;
        return result;
    case OPT_SEED:
        return parse_number("seed", value, 0, UINT64_MAX, &plan->seed);
    case OPT_MODE:
        return parse_mode(value, &plan->mode);
    case OPT_KERNEL:
        return parse_kernel(value, &plan->kernel);
    case OPT_CLASS:
        return parse_class(value, &plan->kernel_class);
    case OPT_CHUNK:
        return parse_number("chunk", value, 1, UINT64_MAX, &plan->chunk);
    case OPT_KILL_EVERY:
        result = parse_number("kill-every", value, 1, KILL_EVERY_MAX_MS, &number);
        plan->kill_every_ns = PE_MS(number);
        return result;
    case OPT_SCALE:
        return choose_task(options, PI_TASK_SCALE);
    case OPT_COMPARE:
        return choose_task(options, PI_TASK_COMPARE);
    case OPT_ROUNDS:
        result = parse_number("rounds", value, 1, BENCH_ROUNDS_MAX, &number);
        options->rounds = (uint32_t)number;
        return result;
    case OPT_PROFILE:
        options->profile = 1;
        return 0;
    case OPT_JSON:
        options->json = 1;
        return 0;
    case OPT_QUIET:
        options->quiet = 1;
        return 0;
    case OPT_QUICK:
        options->quick = 1;
        return 0;
    case OPT_HELP:
        fputs(help_text, stdout);
        return 1;
    default:
        return refuse("wrong option");      /* getopt has said which */
    }
}

static int complete(pi_options *options)
{
    pi_plan *plan = &options->plan;

    if (plan->kill_every_ns != 0 && (plan->mode != PI_MODE_POOL || options->task != PI_TASK_ESTIMATE))
        return refuse("--kill-every needs --mode pool, without --scale or --compare");
    if (options->profile && (options->json || options->task != PI_TASK_ESTIMATE))
        return refuse("--profile is text, and of one run: without --json, --scale or --compare");
    if (plan->mode != PI_MODE_POOL && options->task != PI_TASK_ESTIMATE)
        return refuse("--scale and --compare choose the mode themselves");
    if (plan->kernel_class != PI_CLASS_PLAIN && options->task == PI_TASK_COMPARE)
        return refuse("--compare shows both classes");
    if (plan->samples == 0) {
        plan->samples = options->task == PI_TASK_ESTIMATE ? SAMPLES_DEFAULT : SAMPLES_ROUNDS;
        if (options->quick)
            plan->samples = SAMPLES_QUICK;
    }
    if (options->task == PI_TASK_COMPARE && options->rounds > MEASURE_ROUNDS_MAX)
        return refuse("--compare has at most %d rounds", MEASURE_ROUNDS_MAX);
    if (options->rounds == 0)
        options->rounds = options->quick ? 3 : 7;
    if (plan->workers == 0)
        plan->workers = (uint32_t)pe_cpu_count();
    if (plan->mode != PI_MODE_POOL)
        plan->workers = 1;
    plan->kernel = pi_kernel_choose(plan->kernel);
    return 0;
}

int pi_options_parse(int argc, char **argv, pi_options *ret_options)
{
    pi_options options = { .plan = { .seed = 1, .mode = PI_MODE_POOL } };
    int code;

    while ((code = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        int result = take(&options, code, optarg);
        if (result != 0)
            return result;
    }
    if (optind < argc)
        return refuse("'%s' is no option", argv[optind]);
    if (complete(&options) < 0)
        return -1;
    *ret_options = options;
    return 0;
}
