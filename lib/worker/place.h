/* place.h - on which CPU a worker is, and that it does not share it for long. */
#ifndef PE__WORKER_PLACE_H
#define PE__WORKER_PLACE_H

#include "worker/worker.h"

/* Between two looks: about 100 us. */
#define PE__PLACE_TICKS (UINT64_C(1) << 18)

/* Another worker's work and its own may keep each other from running. */
void pe__worker_place_look(struct pe__worker *worker, uint64_t now);

/* It is about to sleep. */
void pe__worker_place_rest(struct pe__worker *worker);

/* It works, and has begun to after a sleep or before: looks now and then. */
static inline void pe__worker_place_watch(struct pe__worker *worker, uint64_t now)
{
    if (__builtin_expect(now >= worker->place_due, 0))
        pe__worker_place_look(worker, now);
}

#endif
