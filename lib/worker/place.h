/* place.h - on which CPU a worker is, and that it does not share it for long. */
#ifndef PE__WORKER_PLACE_H
#define PE__WORKER_PLACE_H

#include "worker/worker.h"

/* Between two looks: about 100 us. */
#define PE__PLACE_TICKS (UINT64_C(1) << 18)

/* For pe__worker_place_watch: leaves a note, and goes elsewhere if another worker waits for this CPU. */
void pe__worker_place_look(struct pe__worker *worker, uint64_t now);

/* It is about to sleep: leaves a note of where. */
void pe__worker_place_rest(struct pe__worker *worker);

/* While it works: looks now and then, for the first time when it begins after a sleep. */
static inline void pe__worker_place_watch(struct pe__worker *worker, uint64_t now)
{
    if (__builtin_expect(now >= worker->place_due, 0))
        pe__worker_place_look(worker, now);
}

#endif
