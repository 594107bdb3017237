/*
 * offload.h - a loop's own threads, which call functions that block.
 *
 * One mutex guards what loop and threads share. A call lies in the loop's slab; it is in the queue, then in the hands
 * of one thread, then in the list of those that are done, from which the loop ends the wait. A thread wakes the loop
 * while it holds the mutex, and the loop joins all threads before its handles are closed, so nobody wakes a loop that
 * is gone. Whether calls are done the loop asks without the mutex, at the end of each pass: if it sees too early that
 * there are none, the wake-up, which is sent after the flag was set, makes it look again.
 */
#ifndef PE__ASYNC_OFFLOAD_H
#define PE__ASYNC_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "async/loop.h"

typedef int pe__offload_fn(void *arg);

/* The most threads of a loop; 0: the default. 0, or PE_ENOMEM. */
int pe__offload_set_most(pe_loop *loop, uint32_t most);

/* As pe_offload, on a thread. */
int pe__offload_wait(pe_task *t, pe__offload_fn *fn, void *arg);

/* Whether what this thread runs for a loop is asked to stop; false in other threads. */
bool pe__offload_is_cancelled(void);

#endif
