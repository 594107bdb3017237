#ifndef PE__BENCH_POOL_TRIPS_H
#define PE__BENCH_POOL_TRIPS_H

/* Round trips, measured the same way for limits, rivals and ours. */

#include "table/row.h"

/* One job there and back. 0 and *ret_result, or -1. */
typedef int trip_fn(void *context, uint64_t arg, uint64_t *ret_result);

/* values[0]: mean microseconds, values[1]: the median trip. ROUND_TRIP: back to back; PAUSED: 1 ms of sleep
 * before each, not counted. Warms up first. */
int trips_measure(const struct plan *plan, trip_fn *trip, void *context, double *values);

#endif
