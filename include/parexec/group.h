/**
 * @file group.h
 * Waiting for several tasks: for all of them, for the first, for one after the other; and groups, which are
 * left only when all that was started in them has ended.
 *
 *     static int fetch_both(pe_task *t, void *frame)
 *     {
 *         struct fetch_both *f = frame;
 *         PE_BEGIN(t);
 *         pe_spawn(pe_task_loop(t), fetch, "one", 0, &f->tasks[0]);
 *         pe_spawn(pe_task_loop(t), fetch, "two", 0, &f->tasks[1]);
 *         PE_AWAIT(t, pe_gather(t, f->tasks, 2, 0));
 *         if (t->result == 0)
 *             printf("%d and %d\n", pe_task_result(f->tasks[0]), pe_task_result(f->tasks[1]));
 *         pe_task_free(f->tasks[0]);
 *         pe_task_free(f->tasks[1]);
 *         PE_RETURN(t, t->result);
 *         PE_END(t);
 *     }
 *
 * Arrays of tasks are read during the call only. They may hold tasks that have ended, and one task several times; their
 * handles may be freed while the wait goes on. What a task has returned is asked by pe_task_result.
 *
 * Each call that watches n tasks takes one block of memory, 40 bytes for each, 48 for pe_completed_new, and gives it
 * back at its end; a group takes one for itself and one for each of its tasks. Else nothing is allocated.
 *
 * Threads, forks, signals: as task.h says.
 */
#ifndef PAREXEC_GROUP_H
#define PAREXEC_GROUP_H

#include <parexec/export.h>
#include <parexec/loop.h>
#include <parexec/task.h>

/** For pe_gather: wait until all have ended, whatever they return. */
#define PE_GATHER_ALL UINT32_C(1)

/** For pe_group_new: a failure does not cancel the others. */
#define PE_GROUP_KEEP UINT32_C(1)

/** For pe_group_new: tasks that have ended are kept until pe_group_next takes them. */
#define PE_GROUP_COLLECT UINT32_C(2)

/** An array of tasks that are taken as they end. */
typedef struct pe_completed pe_completed;

/** A group of tasks. */
typedef struct pe_group pe_group;

PE_BEGIN_DECLS

/**
 * Waits for several tasks. When one has failed, the others are cancelled and the wait ends at once; the others see to
 * their clean-up by themselves. If this wait is to be stopped, all of them are cancelled and the wait ends when they
 * have ended.
 *
 * @param t       the task that waits.
 * @param tasks   of the same loop. NULL if there is none.
 * @param count   their number; with 0 there is nothing to wait for.
 * @param flags   0, or PE_GATHER_ALL: the wait ends when all have ended, and a failure cancels nothing.
 * @return in PE_AWAIT: 0: all have ended, and none has failed. Else what the first one to fail returned; with
 *         PE_GATHER_ALL, and of those that have failed before, the first in the array. One that somebody has cancelled
 *         has failed here, with PE_ECANCELED.
 * @errors PE_ECANCELED, PE_ETIMEDOUT: as asked for. PE_EDEADLK: one of them is t, or waits for t by itself or through
 *         other tasks; a ring through another wait for several is not found. PE_EINVAL: tasks NULL with a count, a task
 *         NULL or of another loop, unknown flags; t is not the task that runs. PE_ENOMEM: nothing has been changed.
 *         PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_gather(pe_task *t, pe_task *const *tasks, size_t count, uint32_t flags);

/**
 * Waits until one of several tasks has ended, in whatever way. The others go on, also if this wait is to be stopped,
 * which ends it at once. For one after the other pe_completed_next costs less.
 *
 * @param t           the task that waits.
 * @param tasks       of the same loop.
 * @param count       1 and above.
 * @param ret_index   gets the place of the one that has ended; of several that had ended before, the first. May be
 *                    NULL; else it has to live until the wait has ended.
 * @return in PE_AWAIT: 0.
 * @errors PE_ECANCELED, PE_ETIMEDOUT. PE_EDEADLK: one of them is t. PE_EINVAL: count 0, tasks NULL, a task NULL or of
 *         another loop; t is not the task that runs. PE_ENOMEM. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_wait_first(pe_task *t, pe_task *const *tasks, size_t count, size_t *ret_index);

/**
 * Watches several tasks, so that they can be taken one after the other in the order in which they end. Those that have
 * ended before come first, in the order of the array.
 *
 *     pe_completed_new(pe_task_loop(t), f->tasks, 10, &f->completed);
 *     for (;;) {
 *         PE_AWAIT(t, pe_completed_next(t, f->completed, &f->index));
 *         if (t->result < 0)
 *             break;
 *         printf("%d\n", pe_task_result(f->tasks[f->index]));
 *     }
 *     pe_completed_free(f->completed);
 *
 * @param loop            the loop.
 * @param tasks           of that loop; NULL if there is none. One that waits here for itself is not found out.
 * @param count           their number. One that is there several times is taken as often.
 * @param ret_completed   gets what is given back by pe_completed_free.
 * @return 0.
 * @errors PE_EINVAL: loop or ret_completed NULL, tasks NULL with a count, a task NULL or of another loop. PE_ENOMEM.
 *         PE_ECLOSED: the loop has been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_completed_new(pe_loop *loop, pe_task *const *tasks, size_t count, pe_completed **ret_completed);

/**
 * Waits for the next one to end. Each is given once; several tasks may wait and get theirs in the order in which they
 * came.
 *
 * @param t           the task that waits.
 * @param completed   what pe_completed_new has made.
 * @param ret_index   gets its place in the array. May be NULL; else it has to live until the wait has ended.
 * @return in PE_AWAIT: 0.
 * @errors PE_ENODATA: all have been given. PE_ECANCELED, PE_ETIMEDOUT: the tasks go on, and none has been taken.
 *         PE_ECLOSED: it has been freed. PE_EINVAL: completed NULL or of another loop; t is not the task that runs.
 *         PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_completed_next(pe_task *t, pe_completed *completed, size_t *ret_index);

/**
 * Stops watching; the tasks go on. Waits for it end with PE_ECLOSED.
 *
 * @param completed   NULL is fine.
 * @threads the loop's, or any one after pe_loop_free. @child yes, it does nothing there. @since 1.0
 */
