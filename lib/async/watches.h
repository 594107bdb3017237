/*
 * watches.h - watching the tasks of an array: what the waits for several tasks share.
 *
 * The watches of a call lie side by side in its block of memory, in the order of the array. A task that is in the array
 * several times has as many of them, next to each other in its ring.
 */
#ifndef PE__ASYNC_WATCHES_H
#define PE__ASYNC_WATCHES_H

#include "async/watch.h"

struct pe__watch_one {
    struct pe__task_watch watch;
    struct pe__task *task; /* NULL: it has ended, or is not watched any more */
    void *owner;
};

/* 0; PE_EINVAL: tasks that are missing, or too many, or not of this loop. */
int pe__watches_check(const pe_loop *loop, pe_task *const *tasks, size_t count);

/* Watches those that have not ended, and returns their number. */
size_t pe__watches_start(struct pe__watch_one *ones, pe_task *const *tasks, size_t count, void *owner,
                         void (*ended)(struct pe__task_watch *watch, struct pe__task *task));

/* No watch is told any more. */
void pe__watches_stop(struct pe__watch_one *ones, size_t count);

/* Cancels those that are watched, each once. */
void pe__watches_cancel(const struct pe__watch_one *ones, size_t count);

/* For pe__wait_kind.next_target. */
struct pe__task *pe__watches_next(const struct pe__watch_one *ones, size_t count, uintptr_t *place);

/* In a call of `ended`. */
static inline struct pe__watch_one *pe__watches_told(struct pe__task_watch *watch)
{
    struct pe__watch_one *one = (struct pe__watch_one *)(void *)((char *)watch - offsetof(struct pe__watch_one, watch));

    one->task = NULL;
    return one;
}

#endif
