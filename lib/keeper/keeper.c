/*
 * keeper.c - the keeper's loop: wait for the host, for children and for due times; nothing else.
 *
 * One thread, no user code, no malloc (it may be the fork of a threaded host). Signals are blocked for good: SIGCHLD
 * and SIGCONT arrive by descriptor. Only those that stop a job of the shell are not, so Ctrl-Z stops the keeper with
 * its workers, and what they could not do meanwhile is not held against them. It ends when the host ends, when it was
 * told to, or when the pool cannot go on.
 */
#include "keeper/keeper.h"

#include <errno.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/pages.h"
#include "keeper/deaths.h"
#include "keeper/output.h"
#include "keeper/reap.h"
#include "keeper/size.h"
#include "keeper/stop.h"
#include "keeper/watch.h"
#include "keeper/workers.h"
#include "worker/hygiene.h"

static size_t insert_sorted(int *fds, size_t count, int fd)
{
    if (fd < 0)
        return count;
    size_t at = count;
    while (at > 0 && fds[at - 1] > fd) {
        fds[at] = fds[at - 1];
        at--;
    }
    fds[at] = fd;
    return count + 1;
}

/* Closes what is the host's, by a sorted list of what stays. 0 or an error: no memory for the list. */
static int close_host_fds(const struct pe__keeper_start *start, int bell)
{
    if (start->may_keep_fds) {
        pe__base_fd_close(start->close_fds[0]);
        pe__base_fd_close(start->close_fds[1]);
        return 0;
    }
    uint32_t count = start->shared.geometry.keep_fd_count;
    int *keep = pe__base_pages_new((count + 6) * sizeof *keep);
    if (keep == NULL)
        return PE_ENOMEM;
    size_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        kept = insert_sorted(keep, kept, start->shared.keep_fds[i]);
    kept = insert_sorted(keep, kept, start->control);
    kept = insert_sorted(keep, kept, start->host_bell);
    kept = insert_sorted(keep, kept, start->alive);
    kept = insert_sorted(keep, kept, start->host_pidfd);
    kept = insert_sorted(keep, kept, start->shared.memfd);
    kept = insert_sorted(keep, kept, bell);
    pe__base_fd_close_all_but(keep, kept);
    pe__base_pages_free(keep, (count + 6) * sizeof *keep);
    return 0;
}