PE_EXPORT void pe_completed_free(pe_completed *completed);

/**
 * Makes a group: tasks that are started in it, cancelled together, and left by pe_group_wait only when all have ended.
 *
 *     PE_TRY(t, pe_group_new(pe_task_loop(t), 0, &f->group));
 *     for (int i = 0; i < 10; i++)
 *         pe_group_spawn(f->group, fetch, &f->urls[i], sizeof f->urls[i], NULL);
 *     PE_AWAIT(t, pe_group_wait(t, f->group));
 *     pe_group_free(f->group);
 *
 * When one of its tasks fails, by an error other than PE_ECANCELED, the others are cancelled, and the group takes no
 * more until it has been waited for. The first failure is the group's, which pe_group_wait returns; others are reported
 * (pe_loop_on_failure) if nobody asks for them.
 *
 * @param loop        the loop.
 * @param flags       0, or PE_GROUP_KEEP, PE_GROUP_COLLECT.
 * @param ret_group   gets the group.
 * @return 0.
 * @errors PE_EINVAL: loop or ret_group NULL, unknown flags. PE_ENOMEM. PE_ECLOSED: the loop has been closed.
 *         PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_group_new(pe_loop *loop, uint32_t flags, pe_group **ret_group);

/**
 * Starts a task in a group, as pe_spawn does.
 *
 * @param group         the group.
 * @param fn            as for pe_spawn.
 * @param frame         as for pe_spawn.
 * @param frame_bytes   as for pe_spawn.
 * @param ret_task      as for pe_spawn.
 * @return 0.
 * @errors PE_ECANCELED: the group has been cancelled, or one of its tasks has failed, and it has not been waited for
 *         since. PE_EINVAL: group NULL, or as pe_spawn; PE_ENOMEM, PE_ECLOSED, PE_EFORKED likewise.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_group_spawn(pe_group *group, pe_task_fn *fn, const void *frame, size_t frame_bytes,
                             pe_task **ret_task);

/**
 * Waits until all tasks of a group have ended, also those that are started meanwhile; the group is as new then. If this
 * wait is to be stopped, or is begun with a request to stop, they are cancelled, and it ends when they have ended.
 *
 * @param t       the task that waits.
 * @param group   the group.
 * @return in PE_AWAIT: 0, also for a group without tasks, and for one that was cancelled. Else what the first task to
 *         fail since the last wait has returned.
 * @errors PE_ECANCELED, PE_ETIMEDOUT: as asked for; a failure is left for the next wait. PE_EDEADLK: t is in the group.
 *         PE_EINVAL: group NULL or of another loop; t is not the task that runs. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_group_wait(pe_task *t, pe_group *group);

/**
 * Waits for the next task of a group to end, whatever it returns; each is given once. For groups with PE_GROUP_COLLECT.
 *
 * @param t          the task that waits.
 * @param group      the group.
 * @param ret_task   gets a handle, to be given back by pe_task_free; has to live until the wait has ended.
 * @return in PE_AWAIT: 0.
 * @errors PE_ENODATA: all have been given, and none is left. PE_ECANCELED, PE_ETIMEDOUT: the tasks go on, and none has
 *         been taken. PE_ECLOSED: the group has been freed. PE_EDEADLK: t is in the group. PE_EINVAL: group or ret_task
 *         NULL, another loop, no PE_GROUP_COLLECT; t is not the task that runs. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_group_next(pe_task *t, pe_group *group, pe_task **ret_task);

/**
 * Cancels all tasks of a group, which takes no more until it has been waited for. One that has been cancelled before,
 * also by a failure, is left as it is.
 *
 * @param group   the group.
 * @return 0.
 * @errors PE_EINVAL: NULL. PE_ECLOSED: the loop has been closed. PE_EFORKED.
 * @threads the loop's; a task of the group may. @child no. @since 1.0
 */
PE_EXPORT int pe_group_cancel(pe_group *group);

/**
 * Gives a group back. Tasks that it still has are cancelled; a pe_group_wait that goes on ends when they have ended.
 * A failure that no wait has returned is reported then.
 *
 * @param group   NULL is fine.
 * @threads the loop's, or any one after pe_loop_free. @child yes, it does nothing there. @since 1.0
 */
PE_EXPORT void pe_group_free(pe_group *group);

PE_END_DECLS

#endif
