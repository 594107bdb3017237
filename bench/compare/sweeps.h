#ifndef PE__BENCH_COMPARE_SWEEPS_H
#define PE__BENCH_COMPARE_SWEEPS_H

/* What bench/run compare measures. A sweep is a row of a table that is measured again and again while one thing
 * changes: the number of workers, the length of a job or item, the bytes of a payload. */

#include "table/row.h"

#define POINTS_MAX 10

enum axis {
    NOTHING, /* one point */
    WORKERS,
    LENGTH_NS, /* of a job or item */
    BYTES
};

struct point {
    uint64_t x;
    uint64_t n, quick_n; /* operations in one turn; quick_n 0: no point when quick */
};

struct sweep {
    struct row row; /* of all points, but for what changes */
    enum axis axis;
    struct point points[POINTS_MAX]; /* closed by one without n */
};

/* Closed by one without a key in its row. */
extern const struct sweep sweeps[];

struct row sweep_row(const struct sweep *sweep, const struct point *point);
size_t sweep_points(const struct sweep *sweep);

/* Name and unit of what changes. */
const char *axis_name(enum axis axis);
const char *axis_unit(enum axis axis);

#endif
