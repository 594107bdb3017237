/* Ping-pong between two processes. The partner sleeps in a read between measurements, so that it takes no
 * CPU from the other contenders: over shared memory it serves one leg after another until the host says stop,
 * and every leg starts with a byte through the pipe. Each direction has a cache line of its own and a trip is
 * one store in each: number and data travel in one word, since with two stores the waiting side takes the
 * line away in between and the trip costs twice as much. */

#include "pool/pair.h"
#include "machine.h"
#include "pool/trips.h"
#include "pool/work.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* A trip's word: data in the high half, the trip's number in the low half. */
#define NUMBER_MASK UINT64_C(0xffffffff)
#define STOP        NUMBER_MASK

struct side {
    _Alignas(64) _Atomic uint64_t word;
};

struct board {
    struct side ping, pong;
};

struct pair {
    struct plan plan;
    struct board *board;
    pid_t partner;
    int to_partner[2], to_host[2];
    int host_cpu;          /* -1: not pinned */
    uint64_t number, pong; /* of the last trip */
};

static void relax(int variant)
{
    if (variant == PAIR_YIELD)
        sched_yield();
#if defined(__x86_64__) || defined(__i386__)
    else
        __builtin_ia32_pause();
#endif
}

static uint64_t wait_change(const struct side *side, uint64_t seen, int variant)
{
    uint64_t word;
    while ((word = atomic_load_explicit(&side->word, memory_order_acquire)) == seen)
        relax(variant);
    return word;
}

/* One leg, until the host's word says STOP. */
static void serve_leg(struct pair *pair, uint64_t seen)
{
    uint64_t number;
    do {
        uint64_t word = wait_change(&pair->board->ping, seen, pair->plan.variant);
        number = word & NUMBER_MASK;
        uint64_t result = work_job(word & ~NUMBER_MASK) << 32;
        atomic_store_explicit(&pair->board->pong.word, result | number, memory_order_release);
        seen = word;
    } while (number != STOP);
}

static void serve_memory(struct pair *pair)
{
    char go;
    while (read(pair->to_partner[0], &go, 1) == 1) {
        serve_leg(pair, 0);
        atomic_store(&pair->board->ping.word, 0);
        atomic_store(&pair->board->pong.word, 0);
    }
}

static void serve_pipe(struct pair *pair)
{
    uint64_t word;
    while (read(pair->to_partner[0], &word, sizeof(word)) == sizeof(word)) {
        word = work_job(word);
        if (write(pair->to_host[1], &word, sizeof(word)) != sizeof(word))
            break;
    }
}

static int over_memory(const struct pair *pair)
{
    return pair->plan.variant == PAIR_SPIN || pair->plan.variant == PAIR_YIELD;
}

static void serve(struct pair *pair, int cpu)
{
    close(pair->to_partner[1]);
    close(pair->to_host[0]);
    if (cpu >= 0)
        machine_pin(cpu);
    if (over_memory(pair))
        serve_memory(pair);
    else
        serve_pipe(pair);
    _exit(0);
}

static int trip_memory(void *context, uint64_t arg, uint64_t *ret_result)
{
    struct pair *pair = context;
    uint64_t seen = pair->pong;
    atomic_store_explicit(&pair->board->ping.word, arg | ++pair->number, memory_order_release);
    pair->pong = wait_change(&pair->board->pong, seen, pair->plan.variant);
    *ret_result = pair->pong >> 32;
    return 0;
}

/* The partner wipes the board when the leg has ended. */
static void end_leg(struct pair *pair)
{
    atomic_store(&pair->board->ping.word, STOP);
    while (atomic_load(&pair->board->pong.word) != 0)
        sched_yield();
    pair->pong = pair->number = 0;
}

static int trip_pipe(void *context, uint64_t arg, uint64_t *ret_result)
{
    struct pair *pair = context;
    if (write(pair->to_partner[1], &arg, sizeof(arg)) != sizeof(arg))
        return -1;
    return read(pair->to_host[0], ret_result, sizeof(*ret_result)) == sizeof(*ret_result) ? 0 : -1;
}

/* Chooses the CPUs; -1 when the variant needs two and there is one. */
static int choose_cpus(struct pair *pair, int *ret_partner_cpu)
{
    int cpus[MACHINE_CPUS_MAX];
    int count = machine_cpus(cpus, MACHINE_CPUS_MAX);
    int cross = pair->plan.variant == PAIR_SPIN || pair->plan.variant == PAIR_PIPE_CROSS;
    if (count < 1 + cross) {
        snprintf(pair->plan.note, NOTE_BYTES, "needs two CPUs");
        return -1;
    }
    pair->host_cpu = pair->plan.variant == PAIR_PIPE_FREE ? -1 : cpus[0];
    *ret_partner_cpu = pair->host_cpu < 0 ? -1 : cpus[cross];
    return 0;
}

static int pair_open(const struct plan *plan, void **ret_state)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    int partner_cpu;
    pair->plan = *plan;
    if (choose_cpus(pair, &partner_cpu) < 0 || pipe(pair->to_partner) < 0 || pipe(pair->to_host) < 0) {
        free(pair);
        return -1;
    }
    pair->board = machine_shared(sizeof(*pair->board));
    pair->partner = machine_fork();
    if (pair->partner == 0)
        serve(pair, partner_cpu);
    close(pair->to_partner[0]);
    close(pair->to_host[1]);
    *ret_state = pair;
    return 0;
}

static int pair_run(void *state, double *values)
{
    struct pair *pair = state;
    if (pair->host_cpu >= 0)
        machine_pin(pair->host_cpu);
    if (over_memory(pair) && write(pair->to_partner[1], "g", 1) != 1)
        return -1;
    int r = trips_measure(&pair->plan, over_memory(pair) ? trip_memory : trip_pipe, pair, values);
    if (over_memory(pair))
        end_leg(pair);
    if (pair->host_cpu >= 0)
        machine_unpin();
    return r;
}

static void pair_close(void *state)
{
    struct pair *pair = state;
    close(pair->to_partner[1]);
    close(pair->to_host[0]);
    kill(pair->partner, SIGKILL);
    waitpid(pair->partner, NULL, 0);
    machine_unshare(pair->board, sizeof(*pair->board));
    free(pair);
}

const struct driver pair_driver = { pair_open, pair_run, pair_close };
