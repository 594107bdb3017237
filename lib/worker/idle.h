/* idle.h - how a worker waits. */
#ifndef PE__WORKER_IDLE_H
#define PE__WORKER_IDLE_H

#include <stdbool.h>

#include "worker/worker.h"

/* Until there may be something to claim, the pool's end included. False: there was nothing for so
 * long that this worker is not needed, and has said so. */
bool pe__worker_idle(struct pe__worker *worker);

#endif
