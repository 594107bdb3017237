/*
 * descriptor.h - a descriptor that the loop watches for an object of the program's.
 *
 * The library reads and writes by itself, into and from the program's memory, and has libuv tell it when that is
 * possible. So nothing holds that memory but a wait, which can end at any time; libuv's own writes could be stopped
 * only by closing, and raise SIGPIPE.
 *
 * What is looked for stays the same between waits: changing it costs two system calls. It is reduced only when
 * something comes that nobody waits for, so a task that reads again and again costs no such call, and a peer that sends
 * to nobody wakes the loop once.
 *
 * The object is one block of malloc's that begins with this. It is given back when both its program has freed it and
 * libuv has closed the handle.
 */
#ifndef PE__ASYNC_DESCRIPTOR_H
#define PE__ASYNC_DESCRIPTOR_H

#include <sys/socket.h>

#include "async/wait.h"

struct pe__descriptor;

struct pe__descriptor_kind {
    /* It is ready for these, UV_READABLE and UV_WRITABLE. Returns those that nobody waits for. */
    int (*ready)(struct pe__descriptor *descriptor, int events);
    /* It is closed, by its program or with its loop: waits end with PE_ECLOSED. The descriptor is still open. */
    void (*closing)(struct pe__descriptor *descriptor);
    const char *name; /* for people: "socket" */
};

struct pe__descriptor {
    struct pe__object object;
    pe_loop *loop;            /* as long as the handle is open */
    const struct pe__descriptor_kind *kind;
    uint64_t token;           /* of the process, see base/forked.h */
    int fd;                   /* -1: it has been closed */
    int flags;                /* of the file, to be restored; -1: not changed */
    bool stays_open;          /* the descriptor, when this is closed */
    bool is_freed;            /* by the program */
    bool has_handle;          /* it has not been closed by libuv */
    uint8_t at_once;          /* calls that did not wait, since the last one that did */
    int looked_for;           /* what the handle is started for */
    uv_poll_t poll;
};

/* 0, PE_EINVAL, PE_EFORKED, PE_ECLOSED: whether something can be made on the loop. */
int pe__descriptor_loop_check(const pe_loop *loop);

/* Memory for an object, zeroed, without a descriptor: pe__descriptor_open, or free. NULL: no memory. */
void *pe__descriptor_new(size_t bytes);

/* Puts it on the loop. 0, or an error of libuv: then fd is the caller's as before. */
int pe__descriptor_open(struct pe__descriptor *descriptor, pe_loop *loop, int fd,
                        const struct pe__descriptor_kind *kind);

/* The same for a descriptor of the program's, perhaps shared with others. */
int pe__descriptor_adopt(struct pe__descriptor *descriptor, pe_loop *loop, int fd,
                         const struct pe__descriptor_kind *kind);

/* Looks for these too. 0, or an error of libuv. */
int pe__descriptor_look_for(struct pe__descriptor *descriptor, int events);

/* Looks for these no more. */
void pe__descriptor_look_away(struct pe__descriptor *descriptor, int events);

/* Closes it unless that has been done, and gives it back. */
void pe__descriptor_free(struct pe__descriptor *descriptor);

/* For pe_*_free: the program gives it back. NULL is fine; nothing happens in a forked child. */
void pe__descriptor_give_back(struct pe__descriptor *descriptor);

/* 0, PE_EINVAL, PE_EFORKED, PE_ECLOSED. */
int pe__descriptor_check(const struct pe__descriptor *descriptor);

/* Their answers go to the program. */
int pe__descriptor_fd(const struct pe__descriptor *descriptor);
int pe__descriptor_local(const struct pe__descriptor *descriptor, struct sockaddr_storage *ret_address,
                         size_t *ret_bytes);
int pe__descriptor_peer(const struct pe__descriptor *descriptor, struct sockaddr_storage *ret_address,
                        size_t *ret_bytes);

/* A call of the task's ends with this without a wait; but every sixteenth has a turn of its own, so that a task which
 * never has to wait does not keep the others from theirs. What the call is to return. */
int pe__descriptor_at_once(struct pe__descriptor *descriptor, struct pe__task *task, int result);

/* For an awaitable: pe__wait_check, and that the task's loop is that of the descriptor. */
static inline int pe__descriptor_wait_check(const pe_task *t, const struct pe__descriptor *descriptor)
{
    int result = pe__wait_check(t);

    if (result == 0)
        result = pe__descriptor_check(descriptor);
    if (result == 0 && descriptor->loop != pe__task_of(t)->loop)
        result = PE_EINVAL;
    return result;
}

#endif
