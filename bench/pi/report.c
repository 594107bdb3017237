/* Checks and figures of one run, for people and for programs. */

#include "pi/report.h"

#include "harness.h"

#include <math.h>
#include <parexec.h>
#include <stdio.h>

#define SIGMAS_MAX 5.0

int pi_report_failure(const char *what, int error)
{
    fprintf(stderr, "pi: %s: %s (%s)\n", what, pe_strerror(error), pe_err_name(error));
    return 1;
}

int pi_report_check(const pi_plan *plan, const pi_result *result)
{
    if (result->samples != plan->samples) {
        fprintf(stderr, "pi: %llu points were asked for, %llu were drawn\n",
                (unsigned long long)plan->samples, (unsigned long long)result->samples);
        return 1;
    }
    if (!(fabs(pi_z_score(result->hits, result->samples)) <= SIGMAS_MAX)) {
        fprintf(stderr, "pi: %llu hits are more than %g standard errors away from pi\n",
                (unsigned long long)result->hits, SIGMAS_MAX);
        return 1;
    }
    return 0;
}

void pi_report_estimate(const pi_result *result)
{
    printf("pi = %.10f +- %.10f   z = %+.2f   (%llu hits of %llu)\n",
           pi_estimate(result->hits, result->samples), pi_standard_error(result->samples),
           pi_z_score(result->hits, result->samples), (unsigned long long)result->hits,
           (unsigned long long)result->samples);
}

static void print_share(const char *what, double seconds, double wall)
{
    printf("  %-10s %12.3f ms  %5.1f %%\n", what, seconds * 1e3, 100.0 * seconds / wall);
}

void pi_report_run(const pi_plan *plan, const pi_result *result, double serial_rate, double ghz)
{
    double rate = (double)result->samples / result->wall;
    double core = (double)result->samples / (result->compute * plan->workers);

    pi_report_estimate(result);
    printf("mode %s, %u worker%s, kernel %s, class %s, seed %llu\n", pi_mode_name(plan->mode), plan->workers,
           plan->workers == 1 ? "" : "s", pi_kernel_name(plan->kernel), pi_class_name(plan->kernel_class),
           (unsigned long long)plan->seed);
    printf("%.3f G samples/s in all, %.3f per worker while it computes (%.3f cycles a sample at %.2f GHz)\n",
           rate * 1e-9, core * 1e-9, ghz * 1e9 / core, ghz);
    if (serial_rate > 0)
        printf("%.3fx a serial run (%.3f G samples/s)\n", rate / serial_rate, serial_rate * 1e-9);
    printf("first sample after %.3f ms, result after %.3f ms\n", result->first_sample * 1e3,
           result->wall * 1e3);
    printf("where the time went:\n");
    print_share("fork", result->fork, result->wall);
    print_share("dispatch", result->dispatch, result->wall);
    print_share("compute", result->compute, result->wall);
    print_share("waiting", result->waiting, result->wall);
    printf("  %-10s %12.3f ms  after the result\n", "stop", result->stop * 1e3);
    if (plan->kill_every_ns != 0)
        printf("%llu workers killed meanwhile, %llu replaced\n", (unsigned long long)result->kills,
               (unsigned long long)result->restarts);
}

void pi_report_json(const pi_plan *plan, const pi_result *result, double serial_rate, double ghz)
{
    double rate = (double)result->samples / result->wall;
    double core = (double)result->samples / (result->compute * plan->workers);
    bench_json json;

    bench_json_open(&json, stdout);
    bench_json_text(&json, "bench", "pi");
    bench_json_text(&json, "mode", pi_mode_name(plan->mode));
    bench_json_text(&json, "kernel", pi_kernel_name(plan->kernel));
    bench_json_text(&json, "class", pi_class_name(plan->kernel_class));
    bench_json_count(&json, "workers", plan->workers);
    bench_json_count(&json, "seed", plan->seed);
    bench_json_count(&json, "samples", result->samples);
    bench_json_count(&json, "hits", result->hits);
    bench_json_number(&json, "estimate", pi_estimate(result->hits, result->samples));
    bench_json_number(&json, "standard_error", pi_standard_error(result->samples));
    bench_json_number(&json, "z", pi_z_score(result->hits, result->samples));
    bench_json_number(&json, "samples_per_second", rate);
    bench_json_number(&json, "samples_per_second_per_worker", core);
    bench_json_number(&json, "core_ghz", ghz);
    bench_json_number(&json, "cycles_per_sample", ghz * 1e9 / core);
    if (serial_rate > 0) {
        bench_json_number(&json, "serial_samples_per_second", serial_rate);
        bench_json_number(&json, "speed_up", rate / serial_rate);
    }
    bench_json_number(&json, "first_sample_s", result->first_sample);
    bench_json_object(&json, "seconds");
    bench_json_number(&json, "wall", result->wall);
    bench_json_number(&json, "fork", result->fork);
    bench_json_number(&json, "dispatch", result->dispatch);
    bench_json_number(&json, "compute", result->compute);
    bench_json_number(&json, "waiting", result->waiting);
    bench_json_number(&json, "stop", result->stop);
    bench_json_end_object(&json);
    bench_json_count(&json, "kills", result->kills);
    bench_json_count(&json, "restarts", result->restarts);
    bench_json_close(&json);
}
