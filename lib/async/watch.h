/*
 * watch.h - being told that a task has ended. Watches lie in their owners' memory, in a ring of the task; each is told
 * once, in the order in which they were started, and one that is told, or stopped, is in no ring.
 */
#ifndef PE__ASYNC_WATCH_H
#define PE__ASYNC_WATCH_H

#include "async/wait.h"

/* `task` has not ended. */
static inline void pe__watch_start(struct pe__task *task, struct pe__task_watch *watch,
                                   void (*ended)(struct pe__task_watch *watch, struct pe__task *task))
{
    watch->ended = ended;
    pe__base_list_init(&watch->link);
    if (task->watches == NULL)
        task->watches = &watch->link;
    else
        pe__base_list_push_back(task->watches, &watch->link);
}

static inline void pe__watch_stop(struct pe__task *task, struct pe__task_watch *watch)
{
    if (task->watches == &watch->link)
        task->watches = watch->link.next == &watch->link ? NULL : watch->link.next;
    pe__base_list_remove(&watch->link);
}

/* Somebody has seen how the task ended, so a failure need not be reported. */
static inline void pe__task_seen(struct pe__task *task)
{
    if (task->head.result < 0)
        pe__base_list_remove(&task->all);
}

#endif
