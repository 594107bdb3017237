/* stats.c - the figures of a loop. They are counted always: once for each task, turn and wake-up for timers. */
#include "async/loop.h"
#include "base/clock.h"
#include "base/sized.h"

static int64_t mean(int64_t sum, uint64_t count)
{
    return count == 0 ? 0 : sum / (int64_t)count;
}

int pe_loop_stats(const pe_loop *loop, pe_loop_figures *figures)
{
    int result = pe__loop_check(loop);

    if (result == 0 && figures == NULL)
        result = PE_EINVAL;
    if (result < 0)
        return result;
    const struct pe__figures *counted = &loop->figures;
    const pe_loop_figures full = {
        .size = sizeof full,
        .live = loop->live,
        .spawned = counted->spawned,
        .ended = counted->spawned - loop->live,
        .steps = counted->steps,
        .turns = counted->turns,
        .turn_longest_ns = pe__base_ticks_to_ns(counted->turn_longest_ticks),
        .turn_mean_ns = mean(pe__base_ticks_to_ns(counted->turn_ticks), counted->turns),
        .timers = counted->timers,
        .lag_longest_ns = counted->lag_longest_ns,
        .lag_mean_ns = mean(counted->lag_ns, counted->timers),
    };
    return PE__BASE_FILL_SIZED(pe_loop_figures, figures, &full);
}
