/* What tasks take of memory, in a process that has done nothing else: its private pages and what malloc has given out,
 * with n tasks that wait, less what there was with the loop and after one task, in whole bytes a task. The first has
 * what malloc has not given out yet of a page, the second what was given out and not written yet. */

#include "async-steps.h"
#include "machine.h"
#include "table-child.h"

#include <malloc.h>
#include <math.h>
#include <unistd.h>

struct memory {
    double resident, allocated; /* bytes */
};

static struct memory before, with;

static struct memory memory_now(void)
{
    struct mallinfo2 info = mallinfo2();
    return (struct memory){ .resident = (double)machine_private_kib(getpid()) * 1024,
                            .allocated = (double)info.uordblks + (double)info.hblkhd };
}

void memory_look(void)
{
    with = memory_now();
}

static int measure_memory(const struct plan *plan, double *values)
{
    const struct steps *steps = plan->ops;
    void *state;
    if (steps->open(plan, &state) < 0)
        return -1;
    (void)steps->run(state, plan, 1);
    before = memory_now();
    uint64_t proof = steps->run(state, plan, plan->n);
    steps->close(state);
    values[0] = round((with.resident - before.resident) / (double)plan->n);
    values[1] = round((with.allocated - before.allocated) / (double)plan->n);
    return steps_check(plan, plan->n, proof);
}

static int run_memory(void *state, double *values)
{
    return child_run(state, measure_memory, values);
}

const struct driver memory_driver = { child_open, run_memory, child_close };
