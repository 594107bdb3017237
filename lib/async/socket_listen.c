/*
 * socket_listen.c - listening, and waiting for connections.
 *
 * Tasks wait in a queue. A connection is taken from the system only for a task that waits for one; the others stay in
 * the system's queue, which is bounded by the backlog. When there are no means for a socket, no descriptor say, looking
 * for connections would come to the same end at once and over again: the listener pauses, tries once more, and tells
 * the first task.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "async/address.h"
#include "async/socket.h"
#include "base/clock.h"
#include "base/fd.h"

#define PAUSE_NS PE_MS(100)

struct pe_listener {
    struct pe__descriptor descriptor;
    struct pe__base_list waiters; /* of tasks, by in.accept.link */
    struct pe__timer pause;
    bool may_be_there;            /* accepting might give something without waiting */
    bool is_tcp;
    bool owns_file;               /* of a UNIX socket */
    dev_t device;
    ino_t inode;
    struct sockaddr_un address;   /* of it */
};

static struct pe__task *task_of(struct pe__base_list *link)
{
    return PE__BASE_LIST_ENTRY(link, struct pe__task, in.accept.link);
}

static pe_listener *of_descriptor(struct pe__descriptor *descriptor)
{
    return PE__BASE_LIST_ENTRY(descriptor, pe_listener, descriptor);
}

static struct pe__descriptor *descriptor_of(const pe_listener *listener)
{
    return (struct pe__descriptor *)(uintptr_t)listener;
}

/* ---- accepting ---- */

/* What comes of the connection, which is gone then, not of us. */
static bool is_of_connection(int error)
{
    return error == EINTR || error == ECONNABORTED || error == EPROTO || error == ENETDOWN || error == ENOPROTOOPT ||
           error == EHOSTDOWN || error == ENONET || error == EHOSTUNREACH || error == EOPNOTSUPP ||
           error == ENETUNREACH || error == ETIMEDOUT || error == ECONNRESET;
}

static int accept_next(const pe_listener *listener)
{
    int fd;

    do
        fd = accept4(listener->descriptor.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (fd < 0 && is_of_connection(errno));
    return pe__base_fd_raise(fd);
}

/* 0, PE_WAIT: there is no connection, or an error: there are no means for one. */
static int accept_one(pe_listener *listener, pe_socket **ret_socket)
{
    int fd = accept_next(listener);

    listener->may_be_there = fd != -EAGAIN;
    if (fd < 0)
        return fd == -EAGAIN ? PE_WAIT : fd;
    if (listener->is_tcp)
        (void)pe__socket_nodelay(fd, 1);
    return pe__socket_of(listener->descriptor.loop, fd, true, ret_socket);
}

static void end_first(pe_listener *listener, int result)
{
    pe__wait_end(task_of(pe__base_list_pop_front(&listener->waiters)), result);
}

static void end_all(pe_listener *listener, int result)
{
    while (!pe__base_list_empty(&listener->waiters))
        end_first(listener, result);
}

static void pause_over(struct pe__timer *timer);

static void pause_a_while(pe_listener *listener)
{
    pe_loop *loop = listener->descriptor.loop;

    if (pe__timer_start(&loop->timers, &listener->pause, pe_after(PAUSE_NS), pause_over) < 0)
        end_all(listener, PE_ENOMEM);
    else
        pe__loop_arm(loop);
}

/* Serves those who wait, in their order. */
static void serve(pe_listener *listener)
{
    int result = 0;

    while (result == 0 && !pe__base_list_empty(&listener->waiters)) {
        result = accept_one(listener, task_of(listener->waiters.next)->in.accept.ret_socket);
        if (result == 0)
            end_first(listener, 0);
    }
    if (result == PE_WAIT)
        result = pe__descriptor_look_for(&listener->descriptor, UV_READABLE);
    if (result < 0)
        pause_a_while(listener);
}

/* Once more; if that fails too, the first one is told. */
static void pause_over(struct pe__timer *timer)
{
    pe_listener *listener = (void *)((char *)timer - offsetof(pe_listener, pause));
    int result = accept_one(listener, task_of(listener->waiters.next)->in.accept.ret_socket);

    if (result != PE_WAIT)
        end_first(listener, result);
    serve(listener);
}

/* ---- waiting ---- */

static int ready(struct pe__descriptor *descriptor, int events)
{
    pe_listener *listener = of_descriptor(descriptor);

    if (pe__base_list_empty(&listener->waiters) || pe__timer_is_started(&listener->pause)) {
        listener->may_be_there = true;
        return events;
    }
    serve(listener);
    return 0;
}

static void stop_pause(pe_listener *listener)
{
    if (pe__base_list_empty(&listener->waiters))
        pe__timer_stop(&listener->descriptor.loop->timers, &listener->pause);
}

/* Another file may be there by now. */
static void remove_file(const pe_listener *listener)
{
    struct stat is;

    if (lstat(listener->address.sun_path, &is) == 0 && is.st_dev == listener->device && is.st_ino == listener->inode)
        unlink(listener->address.sun_path);
}

static void closing(struct pe__descriptor *descriptor)
{
    pe_listener *listener = of_descriptor(descriptor);

    end_all(listener, PE_ECLOSED);
    stop_pause(listener);
    if (listener->owns_file)
        remove_file(listener);
}

static const struct pe__descriptor_kind kind = { ready, closing, "listener" };

static void cancel(struct pe__task *task)
{
    pe_listener *listener = task->object;

    pe__base_list_remove(&task->in.accept.link);
    stop_pause(listener);
    pe__wait_end(task, PE_ECANCELED);
}

static const struct pe__wait_kind accept_kind = { .name = "a connection to a listener", .cancel = cancel };

/* `before`: what a first attempt has come to, PE_WAIT or an error. */
static int begin_wait(pe_task *t, pe_listener *listener, pe_socket **ret_socket, int before)
{
    struct pe__task *task = pe__task_of(t);
    int result = pe__wait_begin(t, &accept_kind, listener);

    if (result != PE_WAIT)
        return result;
    result = pe__descriptor_look_for(&listener->descriptor, before == PE_WAIT ? UV_READABLE : 0);
    if (result < 0)
        return pe__wait_undo(task, result);
    task->in.accept.ret_socket = ret_socket;
    pe__base_list_push_back(&listener->waiters, &task->in.accept.link);
    listener->descriptor.at_once = 0;
    if (before != PE_WAIT)
        pause_a_while(listener);
    return PE_WAIT;
}

int pe_accept(pe_task *t, pe_listener *listener, pe_socket **ret_socket)
{
    int result = pe__descriptor_wait_check(t, descriptor_of(listener));

    if (result == 0 && ret_socket == NULL)
        result = PE_EINVAL;
    if (result != 0)
        return result;
    if (!pe__base_list_empty(&listener->waiters))
        return begin_wait(t, listener, ret_socket, PE_WAIT);
    result = listener->may_be_there || pe__task_of(t)->stop != 0 ? accept_one(listener, ret_socket) : PE_WAIT;
    if (result == 0)
        return pe__descriptor_at_once(&listener->descriptor, pe__task_of(t), 0);
    return begin_wait(t, listener, ret_socket, result);
}

/* ---- listening ---- */

static int listener_of(pe_loop *loop, int fd, bool is_ours, pe_listener **ret_listener)
{
    pe_listener *listener = pe__descriptor_new(sizeof *listener);

    if (listener == NULL)
        return PE_ENOMEM;
    pe__base_list_init(&listener->waiters);
    int result = is_ours ? pe__descriptor_open(&listener->descriptor, loop, fd, &kind)
                         : pe__descriptor_adopt(&listener->descriptor, loop, fd, &kind);
    if (result < 0)
        free(listener);
    else
        *ret_listener = listener;
    return result;
}

/* A listener that does not listen yet. */
static int open_listener(pe_loop *loop, int family, pe_listener **ret_listener)
{
    int fd = pe__base_fd_raise(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));

    if (fd < 0)
        return fd;
    int result = listener_of(loop, fd, true, ret_listener);
    if (result < 0)
        pe__base_fd_close(fd);
    return result;
}

