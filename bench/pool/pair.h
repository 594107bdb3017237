#ifndef PE__BENCH_POOL_PAIR_H
#define PE__BENCH_POOL_PAIR_H

/* Limits of a round trip: two bare processes that pass 8 bytes to and fro, with nothing else in between. */

#include "table/row.h"

enum pair_variant {
    PAIR_SPIN,       /* shared memory, both spin, two CPUs */
    PAIR_YIELD,      /* shared memory, both yield, one CPU */
    PAIR_PIPE_CROSS, /* blocking pipes, two CPUs */
    PAIR_PIPE_SAME,  /* blocking pipes, one CPU */
    PAIR_PIPE_FREE   /* blocking pipes, the kernel chooses */
};

extern const struct driver pair_driver;

#endif
