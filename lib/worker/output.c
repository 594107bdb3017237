/*
 * output.c - did the item write anything, and what.
 *
 * Asking is a system call, which is more than a tiny item costs. But so is writing: an item that was over sooner than
 * any system call has not written.
 *
 * A finite limit on file sizes (RLIMIT_FSIZE) counts all that was ever written to a file which only grows. So at half
 * of it the process makes room for one with an empty file, and each item has the other half.
 */
#include "worker/output.h"

#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/step.h"
#include "shared/bell.h"
#include "shared/output.h"

/* Of the time-stamp counter. The way into the kernel and back takes more on any processor. */
#define SILENT_TICKS 64

/* Half of the limit on file sizes. */
static uint64_t most_bytes(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? limit.rlim_cur / 2 : UINT64_MAX;
}

void pe__worker_output_open(struct pe__worker_output *output, int fd, int keeper_bell)
{
    *output = (struct pe__worker_output){ .fd = fd, .keeper_bell = keeper_bell, .most = UINT64_MAX };
    if (fd < 0)
        return;
    output->most = most_bytes();
    (void)dup2(fd, STDOUT_FILENO); /* of an open one: it succeeds */
    (void)dup2(fd, STDERR_FILENO);
}

uint32_t pe__worker_output_look(struct pe__worker_output *output, uint64_t start_ticks, uint64_t most)
{
    output->end = output->from;
    if (pe__base_clock_tsc && pe__base_ticks() - start_ticks < SILENT_TICKS)
        return 0;
    uint64_t end = pe__output_end(output->fd);
    if (end > output->from)
        output->end = end;
    return pe__output_bytes(output->from, output->end, most);
}

void pe__worker_output_take(const struct pe__worker_output *output, void *place, uint32_t bytes)
{
    pe__output_copy(output->fd, output->end, place, bytes);
    PE__STEP(OUTPUT);
}

void pe__worker_output_pass(struct pe__worker_output *output, struct pe__slot *slot)
{
    if (output->end == output->from)
        return;
    output->from = output->end;
    output->full = output->from > output->most;
    atomic_store_explicit(&slot->output_from, output->from, memory_order_release);
    PE__STEP(OUTPUT_PASSED);
}

void pe__worker_output_drop(struct pe__worker_output *output, struct pe__slot *slot)
{
    output->end = pe__output_end(output->fd);
    pe__worker_output_pass(output, slot);
}

void pe__worker_output_awake(const struct pe__worker_output *output, struct pe__keeper_counts *counts)
{
    if (atomic_exchange_explicit(&counts->sleeps, 0, memory_order_seq_cst) != 0)
        pe__bell_ring_host(output->keeper_bell);
}
