/* The life of our workers: start, death, idleness, memory. */

#include "pool/ours-life.h"
#include "harness.h"
#include "machine.h"
#include "pool/ours.h"
#include "pool/work.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETTLE_NS INT64_C(100000000)

int life_open(const struct plan *plan, void **ret_state)
{
    struct life *life = calloc(1, sizeof(*life));
    pe_pool_options options = { .size = sizeof(options), .workers = plan->workers, .max_deaths = UINT32_MAX };
    life->plan = *plan;
    if (crew_open(&life->crew, plan, &options) < 0) {
        free(life);
        return -1;
    }
    crew_await(&life->crew, plan->workers);
    *ret_state = life;
    return 0;
}

void life_close(void *state)
{
    struct life *life = state;
    crew_close(&life->crew);
    free(life);
}

static int failed(const struct life *life, const char *call, int error)
{
    return crew_failed(&life->plan, call, error);
}

/* Start: values[0] milliseconds from the call until each worker has run its initialiser and said so through a
 * pipe, exactly as the children of the bare loop do. */
static int start_open(const struct plan *plan, void **ret_state)
{
    struct life *life = calloc(1, sizeof(*life));
    life->plan = *plan;
    *ret_state = life;
    return 0;
}

static int read_bytes(int fd, uint32_t count)
{
    char byte;
    for (uint32_t i = 0; i < count; i++)
        if (read(fd, &byte, 1) != 1)
            return -1;
    return 0;
}

static int start_run(void *state, double *values)
{
    struct life *life = state;
    int ready[2];
    if (pipe(ready) < 0)
        return -1;
    int32_t keep = ready[1];
    pe_pool_options options = {
        .size = sizeof(options), .workers = life->plan.workers, .keep_fds = &keep, .keep_fd_count = 1
    };
    int64_t start = bench_now_ns();
    int r = crew_open(&life->crew, &life->plan, &options);
    if (r >= 0) {
        r = read_bytes(ready[0], life->plan.workers);
        values[0] = (double)(bench_now_ns() - start) / 1e6;
        crew_close(&life->crew);
    }
    close(ready[0]);
    close(ready[1]);
    return r;
}

const struct driver ours_start = { start_open, start_run, free };

/* Kill, with one worker: values[0] microseconds from SIGKILL until the endless job's status is here,
 * values[1] until the job behind it is answered, medians of plan->n. The victim has been computing for a
 * while when the signal comes. */
static int endless(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct crew_table *table;
    (void)arg_bytes;
    (void)reply;
    memcpy(&table, arg, sizeof(table));
    atomic_store(&table->busy, getpid());
    while (atomic_load(&table->busy) != 0)
        bench_keep(work_job(1000));
    return 0;
}

static int nothing(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    return 0;
}

static int64_t wait_ended(const struct life *life, pe_job *job, uint32_t kind, int64_t start)
{
    pe_status status;
    int r = pe_job_wait(job, PE_FOREVER);
    int64_t took = bench_now_ns() - start;
    if (r >= 0)
        r = pe_job_status(job, &status);
    pe_job_free(job);
    if (r < 0)
        return failed(life, "pe_job_wait", r);
    if (status.kind != kind) {
        snprintf(life->plan.note, NOTE_BYTES, "kind %u where %u was due", status.kind, kind);
        return -1;
    }
    return took;
}

static int kill_once(struct life *life, double *ret_status_us, double *ret_behind_us)
{
    pe_pool *pool = life->crew.pool;
    pe_job *victim, *behind;
    atomic_store(&life->crew.table->busy, 0);
    int r = pe_pool_submit(pool, endless, &life->crew.table, sizeof(life->crew.table), NULL, &victim);
    if (r < 0 || (r = pe_pool_submit(pool, nothing, NULL, 0, NULL, &behind)) < 0)
        return failed(life, "pe_pool_submit", r);
    while (atomic_load(&life->crew.table->busy) == 0)
        machine_sleep_ns(100000);
    machine_sleep_ns(1000000);
    int64_t start = bench_now_ns();
    kill(atomic_load(&life->crew.table->busy), SIGKILL);
    int64_t status_ns = wait_ended(life, victim, PE_CRASHED, start);
    int64_t behind_ns = wait_ended(life, behind, PE_RETURNED, start);
    *ret_status_us = (double)status_ns / 1e3;
    *ret_behind_us = (double)behind_ns / 1e3;
    return status_ns < 0 || behind_ns < 0 ? -1 : 0;
}

static int kill_run(void *state, double *values)
{
    struct life *life = state;
    double status_us[BENCH_ROUNDS_MAX], behind_us[BENCH_ROUNDS_MAX];
    for (uint64_t i = 0; i < life->plan.n; i++)
        if (kill_once(life, &status_us[i], &behind_us[i]) < 0)
            return -1;
    values[0] = bench_stat_of(status_us, life->plan.n).median;
    values[1] = bench_stat_of(behind_us, life->plan.n).median;
    return 0;
}

const struct driver ours_kill = { life_open, kill_run, life_close };

/* Idle: values[0] CPU microseconds a second of workers and keeper, values[1] their wake-ups a second, watched
 * for plan->n milliseconds after a job and some time to fall asleep. */
static int idle_run(void *state, double *values)
{
    struct life *life = state;
    uint32_t workers = life->plan.workers;
    pe_job *job;
    int r = pe_pool_submit(life->crew.pool, nothing, NULL, 0, NULL, &job);
    if (r < 0)
        return failed(life, "pe_pool_submit", r);
    pe_job_wait(job, PE_FOREVER);
    pe_job_free(job);
    machine_sleep_ns(SETTLE_NS);
    int64_t cpu = crew_cpu_ns(&life->crew, workers), switches = crew_switches(&life->crew, workers);
    machine_sleep_ns((int64_t)life->plan.n * 1000000);
    double seconds = (double)life->plan.n / 1e3;
    values[0] = (double)(crew_cpu_ns(&life->crew, workers) - cpu) / 1e3 / seconds;
    values[1] = (double)(crew_switches(&life->crew, workers) - switches) / seconds;
    return 0;
}

const struct driver ours_idle = { life_open, idle_run, life_close };

/* Memory: values[0] private KiB, the mean of the idle workers. */
static int memory_run(void *state, double *values)
{
    const struct life *life = state;
    int64_t sum = 0;
    for (uint32_t i = 0; i < life->plan.workers; i++) {
        int64_t kib = machine_private_kib(atomic_load(&life->crew.table->workers[i]));
        if (kib < 0) {
            snprintf(life->plan.note, NOTE_BYTES, "no smaps_rollup");
            return -1;
        }
        sum += kib;
    }
    values[0] = (double)sum / life->plan.workers;
    return 0;
}

const struct driver ours_memory = { life_open, memory_run, life_close };