bool pe__keeper_try_tell(const struct pe__keeper *keeper, enum pe__message_type type, int32_t value)
{
    struct pe__message message = { .type = (uint32_t)type, .value = value };
    ssize_t sent;
    do
        sent = send(keeper->start.control, &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent > 0;
}

static void send_message(const struct pe__keeper_start *start, enum pe__message_type type, int32_t value)
{
    struct pe__message message = { .type = (uint32_t)type, .value = value };
    while (send(start->control, &message, sizeof message, MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
    pe__bell_ring_host(start->host_bell);
}

void pe__keeper_ring_all(struct pe__keeper *keeper)
{
    struct pe__shared *shared = keeper->shared;
    pe__bell_ring_all(shared->groups, shared->slots, keeper->numbers);
    pe__bell_ring_host(keeper->start.host_bell);
}

void pe__keeper_give_up(struct pe__keeper *keeper, enum pe__message_type type, int32_t value)
{
    if (keeper->broken)
        return;
    keeper->broken = true;
    send_message(&keeper->start, type, value);
    pe__keeper_kill_all(keeper, 0);
}

/* 0 or an error: no memory for them. */
static int save_host_signals(struct pe__keeper *keeper)
{
    if ((keeper->shared->config->flags & PE_POOL_KEEP_SIGNALS) == 0)
        return 0;
    keeper->host_actions = pe__base_pages_new(NSIG * sizeof *keeper->host_actions);
    for (int number = 1; keeper->host_actions != NULL && number < NSIG; number++)
        sigaction(number, NULL, &keeper->host_actions[number]);
    return keeper->host_actions != NULL ? 0 : PE_ENOMEM;
}

/* To their default, which is to stop. */
static void allow_stops(void)
{
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTSTP);
    sigaddset(&stops, SIGTTIN);
    sigaddset(&stops, SIGTTOU);
    sigprocmask(SIG_UNBLOCK, &stops, NULL);
}

static int open_signals(void)
{
    sigset_t ignored, watched;
    pe__keeper_worker_signals(&ignored); /* workers inherit; and an ignored SIGCHLD would reap our children for us */
    pe__worker_reset_signals(&ignored);
    sigemptyset(&watched);
    sigaddset(&watched, SIGCHLD);
    sigaddset(&watched, SIGCONT);
    allow_stops();
    return pe__base_fd_raise(signalfd(-1, &watched, SFD_NONBLOCK | SFD_CLOEXEC));
}

/* True: this process was stopped and goes on. */
static bool drain_signals(const struct pe__keeper *keeper)
{
    struct signalfd_siginfo info;
    bool continued = false;
    while (read(keeper->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        continued |= info.ssi_signo == SIGCONT;
    return continued;
}

static void obey(struct pe__keeper *keeper, const struct pe__message *message)
{
    if (message->type == PE__MESSAGE_STOP_JOB) {
        pe__keeper_stop_job(keeper, message);
    } else if (message->type == PE__MESSAGE_LEAVE) {
        keeper->leaving = true;
    } else if (message->type == PE__MESSAGE_KILL) {
        pe__keeper_kill_all(keeper, message->grace_ns);
    } else if (message->type == PE__MESSAGE_START) {
        pe__keeper_start_worker(keeper, message->value);
    } else if (message->type == PE__MESSAGE_RESIZE) {
        pe__keeper_resize(keeper, message->record, message->value);
    }
}

/* False: the host has closed its end. */
static bool receive(struct pe__keeper *keeper)
{
    struct pe__message message;
    for (;;) {
        ssize_t got = recv(keeper->start.control, &message, sizeof message, MSG_DONTWAIT);
        if (got == (ssize_t)sizeof message)
            obey(keeper, &message);
        else if (got < 0 && errno == EINTR)
            continue;
        else
            return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    }
}

/* True: there is no process of that number, and there is to be one. */
static bool lacks(const struct pe__keeper *keeper, uint32_t index)
{
    const struct pe__kept *kept = &keeper->kept[index];
    bool wanted = (index < keeper->workers && !kept->vacant) || kept->inherited != PE__SLOT_NO_RECORD;
    return !keeper->leaving && kept->pid == 0 && wanted;
}

/* In turn: where they are slowed down, a number whose processes die at once must not keep the others from theirs. */
static void fork_due(struct pe__keeper *keeper, int64_t now_ns)
{
    uint32_t first = keeper->fork_next;
    for (uint32_t i = 0; i < keeper->numbers; i++) {
        uint32_t index = (first + i) % keeper->numbers;
        if (lacks(keeper, index) && keeper->kept[index].fork_due_ns <= now_ns &&
            pe__keeper_may_fork_ns(keeper) <= now_ns)
            pe__keeper_fork_worker(keeper, index);
    }
}

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_fork(const struct pe__keeper *keeper)
{
    int64_t due = INT64_MAX;
    for (uint32_t i = 0; i < keeper->numbers; i++)
        if (lacks(keeper, i))
            due = earliest(due, keeper->kept[i].fork_due_ns);
    if (due == INT64_MAX)
        return due;
    int64_t may_ns = pe__keeper_may_fork_ns(keeper);
    return may_ns > due ? may_ns : due;
}

static int64_t next_due(const struct pe__keeper *keeper)
{
    return earliest(next_fork(keeper), earliest(pe__keeper_next_stop(keeper), pe__keeper_next_limit(keeper)));
}

static bool is_over(const struct pe__keeper *keeper, int64_t now_ns)
{
    if (!keeper->leaving)
        return false;
    return keeper->alive == 0 || (keeper->give_up_ns != 0 && now_ns >= keeper->give_up_ns);
}

/* Announce, look again: see shared/limit.h. */
static int64_t announce_wake(const struct pe__keeper *keeper)
{
    int64_t due = next_due(keeper);
    for (;;) {
        atomic_store_explicit(&keeper->shared->watch->wakes_ns, due, memory_order_seq_cst);
        int64_t again = next_due(keeper);
        if (again >= due)
            return due;
        due = again;
    }
}

/* Sleeps until something is to be done. False: the host is gone. */
static bool wait_for_news(struct pe__keeper *keeper)
{
    struct pollfd watched[4] = { { .fd = keeper->signal_fd, .events = POLLIN },
                                 { .fd = keeper->start.control, .events = POLLIN },
                                 { .fd = keeper->start.host_pidfd, .events = POLLIN },
                                 { .fd = keeper->bell, .events = POLLIN } };
    int64_t due = earliest(announce_wake(keeper), pe__keeper_output_trim(keeper, pe__base_now_ns()));
    struct timespec left;
    bool timed = pe__base_deadline_left(due, &left);
    if (ppoll(watched, 4, timed ? &left : NULL, NULL) < 0)
        return true;
    if (watched[3].revents != 0)
        pe__bell_drain(keeper->bell);
    if (watched[2].revents != 0)
        return false;
    return watched[1].revents == 0 || receive(keeper);
}

static noreturn void end_with_host(struct pe__keeper *keeper)
{
    pe__keeper_signal_all(keeper, SIGKILL);
    _exit(0);
}

static noreturn void end_of_pool(struct pe__keeper *keeper)
{
    if (keeper->alive == 0)
        send_message(&keeper->start, PE__MESSAGE_GONE, 0);
    _exit(0);
}

/*
 * The time that is acted upon, and before that a look whether this process was stopped up to then: a stop in front of
 * the reading has left its SIGCONT, one behind it has not moved the time.
 */
static int64_t look_at_clock(struct pe__keeper *keeper)
{
    int64_t now_ns = pe__base_now_ns();
    if (drain_signals(keeper))
        pe__keeper_excuse(keeper, now_ns - keeper->looked_ns, now_ns);
    keeper->looked_ns = now_ns;
    return now_ns;
}

/* Signals are taken before the dead are looked for: one who dies later sends another. */
static noreturn void loop(struct pe__keeper *keeper)
{
    for (;;) {
        int64_t now_ns = look_at_clock(keeper);
        pe__keeper_reap(keeper);
        fork_due(keeper, now_ns);
        pe__keeper_stop_due(keeper, now_ns);
        pe__keeper_tell_size(keeper);
        pe__keeper_watch(keeper, now_ns);
        if (is_over(keeper, now_ns))
            end_of_pool(keeper);
        if (!wait_for_news(keeper))
            end_with_host(keeper);
    }
}

/* Before there is a keeper: pe_pool_new is to return the error. */
static noreturn void end_at_once(const struct pe__keeper_start *start, int error)
{
    send_message(start, PE__MESSAGE_HELLO, error);
    _exit(1);
}

/* In a process that was just forked, until what is the host's has been put away. 0 or an error. */
static int set_up(struct pe__keeper *keeper)
{
    pe__mapping_protect(keeper->shared);
    keeper->bell = pe__base_eventfd();
    int result = keeper->bell < 0 ? keeper->bell : save_host_signals(keeper);
    if (result == 0)
        result = close_host_fds(&keeper->start, keeper->bell);
    if (result < 0)
        return result;
    keeper->signal_fd = open_signals();
    for (uint32_t i = 0; i < keeper->numbers; i++)
        keeper->kept[i].inherited = PE__SLOT_NO_RECORD;
    return keeper->signal_fd < 0 ? keeper->signal_fd : 0;
}

noreturn void pe__keeper_run(struct pe__keeper_start *start)
{
    prctl(PR_SET_NAME, "pe-keeper");
    pe__base_log_off();
    uint32_t most = start->shared.geometry.workers_most;
    struct pe__keeper *keeper = pe__base_pages_new(sizeof *keeper + most * sizeof *keeper->kept);
    if (keeper == NULL)
        end_at_once(start, PE_ENOMEM);
    keeper->start = *start;
    keeper->shared = &keeper->start.shared;
    keeper->workers = keeper->numbers = keeper->shared->config->workers;
    keeper->kept = (struct pe__kept *)(keeper + 1);
    int result = set_up(keeper);
    if (result < 0)
        end_at_once(start, result);
    send_message(start, PE__MESSAGE_HELLO, (int32_t)getpid());
    loop(keeper);
}
