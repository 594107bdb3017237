/* account.h - what a slot (slot.h) says of a worker's time, cut to what is possible. */
#ifndef PE__SHARED_ACCOUNT_H
#define PE__SHARED_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/slot.h"

/* In ticks. */
struct pe__account {
    uint64_t run, idle; /* of all lives */
    uint64_t state;     /* for how long it has been idle, or has run the record in hand; 0 without a life */
    bool runs;          /* a record */
};

/*
 * `holds`: the worker has a record in hand, which says that it began at `start`. `age`: ticks for which the pool has
 * been there; no time that comes out is longer. Each word of the slot is read once.
 */
void pe__account_read(const struct pe__slot *slot, bool holds, uint64_t start, uint64_t age, uint64_t now,
                      struct pe__account *ret);

#endif
