/* step.c - dies where a test wants it; built into the tests' library only. */
#include "base/step.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

struct pe__step_plan *pe__step_plan;

void pe__step_pass(enum pe__step step)
{
    struct pe__step_plan *plan = pe__step_plan;
    if (plan == NULL)
        return;
    atomic_fetch_add_explicit(&plan->seen[step], 1, memory_order_relaxed);
    if (atomic_load(&plan->armed) != (int32_t)step ||
        (atomic_fetch_add(&plan->passed, 1) + 1) % atomic_load(&plan->every) != 0)
        return;
    uint32_t budget = atomic_load(&plan->budget);
    while (budget > 0)
        if (atomic_compare_exchange_weak(&plan->budget, &budget, budget - 1)) {
            atomic_store(&plan->pids[atomic_fetch_add(&plan->deaths, 1) % 8], getpid());
            kill(getpid(), atomic_load(&plan->signal));
            return;
        }
}
