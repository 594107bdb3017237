/*
 * copy.h - a process that a function of the user's has forked in a worker, a copy of it in the middle of its work.
 *
 * Such a child is meant to exec or exit. Where it returns instead, say because exec has failed, it would take further
 * items, tell of their ends, and be counted by nobody. So whoever calls a function of the user's asks here when it has
 * returned, before anything else.
 */
#ifndef PE__WORKER_COPY_H
#define PE__WORKER_COPY_H

#include <stdnoreturn.h>

#include "base/forked.h"
#include "worker/worker.h"

/* From now on this process is the worker, and no copy. */
void pe__worker_copy_watch(struct pe__worker *worker);

/* Writes out what stands in stdout and stderr, and ends this process. */
noreturn void pe__worker_copy_leave(int code);

/* A copy ends with what the function gave back as its exit status. */
static inline void pe__worker_copy_end(const struct pe__worker *worker, int code)
{
    if (__builtin_expect(pe__base_forked(worker->token), 0))
        pe__worker_copy_leave(code);
}

#endif
