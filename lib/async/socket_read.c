/*
 * socket_read.c - waiting for input.
 *
 * Input goes from the system into the reader's buffer. What a read took and does not hand out, because it was stopped
 * or goes beyond a delimiter, is put back into memory of the socket's, where the next read finds it; a read that waits
 * has taken all of that. A socket whose last read left room in the buffer is empty, and is not asked again before the
 * system says that something has come.
 */
#include "async/socket.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READS_MOST 16 /* for one event */

/* ---- what is kept ---- */

/* There is nothing kept: these bytes are now. Without memory they are lost, which every further read tells. */
static void put_back(struct pe__input *input, const char *bytes, size_t count)
{
    struct pe__kept *kept = &input->kept;

    if (count > kept->capacity) {
        free(kept->bytes);
        kept->bytes = malloc(count);
        kept->capacity = kept->bytes != NULL ? count : 0;
        if (kept->bytes == NULL)
            input->error = PE_ENOMEM;
    }
    kept->begin = 0;
    kept->count = count <= kept->capacity ? count : 0;
    if (kept->count > 0)
        memcpy(kept->bytes, bytes, count);
}

/* The read ends with this; what it has got stays. */
static int give_up(struct pe__input *input, int result)
{
    if (input->have > 0)
        put_back(input, input->buffer, input->have);
    input->have = 0;
    return input->error < 0 && result != PE_ECANCELED ? input->error : result;
}

static void take_kept(struct pe__input *input, size_t count)
{
    struct pe__kept *kept = &input->kept;

    memcpy(input->buffer, kept->bytes + kept->begin, count);
    kept->begin += count;
    kept->count -= count;
    input->have = count;
}

/* ---- whether it is enough ---- */

/* The length up to and with the delimiter, which is not in the first `searched` bytes; 0: it is not there. */
static size_t find(const struct pe__input *input, const char *bytes, size_t count, size_t searched)
{
    size_t overlap = input->delimiter_bytes - 1;
    size_t from = searched > overlap ? searched - overlap : 0;
    const char *found = input->delimiter_bytes == 1
                            ? memchr(bytes + from, *input->delimiter, count - from)
                            : memmem(bytes + from, count - from, input->delimiter, input->delimiter_bytes);

    return found != NULL ? (size_t)(found - bytes) + input->delimiter_bytes : 0;
}

/* After `searched` bytes more have come: the result, or PE_WAIT. */
static int result_until(struct pe__input *input, size_t searched)
{
    size_t length = find(input, input->buffer, input->have, searched);

    if (length == 0)
        return input->have == input->capacity ? give_up(input, PE_ETOOBIG) : PE_WAIT;
    if (length < input->have)
        put_back(input, input->buffer + length, input->have - length);
    return (int)length;
}

static int result_of(struct pe__input *input, size_t had)
{
    if (input->delimiter != NULL)
        return result_until(input, had);
    return input->have >= input->least ? (int)input->have : PE_WAIT;
}

/* ---- where it comes from ---- */

static int read_kept(struct pe__input *input)
{
    struct pe__kept *kept = &input->kept;
    size_t count = kept->count < input->capacity ? kept->count : input->capacity;

    if (count == 0)
        return PE_WAIT;
    if (input->delimiter != NULL) {
        size_t length = find(input, kept->bytes + kept->begin, count, 0);

        if (length == 0 && count == input->capacity)
            return PE_ETOOBIG;
        if (length > 0)
            count = length;
    }
    take_kept(input, count);
    return result_of(input, 0);
}

