/* Our pool while its workers are killed: values[0] million jobs a second over plan->n milliseconds,
 * values[1] jobs that were lost or brought a wrong result, values[2] deaths a second. Jobs may be
 * retried, so that each has an answer in the end; at most WINDOW are on their way. */

#include "harness.h"
#include "machine.h"
#include "pool/ours-life.h"
#include "pool/ours.h"
#include "pool/work.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WINDOW        1024
#define KILL_EVERY_NS INT64_C(10000000)

static int storm_job(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    uint64_t word;
    (void)arg_bytes;
    memcpy(&word, arg, sizeof(word));
    word = work_job(word);
    return pe_reply_write(reply, &word, sizeof(word));
}

/* A process id in the table may be old and belong to somebody else by now: hold the process by a descriptor
 * first, then look again whether the table still names it. */
static void kill_one(struct crew_table *table, uint32_t index)
{
    int32_t pid = atomic_load(&table->workers[index]);
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return;
    if (atomic_load(&table->workers[index]) == pid)
        syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
    close(fd);
}

static pid_t start_killer(const struct life *life)
{
    if (life->plan.variant == STORM_CALM)
        return 0;
    pid_t pid = machine_fork();
    if (pid != 0)
        return pid;
    for (uint32_t turn = 0;; turn++) {
        machine_sleep_ns(KILL_EVERY_NS);
        kill_one(life->crew.table, turn % life->plan.workers);
    }
}

static void stop_killer(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* 1 when the job has its right result, else 0. */
static int right(pe_job *job, uint64_t number)
{
    const void *data;
    size_t bytes;
    uint64_t word = 0;
    if (pe_job_wait(job, PE_FOREVER) >= 0 && pe_job_result(job, &data, &bytes) >= 0 && bytes == sizeof(word))
        memcpy(&word, data, sizeof(word));
    pe_job_free(job);
    return word == work_job(number << 32);
}

/* Submits until the deadline, at most WINDOW jobs ahead. Returns how many came back right. */
static uint64_t pump(const struct life *life, int64_t deadline_ns, uint64_t *ret_submitted)
{
    static pe_job *handles[WINDOW];
    pe_job_options options = { .size = sizeof(options), .retries = 1000 };
    uint64_t submitted = 0, taken = 0, good = 0;
    int open = 1;
    while (open || taken < submitted) {
        open = open && (submitted % 64 != 0 || bench_now_ns() < deadline_ns);
        uint64_t arg = (submitted & 0xffffff) << 32;
        if (submitted - taken == WINDOW || (!open && taken < submitted)) {
            good += (uint64_t)right(handles[taken % WINDOW], taken & 0xffffff);
            taken++;
        } else if (open) {
            pe_job **handle = &handles[submitted % WINDOW];
            open = pe_pool_submit(life->crew.pool, storm_job, &arg, sizeof(arg), &options, handle) >= 0;
            submitted += (uint64_t)open;
        }
    }
    *ret_submitted = submitted;
    return good;
}

static int storm_run(void *state, double *values)
{
    const struct life *life = state;
    pe_stats before = PE_STATS_INIT, after = PE_STATS_INIT;
    uint64_t submitted;
    pe_pool_stats(life->crew.pool, &before);
    pid_t killer = start_killer(life);
    int64_t start = bench_now_ns();
    uint64_t good = pump(life, start + (int64_t)life->plan.n * 1000000, &submitted);
    double seconds = (double)(bench_now_ns() - start) / 1e9;
    stop_killer(killer);
    pe_pool_stats(life->crew.pool, &after);
    values[0] = (double)good / seconds / 1e6;
    values[1] = (double)(submitted - good);
    values[2] = (double)(after.restarts - before.restarts) / seconds;
    return good > 0 ? 0 : -1;
}

const struct driver ours_storm = { life_open, storm_run, life_close };
