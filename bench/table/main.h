#ifndef PE__BENCH_TABLE_MAIN_H
#define PE__BENCH_TABLE_MAIN_H

/* The whole of a benchmark that is one table of limits, rivals and ours, with the goals and whether they are met.
 *
 *     bench/run NAME [--quick] [--json] [--rounds N] [--only ROW]... [--list]
 *
 * Returns main's value. 0: measured; 1: a figure of ours is missing; 2: wrong usage. A goal that is not met is a line
 * in the table and no error. */

#include "table/row.h"

/* The rows in the order of the table, closed by one without a key. */
int table_main(const char *bench, const struct row *bench_rows, int argc, char **argv);

#endif
