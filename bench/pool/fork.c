/* Limits made of bare fork. Children that wait do so in a read of a pipe whose other end the host holds,
 * and die with it. */

#include "pool/fork.h"
#include "harness.h"
#include "machine.h"
#include "pool/work.h"

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

/* The host is one of the workers, the others wait for a byte in a pipe of their own. */
struct shares {
    uint32_t workers;
    uint64_t *words; /* shared: arguments, in place of which the results come */
    size_t n, bytes;
    pid_t pids[CHILDREN_MAX];
    int go[CHILDREN_MAX][2], done[2];
};

static size_t share_begin(const struct shares *shares, uint32_t worker)
{
    return shares->n / shares->workers * worker;
}

static size_t share_end(const struct shares *shares, uint32_t worker)
{
    return worker + 1 == shares->workers ? shares->n : share_begin(shares, worker + 1);
}

static void run_share(uint64_t *words, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        words[i] = work_job(words[i]);
}

static void serve_share(struct shares *shares, uint32_t worker)
{
    while (read(shares->go[worker][0], &shares->n, sizeof(shares->n)) == (ssize_t)sizeof(shares->n)) {
        run_share(shares->words, share_begin(shares, worker), share_end(shares, worker));
        if (write(shares->done[1], "d", 1) != 1)
            break;
    }
    _exit(0);
}

static void shares_close(void *state)
{
    struct shares *shares = state;
    for (uint32_t i = 1; i < shares->workers; i++) {
        kill(shares->pids[i], SIGKILL);
        waitpid(shares->pids[i], NULL, 0);
        close(shares->go[i][0]);
        close(shares->go[i][1]);
    }
    close(shares->done[0]);
    close(shares->done[1]);
    machine_unshare(shares->words, shares->bytes);
    free(shares);
}

static int shares_open(const struct plan *plan, void **ret_state)
{
    struct shares *shares = calloc(1, sizeof(*shares));
    if (plan->workers > CHILDREN_MAX || pipe(shares->done) < 0) {
        free(shares);
        snprintf(plan->note, NOTE_BYTES, "made for at most %d workers", CHILDREN_MAX);
        return -1;
    }
    shares->bytes = plan->n * sizeof(uint64_t);
    shares->words = machine_shared(shares->bytes);
    for (shares->workers = 1; shares->workers < plan->workers; shares->workers++) {
        uint32_t i = shares->workers;
        if (pipe(shares->go[i]) < 0 || (shares->pids[i] = machine_fork()) < 0) {
            shares_close(shares);
            return -1;
        }
        if (shares->pids[i] == 0) {
            shares->workers = plan->workers;
            serve_share(shares, i);
        }
    }
    *ret_state = shares;
    return 0;
}

static int shares_many(void *state, const uint64_t *args, uint64_t *results, size_t n)
{
    struct shares *shares = state;
    char byte;
    shares->n = n;
    memcpy(shares->words, args, n * sizeof(*args));
    for (uint32_t i = 1; i < shares->workers; i++)
        if (write(shares->go[i][1], &n, sizeof(n)) != (ssize_t)sizeof(n))
            return -1;
    run_share(shares->words, 0, share_end(shares, 0));
    for (uint32_t i = 1; i < shares->workers; i++)
        if (read(shares->done[0], &byte, 1) != 1)
            return -1;
    memcpy(results, shares->words, n * sizeof(*results));
    return 0;
}

const struct job_ops fork_shares = { NULL, shares_open, NULL, shares_many, NULL, shares_close, NULL };
