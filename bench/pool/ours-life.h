#ifndef PE__BENCH_POOL_OURS_LIFE_H
#define PE__BENCH_POOL_OURS_LIFE_H

/* A pool of ours that stands for a whole row and whose workers are watched or killed. */

#include "pool/crew.h"

struct life {
    struct plan plan;
    struct crew crew;
};

/* The pool of a row: no limit of deaths, all workers there. */
int life_open(const struct plan *plan, void **ret_state);
void life_close(void *state);

#endif
