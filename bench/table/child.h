#ifndef PE__BENCH_TABLE_CHILD_H
#define PE__BENCH_TABLE_CHILD_H

/* Contenders whose turns each need a process of their own, because how they are set up holds for a whole process, or
 * because its memory is the figure. A turn forks a child that measures, leaves its figures in shared memory and is
 * gone. */

#include "table/row.h"

/* In the child. Fills the values; 0, or -1 with plan->note filled. */
typedef int child_fn(const struct plan *plan, double *values);

/* plan->ops is a pointer to a child_fn *. */
extern const struct driver child_driver;

/* The same for drivers that choose the function themselves. */
int child_open(const struct plan *plan, void **ret_state);
int child_run(void *state, child_fn *fn, double *values);
void child_close(void *state);

#endif
