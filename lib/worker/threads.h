/* threads.h - how many threads the libraries that a worker's jobs use may start. */
#ifndef PE__WORKER_THREADS_H
#define PE__WORKER_THREADS_H

#include <stdint.h>

/* Tells them all, in a worker that has not run anything of the user's yet. */
void pe__worker_limit_threads(uint32_t threads);

#endif
