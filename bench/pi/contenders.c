/* Drivers. All of them check what they count. */

#include "pi/contenders.h"

#include "harness.h"
#include "pi/report.h"
#include "machine.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RIVAL_SIGMAS_MAX 6.0
#define RIVAL_CHECKED_FROM 100000 /* points; fewer say nothing */

static uint64_t seed;

void pi_contenders_seed(uint64_t wanted)
{
    seed = wanted;
}

int pi_contender_impossible(const struct contender *contender)
{
    const pi_runner *runner = contender->ops;

    return contender->role == OURS && !pi_kernel_usable(runner->kernel);
}

static int refuse(const struct plan *plan, const char *why)
{
    snprintf(plan->note, NOTE_BYTES, "%s", why);
    return -1;
}

/* The state of every contender is a copy of its plan. */
static int open_any(const struct plan *plan, void **ret_state)
{
    struct plan *copy = malloc(sizeof(*copy));

    if (copy == NULL)
        return refuse(plan, "no memory");
    *copy = *plan;
    *ret_state = copy;
    return 0;
}

static int open_ours(const struct plan *plan, void **ret_state)
{
    const pi_runner *runner = plan->ops;

    if (!pi_kernel_usable(runner->kernel))
        return refuse(plan, "not on this processor");
    return open_any(plan, ret_state);
}

static pi_plan plan_of(const struct plan *plan)
{
    const pi_runner *runner = plan->ops;

    return (pi_plan){ .samples = plan->n, .seed = seed, .mode = runner->mode,
                      .workers = runner->mode == PI_MODE_POOL ? plan->workers : 1,
                      .kernel = pi_kernel_choose(runner->kernel), .kernel_class = runner->kernel_class };
}

static int run_checked(const struct plan *plan, pi_result *ret_result)
{
    pi_plan wanted = plan_of(plan);
    int error = pi_run(&wanted, ret_result);

    if (error < 0) {
        pi_report_failure("a run of ours failed", error);
        return refuse(plan, "failed");
    }
    return pi_report_check(&wanted, ret_result) ? refuse(plan, "wrong count") : 0;
}

static int run_ours(void *state, double *values)
{
    pi_result result;

    if (run_checked(state, &result) < 0)
        return -1;
    values[0] = (double)result.samples / result.wall * 1e-6;
    return 0;
}

static int run_first(void *state, double *values)
{
    pi_result result;

    if (run_checked(state, &result) < 0)
        return -1;
    values[0] = result.first_sample * 1e3;
    return 0;
}

typedef double run_fn(const pi_plan *plan, uint32_t workers, uint64_t *ret_hits);

static int run_others(const struct plan *plan, run_fn *run, const char *failure, double *values)
{
    pi_plan wanted = plan_of(plan);
    uint64_t hits = 0;
    double wall = run(&wanted, plan->workers, &hits);

    if (wall < 0)
        return refuse(plan, failure);
    if (fabs(pi_z_score(hits, plan->n)) > RIVAL_SIGMAS_MAX)
        return refuse(plan, "wrong count");
    values[0] = (double)plan->n / wall * 1e-6;
    return 0;
}

static int run_bare(void *state, double *values)
{
    return run_others(state, pi_run_bare, "bare processes failed", values);
}

static int run_openmp(void *state, double *values)
{
    return run_others(state, pi_run_openmp, "built without OpenMP", values);
}

/* Until the first of the children computes. */
static int run_first_bare(void *state, double *values)
{
    const struct plan *plan = state;
    _Atomic int64_t *first = machine_shared(sizeof(*first));
    int64_t start = bench_now_ns(), none = 0;
    int failed = 0;

    for (uint32_t i = 0; i < plan->workers; i++) {
        pid_t pid = machine_fork();
        if (pid == 0) {
            atomic_compare_exchange_strong(first, &none, bench_now_ns());
            _exit(0);
        }
        failed |= pid < 0;
    }
    while (wait(NULL) > 0)
        continue;
    values[0] = (double)(*first - start) * 1e-6;
    machine_unshare((void *)first, sizeof(*first));
    return failed ? refuse(plan, "fork failed") : 0;
}

static int run_rival(void *state, double *values)
{
    const struct plan *plan = state;
    const pi_rival *rival = plan->ops;
    uint64_t hits = 0;
    double rate = rival->run(plan->n, &hits);

    if (rate < 0)
        return refuse(plan, plan->variant ? "no python3 with numpy here" : "not on this processor");
    /* It may have rounded the points down to whole vectors, less than a sigma. */
    if (plan->n >= RIVAL_CHECKED_FROM && !(fabs(pi_z_score(hits, plan->n)) <= RIVAL_SIGMAS_MAX))
        return refuse(plan, "wrong count");
    values[0] = rate * 1e-6;
    return 0;
}

const struct driver pi_run_driver = { open_ours, run_ours, free };
const struct driver pi_rival_driver = { open_any, run_rival, free };
const struct driver pi_bare_driver = { open_ours, run_bare, free };
const struct driver pi_openmp_driver = { open_ours, run_openmp, free };
const struct driver pi_first_driver = { open_ours, run_first, free };
const struct driver pi_first_bare_driver = { open_any, run_first_bare, free };
