/* Python's pools and Go's goroutines as rivals, each a program beside us (table/program.h). */

#include "pool/rivals.h"
#include "table/program.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct rival {
    struct plan plan;
    struct program program;
};

static const char *activity_name(enum activity activity)
{
    switch (activity) {
    case ROUND_TRIP:
        return "round-trip";
    case PAUSED:
        return "paused";
    case MANY:
        return "many";
    case NOOP_MAP:
        return "noop-map";
    case INPUTS:
        return "inputs";
    case RESULTS:
        return "results";
    case GRAIN:
        return "grain";
    case SPEED_UP:
        return "speed-up";
    case REGIONS:
        return "calls";
    case START:
        return "start";
    case KILL:
        return "kill";
    default:
        return "unknown";
    }
}

/* A call of a Python function alone takes some 200 ns. */
#define PYTHON_ITEM_NS 500

static int open_program(const struct plan *plan, const char *const argv[], void **ret_state)
{
    struct rival *rival = malloc(sizeof(*rival));
    rival->plan = *plan;
    if (program_open(&rival->program, argv, plan->note) < 0) {
        free(rival);
        return -1;
    }
    *ret_state = rival;
    return 0;
}

static int open_python(const struct plan *plan, void **ret_state)
{
    char path[4096], file[64], workers[16];
    const char *argv[] = { program_python(), path, workers, activity_name(plan->activity), NULL };
    if (plan->activity == SPEED_UP && plan->job_ns < PYTHON_ITEM_NS) {
        snprintf(plan->note, NOTE_BYTES, "an item is shorter than a call in Python");
        return -1;
    }
    snprintf(file, sizeof(file), "%s.py", (const char *)plan->ops);
    program_rival_path(file, path, sizeof(path));
    snprintf(workers, sizeof(workers), "%u", (unsigned)plan->workers);
    return open_program(plan, argv, ret_state);
}

static int open_go(const struct plan *plan, void **ret_state)
{
#ifdef GO_JOBS
    char workers[16];
    const char *argv[] = { GO_JOBS, workers, NULL };
    snprintf(workers, sizeof(workers), "%u", (unsigned)plan->workers);
    return open_program(plan, argv, ret_state);
#else
    (void)ret_state;
    snprintf(plan->note, NOTE_BYTES, "built without Go");
    return -1;
#endif
}

static void close_program(void *state)
{
    struct rival *rival = state;
    program_close(&rival->program);
    free(rival);
}

/* Items of an activity: workers to start, inputs of a fixed number, else the plan's n. */
static uint64_t count_of(const struct plan *plan)
{
    if (plan->activity == START)
        return plan->workers;
    return plan->activity == INPUTS || plan->activity == RESULTS ? 64 : plan->n;
}

static void convert(const struct plan *plan, double ns, double second, double *values)
{
    double n = (double)count_of(plan);
    switch (plan->activity) {
    case ROUND_TRIP:
    case PAUSED:
        values[0] = ns / n / 1e3;
        values[1] = second / 1e3;
        break;
    case MANY:
        values[0] = n * 1e3 / ns;
        values[1] = second / n;
        break;
    case GRAIN:
    case SPEED_UP:
    case REGIONS: /* as they come */
        values[0] = ns;
        values[1] = second;
        break;
    case NOOP_MAP:
        values[0] = ns / 1e6;
        values[1] = ns * plan->workers / n;
        break;
    case KILL:
        values[0] = ns / 1e3;
        values[1] = second / 1e3;
        break;
    default:
        values[0] = ns / 1e6;
    }
}

static int run_program(void *state, double *values)
{
    struct rival *rival = state;
    const struct plan *plan = &rival->plan;
    char *end;
    if (program_ask(&rival->program, "%s %llu %zu %llu", activity_name(plan->activity),
                    (unsigned long long)count_of(plan), plan->bytes, (unsigned long long)plan->job_ns) < 0)
        return -1;
    double ns = strtod(rival->program.answer, &end);
    double second = *end == ' ' ? strtod(end, NULL) : NAN;
    convert(plan, ns, second, values);
    return 0;
}

const struct driver python_driver = { open_python, run_program, close_program };
const struct driver go_jobs_driver = { open_go, run_program, close_program };
