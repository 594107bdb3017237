/* callback.h - the callbacks of jobs: registered, due, run. All with the mutex held, which a run releases meanwhile. */
#ifndef PE__POOL_CALLBACK_H
#define PE__POOL_CALLBACK_H

#include <parexec/pool.h>

#include "base/list.h"

struct pe__job_more;

/* A registered pe_done_fn. */
struct pe__callback {
    struct pe__base_list link; /* of the job while it is live, then of the pool's queue */
    pe_job *job;
    pe_done_fn *fn;
    void *context;
};

/* Around a call of a function of the user, one at a time; the mutex is released in between. */
void pe__pool_enter_callback(pe_pool *pool);
void pe__pool_leave_callback(pe_pool *pool);

void pe__job_add_callback(pe_job *job, struct pe__callback *callback); /* it has its second part */
void pe__job_release_callbacks(pe_pool *pool, struct pe__job_more *more); /* they are due */
void pe__job_forget_callbacks(struct pe__job_more *more); /* of a job that was never begun */
void pe__job_run_callbacks(pe_pool *pool);
void pe__job_drop_callbacks(pe_pool *pool); /* the pool ends: those left are not called */

#endif
