/*
 * fd.c - waiting for descriptors.
 *
 * What is ready is found by poll before anything is set up. Else there is an entry for the descriptor in the loop's
 * table, with the libuv handle and the watches, and the handle waits for all that any of them waits for. It is closed
 * with the last watch, after which neither libuv nor the kernel's poll set know the descriptor, and before anybody is
 * told, so that whoever is told may close the descriptor.
 *
 * The handles do not keep the libuv loop alive: the tasks do.
 */
#include "async/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>

#include "async/loop.h"
#include "async/wait.h"

#define EVENTS_ALL (PE_FD_READABLE | PE_FD_WRITABLE | PE_FD_HANGUP | PE_FD_PRIORITY)
#define TABLE_COUNT_FIRST 64

_Static_assert(PE_FD_READABLE == UV_READABLE && PE_FD_WRITABLE == UV_WRITABLE && PE_FD_HANGUP == UV_DISCONNECT &&
                   PE_FD_PRIORITY == UV_PRIORITIZED,
               "libuv's numbers are ours");

struct pe__fd_entry {
    uv_poll_t poll; /* data: the loop */
    int fd;
    struct pe__base_list watches;
};

void pe__fd_table_fini(struct pe__fd_table *table)
{
    free(table->entries);
}

/* ---- what is there now ---- */

static const struct {
    int event;
    short bit;
} bits[] = {
    { PE_FD_READABLE, POLLIN },
    { PE_FD_WRITABLE, POLLOUT },
    { PE_FD_HANGUP, POLLRDHUP },
    { PE_FD_PRIORITY, POLLPRI },
};

/* Those of the events that are there now, 0: none; PE_EBADF. */
static int events_now(int fd, int events)
{
    struct pollfd look = { .fd = fd };
    int there = 0;

    if (fd < 0)
        return PE_EBADF; /* poll leaves them out */
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        look.events = (short)(look.events | ((events & bits[i].event) != 0 ? bits[i].bit : 0));
    int count = poll(&look, 1, 0);
    if (count <= 0)
        return count < 0 ? -errno : 0;
    if (look.revents & POLLNVAL)
        return PE_EBADF;
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        there |= (look.revents & bits[i].bit) != 0 ? bits[i].event : 0;
    there &= events;
    return there == 0 || (look.revents & POLLERR) ? events : there;
}

/* ---- entries ---- */

static void on_closed(uv_handle_t *handle)
{
    pe_loop *loop = handle->data;

    pe__slab_free(&loop->slab, (struct pe__fd_entry *)(void *)handle, sizeof(struct pe__fd_entry));
    pe__handle_gone(loop);
}

static void close_entry(pe_loop *loop, struct pe__fd_entry *entry)
{
    loop->fds.entries[entry->fd] = NULL;
    uv_close((uv_handle_t *)&entry->poll, on_closed);
}

static void on_poll(uv_poll_t *poll, int status, int events);

/* The handle follows the watches. */
static void adjust(pe_loop *loop, struct pe__fd_entry *entry)
{
    int events = 0;

    PE__BASE_LIST_EACH(link, &entry->watches)
        events |= PE__BASE_LIST_ENTRY(link, struct pe__fd_watch, link)->events;
    if (events == 0)
        close_entry(loop, entry);
    else
        uv_poll_start(&entry->poll, events, on_poll);
}

/* An error ends the handle's waiting, and comes without events. */
static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct pe__fd_entry *entry = (struct pe__fd_entry *)(void *)poll;
    pe_loop *loop = poll->data;
    struct pe__base_list told = PE__BASE_LIST_INIT(told), *link;

    PE__BASE_LIST_EACH_SAFE(at, after, &entry->watches) {
        struct pe__fd_watch *watch = PE__BASE_LIST_ENTRY(at, struct pe__fd_watch, link);
        int there = status < 0 ? watch->events : watch->events & events;

        if (there != 0) {
            watch->events = there;
            pe__base_list_remove(at);
            pe__base_list_push_back(&told, at);
        }
    }
    adjust(loop, entry);
    while ((link = pe__base_list_pop_front(&told)) != NULL) {
        struct pe__fd_watch *watch = PE__BASE_LIST_ENTRY(link, struct pe__fd_watch, link);

        watch->ready(watch, watch->events);
    }
}

