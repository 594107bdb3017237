/* The driver of rows whose figure is the time of one operation. A tenth as many go before, unmeasured, so that memory
 * is there and warm. */

#include "async/steps.h"
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

struct contest {
    struct plan plan;
    const struct steps *steps;
    void *state;
};

static uint64_t proof_of(enum activity activity, uint64_t n)
{
    switch (activity) {
    case AWAIT:
    case ROUND_TRIP:
    case MANY:
        return n * (n + 1) / 2;
    default:
        return n;
    }
}

int steps_check(const struct plan *plan, uint64_t n, uint64_t proof)
{
    uint64_t wanted = proof_of(plan->activity, n);
    if (proof == wanted)
        return 0;
    if (!plan->note[0])
        snprintf(plan->note, NOTE_BYTES, "wrong: %llu instead of %llu", (unsigned long long)proof,
                 (unsigned long long)wanted);
    return -1;
}

static int open_steps(const struct plan *plan, void **ret_state)
{
    struct contest *contest = malloc(sizeof(*contest));
    *contest = (struct contest){ .plan = *plan, .steps = plan->ops };
    if (contest->steps->open(plan, &contest->state) < 0) {
        free(contest);
        return -1;
    }
    *ret_state = contest;
    return 0;
}

static int run_steps(void *state, double *values)
{
    struct contest *contest = state;
    const struct plan *plan = &contest->plan;
    uint64_t n = plan->n, warm = n / 10 + 1;
    if (steps_check(plan, warm, contest->steps->run(contest->state, plan, warm)) < 0)
        return -1;
    int64_t start_ns = bench_now_ns();
    uint64_t proof = contest->steps->run(contest->state, plan, n);
    values[0] = (double)(bench_now_ns() - start_ns) / (double)n;
    return steps_check(plan, n, proof);
}

static void close_steps(void *state)
{
    struct contest *contest = state;
    contest->steps->close(contest->state);
    free(contest);
}

const struct driver steps_driver = { open_steps, run_steps, close_steps };
