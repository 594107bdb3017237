#ifndef PE__BENCH_REGIONS_CONTENDERS_H
#define PE__BENCH_REGIONS_CONTENDERS_H

/* Limits, rivals and ours as they stand in the rows of regions. */

#include "regions/loop.h"

#define LOOP(name, who, function, how) \
    { .label = name, .role = who, .driver = &loop_driver, .ops = &(const struct loop){ function, how, 0 } }
#define COUNTER(name, function) \
    { .label = name, .role = LIMIT, .driver = &loop_driver, .ops = &(const struct loop){ function, NO_REGIONS, 1 } }
#define CREW(name, who, function, how, threads) \
    { .label = name, .role = who, .driver = &loop_driver, .ops = &(const struct loop){ function, how, 0 }, \
      .workers = threads }
#define ADDED(name, who, function, how, counter) \
    { .label = name, .role = who, .driver = &added_driver, .ops = &(const struct loop){ function, how, counter } }
#define CHILD(name, who, function, which) \
    { .label = name, .role = who, .driver = &child_driver, .ops = &(child_fn *const){ function }, .variant = which }
#define TOOL(name, who, how) \
    { .label = name, .role = who, .driver = &functions_driver, .variant = how }

#endif
