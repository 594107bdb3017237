/* The limit of echo servers: epoll, a read and a write for each request, nothing else. */

#include "async/echo.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 128 };

static char buffer[ECHO_BYTES_MAX];

static int listen_anywhere(uint16_t *ret_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t bytes = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, ECHO_BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &bytes) < 0)
        return -1;
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void watch(int epoll, int fd)
{
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){ .events = EPOLLIN, .data.fd = fd });
}

static void welcome(int epoll, int listener)
{
    int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    watch(epoll, fd);
}

/* Of as many bytes as this, all fit into an empty socket. */
static void answer(int fd)
{
    ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got <= 0 || write(fd, buffer, (size_t)got) != got)
        close(fd);
}

void echo_epoll(int report)
{
    struct epoll_event events[EVENTS];
    uint16_t port;
    int epoll = epoll_create1(EPOLL_CLOEXEC), listener = listen_anywhere(&port);
    if (listener < 0)
        return;
    watch(epoll, listener);
    echo_report(report, port);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                welcome(epoll, listener);
            else
                answer(events[i].data.fd);
        }
    }
}
