#ifndef PE__BENCH_TABLE_MEASURE_H
#define PE__BENCH_TABLE_MEASURE_H

/* Runs one row: all its contenders in turns, in a process of its own. */

#include "harness.h"
#include "table/row.h"

#define MEASURE_ROUNDS_MAX 101

struct answer {
    uint32_t rounds; /* 0: no figure, see the note */
    double values[METRICS_MAX][MEASURE_ROUNDS_MAX];
    char note[NOTE_BYTES];
    int failed; /* one of ours could not be measured */
};

struct outcome {
    struct answer answers[CONTENDERS_MAX];
};

struct measure_options {
    int quick;
    uint32_t rounds;
    int profile; /* measure regions, and show them before the row */
    uint32_t first; /* the contender that begins */
};

/* Adds the rounds to the outcome, which must be in memory shared with forked children and at first zeroed. Who could
 * not be measured the last time is not tried again. */
void measure_row(const struct row *row, const struct measure_options *options, struct outcome *outcome);

/* Median and spread of a metric; 0 and *ret_stat, or -1 when there is no figure. */
int measure_stat(const struct answer *answer, int metric, bench_stat *ret_stat);

#endif
