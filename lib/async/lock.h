/*
 * lock.h - what a condition needs of a lock. A task that waits for the lock has the result that its wait will end with
 * noted in `in.waiter.result`.
 */
#ifndef PE__ASYNC_LOCK_H
#define PE__ASYNC_LOCK_H

#include <parexec/sync.h>

#include "async/waiters.h"

struct pe_lock {
    pe_loop *loop;
    struct pe__task *owner;     /* NULL: nobody holds it, and nobody waits */
    struct pe__task_watch watch;     /* of the owner */
    struct pe__waiters waiters;
    size_t lent;                /* tasks in conditions that will take it again */
    bool is_freed;              /* lives only for those */
};

/* Held by this task, which waits in a condition for now: it goes to the first waiter. */
void pe__lock_lend(struct pe_lock *lock);

/* The task waits in no condition any more: its wait ends with this result when it has the lock again. */
void pe__lock_return(struct pe_lock *lock, struct pe__task *task, int result);

#endif
