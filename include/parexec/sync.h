/**
 * @file sync.h
 * What tasks of one loop use to work with each other: queues, semaphores, locks, events and conditions.
 *
 * Tasks run in turns, so plain variables need no lock between two waits; these are for what lasts across waits.
 *
 *     static int produce(pe_task *t, void *frame)
 *     {
 *         struct produce *f = frame;
 *         PE_BEGIN(t);
 *         for (f->i = 0; f->i < 10; f->i++)
 *             PE_TRY(t, pe_queue_put(t, f->queue, &f->i));
 *         pe_queue_close(f->queue);
 *         PE_END(t);
 *     }
 *
 *     static int consume(pe_task *t, void *frame)
 *     {
 *         struct consume *f = frame;
 *         PE_BEGIN(t);
 *         for (;;) {
 *             PE_TRY(t, pe_queue_get(t, f->queue, &f->item));
 *             printf("%d\n", f->item);
 *         }
 *         PE_END(t);
 *     }
 *
 * Who waits first is served first. What becomes free is handed to the first waiter at once, so nobody can overtake it,
 * whoever comes and in whatever order tasks run. A waiter that has been served keeps what it got, also when it is
 * cancelled in the same turn: its wait ends with 0, and the request is seen by its next one. One that is cancelled
 * before, or whose time is over, takes nothing, and the next is served.
 *
 * Waits are the calls that take a task. The others never wait and may be made outside tasks too, in callbacks of the
 * program on the loop's thread and in what pe_loop_post has called.
 *
 * An object belongs to its loop and is given back by the program, before or after the loop. Waits that go on then end
 * with PE_ECLOSED. Nothing is allocated but the object.
 *
 * Threads, forks, signals: as task.h says.
 */
#ifndef PAREXEC_SYNC_H
#define PAREXEC_SYNC_H

#include <parexec/export.h>
#include <parexec/loop.h>
#include <parexec/task.h>

/** A semaphore: a number of units. */
typedef struct pe_sem pe_sem;

/** A lock, which one task holds at a time. */
typedef struct pe_lock pe_lock;

/** An event, which is set or not. */
typedef struct pe_event pe_event;

/** A condition: tasks that hold a lock wait in it for others to change what the lock is for. */
typedef struct pe_cond pe_cond;

/** A queue of items of one size. */
typedef struct pe_queue pe_queue;

PE_BEGIN_DECLS

/** @name Semaphores
 * @{ */

/**
 * Makes a semaphore.
 *
 * @param loop      the loop.
 * @param count     units that are free at first, 0 to 2,147,483,647.
 * @param ret_sem   gets it.
 * @return 0.
 * @errors PE_EINVAL: loop or ret_sem NULL, count too large. PE_ENOMEM. PE_ECLOSED: the loop has been closed.
 *         PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_sem_new(pe_loop *loop, uint32_t count, pe_sem **ret_sem);

/**
 * Takes a unit, and waits while there is none.
 *
 * @param t     the task that waits.
 * @param sem   the semaphore.
 * @return in PE_AWAIT: 0: the unit is the caller's.
 * @errors PE_ECANCELED, PE_ETIMEDOUT, PE_ECLOSED: the semaphore has been freed: none was taken. PE_EINVAL: sem NULL or
 *         of another loop; t is not the task that runs. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_sem_acquire(pe_task *t, pe_sem *sem);

/**
 * Takes a unit if there is one.
 *
 * @param sem   the semaphore.
 * @return 0.
 * @errors PE_EAGAIN: there is none. PE_EINVAL: NULL. PE_ECLOSED: the loop has been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_sem_try_acquire(pe_sem *sem);

/**
 * Gives a unit back, or adds one: whoever has it, it need not be the task that took it.
 *
 * @param sem   the semaphore.
 * @return 0.
 * @errors PE_EINVAL: NULL, or there are 2,147,483,647. PE_ECLOSED: the loop has been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_sem_release(pe_sem *sem);

/**
 * How many units are free.
 *
 * @param sem   the semaphore.
 * @return their number; 0 while tasks wait.
 * @errors PE_EINVAL: NULL. PE_ECLOSED: the loop has been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_sem_count(const pe_sem *sem);

/**
 * Gives a semaphore back.
 *
 * @param sem   NULL is fine.
 * @threads the loop's, or any one after pe_loop_free. @child yes, it does nothing there. @since 1.0
 */
PE_EXPORT void pe_sem_free(pe_sem *sem);

/** @} */

/** @name Locks
 * @{ */

