/*
 * socket_connect.c - connecting.
 *
 * The socket belongs to the attempt until that has ended well: a task that is stopped closes it.
 */
#include "async/socket.h"

#include <errno.h>
#include <string.h>

#include "async/address.h"
#include "base/clock.h"
#include "base/fd.h"

#define FIRST_PAUSE_NS PE_MS(1)
#define LAST_PAUSE_NS PE_MS(50)

/* The attempt has ended with this. */
static int end_attempt(pe_socket *socket, int result)
{
    struct pe__attempt attempt = socket->attempt;

    if (result < 0) {
        pe__timer_stop(&socket->descriptor.loop->timers, &socket->attempt.again);
        pe__descriptor_free(&socket->descriptor);
        return result;
    }
    socket->input = (struct pe__input){ 0 };
    socket->output = (struct pe__output){ 0 };
    socket->is_connected = true;
    pe__descriptor_look_away(&socket->descriptor, UV_WRITABLE);
    if (attempt.address.ss_family != AF_UNIX)
        (void)pe__socket_nodelay(socket->descriptor.fd, 1);
    *attempt.ret_socket = socket;
    return 0;
}

static void end_wait(pe_socket *socket, int result)
{
    struct pe__task *task = socket->attempt.task;

    pe__wait_end(task, end_attempt(socket, result));
}

static void again(struct pe__timer *timer);

/* The queue of a UNIX socket is full, and nothing tells when there is room. 0, or PE_ENOMEM. */
static int try_later(pe_socket *socket)
{
    struct pe__attempt *attempt = &socket->attempt;
    int64_t pause_ns = attempt->pause_ns;

    attempt->pause_ns = pause_ns * 2 < LAST_PAUSE_NS ? pause_ns * 2 : LAST_PAUSE_NS;
    return pe__timer_start(&socket->descriptor.loop->timers, &attempt->again, pe_after(pause_ns), again);
}

/* 0: it is connected; PE_WAIT: it may be later; an error. */
static int try_now(pe_socket *socket)
{
    const struct pe__attempt *attempt = &socket->attempt;
    int result;

    do
        result = connect(socket->descriptor.fd, (const struct sockaddr *)&attempt->address, attempt->address_bytes);
    while (result < 0 && errno == EINTR);
    if (result == 0)
        return 0;
    if (errno == EINPROGRESS)
        result = pe__descriptor_look_for(&socket->descriptor, UV_WRITABLE);
    else if (errno == EAGAIN && attempt->address.ss_family == AF_UNIX)
        result = try_later(socket);
    else
        return -errno;
    return result == 0 ? PE_WAIT : result;
}

static void again(struct pe__timer *timer)
{
    struct pe__attempt *attempt = (void *)((char *)timer - offsetof(struct pe__attempt, again));
    pe_socket *socket = attempt->task->object;
    int result = try_now(socket);

    if (result != PE_WAIT)
        end_wait(socket, result);
}

void pe__socket_connect_ready(pe_socket *socket)
{
    int error = 0;
    socklen_t bytes = sizeof error;

    if (getsockopt(socket->descriptor.fd, SOL_SOCKET, SO_ERROR, &error, &bytes) < 0)
        error = errno;
    end_wait(socket, -error);
}

static void cancel(struct pe__task *task)
{
    end_wait(task->object, PE_ECANCELED);
}

static const struct pe__wait_kind connect_kind = { .name = "a connection to be made", .cancel = cancel };

/* 0, an error, or PE_WAIT: the task's wait has begun, and the attempt goes on. */
static int begin_attempt(struct pe__task *task, const struct sockaddr_storage *address, size_t address_bytes,
                         pe_socket **ret_socket)
{
    int fd = pe__base_fd_raise(socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    pe_socket *made;

    if (fd < 0)
        return fd;
    int result = pe__socket_of(task->loop, fd, false, &made);
    if (result < 0)
        return result;
    made->attempt = (struct pe__attempt){
        .task = task,
        .ret_socket = ret_socket,
        .pause_ns = FIRST_PAUSE_NS,
        .address = *address,
        .address_bytes = (socklen_t)address_bytes,
    };
    task->object = made;
    result = try_now(made);
    return result == PE_WAIT ? PE_WAIT : end_attempt(made, result);
}

static int begin(pe_task *t, const struct sockaddr_storage *address, size_t address_bytes, pe_socket **ret_socket)
{
    int result = pe__wait_begin(t, &connect_kind, NULL);

    if (result != PE_WAIT)
        return result;
    result = begin_attempt(pe__task_of(t), address, address_bytes, ret_socket);
    return result == PE_WAIT ? PE_WAIT : pe__wait_undo(pe__task_of(t), result);
}

int pe_tcp_connect(pe_task *t, const struct sockaddr *address, size_t address_bytes, pe_socket **ret_socket)
{
    struct sockaddr_storage copy = { 0 };
    int result = pe__wait_check(t);

    if (result == 0)
        result = ret_socket != NULL ? pe__address_check(address, address_bytes) : PE_EINVAL;
    if (result != 0)
        return result;
    address_bytes = address_bytes < sizeof copy ? address_bytes : sizeof copy;
    memcpy(&copy, address, address_bytes);
    return begin(t, &copy, address_bytes, ret_socket);
}

int pe_unix_connect(pe_task *t, const char *path, pe_socket **ret_socket)
{
    struct sockaddr_storage address;
    size_t address_bytes;
    int result = pe__wait_check(t);

    if (result == 0)
        result = ret_socket != NULL ? pe__address_of_path(path, &address, &address_bytes) : PE_EINVAL;
    return result != 0 ? result : begin(t, &address, address_bytes, ret_socket);
}
