/* bench/pi: how fast does a pool of processes estimate pi, and is the estimate right?
 *
 * The program runs the plan of its options, checks the count of points and the distance from pi, and says
 * what it took. pi/scale.c and pi/compare.c answer the two larger questions. */

#include "harness.h"
#include "pi/options.h"
#include "pi/report.h"

#include <parexec.h>
#include <stdio.h>
#include <unistd.h>

#define PROGRESS_EVERY_NS PE_MS(100)
/* The serial reference is an eighth of the run, and this many points at least if the run has as many. */
#define REFERENCE_SAMPLES (UINT64_C(1) << 30)

static void show_progress(uint64_t done, uint64_t total, void *context)
{
    int64_t *shown_ns = context;
    int64_t now = bench_now_ns();

    if (now - *shown_ns < PROGRESS_EVERY_NS)
        return;
    *shown_ns = now;
    fprintf(stderr, "\r%5.1f %%", 100.0 * (double)done / (double)total);
    fflush(stderr);
}

/* Samples a second of the serial run that the speed-up is against. */
static double measure_serial(const pi_plan *plan)
{
    pi_plan serial = *plan;
    pi_result result;

    serial.mode = PI_MODE_SERIAL;
    serial.workers = 1;
    serial.kill_every_ns = 0;
    serial.progress = NULL;
    serial.samples = plan->samples / 8;
    if (serial.samples < REFERENCE_SAMPLES)
        serial.samples = plan->samples < REFERENCE_SAMPLES ? plan->samples : REFERENCE_SAMPLES;
    if (pi_run(&serial, &result) < 0)
        return 0;
    return (double)result.samples / result.wall;
}

/* In all, and for the host and each worker. */
static int show_profile(const pi_options *options)
{
    pe_report_options report = PE_REPORT_OPTIONS_INIT;
    int error;

    if (!options->profile)
        return 0;
    report.flags = PE_REPORT_TREE | PE_REPORT_PER_PROCESS;
    putchar('\n');
    error = pe_report(stdout, &report);
    return error < 0 ? pi_report_failure("the regions cannot be shown", error) : 0;
}

static int run_estimate(const pi_options *options)
{
    pi_plan plan = options->plan;
    int64_t shown_ns = 0;
    pi_result result;
    double serial_rate = 0;
    double ghz;
    int error = options->profile ? pe_region_enable(1) : 0;

    if (!options->quiet && isatty(STDERR_FILENO)) {
        plan.progress = show_progress;
        plan.progress_context = &shown_ns;
    }
    if (error == 0)
        error = pi_run(&plan, &result);
    pe_region_enable(0);
    if (shown_ns != 0)
        fputs("\r\033[K", stderr);
    if (error < 0)
        return pi_report_failure("the run failed", error);
    if (options->quiet && !options->json) {
        pi_report_estimate(&result);
        return show_profile(options) | pi_report_check(&plan, &result);
    }
    if (plan.mode != PI_MODE_SERIAL)
        serial_rate = measure_serial(&plan);
    ghz = bench_core_ghz();
    if (options->json)
        pi_report_json(&plan, &result, serial_rate, ghz);
    else
        pi_report_run(&plan, &result, serial_rate, ghz);
    return show_profile(options) | pi_report_check(&plan, &result);
}

int main(int argc, char **argv)
{
    pi_options options;
    int status = pi_options_parse(argc, argv, &options);

    if (status != 0)
        return status > 0 ? 0 : 2;
    if (options.task == PI_TASK_SCALE)
        status = pi_scale(&options);
    else if (options.task == PI_TASK_COMPARE)
        status = pi_compare(&options);
    else
        status = run_estimate(&options);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "pi: the output could not be written\n");
        return 1;
    }
    return status;
}