static int listen_on(pe_listener *listener, const struct sockaddr *address, size_t address_bytes, int backlog)
{
    int fd = listener->descriptor.fd, on = 1;
    struct stat is;

    listener->is_tcp = address->sa_family != AF_UNIX;
    if (listener->is_tcp)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, address, (socklen_t)address_bytes) < 0)
        return -errno;
    if (!listener->is_tcp && lstat(((const struct sockaddr_un *)(const void *)address)->sun_path, &is) == 0) {
        memcpy(&listener->address, address, address_bytes);
        listener->device = is.st_dev;
        listener->inode = is.st_ino;
        listener->owns_file = true;
    }
    return listen(fd, backlog > 0 ? backlog : INT_MAX) < 0 ? -errno : 0;
}

static int make_listener(pe_loop *loop, const struct sockaddr *address, size_t address_bytes, int backlog,
                         pe_listener **ret_listener)
{
    pe_listener *listener;
    int result = open_listener(loop, address->sa_family, &listener);

    if (result < 0)
        return result;
    result = listen_on(listener, address, address_bytes, backlog);
    if (result < 0)
        pe__descriptor_free(&listener->descriptor);
    else
        *ret_listener = listener;
    return result;
}

int pe_tcp_listen(pe_loop *loop, const struct sockaddr *address, size_t address_bytes, int backlog,
                  pe_listener **ret_listener)
{
    int result = pe__descriptor_loop_check(loop);

    if (result == 0 && (ret_listener == NULL || backlog < 0))
        result = PE_EINVAL;
    if (result == 0)
        result = pe__address_check(address, address_bytes);
    return result < 0 ? result : make_listener(loop, address, address_bytes, backlog, ret_listener);
}

int pe_unix_listen(pe_loop *loop, const char *path, int backlog, pe_listener **ret_listener)
{
    struct sockaddr_storage address;
    size_t address_bytes;
    int result = pe__descriptor_loop_check(loop);

    if (result == 0 && (ret_listener == NULL || backlog < 0))
        result = PE_EINVAL;
    if (result == 0)
        result = pe__address_of_path(path, &address, &address_bytes);
    if (result != 0)
        return result;
    return make_listener(loop, (const struct sockaddr *)&address, address_bytes, backlog, ret_listener);
}

int pe_listener_open(pe_loop *loop, int fd, pe_listener **ret_listener)
{
    int result = pe__descriptor_loop_check(loop), type = 0, listens = 0, domain = 0;
    socklen_t bytes = sizeof type;

    if (result == 0 && ret_listener == NULL)
        result = PE_EINVAL;
    if (result < 0)
        return result;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &bytes) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &bytes) < 0)
        return -errno;
    if (type != SOCK_STREAM || !listens)
        return PE_EINVAL;
    result = listener_of(loop, fd, false, ret_listener);
    if (result == 0)
        (*ret_listener)->is_tcp = domain != AF_UNIX;
    return result;
}

void pe_listener_free(pe_listener *listener)
{
    pe__descriptor_give_back(descriptor_of(listener));
}

int pe_listener_fd(const pe_listener *listener)
{
    return pe__descriptor_fd(descriptor_of(listener));
}

int pe_listener_local(const pe_listener *listener, struct sockaddr_storage *ret_address, size_t *ret_bytes)
{
    return pe__descriptor_local(descriptor_of(listener), ret_address, ret_bytes);
}
