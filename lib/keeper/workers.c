/*
 * workers.c - forks the process of one worker number.
 *
 * The slot is made ready before the fork, so that a child that dies at its first instruction is seen as one
 * that never served. A fork that fails leaves the number empty for a while; what it still held is settled at
 * once, because nobody knows when a process can be had again.
 */
#include "keeper/workers.h"

#include <errno.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "base/clock.h"
#include "base/fd.h"
#include "keeper/output.h"
#include "keeper/settle.h"
#include "worker/hygiene.h"
#include "worker/serve.h"

#define FORK_RETRY_NS (INT64_C(100) * 1000000)
#define FORK_FAILURES_MAX 20

static void name_process(uint32_t index)
{
    char name[16] = "pe-worker-";
    size_t at = sizeof "pe-worker-" - 1;
    for (uint32_t scale = 1000; scale > 0; scale /= 10)
        if (index >= scale || scale == 1)
            name[at++] = (char)('0' + index / scale % 10);
    prctl(PR_SET_NAME, name);
}

/* Ctrl-C is for the host to answer. */
void pe__keeper_worker_signals(sigset_t *ret_ignored)
{
    sigemptyset(ret_ignored);
    sigaddset(ret_ignored, SIGINT);
    sigaddset(ret_ignored, SIGQUIT);
}

static void set_signals(const struct pe__keeper *keeper)
{
    sigset_t mask;
    sigemptyset(&mask);
    if (keeper->host_actions != NULL) {
        for (int number = 1; number < NSIG; number++)
            sigaction(number, &keeper->host_actions[number], NULL);
        mask = keeper->shared->config->host_mask;
    }
    sigprocmask(SIG_SETMASK, &mask, NULL);
}

static noreturn void become_worker(struct pe__keeper *keeper, uint32_t index, pid_t keeper_pid)
{
    struct pe__worker_start start = { .host_bell = keeper->start.host_bell,
                                      .output_fd = pe__keeper_output_inherit(keeper, index),
                                      .keeper_bell = keeper->bell,
                                      .inherited = keeper->kept[index].inherited,
                                      .death = keeper->kept[index].last_death };
    if (!pe__worker_die_with(keeper_pid))
        _exit(0);
    pe__base_fd_close(keeper->signal_fd);
    pe__base_fd_close(keeper->start.control);
    pe__base_fd_close(keeper->start.host_pidfd);
    pe__base_fd_close(keeper->start.shared.memfd);
    if ((keeper->shared->config->flags & PE_POOL_GROUPS) != 0)
        setpgid(0, 0);
    name_process(index);
    set_signals(keeper);
    pe__worker_serve(keeper->shared, index, &start);
}

static void fork_failed(struct pe__keeper *keeper, uint32_t index, int error, int64_t now_ns)
{
    keeper->kept[index].fork_due_ns = now_ns + FORK_RETRY_NS;
    pe__keeper_settle_orphan(keeper, index);
    if (keeper->alive > 0)
        return;
    /* Nobody is left to do any work: say so at the start at once, later after a few tries. */
    if (!keeper->served && index + 1 == keeper->numbers)
        pe__keeper_give_up(keeper, PE__MESSAGE_FAILED, -error);
    else if (keeper->served && ++keeper->fork_failures >= FORK_FAILURES_MAX)
        pe__keeper_give_up(keeper, PE__MESSAGE_BROKEN, -error);
}

void pe__keeper_fork_worker(struct pe__keeper *keeper, uint32_t index)
{
    struct pe__kept *kept = &keeper->kept[index];
    struct pe__slot *slot = &keeper->shared->slots[index];
    pid_t keeper_pid = getpid();
    keeper->forked_ns = pe__base_now_ns();
    keeper->fork_next = index + 1;
    kept->called = kept->sent_home = false;
    atomic_fetch_and_explicit(&pe__bell_group_of(keeper->shared->groups, index)->vacant, ~pe__bell_bit(index),
                              memory_order_seq_cst);
    atomic_store_explicit(&slot->hint, kept->inherited, memory_order_relaxed);
    atomic_store_explicit(&slot->life, PE__SLOT_STARTING, memory_order_release);
    atomic_fetch_add_explicit(&slot->lives, 1, memory_order_relaxed);
    int error = -pe__keeper_output_prepare(keeper, index);
    pid_t pid = error == 0 ? fork() : -1;
    if (pid == 0)
        become_worker(keeper, index, keeper_pid);
    if (pid < 0) {
        error = error == 0 ? errno : error;
        atomic_fetch_sub_explicit(&slot->lives, 1, memory_order_relaxed);
        atomic_store_explicit(&slot->life, PE__SLOT_EMPTY, memory_order_release);
        fork_failed(keeper, index, error, keeper->forked_ns);
        return;
    }
    kept->pid = pid;
    keeper->alive++;
    keeper->fork_failures = 0;
}
