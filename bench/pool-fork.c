/* Limits made of bare fork. Children that wait do so in a read of a pipe whose other end the host holds,
 * and die with it. */

#include "pool-fork.h"
#include "harness.h"
#include "machine.h"
#include "pool-work.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN_MAX 64

struct brood {
    uint32_t workers, deaths;
    pid_t pids[CHILDREN_MAX];
    int ready[2], life[2];
};

static void child_life(const struct brood *brood)
{
    char byte;
    close(brood->life[1]);
    if (write(brood->ready[1], "r", 1) == 1 && read(brood->life[0], &byte, 1) < 0)
        _exit(1);
    _exit(0);
}

static int brood_start(struct brood *brood)
{
    char byte;
    if (pipe(brood->ready) < 0 || pipe(brood->life) < 0)
        return -1;
    for (uint32_t i = 0; i < brood->workers; i++) {
        brood->pids[i] = fork();
        if (brood->pids[i] == 0)
            child_life(brood);
    }
    for (uint32_t i = 0; i < brood->workers; i++)
        if (read(brood->ready[0], &byte, 1) != 1)
            return -1;
    return 0;
}

static void brood_end(struct brood *brood)
{
    close(brood->life[1]);
    close(brood->life[0]);
    close(brood->ready[0]);
    close(brood->ready[1]);
    for (uint32_t i = 0; i < brood->workers; i++)
        waitpid(brood->pids[i], NULL, 0);
}

static int brood_open(const struct plan *plan, void **ret_state)
{
    struct brood *brood = calloc(1, sizeof(*brood));
    brood->workers = plan->workers < CHILDREN_MAX ? plan->workers : CHILDREN_MAX;
    brood->deaths = plan->n < BENCH_ROUNDS_MAX ? (uint32_t)plan->n : BENCH_ROUNDS_MAX;
    *ret_state = brood;
    return 0;
}

static int start_run(void *state, double *values)
{
    int64_t start = bench_now_ns();
    if (brood_start(state) < 0)
        return -1;
    values[0] = (double)(bench_now_ns() - start) / 1e6;
    brood_end(state);
    return 0;
}

static int memory_run(void *state, double *values)
{
    struct brood *brood = state;
    if (brood_start(brood) < 0)
        return -1;
    values[0] = (double)machine_private_kib(brood->pids[0]);
    brood_end(brood);
    return values[0] < 0 ? -1 : 0;
}

/* Microseconds of the median death among those of a turn; the first ones find cold caches. */
static int death_run(void *state, double *values)
{
    const struct brood *brood = state;
    double times[BENCH_ROUNDS_MAX];
    for (uint32_t i = 0; i < brood->deaths; i++) {
        int64_t start = bench_now_ns();
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        if (pid < 0 || waitpid(pid, NULL, 0) != pid)
            return -1;
        times[i] = (double)(bench_now_ns() - start) / 1e3;
    }
    values[0] = values[1] = bench_stat_of(times, brood->deaths).median;
    return 0;
}

const struct driver fork_start = { brood_open, start_run, free };
const struct driver fork_memory = { brood_open, memory_run, free };
const struct driver fork_death = { brood_open, death_run, free };

struct board {
    size_t n;
    uint64_t words[]; /* arguments, in place of which the results come */
};

/* The second process of fork_halves; the host is the first. */
struct halves {
    struct board *board;
    size_t bytes;
    pid_t pid;
    int go[2], done[2];
};

static void run_half(uint64_t *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        words[i] = work_job(words[i]);
}

static void serve_half(const struct halves *halves)
{
    char byte;
    while (read(halves->go[0], &byte, 1) == 1) {
        run_half(halves->board->words, halves->board->n);
        if (write(halves->done[1], "d", 1) != 1)
            break;
    }
    _exit(0);
}

static int halves_open(const struct plan *plan, void **ret_state)
{
    struct halves *halves = calloc(1, sizeof(*halves));
    if (plan->workers != 2 || pipe(halves->go) < 0 || pipe(halves->done) < 0) {
        free(halves);
        snprintf(plan->note, NOTE_BYTES, "made for two workers");
        return -1;
    }
    halves->bytes = sizeof(*halves->board) + plan->n * sizeof(uint64_t);
    halves->board = machine_shared(halves->bytes);
    halves->pid = machine_fork();
    if (halves->pid == 0)
        serve_half(halves);
    *ret_state = halves;
    return 0;
}

static int halves_many(void *state, const uint64_t *args, uint64_t *results, size_t n)
{
    struct halves *halves = state;
    struct board *board = halves->board;
    char byte;
    board->n = n / 2;
    memcpy(board->words, args, board->n * sizeof(*args));
    if (write(halves->go[1], "g", 1) != 1)
        return -1;
    memcpy(results + board->n, args + board->n, (n - board->n) * sizeof(*args));
    run_half(results + board->n, n - board->n);
    if (read(halves->done[0], &byte, 1) != 1)
        return -1;
    memcpy(results, board->words, board->n * sizeof(*results));
    return 0;
}

static void halves_close(void *state)
{
    struct halves *halves = state;
    kill(halves->pid, SIGKILL);
    waitpid(halves->pid, NULL, 0);
    machine_unshare(halves->board, halves->bytes);
    free(halves);
}

const struct job_ops fork_halves = { NULL, halves_open, NULL, halves_many, NULL, halves_close };