static int make_room(struct pe__fd_table *table, uint32_t fd)
{
    uint32_t count = table->count > 0 ? table->count : TABLE_COUNT_FIRST;

    if (fd < table->count)
        return 0;
    while (count <= fd)
        count *= 2;
    struct pe__fd_entry **entries = realloc(table->entries, count * sizeof *entries);
    if (entries == NULL)
        return PE_ENOMEM;
    for (uint32_t i = table->count; i < count; i++)
        entries[i] = NULL;
    *table = (struct pe__fd_table){ entries, count };
    return 0;
}

/* libuv makes the descriptor nonblocking, for everybody who shares it; that is undone. */
static int open_handle(pe_loop *loop, uv_poll_t *poll, int fd)
{
    int flags = fcntl(fd, F_GETFL);
    int result = uv_poll_init(loop->uv, poll, fd);

    if (flags >= 0 && (flags & O_NONBLOCK) == 0)
        fcntl(fd, F_SETFL, flags);
    if (result < 0)
        return result;
    poll->data = loop;
    uv_unref((uv_handle_t *)poll);
    pe__handle_opened(loop);
    return 0;
}

static int open_entry(pe_loop *loop, int fd)
{
    int result = make_room(&loop->fds, (uint32_t)fd);

    if (result < 0 || loop->fds.entries[fd] != NULL)
        return result;
    struct pe__fd_entry *entry = pe__slab_new(&loop->slab, sizeof *entry);
    if (entry == NULL)
        return PE_ENOMEM;
    result = open_handle(loop, &entry->poll, fd);
    if (result < 0) {
        pe__slab_free(&loop->slab, entry, sizeof *entry);
        return result;
    }
    entry->fd = fd;
    pe__base_list_init(&entry->watches);
    loop->fds.entries[fd] = entry;
    return 0;
}

/* ---- watches ---- */

int pe__fd_watch_start(pe_loop *loop, struct pe__fd_watch *watch, int fd, int events,
                       void (*ready)(struct pe__fd_watch *watch, int events))
{
    int result = open_entry(loop, fd);

    if (result < 0)
        return result;
    *watch = (struct pe__fd_watch){ .ready = ready, .fd = fd, .events = events };
    pe__base_list_push_back(&loop->fds.entries[fd]->watches, &watch->link);
    adjust(loop, loop->fds.entries[fd]);
    return 0;
}

void pe__fd_watch_stop(pe_loop *loop, struct pe__fd_watch *watch)
{
    pe__base_list_remove(&watch->link);
    if (loop->fds.entries[watch->fd] != NULL)
        adjust(loop, loop->fds.entries[watch->fd]);
}

/* ---- tasks ---- */

static void ready(struct pe__fd_watch *watch, int events)
{
    pe__wait_end((struct pe__task *)(void *)((char *)watch - offsetof(struct pe__task, in.fd)), events);
}

static void cancel(struct pe__task *task)
{
    pe__fd_watch_stop(task->loop, &task->in.fd);
    pe__wait_end(task, PE_ECANCELED);
}

static const struct pe__wait_kind kind = { .name = "a descriptor", .cancel = cancel };

int pe_fd_wait(pe_task *t, int fd, int events)
{
    struct pe__task *task = pe__task_of(t);
    int result = pe__wait_check(t);

    if (result == 0 && (events == 0 || (events & ~EVENTS_ALL)))
        result = PE_EINVAL;
    if (result == 0)
        result = events_now(fd, events);
    if (result != 0)
        return result;
    result = pe__wait_begin(t, &kind, NULL);
    if (result != PE_WAIT)
        return result;
    result = pe__fd_watch_start(task->loop, &task->in.fd, fd, events, ready);
    return result == 0 ? PE_WAIT : pe__wait_undo(task, result);
}
