/*
 * disposition.h - what the process does on a signal: libuv's handler while something of ours listens, what it was
 * before at all other times, and in forked children. For all loops and threads of the process.
 */
#ifndef PE__ASYNC_DISPOSITION_H
#define PE__ASYNC_DISPOSITION_H

#include <uv.h>

#include "base/list.h"

/* One libuv handle of ours that listens; in its owner's memory. */
struct pe__disposition_user {
    struct pe__base_list link;
    uv_signal_t *handle;
    int number;
};

/* Starts the handle. 0, PE_EINVAL, PE_ENOMEM, and others of libuv. */
int pe__disposition_take(struct pe__disposition_user *user, uv_signal_t *handle, int number, uv_signal_cb on_signal);

/* Stops the handle. */
void pe__disposition_give_back(struct pe__disposition_user *user);

#endif