/**
 * Makes a lock, which nobody holds.
 *
 * @param loop       the loop.
 * @param ret_lock   gets it.
 * @return 0.
 * @errors PE_EINVAL: loop or ret_lock NULL. PE_ENOMEM. PE_ECLOSED: the loop has been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_lock_new(pe_loop *loop, pe_lock **ret_lock);

/**
 * Takes a lock, and waits while another task holds it. A task that ends gives up the locks that it holds.
 *
 * @param t      the task that waits.
 * @param lock   the lock.
 * @return in PE_AWAIT: 0: the task holds it.
 * @errors PE_ECANCELED, PE_ETIMEDOUT, PE_ECLOSED: the lock has been freed: it does not. PE_EDEADLK: it holds it
 *         already, or the one that holds it waits for this task, by itself or through others. PE_EINVAL: lock NULL or
 *         of another loop; t is not the task that runs. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_lock_acquire(pe_task *t, pe_lock *lock);

/**
 * Takes a lock if nobody holds it.
 *
 * @param t      the task that runs.
 * @param lock   the lock.
 * @return 0.
 * @errors PE_EAGAIN: another task holds it. PE_EDEADLK: this one does. PE_EINVAL, PE_EFORKED: as pe_lock_acquire.
 * @threads the loop's; inside the task t. @child no. @since 1.0
 */
PE_EXPORT int pe_lock_try_acquire(pe_task *t, pe_lock *lock);

/**
 * Gives up a lock, to the first task that waits for it.
 *
 * @param t      the task that runs.
 * @param lock   the lock.
 * @return 0.
 * @errors PE_EPERM: t does not hold it. PE_EINVAL: lock NULL or of another loop; t is not the task that runs.
 *         PE_EFORKED.
 * @threads the loop's; inside the task t. @child no. @since 1.0
 */
PE_EXPORT int pe_lock_release(pe_task *t, pe_lock *lock);

/**
 * Gives a lock back, whoever holds it.
 *
 * @param lock   NULL is fine.
 * @threads the loop's, or any one after pe_loop_free. @child yes, it does nothing there. @since 1.0
 */
PE_EXPORT void pe_lock_free(pe_lock *lock);

/** @} */

/** @name Events
 * @{ */

/**
 * Makes an event, which is not set.
 *
 * @param loop        the loop.
 * @param ret_event   gets it.
 * @return 0.
 * @errors PE_EINVAL: loop or ret_event NULL. PE_ENOMEM. PE_ECLOSED: the loop has been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_event_new(pe_loop *loop, pe_event **ret_event);

/**
 * Waits until an event is set. It stays set.
 *
 * @param t       the task that waits.
 * @param event   the event.
 * @return in PE_AWAIT: 0: it is, or was set when this wait ended.
 * @errors PE_ECANCELED, PE_ETIMEDOUT. PE_ECLOSED: it has been freed. PE_EINVAL: event NULL or of another loop; t is not
 *         the task that runs. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_event_wait(pe_task *t, pe_event *event);

/**
 * Sets an event, for all that wait.
 *
 * @param event   the event.
 * @return 0.
 * @errors PE_EINVAL: NULL. PE_ECLOSED: the loop has been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_event_set(pe_event *event);

/**
 * Sets an event back.
 *
 * @param event   the event.
 * @return 0.
 * @errors PE_EINVAL: NULL. PE_ECLOSED: the loop has been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_event_clear(pe_event *event);

/**
 * Tells whether an event is set.
 *
 * @param event   the event.
 * @return 1 or 0.
 * @errors PE_EINVAL: NULL. PE_ECLOSED: the loop has been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_event_is_set(const pe_event *event);

/**
 * Gives an event back.
 *
 * @param event   NULL is fine.
 * @threads the loop's, or any one after pe_loop_free. @child yes, it does nothing there. @since 1.0
 */
PE_EXPORT void pe_event_free(pe_event *event);

/** @} */

/** @name Conditions
 * @{ */

