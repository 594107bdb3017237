/*
 * fd.h - what waits for descriptors on a loop. libuv has one handle for a descriptor on a loop, so all that wait for it
 * share one; it is there while something waits.
 */
#ifndef PE__ASYNC_FD_H
#define PE__ASYNC_FD_H

#include <stdint.h>

#include <parexec/fd.h>

#include "base/list.h"

/* One thing that waits, in its owner's memory. */
struct pe__fd_watch {
    struct pe__base_list link;
    /* Called once, with those of its events that are there; the watch has ended by then. */
    void (*ready)(struct pe__fd_watch *watch, int events);
    int32_t fd;
    int32_t events; /* PE_FD_* */
};

struct pe__fd_entry;

/* Of a loop, by descriptor. */
struct pe__fd_table {
    struct pe__fd_entry **entries; /* NULL: nothing waits for it */
    uint32_t count;
};

void pe__fd_table_fini(struct pe__fd_table *table);

/* 0, or an error as of pe_fd_wait. `fd` is open. Never calls `ready` by itself. */
int pe__fd_watch_start(pe_loop *loop, struct pe__fd_watch *watch, int fd, int events,
                       void (*ready)(struct pe__fd_watch *watch, int events));

/* One that goes on, or is about to be told. */
void pe__fd_watch_stop(pe_loop *loop, struct pe__fd_watch *watch);

#endif
