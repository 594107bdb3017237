#ifndef PE__BENCH_POOL_CONTENDERS_H
#define PE__BENCH_POOL_CONTENDERS_H

/* Limits, rivals and ours as they stand in the rows of pools. */

#include "pool/fork.h"
#include "pool/ours.h"
#include "pool/pair.h"
#include "pool/rivals.h"

#define THREAD_POOLS "thread pools"

#define PAIR(name, which) { .label = name, .role = LIMIT, .driver = &pair_driver, .variant = which }
#define SERIAL { .label = "serial loop", .role = LIMIT, .driver = &maps_driver, .ops = &serial_maps }
#define JOBS(name, who, set) { .label = name, .role = who, .driver = &jobs_driver, .ops = &set }
#define THREADS(name, set) \
    { .label = name, .role = RIVAL, .driver = &jobs_driver, .ops = &set, .group = THREAD_POOLS }
#define OPENMP(name, which) \
    { .label = name, .role = RIVAL, .driver = &maps_driver, .ops = &openmp_maps, .group = "OpenMP", \
      .variant = which }
#define TBB_MAP { .label = "oneTBB parallel_for", .role = RIVAL, .driver = &maps_driver, .ops = &tbb_maps }
#define MP_POOL(fewer) \
    { .label = "mp.Pool", .role = RIVAL, .driver = &python_driver, .ops = "mp_pool", .divisor = fewer }
#define EXECUTOR(fewer) \
    { .label = "ProcessPoolExecutor", .role = RIVAL, .driver = &python_driver, .ops = "executor", \
      .divisor = fewer }
#define OURS_MAP(name, which) \
    { .label = name, .role = OURS, .driver = &maps_driver, .ops = &ours_maps, .variant = which }
#define OURS_HEIRS(name, which) \
    { .label = name, .role = OURS, .driver = &maps_driver, .ops = &ours_heirs, .variant = which }
#define SOLO(name, who, which) { .label = name, .role = who, .driver = &which }

#endif
