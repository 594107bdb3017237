/* stand-in.c - a keeper that is forked no more, and a sleep that does not sleep. */
#include "stand-in.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keeper/keeper.h"
#include "keeper/message.h"
#include "keeper/spawn.h"

struct stand_in stand_in = { .socket = -1 };

int __wrap_pe__keeper_spawn(pe__spawn_fn *fn, void *context);
int __wrap_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask);
int __wrap___ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask,
                       size_t bytes);
long __real_sysconf(int name);
long __wrap_sysconf(int name);

void stand_in_say(const void *message, size_t bytes)
{
    if (stand_in.socket >= 0 && send(stand_in.socket, message, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        stand_in_leave(); /* the host has ended it, or does not listen */
}

void stand_in_leave(void)
{
    if (stand_in.socket >= 0)
        close(stand_in.socket);
    stand_in.socket = -1;
}

/* All workers serve; nobody holds the pipe by which the host knows that some process is left. */
int __wrap_pe__keeper_spawn(pe__spawn_fn *fn, void *context)
{
    const struct pe__keeper_start *start = context;
    struct pe__message hello = { .type = PE__MESSAGE_HELLO, .value = getpid() };

    (void)fn;
    stand_in_leave();
    stand_in.socket = fcntl(start->control, F_DUPFD_CLOEXEC, 3);
    stand_in.shared = start->shared;
    if (stand_in.socket < 0)
        return -errno;
    start->shared.config->cpus = 1; /* which makes spinning short */
    for (uint32_t i = 0; i < atomic_load(&start->shared.config->workers); i++) {
        atomic_fetch_or(&pe__bell_group_of(start->shared.groups, i)->present, pe__bell_bit(i));
        atomic_store(&start->shared.slots[i].life, PE__SLOT_SERVING);
    }
    stand_in_say(&hello, sizeof hello);
    return 0;
}

static void hear_host(void)
{
    struct pe__message message;

    while (stand_in.socket >= 0 && recv(stand_in.socket, &message, sizeof message, MSG_DONTWAIT) > 0)
        ;
}

int __wrap_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    (void)timeout;
    (void)mask;
    hear_host();
    int ready = poll(fds, count, 0);
    if (ready != 0)
        return ready;
    if (stand_in.turn != NULL)
        stand_in.turn();
    else
        stand_in_leave();
    return poll(fds, count, 0);
}

int __wrap___ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask,
                       size_t bytes)
{
    (void)bytes;
    return __wrap_ppoll(fds, count, timeout, mask);
}

/* Of a small machine: the address sanitizer takes its time with ranges as large as pools reserve them by memory. */
long __wrap_sysconf(int name)
{
    return name == _SC_PHYS_PAGES ? 8192 : __real_sysconf(name);
}
