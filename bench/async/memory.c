/* What tasks take of memory, in a process that has done nothing else: its private pages with n tasks that wait, less
 * those with the loop and after one task, in whole bytes a task. What an allocator has in hand for the next ones counts
 * too. */

#include "async/steps.h"
#include "machine.h"
#include "table/child.h"

#include <math.h>
#include <unistd.h>

static double with;

static double resident_bytes(void)
{
    return (double)machine_private_kib(getpid()) * 1024;
}

void memory_look(void)
{
    with = resident_bytes();
}

static int measure_memory(const struct plan *plan, double *values)
{
    const struct steps *steps = plan->ops;
    void *state;
    if (steps->open(plan, &state) < 0)
        return -1;
    (void)steps->run(state, plan, 1);
    double before = resident_bytes();
    uint64_t proof = steps->run(state, plan, plan->n);
    steps->close(state);
    values[0] = round((with - before) / (double)plan->n);
    return steps_check(plan, plan->n, proof);
}

static int run_memory(void *state, double *values)
{
    return child_run(state, measure_memory, values);
}

const struct driver memory_driver = { child_open, run_memory, child_close };
