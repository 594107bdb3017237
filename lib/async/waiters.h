/*
 * waiters.h - tasks that wait for an object of the program's, first come, first served.
 *
 * What they wait for is handed over to the first of them: it is taken out of the list and given its result in one step,
 * so there is never something free while somebody waits, and no newcomer can overtake. A waiter that has been given its
 * result keeps it whatever is asked of it then; one that is stopped before is in no list any more, and the next is
 * served as if it had never been there.
 */
#ifndef PE__ASYNC_WAITERS_H
#define PE__ASYNC_WAITERS_H

#include "async/wait.h"

struct pe__waiters {
    struct pe__base_list list;
};

static inline void pe__waiters_init(struct pe__waiters *waiters)
{
    pe__base_list_init(&waiters->list);
}

/* `place`: where the kind finds what this waiter brings or wants. */
static inline void pe__waiters_add(struct pe__waiters *waiters, struct pe__task *task, void *place)
{
    task->in.waiter.place = place;
    pe__base_list_push_back(&waiters->list, &task->in.waiter.link);
}

/* Takes out the first one, whose wait is to be ended then. NULL: there is none. */
static inline struct pe__task *pe__waiters_take(struct pe__waiters *waiters)
{
    struct pe__base_list *link = pe__base_list_pop_front(&waiters->list);

    return link == NULL ? NULL : PE__BASE_LIST_ENTRY(link, struct pe__task, in.waiter.link);
}

/* Takes this one out of the list that it is in. */
static inline void pe__waiters_remove(struct pe__task *task)
{
    pe__base_list_remove(&task->in.waiter.link);
}

/* The first one's wait ends. False: there is none. */
static inline bool pe__waiters_end_first(struct pe__waiters *waiters, int result)
{
    struct pe__task *task = pe__waiters_take(waiters);

    if (task != NULL)
        pe__wait_end(task, result);
    return task != NULL;
}

/* All waits end. */
void pe__waiters_end_all(struct pe__waiters *waiters, int result);

/* 0: t may wait for an object of this loop; else as pe__wait_check, or PE_EINVAL. `loop` NULL: there is no object. */
static inline int pe__waiters_check(const pe_task *t, const pe_loop *loop)
{
    int result = pe__wait_check(t);

    return result == 0 && (loop == NULL || pe__task_of(t)->loop != loop) ? PE_EINVAL : result;
}

/* Begins the wait: the last thing that an awaitable does. */
static inline int pe__waiters_wait(struct pe__waiters *waiters, pe_task *t, const struct pe__wait_kind *kind,
                                   void *object, void *place)
{
    int result = pe__wait_begin(t, kind, object);

    if (result == PE_WAIT)
        pe__waiters_add(waiters, pe__task_of(t), place);
    return result;
}

/* The `cancel` of a kind whose waiters may leave at any time. */
void pe__waiters_cancel(struct pe__task *task);

#endif
