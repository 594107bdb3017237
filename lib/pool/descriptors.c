/*
 * descriptors.c - the host's descriptors of a pool, from first to last.
 *
 * All are close-on-exec and at or above 3, so that a host that runs with 0 to 2 closed does not find ours there.
 * They are -1 while they are not open; those that belong to a keeper are opened at its start (pool/start.c).
 */
#include "pool/descriptors.h"

#include <errno.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "pool/pool.h"

int pe__pool_watch(int epoll, int fd)
{
    struct epoll_event event = { .events = EPOLLIN };
    return fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

int pe__pool_open_descriptors(pe_pool *pool)
{
    pool->bell = pe__base_eventfd();
    if (pool->bell < 0)
        return pool->bell;
    pool->notice = pe__base_eventfd();
    if (pool->notice < 0)
        return pool->notice;
    pool->nudge = pe__base_eventfd();
    if (pool->nudge < 0)
        return pool->nudge;
    pool->epoll = pe__base_fd_raise(epoll_create1(EPOLL_CLOEXEC));
    if (pool->epoll < 0)
        return pool->epoll;
    int result = pe__pool_watch(pool->epoll, pool->bell);
    return result < 0 ? result : pe__pool_watch(pool->epoll, pool->notice);
}

void pe__pool_unwatch_keeper(pe_pool *pool)
{
    if (pool->keeper_pidfd >= 0)
        epoll_ctl(pool->epoll, EPOLL_CTL_DEL, pool->keeper_pidfd, NULL);
    if (pool->control >= 0)
        epoll_ctl(pool->epoll, EPOLL_CTL_DEL, pool->control, NULL);
}

void pe__pool_close_descriptors(pe_pool *pool)
{
    int *all[] = { &pool->epoll, &pool->nudge,   &pool->notice, &pool->keeper_pidfd,
                   &pool->alive, &pool->control, &pool->bell };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        pe__base_fd_close(*all[i]);
        *all[i] = -1;
    }
}
