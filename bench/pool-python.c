/* Python's pools as rivals, each a program beside us (table-program.h). */

#include "pool-rivals.h"
#include "table-program.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct python {
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
    case START:
        return "start";
    case KILL:
        return "kill";
    default:
        return "unknown";
    }
}

static int python_open(const struct plan *plan, void **ret_state)
{
    char path[4096], file[64], workers[16];
    const char *argv[] = { program_python(), path, workers, activity_name(plan->activity), NULL };
    struct python *python = malloc(sizeof(*python));
    python->plan = *plan;
    snprintf(file, sizeof(file), "%s.py", (const char *)plan->ops);
    program_rival_path(file, path, sizeof(path));
    snprintf(workers, sizeof(workers), "%u", (unsigned)plan->workers);
    if (program_open(&python->program, argv, plan->note) < 0) {
        free(python);
        return -1;
    }
    *ret_state = python;
    return 0;
}

static void python_close(void *state)
{
    struct python *python = state;
    program_close(&python->program);
    free(python);
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

static int python_run(void *state, double *values)
{
    struct python *python = state;
    const struct plan *plan = &python->plan;
    char *end;
    if (program_ask(&python->program, "%s %llu %zu", activity_name(plan->activity),
                    (unsigned long long)count_of(plan), plan->bytes) < 0)
        return -1;
    double ns = strtod(python->program.answer, &end);
    double second = *end == ' ' ? strtod(end, NULL) : NAN;
    convert(plan, ns, second, values);
    return 0;
}

const struct driver python_driver = { python_open, python_run, python_close };
