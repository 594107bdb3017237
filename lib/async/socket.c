/*
 * socket.c - a stream of bytes each way: made of descriptors, closed, asked about.
 */
#include "async/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/fd.h"

#define PROBES 9
#define KEEPALIVE_SECONDS_MOST 32767

static pe_socket *of_descriptor(struct pe__descriptor *descriptor)
{
    return PE__BASE_LIST_ENTRY(descriptor, pe_socket, descriptor);
}

static int ready(struct pe__descriptor *descriptor, int events)
{
    pe_socket *socket = of_descriptor(descriptor);
    int unwanted = 0;

    if (!socket->is_connected) {
        pe__socket_connect_ready(socket);
        return 0;
    }
    if ((events & UV_READABLE) && !pe__socket_read_ready(socket))
        unwanted |= UV_READABLE;
    if ((events & UV_WRITABLE) && !pe__socket_write_ready(socket))
        unwanted |= UV_WRITABLE;
    return unwanted;
}

static void closing(struct pe__descriptor *descriptor)
{
    pe_socket *socket = of_descriptor(descriptor);

    if (socket->is_connected) {
        pe__socket_read_closed(socket);
        pe__socket_write_closed(socket);
    }
}

static const struct pe__descriptor_kind kind = { ready, closing, "socket" };

/* ---- made of descriptors ---- */

int pe__socket_of(pe_loop *loop, int fd, bool is_connected, pe_socket **ret_socket)
{
    pe_socket *socket = pe__descriptor_new(sizeof *socket);
    int result = socket == NULL ? PE_ENOMEM : pe__descriptor_open(&socket->descriptor, loop, fd, &kind);

    if (result < 0) {
        free(socket);
        pe__base_fd_close(fd);
        return result;
    }
    socket->is_socket = true;
    socket->is_connected = is_connected;
    *ret_socket = socket;
    return 0;
}

/* 1: a stream socket; 0: none at all; PE_EINVAL: another one. */
static int is_stream(int fd)
{
    int type, listens = 0;
    socklen_t bytes = sizeof type;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) < 0)
        return errno == ENOTSOCK ? 0 : -errno;
    (void)getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &bytes);
    return type == SOCK_STREAM && !listens ? 1 : PE_EINVAL;
}

static int adopt(pe_socket *socket, pe_loop *loop, int fd)
{
    int result = is_stream(fd);

    if (result < 0)
        return result;
    socket->is_socket = result;
    socket->is_connected = true;
    socket->input.may_be_there = true; /* or it cannot be read, which reading tells and nothing else */
    return pe__descriptor_adopt(&socket->descriptor, loop, fd, &kind);
}

int pe_socket_open(pe_loop *loop, int fd, pe_socket **ret_socket)
{
    int result = pe__descriptor_loop_check(loop);

    if (result == 0 && ret_socket == NULL)
        result = PE_EINVAL;
    if (result < 0)
        return result;
    pe_socket *socket = pe__descriptor_new(sizeof *socket);
    if (socket == NULL)
        return PE_ENOMEM;
    result = adopt(socket, loop, fd);
    if (result == 0)
        *ret_socket = socket;
    else
        free(socket);
    return result;
}

void pe_socket_free(pe_socket *socket)
{
    pe__descriptor_give_back(pe__socket_descriptor(socket));
}

/* ---- about sockets ---- */

int pe_socket_fd(const pe_socket *socket)
{
    return pe__descriptor_fd(pe__socket_descriptor(socket));
}

int pe_socket_local(const pe_socket *socket, struct sockaddr_storage *ret_address, size_t *ret_bytes)
{
    return pe__descriptor_local(pe__socket_descriptor(socket), ret_address, ret_bytes);
}

int pe_socket_peer(const pe_socket *socket, struct sockaddr_storage *ret_address, size_t *ret_bytes)
{
    return pe__descriptor_peer(pe__socket_descriptor(socket), ret_address, ret_bytes);
}

int pe__socket_nodelay(int fd, int on)
{
    on = on != 0;
    return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ? -errno : 0;
}

int pe_socket_set_nodelay(pe_socket *socket, int on)
{
    int result = pe_socket_fd(socket);

    return result < 0 ? result : pe__socket_nodelay(result, on);
}

/* The seconds of a silence; PE_EINVAL. */
static int seconds_of(int64_t idle_ns)
{
    if (idle_ns < PE_SECONDS(1) || idle_ns > PE_SECONDS(KEEPALIVE_SECONDS_MOST))
        return PE_EINVAL;
    return (int)((idle_ns + PE_SECONDS(1) - 1) / PE_SECONDS(1));
}

static int keep_alive(int fd, int seconds)
{
    int on = seconds > 0, probes = PROBES, pause = seconds >= 3 ? seconds / 3 : 1;

    if (on && (setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds) < 0 ||
               setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &pause, sizeof pause) < 0 ||
               setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes) < 0))
        return -errno;
    return setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) < 0 ? -errno : 0;
}

int pe_socket_set_keepalive(pe_socket *socket, int64_t idle_ns)
{
    int fd = pe_socket_fd(socket), seconds = idle_ns == 0 ? 0 : seconds_of(idle_ns);

    if (fd < 0)
        return fd;
    return seconds < 0 ? seconds : keep_alive(fd, seconds);
}