/**
 * Makes a condition.
 *
 * @param loop       the loop.
 * @param ret_cond   gets it.
 * @return 0.
 * @errors PE_EINVAL: loop or ret_cond NULL. PE_ENOMEM. PE_ECLOSED: the loop has been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_cond_new(pe_loop *loop, pe_cond **ret_cond);

/**
 * Gives up a lock, waits to be signalled, and takes the lock again.
 *
 *     PE_TRY(t, pe_lock_acquire(t, f->lock));
 *     while (f->shared->is_empty)
 *         PE_TRY(t, pe_cond_wait(t, f->cond, f->lock));
 *
 * @param t      the task that waits.
 * @param cond   the condition.
 * @param lock   held by the task. By the time it has it again, what was signalled may have changed.
 * @return in PE_AWAIT: 0: it was signalled.
 * @errors PE_ECANCELED, PE_ETIMEDOUT, PE_ECLOSED: the condition has been freed: it was not. The task holds the lock in
 *         all these cases, and the wait may last as long as that takes. Without the lock: PE_ECLOSED: the lock has been
 *         freed. PE_EDEADLK: the one that holds it waits for this task. Nothing has been done: PE_EPERM: the task does
 *         not hold the lock. PE_EINVAL: cond or lock NULL or of another loop; t is not the task that runs. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_cond_wait(pe_task *t, pe_cond *cond, pe_lock *lock);

/**
 * Wakes the first task that waits; without one nothing happens.
 *
 * @param cond   the condition.
 * @return 0.
 * @errors PE_EINVAL: NULL. PE_ECLOSED: the loop has been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_cond_signal(pe_cond *cond);

/**
 * Wakes all tasks that wait; without one nothing happens.
 *
 * @param cond   the condition.
 * @return 0.
 * @errors PE_EINVAL: NULL. PE_ECLOSED: the loop has been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_cond_signal_all(pe_cond *cond);

/**
 * Gives a condition back.
 *
 * @param cond   NULL is fine.
 * @threads the loop's, or any one after pe_loop_free. @child yes, it does nothing there. @since 1.0
 */
PE_EXPORT void pe_cond_free(pe_cond *cond);

/** @} */

/** @name Queues
 * @{ */

/**
 * Makes a queue.
 *
 * @param loop         the loop.
 * @param item_bytes   the size of an item, 1 and above. Items are copied.
 * @param capacity     how many are kept, up to 2,147,483,647; 0: none, each goes from one that puts to one that gets.
 * @param ret_queue    gets it.
 * @return 0.
 * @errors PE_EINVAL: loop or ret_queue NULL, item_bytes 0, too many. PE_ENOMEM. PE_ECLOSED: the loop has been closed.
 *         PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_queue_new(pe_loop *loop, size_t item_bytes, size_t capacity, pe_queue **ret_queue);

/**
 * Puts an item at the end of a queue, and waits while there is no room.
 *
 * @param t       the task that waits.
 * @param queue   the queue.
 * @param item    copied when there is room: it has to live until the wait has ended.
 * @return in PE_AWAIT: 0: it is in the queue, or somebody has got it.
 * @errors PE_ECANCELED, PE_ETIMEDOUT, PE_ECLOSED: the queue has been closed or freed: it has not been put. PE_EINVAL:
 *         queue or item NULL, another loop; t is not the task that runs. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_queue_put(pe_task *t, pe_queue *queue, const void *item);

/**
 * Gets the first item of a queue, and waits while there is none.
 *
 * @param t          the task that waits.
 * @param queue      the queue.
 * @param ret_item   gets it; has to live until the wait has ended.
 * @return in PE_AWAIT: 0.
 * @errors PE_ECANCELED, PE_ETIMEDOUT: nothing has been taken. PE_ECLOSED: the queue has been closed and is empty, or it
 *         has been freed. PE_EINVAL: queue or ret_item NULL, another loop; t is not the task that runs. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_queue_get(pe_task *t, pe_queue *queue, void *ret_item);

/**
 * Puts an item at the end of a queue if that needs no wait.
 *
 * @param queue   the queue.
 * @param item    copied.
 * @return 0.
 * @errors PE_EAGAIN: there is no room. PE_ECLOSED: the queue has been closed; the loop has been closed. PE_EINVAL:
 *         queue or item NULL. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_queue_try_put(pe_queue *queue, const void *item);

/**
 * Gets the first item of a queue if that needs no wait.
 *
 * @param queue      the queue.
 * @param ret_item   gets it.
 * @return 0.
 * @errors PE_EAGAIN: there is no item. PE_ECLOSED: the queue has been closed and is empty; the loop has been closed.
 *         PE_EINVAL: queue or ret_item NULL. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_queue_try_get(pe_queue *queue, void *ret_item);

/**
 * Closes a queue: what is in it can still be got, and nothing more is put. Waits of pe_queue_put, and of pe_queue_get
 * where nothing is left, end with PE_ECLOSED.
 *
 * @param queue   the queue.
 * @return 0, also for one that has been closed.
 * @errors PE_EINVAL: NULL. PE_ECLOSED: the loop has been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_queue_close(pe_queue *queue);

/**
 * How many items are in a queue.
 *
 * @param queue   the queue.
 * @return their number, 0 and above.
 * @errors PE_EINVAL: NULL. PE_ECLOSED: the loop has been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_queue_count(const pe_queue *queue);

/**
 * Gives a queue back, with the items that are in it.
 *
 * @param queue   NULL is fine.
 * @threads the loop's, or any one after pe_loop_free. @child yes, it does nothing there. @since 1.0
 */
PE_EXPORT void pe_queue_free(pe_queue *queue);

/** @} */

PE_END_DECLS

#endif
