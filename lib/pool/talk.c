/* talk.c - reads and writes messages on the socket to the keeper; its end of file, or the keeper's, breaks the pool. */
#include "pool/talk.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "keeper/message.h"
#include "pool/pool.h"
#include "pool/stop.h"

/* A keeper that reads nothing for so long is not going to. */
#define TELL_NS PE_SECONDS(5)
#define GLANCE_EACH_NS PE_MS(1)

void pe__pool_hear_keeper(pe_pool *pool)
{
    struct pe__message message;
    ssize_t got;
    if (!pe__pool_has_processes(pool))
        return;
    /* Looked at first: what a dead one had to say is there by then. */
    struct pollfd keeper = { .fd = pool->keeper_pidfd, .events = POLLIN };
    bool gone = keeper.fd >= 0 && poll(&keeper, 1, 0) > 0;
    while ((got = recv(pool->control, &message, sizeof message, MSG_DONTWAIT)) == (ssize_t)sizeof message) {
        pool->all_gone |= message.type == PE__MESSAGE_GONE;
        if (message.type == PE__MESSAGE_RESIZED)
            pool->size_heard = message.value;
        if (message.type == PE__MESSAGE_FAILED || message.type == PE__MESSAGE_BROKEN)
            pool->failure = message.value < 0 ? message.value : PE_EBROKEN;
    }
    if (gone || got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        pe__pool_break(pool);
}

void pe__pool_glance_at_keeper(pe_pool *pool)
{
    int64_t now_ns = pe__base_now_ns();
    if (now_ns < pool->glance_due_ns)
        return;
    pool->glance_due_ns = now_ns + GLANCE_EACH_NS;
    pe__pool_hear_keeper(pool);
}

bool pe__pool_try_tell_keeper(pe_pool *pool, const struct pe__message *message)
{
    ssize_t sent;
    do
        sent = send(pool->control, message, sizeof *message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent > 0;
}

void pe__pool_tell_keeper(pe_pool *pool, const struct pe__message *message)
{
    int64_t deadline_ns = pe_after(TELL_NS);
    while (send(pool->control, message, sizeof *message, MSG_NOSIGNAL) < 0) {
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN || pe__base_fd_wait(pool->control, POLLOUT, deadline_ns) <= 0)
            return; /* it is gone, or as good as */
    }
}
