/* watches.c - watching the tasks of an array. */
#include "async/watches.h"

#define COUNT_MOST (SIZE_MAX / 64) /* no block of watches is too large for a size_t */

int pe__watches_check(const pe_loop *loop, pe_task *const *tasks, size_t count)
{
    if (count > COUNT_MOST || (tasks == NULL && count > 0))
        return PE_EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (tasks[i] == NULL || pe__task_of(tasks[i])->loop != loop)
            return PE_EINVAL;
    }
    return 0;
}

size_t pe__watches_start(struct pe__watch_one *ones, pe_task *const *tasks, size_t count, void *owner,
                         void (*ended)(struct pe__task_watch *watch, struct pe__task *task))
{
    size_t started = 0;

    for (size_t i = 0; i < count; i++) {
        struct pe__task *task = pe__task_of(tasks[i]);

        ones[i].owner = owner;
        ones[i].task = task->wait == &pe__wait_ended ? NULL : task;
        if (ones[i].task != NULL) {
            pe__watch_start(task, &ones[i].watch, ended);
            started++;
        }
    }
    return started;
}

void pe__watches_stop(struct pe__watch_one *ones, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (ones[i].task != NULL)
            pe__watch_stop(ones[i].task, &ones[i].watch);
        ones[i].task = NULL;
    }
}

/* The same task is earlier in the array: its watch there is the one before in the ring. */
static bool is_repeated(const struct pe__watch_one *ones, const struct pe__watch_one *one)
{
    uintptr_t previous = (uintptr_t)one->watch.link.previous;

    return previous >= (uintptr_t)ones && previous < (uintptr_t)one;
}

void pe__watches_cancel(const struct pe__watch_one *ones, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (ones[i].task != NULL && !is_repeated(ones, &ones[i]))
            (void)pe_task_cancel(&ones[i].task->head);
    }
}

struct pe__task *pe__watches_next(const struct pe__watch_one *ones, size_t count, uintptr_t *place)
{
    while (*place < count) {
        struct pe__task *task = ones[(*place)++].task;

        if (task != NULL)
            return task;
    }
    return NULL;
}
