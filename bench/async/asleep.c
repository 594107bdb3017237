/* Tasks that sleep, in a process that has done nothing else, from the first one's start to the last one's end. The
 * peak is that of the whole process. */

#include "async/steps.h"
#include "harness.h"
#include "machine.h"
#include "table/child.h"

#include <unistd.h>

static int measure_asleep(const struct plan *plan, double *values)
{
    const struct steps *steps = plan->ops;
    void *state;
    if (steps->open(plan, &state) < 0)
        return -1;
    int64_t start_ns = bench_now_ns();
    uint64_t proof = steps->run(state, plan, plan->n);
    values[0] = (double)(bench_now_ns() - start_ns - (int64_t)plan->job_ns) / 1e6;
    values[1] = (double)machine_peak_kib(getpid()) / 1024;
    steps->close(state);
    return steps_check(plan, plan->n, proof);
}

static int run_asleep(void *state, double *values)
{
    return child_run(state, measure_asleep, values);
}

const struct driver asleep_driver = { child_open, run_asleep, child_close };
