/* Loops in children: see the header. A child measures, leaves its figures in shared memory and is gone. */

#include "regions-loop.h"
#include "harness.h"
#include "machine.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec.h>

#define THREADS_MAX 64

int loop_set_up(enum setting setting, char *note)
{
    pe_region_options options = PE_REGION_OPTIONS_INIT;
    if (setting == NO_REGIONS)
        return 0;
    if (setting == QUICK || setting == QUICK_TIMELINE)
        options.clock = PE_CLOCK_QUICK;
    if (setting == SAMPLED)
        options.clock = PE_CLOCK_SAMPLED;
    if (setting == EXACT_TIMELINE || setting == QUICK_TIMELINE)
        options.flags = PE_REGION_TIMELINE;
    int error = pe_region_setup(&options);
    if (error == 0 && setting != SWITCHED_OFF)
        error = pe_region_enable(1);
    if (error < 0)
        snprintf(note, NOTE_BYTES, "%s", pe_strerror(error));
    return error < 0 ? -1 : 0;
}

double loop_measure(loop_fn *fn, uint64_t n)
{
    fn(n / 10 + 1);
    int64_t start_ns = bench_now_ns();
    fn(n);
    return (double)(bench_now_ns() - start_ns) / (double)n;
}

/* ---- children ---- */

struct child {
    struct plan plan;
    const struct loop *loop;
};

struct answer_of_child {
    double values[METRICS_MAX];
    char note[NOTE_BYTES];
    _Atomic int is_done;
};

static int open_child(const struct plan *plan, void **ret_state)
{
    struct child *child = calloc(1, sizeof(*child));
    if (!child)
        return -1;
    child->plan = *plan;
    child->loop = plan->ops;
    *ret_state = child;
    return 0;
}

static int open_loop(const struct plan *plan, void **ret_state)
{
    const struct loop *loop = plan->ops;
    if (loop->needs_counter && !loop_has_counter()) {
        snprintf(plan->note, NOTE_BYTES, "no time-stamp counter");
        return -1;
    }
    return open_child(plan, ret_state);
}

static void close_child(void *state)
{
    free(state);
}

/* 0, or -1 with the note filled. */
static int run_in_child(struct child *child, child_fn *fn, double *values)
{
    struct answer_of_child *answer = machine_shared(sizeof(*answer));
    char *note = child->plan.note;
    pid_t pid = machine_fork();
    int status = 0;
    if (pid == 0) {
        child->plan.note = answer->note;
        if (fn(&child->plan, answer->values) == 0)
            atomic_store(&answer->is_done, 1);
        _exit(0);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0)
        continue;
    int is_done = atomic_load(&answer->is_done);
    memcpy(values, answer->values, sizeof(answer->values));
    if (!is_done && answer->note[0])
        memcpy(note, answer->note, NOTE_BYTES);
    else if (!is_done && WIFSIGNALED(status))
        snprintf(note, NOTE_BYTES, "ended by signal %d", WTERMSIG(status));
    machine_unshare(answer, sizeof(*answer));
    return is_done ? 0 : -1;
}

static int run_child(void *state, double *values)
{
    struct child *child = state;
    child_fn *const *fn = child->plan.ops;
    return run_in_child(child, *fn, values);
}

const struct driver child_driver = { open_child, run_child, close_child };

/* ---- loops ---- */

struct hand {
    pthread_t thread;
    pthread_barrier_t *start;
    loop_fn *fn;
    uint64_t n;
    int64_t begin_ns, end_ns;
};

static void *run_in_thread(void *context)
{
    struct hand *hand = context;
    hand->fn(hand->n / 10 + 1);
    pthread_barrier_wait(hand->start);
    hand->begin_ns = bench_now_ns();
    hand->fn(hand->n);
    hand->end_ns = bench_now_ns();
    return NULL;
}

/* The time of one CPU for each turn: threads that share one take turns. */
static double measure_threads(loop_fn *fn, uint64_t n, uint32_t threads)
{
    struct hand hands[THREADS_MAX];
    pthread_barrier_t start;
    int all[MACHINE_CPUS_MAX], cpus = machine_cpus(all, MACHINE_CPUS_MAX);
    int64_t begin_ns = INT64_MAX, end_ns = 0;
    pthread_barrier_init(&start, NULL, threads);
    for (uint32_t i = 0; i < threads; i++) {
        hands[i] = (struct hand){ .start = &start, .fn = fn, .n = n };
        if (pthread_create(&hands[i].thread, NULL, run_in_thread, &hands[i]) != 0)
            abort();
    }
    for (uint32_t i = 0; i < threads; i++) {
        pthread_join(hands[i].thread, NULL);
        begin_ns = hands[i].begin_ns < begin_ns ? hands[i].begin_ns : begin_ns;
        end_ns = hands[i].end_ns > end_ns ? hands[i].end_ns : end_ns;
    }
    return (double)(end_ns - begin_ns) * fmin(cpus, threads) / (double)threads / (double)n;
}

static int measure_loop(const struct plan *plan, double *values)
{
    const struct loop *loop = plan->ops;
    if (loop_set_up(loop->setting, plan->note) < 0)
        return -1;
    values[0] = plan->workers > 1 ? measure_threads(loop->fn, plan->n, plan->workers)
                                  : loop_measure(loop->fn, plan->n);
    return 0;
}

static int run_loop(void *state, double *values)
{
    return run_in_child(state, measure_loop, values);
}

const struct driver loop_driver = { open_loop, run_loop, close_child };

static int measure_added(const struct plan *plan, double *values)
{
    const struct loop *loop = plan->ops;
    if (loop_set_up(loop->setting, plan->note) < 0)
        return -1;
    double before = loop_measure(loop_body, plan->n), with = loop_measure(loop->fn, plan->n);
    values[0] = with - (before + loop_measure(loop_body, plan->n)) / 2;
    return 0;
}

static int run_added(void *state, double *values)
{
    return run_in_child(state, measure_added, values);
}

const struct driver added_driver = { open_loop, run_added, close_child };

/* ---- figures from elsewhere ---- */

static int open_quoted(const struct plan *plan, void **ret_state)
{
    (void)ret_state;
    snprintf(plan->note, NOTE_BYTES, "%s, quoted", (const char *)plan->ops);
    return -1;
}

const struct driver quoted_driver = { open_quoted, NULL, NULL };
