#ifndef PE__BENCH_PI_REPORT_H
#define PE__BENCH_PI_REPORT_H

/* What bench/pi prints. pi_scale and pi_compare answer a question each and return the exit status. */

#include "pi/options.h"
#include "pi/run.h"

/* 1 to P workers: speed-up, where the time went, the machine's own limit. */
int pi_scale(const pi_options *options);
/* The table: the kernels of each class and the pool beside limits and rivals, with the goals. */
int pi_compare(const pi_options *options);

/* 1 with a message on stderr when points are missing or the estimate is more than 5 standard errors off. */
int pi_report_check(const pi_plan *plan, const pi_result *result);
/* Prints what failed and why; returns 1. */
int pi_report_failure(const char *what, int error);

/* What a run gave, on stdout: one line, all figures, or one JSON object. serial_rate is in samples a
 * second, 0 when none was measured. */
void pi_report_estimate(const pi_result *result);
void pi_report_run(const pi_plan *plan, const pi_result *result, double serial_rate, double ghz);
void pi_report_json(const pi_plan *plan, const pi_result *result, double serial_rate, double ghz);

#endif
