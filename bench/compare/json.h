#ifndef PE__BENCH_COMPARE_JSON_H
#define PE__BENCH_COMPARE_JSON_H

/* A measured sweep as one JSON file, with all that is needed to judge it: machine, date, command, compiler and flags,
 * versions of the library and of the rivals. */

#include "compare/sweeps.h"
#include "table/measure.h"

struct record {
    const struct sweep *sweep;
    const struct measure_options *options; /* rounds: of all passes */
    const char *command;
    const size_t *points; /* those of the sweep that were measured */
    const struct outcome *outcomes;
    size_t point_count;
    double seconds; /* how long it took */
};

/* DIRECTORY/KEY.json. 0, or -1 with errno set. */
int record_write(const struct record *record, const char *directory);

#endif
