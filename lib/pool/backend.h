/* backend.h - where the jobs of a pool go: to processes, or to the caller itself. */
#ifndef PE__POOL_BACKEND_H
#define PE__POOL_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <parexec/pool.h>

/* What a submission asks for. */
struct pe__request {
    pe_job_fn *fn;
    const void *arg;
    size_t arg_bytes;
    uint32_t retries;
    uint32_t level;                          /* PE_PRIORITY_* */
    uint32_t addressee;                      /* number + 1 of the worker that it is for; 0: any */
    uint8_t limits;                          /* PE__LIMIT_* */
    int64_t run_timeout_ns, run_deadline_ns; /* of the job itself, 0: none */
    bool may_wait;                           /* for room, else PE_EAGAIN */
    int64_t deadline_ns;                     /* of that wait */
};

struct pe__backend {
    /* Accepts `job` (whose first line is set); called and returns with the mutex held. */
    int (*submit)(pe_pool *pool, pe_job *job, const struct pe__request *request);
    /* Starts the map of `job`. */
    int (*start_map)(pe_pool *pool, pe_job *job, bool may_wait);
};

extern const struct pe__backend pe__process_backend; /* map.c */
extern const struct pe__backend pe__inline_backend;  /* inline.c */

#endif
