#ifndef PE__BENCH_TABLE_H
#define PE__BENCH_TABLE_H

/* Shows what was measured: a table for people, one JSON object for machines. */

#include "table/goal.h"

struct tally {
    int met, missed, open; /* open: one side had no figure */
    int failed;            /* contenders of ours without a figure */
};

/* By role. */
extern const char *const table_role_names[];

void table_open(const struct measure_options *options);
void table_row(const struct row *row, const struct outcome *outcome, struct tally *tally);
void table_close(const struct tally *tally);

/* The object "machine", and the array "metrics": those that have a figure. */
void table_json_machine(bench_json *json);
void table_json_metrics(bench_json *json, const struct row *row, const struct answer *answer);

void table_json_open(bench_json *json, const char *bench, const struct measure_options *options);
void table_json_row(bench_json *json, const struct row *row, const struct outcome *outcome,
                    struct tally *tally);
void table_json_close(bench_json *json, const struct tally *tally);

#endif
