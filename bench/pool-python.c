/* Python's pools as rivals. Each is a Python program that stands beside us for the whole row, idle and
 * blocked in a read unless it is its turn, and measures itself: the start of the interpreter and the
 * pipe to us never count. PE_BENCH_PYTHON names another interpreter than python3, PE_BENCH_RIVALS
 * another directory of programs. */

#include "machine.h"
#include "pool-rivals.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct python {
    struct plan plan;
    pid_t pid;
    FILE *to, *from;
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

/* In the child. Its stderr goes nowhere: what matters comes back as a missing answer. */
static void become_python(const struct plan *plan, int in, int out)
{
    const char *python = getenv("PE_BENCH_PYTHON"), *directory = getenv("PE_BENCH_RIVALS");
    char program[4096], workers[16];
    int nowhere = open("/dev/null", O_WRONLY);
    snprintf(program, sizeof(program), "%s/%s.py", directory ? directory : BENCH_SOURCE_DIR "/rivals",
             (const char *)plan->ops);
    snprintf(workers, sizeof(workers), "%u", (unsigned)plan->workers);
    dup2(in, 0);
    dup2(out, 1);
    dup2(nowhere, 2);
    execlp(python ? python : "python3", "python3", program, workers, activity_name(plan->activity),
           (char *)NULL);
    _exit(127);
}

static int spawn(struct python *python)
{
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        return -1;
    python->pid = machine_fork();
    if (python->pid == 0)
        become_python(&python->plan, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    python->to = fdopen(in[1], "w");
    python->from = fdopen(out[0], "r");
    return 0;
}

static int next_line(struct python *python, char *line, int bytes)
{
    if (fgets(line, bytes, python->from))
        return 0;
    snprintf(python->plan.note, NOTE_BYTES, "no python3, or it failed");
    return -1;
}

static void python_close(void *state)
{
    struct python *python = state;
    fclose(python->to);
    fclose(python->from);
    waitpid(python->pid, NULL, 0);
    free(python);
}

static int python_open(const struct plan *plan, void **ret_state)
{
    struct python *python = calloc(1, sizeof(*python));
    char line[256];
    python->plan = *plan;
    if (spawn(python) < 0) {
        free(python);
        return -1;
    }
    if (next_line(python, line, sizeof(line)) < 0) {
        python_close(python);
        return -1;
    }
    *ret_state = python;
    return 0;
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
    char line[256], *end;
    fprintf(python->to, "%s %llu %zu\n", activity_name(plan->activity), (unsigned long long)count_of(plan),
            plan->bytes);
    fflush(python->to);
    if (next_line(python, line, sizeof(line)) < 0)
        return -1;
    double ns = strtod(line, &end);
    double second = *end == ' ' ? strtod(end, NULL) : NAN;
    convert(plan, ns, second, values);
    return 0;
}

const struct driver python_driver = { python_open, python_run, python_close };
