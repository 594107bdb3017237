#ifndef PE__BENCH_ASYNC_CONTENDERS_H
#define PE__BENCH_ASYNC_CONTENDERS_H

/* Limits, rivals and ours as they stand in the rows of tasks. */

#include "async/echo.h"
#include "async/rivals.h"
#include "async/steps.h"

#define STEPS(name, who, which) { .label = name, .role = who, .driver = &steps_driver, .ops = &which }
#define FEWER(name, who, which, fewer) \
    { .label = name, .role = who, .driver = &steps_driver, .ops = &which, .divisor = fewer }
#define MEMORY_OF(name, who, which) { .label = name, .role = who, .driver = &memory_driver, .ops = &which }
#define SLEEPERS(name, who, which) { .label = name, .role = who, .driver = &asleep_driver, .ops = &which }
#define SERVER(name, who, which) \
    { .label = name, .role = who, .driver = &echo_driver, .ops = &(echo_fn *const){ which } }
#define TRIPS(name, who, which) { .label = name, .role = who, .driver = &trips_driver, .ops = &which }
#define GO(fewer) { .label = "Go", .role = RIVAL, .driver = &go_driver, .divisor = fewer }
#define ASYNCIO(name, kind, fewer) \
    { .label = name, .role = RIVAL, .driver = &asyncio_driver, .ops = kind, .divisor = fewer }

#endif
