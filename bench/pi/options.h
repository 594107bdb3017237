#ifndef PE__BENCH_PI_OPTIONS_H
#define PE__BENCH_PI_OPTIONS_H

/* The command line of bench/pi. */

#include "pi/run.h"

#define PI_TASK_ESTIMATE 0
#define PI_TASK_SCALE 1
#define PI_TASK_COMPARE 2

typedef struct pi_options {
    pi_plan plan;
    uint32_t task;
    uint32_t rounds;        /* of --scale and --compare */
    int json;
    int quiet;
    int quick;
    int profile;            /* the regions of host and workers after the run */
} pi_options;

/* 0: *ret_options is complete; 1: --help was answered, exit 0; -1: a message went to stderr, exit 2. */
int pi_options_parse(int argc, char **argv, pi_options *ret_options);

#endif
