/*
 * lock.c - locks.
 *
 * The task that holds a lock is watched, so that the lock goes on when it ends. Each waiter has the owner for its
 * target, which lets rings be found: before a wait begins, and again where a condition has a task take its lock once
 * more.
 *
 * That cannot be stopped: it has no cancel, and a request is left for the next wait, or was what woke the task in its
 * condition. It comes to its end all the same when a loop is closed, since the owner does.
 */
#include "async/lock.h"

#include "async/watch.h"

static void hand_on(struct pe_lock *lock);

static void owner_ended(struct pe__task_watch *watch, struct pe__task *task)
{
    (void)task;
    hand_on(PE__BASE_LIST_ENTRY(watch, struct pe_lock, watch));
}

static void take(struct pe_lock *lock, struct pe__task *task)
{
    lock->owner = task;
    pe__watch_start(task, &lock->watch, owner_ended);
}

/* The owner is not watched any more. */
static void hand_on(struct pe_lock *lock)
{
    struct pe__task *next = pe__waiters_take(&lock->waiters);

    lock->owner = NULL;
    if (next == NULL)
        return;
    take(lock, next);
    pe__wait_end(next, next->in.waiter.result);
}

static void give_up(struct pe_lock *lock)
{
    pe__watch_stop(lock->owner, &lock->watch);
    hand_on(lock);
}

static struct pe__task *target(const struct pe__task *task)
{
    return ((struct pe_lock *)task->object)->owner;
}

static const struct pe__wait_kind kind = { .name = "a lock", .cancel = pe__waiters_cancel, .target = target };
static const struct pe__wait_kind again_kind = { .name = "the lock of a condition", .target = target };

/* ---- for conditions ---- */

void pe__lock_lend(struct pe_lock *lock)
{
    lock->lent++;
    give_up(lock);
}

static void free_if_unused(struct pe_lock *lock)
{
    if (lock->is_freed && lock->lent == 0)
        pe__loop_dealloc(lock->loop, lock, sizeof *lock);
}

static void wait_again(struct pe_lock *lock, struct pe__task *task, int result)
{
    task->wait = &again_kind;
    task->object = lock;
    task->in.waiter.result = result;
    pe__waiters_add(&lock->waiters, task, NULL);
}

void pe__lock_return(struct pe_lock *lock, struct pe__task *task, int result)
{
    lock->lent--;
    if (lock->is_freed) {
        pe__wait_end(task, PE_ECLOSED);
    } else if (lock->owner == NULL) {
        take(lock, task);
        pe__wait_end(task, result);
    } else if (pe__wait_is_for(lock->owner, task)) {
        pe__wait_end(task, PE_EDEADLK);
    } else {
        wait_again(lock, task, result);
    }
    free_if_unused(lock);
}

/* ---- locks ---- */

int pe_lock_new(pe_loop *loop, pe_lock **ret_lock)
{
    int result = pe__loop_check(loop);

    if (result == 0 && ret_lock == NULL)
        result = PE_EINVAL;
    if (result < 0)
        return result;
    struct pe_lock *lock = pe__loop_alloc(loop, sizeof *lock);
    if (lock == NULL)
        return PE_ENOMEM;
    *lock = (struct pe_lock){ .loop = loop };
    pe__waiters_init(&lock->waiters);
    *ret_lock = lock;
    return 0;
}

int pe_lock_acquire(pe_task *t, pe_lock *lock)
{
    struct pe__task *task = pe__task_of(t);
    int result = pe__waiters_check(t, lock == NULL ? NULL : lock->loop);

    if (result == 0 && lock->owner != NULL && pe__wait_is_for(lock->owner, task))
        result = PE_EDEADLK;
    if (result != 0)
        return result;
    if (lock->owner == NULL) {
        take(lock, task);
        return 0;
    }
    task->in.waiter.result = 0;
    return pe__waiters_wait(&lock->waiters, t, &kind, lock, NULL);
}

/* 0: t runs, and the lock is of its loop. */
static int check(const pe_task *t, const pe_lock *lock)
{
    int result = pe__wait_check_running(t);

    return result == 0 && (lock == NULL || lock->loop != pe__task_of(t)->loop) ? PE_EINVAL : result;
}

int pe_lock_try_acquire(pe_task *t, pe_lock *lock)
{
    int result = check(t, lock);

    if (result == 0 && lock->owner != NULL)
        result = lock->owner == pe__task_of(t) ? PE_EDEADLK : PE_EAGAIN;
    if (result == 0)
        take(lock, pe__task_of(t));
    return result;
}

int pe_lock_release(pe_task *t, pe_lock *lock)
{
    int result = check(t, lock);

    if (result == 0 && lock->owner != pe__task_of(t))
        result = PE_EPERM;
    if (result == 0)
        give_up(lock);
    return result;
}

void pe_lock_free(pe_lock *lock)
{
    if (lock == NULL || pe__base_forked(lock->loop->token))
        return;
    if (lock->owner != NULL)
        pe__watch_stop(lock->owner, &lock->watch);
    pe__waiters_end_all(&lock->waiters, PE_ECLOSED);
    lock->is_freed = true;
    free_if_unused(lock);
}
