/* slow.h - steps, posts and turns that hold the loop up; asked for by loop->slow_ns. */
#ifndef PE__ASYNC_SLOW_H
#define PE__ASYNC_SLOW_H

#include "async/loop.h"

/* As pe__task_run_ready, with a look at the clock after each step. */
void pe__slow_run_ready(pe_loop *loop);

/* Calls what was posted. */
void pe__slow_call_post(pe_loop *loop, pe_post_fn *fn, void *context);

#endif
