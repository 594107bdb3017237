/*
 * socket_write.c - waiting till all has been written.
 *
 * The system takes the pieces from the program's memory, at once as far as it has room, the rest when it has room
 * again. Nothing else holds that memory, so a write can be stopped at any point; how far it came is in `sent`.
 */
#include "async/socket.h"

#include <errno.h>
#include <string.h>

#include "base/write_signals.h"

#define WINDOW 16 /* pieces in one system call */

/* ---- handing it to the system ---- */

/* send has a flag against SIGPIPE, writev has none. */
static ssize_t write_pipe(int fd, const struct iovec *window, size_t count)
{
    struct pe__base_write_signals held;

    pe__base_write_signals_hold(&held);
    ssize_t written = writev(fd, window, (int)count);
    pe__base_write_signals_release(&held, written < 0);
    return written;
}

static ssize_t write_window(const pe_socket *socket, struct iovec *window, size_t count)
{
    struct msghdr message = { .msg_iov = window, .msg_iovlen = count };

    if (!socket->is_socket)
        return write_pipe(socket->descriptor.fd, window, count);
    if (count == 1)
        return send(socket->descriptor.fd, window->iov_base, window->iov_len, MSG_NOSIGNAL);
    return sendmsg(socket->descriptor.fd, &message, MSG_NOSIGNAL);
}

/* The pieces that come next; their bytes. */
static size_t fill_window(const struct pe__output *output, struct iovec *window, size_t *ret_count)
{
    size_t count = output->count < WINDOW ? output->count : WINDOW, bytes = 0;

    memcpy(window, output->pieces, count * sizeof *window);
    window->iov_base = (char *)window->iov_base + output->done;
    window->iov_len -= output->done;
    for (size_t i = 0; i < count; i++)
        bytes += window[i].iov_len;
    *ret_count = count;
    return bytes;
}

/* These many bytes of the pieces have been taken, and pieces without any. */
static void move_on(struct pe__output *output, size_t bytes)
{
    output->sent += (int64_t)bytes;
    while (output->count > 0 && bytes >= output->pieces->iov_len - output->done) {
        bytes -= output->pieces->iov_len - output->done;
        output->pieces++;
        output->count--;
        output->done = 0;
    }
    output->done += bytes;
}

/* 0, an error, or PE_WAIT: there is no room. */
static int write_system(pe_socket *socket)
{
    struct pe__output *output = &socket->output;
    struct iovec window[WINDOW];
    size_t count;

    move_on(output, 0);
    while (output->count > 0) {
        size_t bytes = fill_window(output, window, &count);
        ssize_t written = write_window(socket, window, count);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno == EAGAIN ? PE_WAIT : -errno;
        move_on(output, (size_t)written);
        if ((size_t)written < bytes)
            return PE_WAIT;
    }
    return 0;
}

/* The write ends before all is written. */
static int give_up(struct pe__output *output, int result)
{
    if (output->sent > 0)
        output->is_broken = true;
    return result;
}

/* ---- waiting ---- */

static void end(pe_socket *socket, int result)
{
    struct pe__task *writer = socket->output.writer;

    socket->output.writer = NULL;
    pe__wait_end(writer, result);
}

bool pe__socket_write_ready(pe_socket *socket)
{
    if (socket->output.writer == NULL)
        return false;
    int result = write_system(socket);
    if (result == PE_WAIT) {
        result = pe__descriptor_look_for(&socket->descriptor, UV_WRITABLE);
        if (result == 0)
            return true;
    }
    end(socket, result < 0 ? give_up(&socket->output, result) : 0);
    return true;
}

void pe__socket_write_closed(pe_socket *socket)
{
    if (socket->output.writer != NULL)
        end(socket, PE_ECLOSED);
}

static void cancel(struct pe__task *task)
{
    pe_socket *socket = task->object;

    end(socket, give_up(&socket->output, PE_ECANCELED));
}

static const struct pe__wait_kind write_kind = { .name = "a socket to write to", .cancel = cancel };

static int begin_wait(pe_task *t, pe_socket *socket)
{
    int result = pe__wait_begin(t, &write_kind, socket);

    if (result == PE_WAIT) {
        int looked = pe__descriptor_look_for(&socket->descriptor, UV_WRITABLE);

        if (looked == 0) {
            socket->output.writer = pe__task_of(t);
            socket->descriptor.at_once = 0;
            return PE_WAIT;
        }
        result = pe__wait_undo(pe__task_of(t), looked);
    }
    return give_up(&socket->output, result);
}

/* A write that is refused because its task is to stop is the latest one as well, and has sent nothing. */
static void note_refused(const pe_task *t, pe_socket *socket)
{
    if (pe__descriptor_check(pe__socket_descriptor(socket)) == 0 &&
        socket->descriptor.loop == pe__task_of(t)->loop && socket->output.writer == NULL)
        socket->output.sent = 0;
}

static int check(pe_task *t, pe_socket *socket, const void *data, size_t count)
{
    int result = pe__descriptor_wait_check(t, pe__socket_descriptor(socket));

    if (result == PE_ECANCELED || result == PE_WAIT)
        note_refused(t, socket);
    if (result == 0 && data == NULL && count > 0)
        result = PE_EINVAL;
    if (result == 0 && socket->output.writer != NULL)
        result = PE_EBUSY;
    return result == 0 && socket->output.is_broken ? PE_EBROKEN : result;
}

static int begin(pe_task *t, pe_socket *socket, const struct iovec *pieces, size_t count)
{
    struct pe__output *output = &socket->output;

    output->pieces = pieces;
    output->count = count;
    output->done = 0;
    output->sent = 0;
    int result = write_system(socket);
    if (result == PE_WAIT)
        return begin_wait(t, socket);
    if (result < 0)
        give_up(output, result);
    return pe__descriptor_at_once(&socket->descriptor, pe__task_of(t), result);
}

int pe_socket_write(pe_task *t, pe_socket *socket, const void *data, size_t bytes)
{
    int result = check(t, socket, data, bytes);

    if (result != 0)
        return result;
    socket->output.piece = (struct iovec){ .iov_base = (void *)(uintptr_t)data, .iov_len = bytes };
    return begin(t, socket, &socket->output.piece, 1);
}

int pe_socket_writev(pe_task *t, pe_socket *socket, const struct iovec *pieces, size_t count)
{
    int result = check(t, socket, pieces, count);

    return result != 0 ? result : begin(t, socket, pieces, count);
}

int64_t pe_socket_sent(const pe_socket *socket)
{
    int result = pe__descriptor_check(pe__socket_descriptor(socket));

    return result == 0 || result == PE_ECLOSED ? socket->output.sent : result;
}

int pe_socket_shutdown(pe_socket *socket)
{
    int result = pe__descriptor_check(pe__socket_descriptor(socket));

    if (result < 0)
        return result;
    if (socket->output.writer != NULL)
        return PE_EBUSY;
    return shutdown(socket->descriptor.fd, SHUT_WR) < 0 ? -errno : 0;
}