static ssize_t take(const pe_socket *socket)
{
    const struct pe__input *input = &socket->input;
    ssize_t got;

    do
        got = read(socket->descriptor.fd, input->buffer + input->have, input->capacity - input->have);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

/* The input has ended, or broken. */
static int result_of_end(struct pe__input *input, int error)
{
    input->may_be_there = true; /* the end */
    if (error < 0)
        input->error = error;
    else if (input->have > 0)
        error = PE_ENODATA;
    return give_up(input, error);
}

/* The result, or PE_WAIT when nothing more is there. */
static int read_system(pe_socket *socket)
{
    struct pe__input *input = &socket->input;

    for (int i = 0; i < READS_MOST; i++) {
        size_t room = input->capacity - input->have, had = input->have;
        ssize_t got = take(socket);

        input->may_be_there = got == (ssize_t)room;
        if (got == -EAGAIN)
            return PE_WAIT;
        if (got <= 0)
            return result_of_end(input, (int)got);
        input->have += (size_t)got;
        int result = result_of(input, had);
        if (result != PE_WAIT || !input->may_be_there)
            return result;
    }
    return PE_WAIT;
}

/* ---- waiting ---- */

static void end(pe_socket *socket, int result)
{
    struct pe__task *reader = socket->input.reader;

    socket->input.reader = NULL;
    pe__wait_end(reader, result);
}

bool pe__socket_read_ready(pe_socket *socket)
{
    struct pe__input *input = &socket->input;

    if (input->reader == NULL) {
        input->may_be_there = true;
        return false;
    }
    int result = read_system(socket);
    if (result == PE_WAIT) {
        int looked = pe__descriptor_look_for(&socket->descriptor, UV_READABLE);

        if (looked == 0)
            return true;
        result = give_up(input, looked);
    }
    end(socket, result);
    return true;
}

void pe__socket_read_closed(pe_socket *socket)
{
    if (socket->input.reader != NULL)
        end(socket, PE_ECLOSED);
    free(socket->input.kept.bytes);
    socket->input.kept = (struct pe__kept){ 0 };
}

static void cancel(struct pe__task *task)
{
    pe_socket *socket = task->object;

    end(socket, give_up(&socket->input, PE_ECANCELED));
}

static const struct pe__wait_kind read_kind = { .name = "input of a socket", .cancel = cancel };

static int begin_wait(pe_task *t, pe_socket *socket)
{
    struct pe__input *input = &socket->input;
    int result = pe__wait_begin(t, &read_kind, socket);

    if (result == PE_WAIT) {
        int looked = pe__descriptor_look_for(&socket->descriptor, UV_READABLE);

        if (looked == 0) {
            input->reader = pe__task_of(t);
            socket->descriptor.at_once = 0;
            return PE_WAIT;
        }
        result = pe__wait_undo(pe__task_of(t), looked);
    }
    return give_up(input, result);
}

/* The arguments are in `input`, checked. A task that is to be stopped does not wait, so the system is asked for it. */
static int begin(pe_task *t, pe_socket *socket)
{
    struct pe__input *input = &socket->input;
    int result = read_kept(input);

    if (result == PE_WAIT && input->error < 0)
        result = give_up(input, input->error);
    if (result == PE_WAIT && (input->may_be_there || pe__task_of(t)->stop != 0))
        result = read_system(socket);
    if (result != PE_WAIT)
        return pe__descriptor_at_once(&socket->descriptor, pe__task_of(t), result);
    return begin_wait(t, socket);
}

static int check(pe_task *t, pe_socket *socket, const void *buffer, size_t bytes)
{
    int result = pe__descriptor_wait_check(t, pe__socket_descriptor(socket));

    if (result == 0 && (buffer == NULL || bytes == 0))
        result = PE_EINVAL;
    return result == 0 && socket->input.reader != NULL ? PE_EBUSY : result;
}

static void set(struct pe__input *input, void *buffer, size_t capacity, size_t least)
{
    input->buffer = buffer;
    input->capacity = capacity;
    input->have = 0;
    input->least = least;
    input->delimiter = NULL;
}

int pe_socket_read(pe_task *t, pe_socket *socket, void *buffer, size_t bytes)
{
    int result = check(t, socket, buffer, bytes);

    if (result != 0)
        return result;
    set(&socket->input, buffer, bytes < INT_MAX ? bytes : INT_MAX, 1);
    return begin(t, socket);
}

int pe_socket_read_exactly(pe_task *t, pe_socket *socket, void *buffer, size_t bytes)
{
    int result = check(t, socket, buffer, bytes <= INT_MAX ? bytes : 0);

    if (result != 0)
        return result;
    set(&socket->input, buffer, bytes, bytes);
    return begin(t, socket);
}

int pe_socket_read_until(pe_task *t, pe_socket *socket, void *buffer, size_t capacity, const char *delimiter)
{
    int result = check(t, socket, buffer, capacity <= INT_MAX ? capacity : 0);

    if (result == 0 && delimiter == NULL)
        result = PE_EINVAL;
    if (result != 0)
        return result;
    set(&socket->input, buffer, capacity, 0);
    socket->input.delimiter = delimiter;
    socket->input.delimiter_bytes = *delimiter != '\0' ? strlen(delimiter) : 1;
    return begin(t, socket);
}
