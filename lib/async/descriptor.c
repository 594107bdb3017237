/*
 * descriptor.c - a descriptor that the loop watches for an object of the program's.
 *
 * The handle is never referenced: it is tasks that keep a loop running.
 */
#include "async/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"

#define AT_ONCE_MOST 16

int pe__descriptor_loop_check(const pe_loop *loop)
{
    int result = pe__loop_check(loop);

    return result == 0 && loop->is_closing_handles ? PE_ECLOSED : result;
}

int pe__descriptor_check(const struct pe__descriptor *descriptor)
{
    if (descriptor == NULL)
        return PE_EINVAL;
    if (pe__base_forked(descriptor->token))
        return PE_EFORKED;
    return descriptor->fd < 0 ? PE_ECLOSED : 0;
}

/* ---- open and close ---- */

void *pe__descriptor_new(size_t bytes)
{
    struct pe__descriptor *descriptor = calloc(1, bytes);

    if (descriptor != NULL)
        descriptor->fd = descriptor->flags = -1;
    return descriptor;
}

static void on_close(uv_handle_t *handle)
{
    struct pe__descriptor *descriptor = handle->data;
    pe_loop *loop = descriptor->loop;

    descriptor->has_handle = false;
    if (descriptor->is_freed)
        free(descriptor);
    pe__handle_gone(loop);
}

/* It is in no list of the loop's any more. uv_close takes it out of the kernel's set at once. */
static void close_object(struct pe__object *object)
{
    struct pe__descriptor *descriptor = PE__BASE_LIST_ENTRY(object, struct pe__descriptor, object);
    int fd = descriptor->fd;

    descriptor->kind->closing(descriptor);
    uv_close((uv_handle_t *)&descriptor->poll, on_close);
    descriptor->fd = -1;
    if (descriptor->flags >= 0)
        (void)fcntl(fd, F_SETFL, descriptor->flags);
    if (!descriptor->stays_open)
        pe__base_fd_close(fd);
}

int pe__descriptor_open(struct pe__descriptor *descriptor, pe_loop *loop, int fd,
                        const struct pe__descriptor_kind *kind)
{
    int result = uv_poll_init(loop->uv, &descriptor->poll, fd);

    if (result < 0)
        return result;
    uv_unref((uv_handle_t *)&descriptor->poll);
    descriptor->poll.data = descriptor;
    descriptor->loop = loop;
    descriptor->kind = kind;
    descriptor->token = loop->token;
    descriptor->fd = fd;
    descriptor->has_handle = true;
    pe__handle_opened(loop);
    pe__object_open(loop, &descriptor->object, kind->name, close_object);
    return 0;
}

int pe__descriptor_adopt(struct pe__descriptor *descriptor, pe_loop *loop, int fd,
                         const struct pe__descriptor_kind *kind)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0)
        return -errno;
    int result = pe__descriptor_open(descriptor, loop, fd, kind);
    if (result < 0)
        return result;
    descriptor->flags = (flags & O_NONBLOCK) ? -1 : flags;
    descriptor->stays_open = fd <= STDERR_FILENO;
    return 0;
}

void pe__descriptor_free(struct pe__descriptor *descriptor)
{
    if (descriptor->fd >= 0) {
        pe__object_close(&descriptor->object);
        close_object(&descriptor->object);
    }
    descriptor->is_freed = true;
    if (!descriptor->has_handle)
        free(descriptor);
}

void pe__descriptor_give_back(struct pe__descriptor *descriptor)
{
    if (descriptor != NULL && !pe__base_forked(descriptor->token))
        pe__descriptor_free(descriptor);
}

/* ---- readiness ---- */

static void on_poll(uv_poll_t *poll, int status, int events);

static int look(struct pe__descriptor *descriptor, int events)
{
    int result = events ? uv_poll_start(&descriptor->poll, events, on_poll) : uv_poll_stop(&descriptor->poll);

    if (result == 0)
        descriptor->looked_for = events;
    return result;
}

int pe__descriptor_look_for(struct pe__descriptor *descriptor, int events)
{
    events |= descriptor->looked_for;
    return events == descriptor->looked_for ? 0 : look(descriptor, events);
}

void pe__descriptor_look_away(struct pe__descriptor *descriptor, int events)
{
    events = descriptor->looked_for & ~events;
    if (events != descriptor->looked_for)
        (void)look(descriptor, events);
}

/* After an error, which the next read or write will tell, libuv has stopped looking. */
static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct pe__descriptor *descriptor = poll->data;

    if (status < 0) {
        descriptor->looked_for = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    int unwanted = descriptor->kind->ready(descriptor, events);
    if (descriptor->fd >= 0)
        pe__descriptor_look_away(descriptor, unwanted);
}

int pe__descriptor_at_once(struct pe__descriptor *descriptor, struct pe__task *task, int result)
{
    if (++descriptor->at_once < AT_ONCE_MOST)
        return result;
    descriptor->at_once = 0;
    task->loop->current = NULL;
    task->head.result = result;
    pe__wait_push(task->loop, task);
    return PE_WAIT;
}

/* ---- questions ---- */

int pe__descriptor_fd(const struct pe__descriptor *descriptor)
{
    int result = pe__descriptor_check(descriptor);

    return result < 0 ? result : descriptor->fd;
}

static int ask(const struct pe__descriptor *descriptor, bool is_peer, struct sockaddr_storage *ret_address,
               size_t *ret_bytes)
{
    struct sockaddr_storage storage = { 0 };
    struct sockaddr *address = (struct sockaddr *)&storage;
    socklen_t bytes = sizeof storage;
    int result = pe__descriptor_check(descriptor);

    if (result == 0 && ret_address == NULL)
        result = PE_EINVAL;
    if (result < 0)
        return result;
    if ((is_peer ? getpeername(descriptor->fd, address, &bytes) : getsockname(descriptor->fd, address, &bytes)) < 0)
        return -errno;
    *ret_address = storage;
    if (ret_bytes != NULL)
        *ret_bytes = bytes;
    return 0;
}

int pe__descriptor_local(const struct pe__descriptor *descriptor, struct sockaddr_storage *ret_address,
                         size_t *ret_bytes)
{
    return ask(descriptor, false, ret_address, ret_bytes);
}

int pe__descriptor_peer(const struct pe__descriptor *descriptor, struct sockaddr_storage *ret_address,
                        size_t *ret_bytes)
{
    return ask(descriptor, true, ret_address, ret_bytes);
}
