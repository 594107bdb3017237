/*
 * scope.h - what pe_worker_* tell the function that is running: who runs it, which item, and where its
 * message goes.
 *
 * In a worker process there is one scope for all its threads. A pool made with PE_POOL_INLINE enters a scope
 * for the calling thread only.
 */
#ifndef PE__WORKER_SCOPE_H
#define PE__WORKER_SCOPE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <parexec/job.h>

struct pe__worker_scope {
    int32_t index;
    uint32_t depth;                       /* pools around the running function */
    const _Atomic uint64_t *asked;        /* who is to stop: everything up to that; NULL: cannot be asked to */
    uint64_t self;                        /* what is compared with it (shared/limit.h) */
    const _Atomic uint64_t *running;      /* item + 1, NULL outside a map */
    size_t text_bytes;
    char text[PE_TEXT_BYTES_MAX];
};

/* Makes `scope` that of the whole process. */
void pe__worker_scope_set_process(struct pe__worker_scope *scope);

/* Makes `scope` that of the calling thread; returns the one before, to be set again. */
struct pe__worker_scope *pe__worker_scope_swap(struct pe__worker_scope *scope);

/* The caller's scope, NULL outside any worker. */
struct pe__worker_scope *pe__worker_scope_current(void);

#endif
