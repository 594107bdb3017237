/* items.h - a worker's part of a map. */
#ifndef PE__WORKER_ITEMS_H
#define PE__WORKER_ITEMS_H

#include "worker/worker.h"

enum pe__items_end {
    PE__ITEMS_NONE_LEFT,
    PE__ITEMS_LATER,     /* there may be some in a while: the ticket ends, and another one is to follow */
    PE__ITEMS_NEXT_LIFE, /* this life has served enough, the ticket stays held */
};

/* Serves a map's lane. */
enum pe__items_end pe__worker_serve_items(struct pe__worker *worker, const struct pe__record *record);

#endif
