/* Rivals in other languages: see the header. Where memory is the figure they are started anew for each turn. */

#include "async/rivals.h"
#include "async/echo.h"
#include "machine.h"
#include "table/program.h"

#include <math.h>
#include <stdlib.h>

typedef int start_fn(const struct plan *plan, struct program *program);

struct rival {
    struct plan plan;
    start_fn *start;
    struct program program;
    struct echo_client *client; /* of a server, else NULL */
};

static const char *activity_name(enum activity activity)
{
    switch (activity) {
    case SPAWN:
        return "spawn";
    case AWAIT:
        return "await";
    case YIELD:
        return "yield";
    case LIVE:
        return "live";
    case ASLEEP:
        return "asleep";
    case ECHO:
        return "echo";
    case ROUND_TRIP:
        return "trips";
    case MANY:
        return "flights";
    default:
        return "unknown";
    }
}

static int is_fresh_each_turn(const struct plan *plan)
{
    return plan->activity == LIVE || plan->activity == ASLEEP;
}

static int ask(struct rival *rival)
{
    const struct plan *plan = &rival->plan;
    return program_ask(&rival->program, "%s %llu %u %llu", activity_name(plan->activity), (unsigned long long)plan->n,
                       (unsigned)plan->workers, (unsigned long long)plan->job_ns);
}

static int start_server(struct rival *rival)
{
    int cpu = echo_server_cpu();
    if (cpu >= 0)
        machine_pin(cpu);
    int r = rival->start(&rival->plan, &rival->program);
    if (cpu >= 0)
        machine_unpin();
    if (r < 0)
        return -1;
    if (ask(rival) < 0) {
        program_close(&rival->program);
        return -1;
    }
    rival->client = echo_client_new(&rival->plan, (uint16_t)strtoul(rival->program.answer, NULL, 10));
    return 0;
}

static int open_rival(const struct plan *plan, start_fn *start, void **ret_state)
{
    struct rival *rival = calloc(1, sizeof(*rival));
    rival->plan = *plan;
    rival->start = start;
    int r = plan->activity == ECHO ? start_server(rival) : start(plan, &rival->program);
    if (r < 0) {
        free(rival);
        return -1;
    }
    if (is_fresh_each_turn(plan))
        program_close(&rival->program);
    *ret_state = rival;
    return 0;
}

static int ask_for_values(struct rival *rival, double *values)
{
    if (ask(rival) < 0)
        return -1;
    char *text = rival->program.answer, *end;
    for (int i = 0; i < METRICS_MAX; i++, text = end) {
        double value = strtod(text, &end);
        values[i] = end == text ? NAN : value;
    }
    return 0;
}

static int run_rival(void *state, double *values)
{
    struct rival *rival = state;
    if (rival->client)
        return echo_client_run(rival->client, rival->program.pid, values);
    if (!is_fresh_each_turn(&rival->plan))
        return ask_for_values(rival, values);
    if (rival->start(&rival->plan, &rival->program) < 0)
        return -1;
    int r = ask_for_values(rival, values);
    program_close(&rival->program);
    return r;
}

static void close_rival(void *state)
{
    struct rival *rival = state;
    if (rival->client)
        echo_client_free(rival->client);
    if (!is_fresh_each_turn(&rival->plan))
        program_close(&rival->program);
    free(rival);
}

static int start_go(const struct plan *plan, struct program *program)
{
#ifdef GO_PROGRAM
    const char *argv[] = { GO_PROGRAM, NULL };
    return program_open(program, argv, plan->note);
#else
    (void)program;
    snprintf(plan->note, NOTE_BYTES, "built without Go");
    return -1;
#endif
}

static int open_go(const struct plan *plan, void **ret_state)
{
    return open_rival(plan, start_go, ret_state);
}

static int start_asyncio(const struct plan *plan, struct program *program)
{
    char path[4096];
    const char *argv[] = { program_python(), path, plan->ops, NULL };
    program_rival_path("tasks.py", path, sizeof(path));
    return program_open(program, argv, plan->note);
}

static int open_asyncio(const struct plan *plan, void **ret_state)
{
    return open_rival(plan, start_asyncio, ret_state);
}

const struct driver go_driver = { open_go, run_rival, close_rival };
const struct driver asyncio_driver = { open_asyncio, run_rival, close_rival };
