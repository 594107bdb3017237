/* items.h - a worker's part of a map. */
#ifndef PE__WORKER_ITEMS_H
#define PE__WORKER_ITEMS_H

#include <stdbool.h>

#include "worker/worker.h"

/* Serves a map's lane until no item is left. False: this life has served enough, the ticket stays held. */
bool pe__worker_serve_items(struct pe__worker *worker, const struct pe__record *record);

#endif
