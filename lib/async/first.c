/* first.c - waiting for the first of several tasks. */
#include <parexec/group.h>

#include "async/watches.h"

struct first {
    struct pe__task *waiter;
    size_t *ret_index; /* may be NULL */
    size_t count;
    struct pe__watch_one ones[];
};

static size_t bytes_of(size_t count)
{
    return sizeof(struct first) + count * sizeof(struct pe__watch_one);
}

static void give_back(struct first *first)
{
    pe__watches_stop(first->ones, first->count);
    pe__slab_free(&first->waiter->loop->slab, first, bytes_of(first->count));
}

static void ended(struct pe__task_watch *watch, struct pe__task *task)
{
    struct pe__watch_one *one = pe__watches_told(watch);
    struct first *first = one->owner;

    (void)task;
    if (first->ret_index != NULL)
        *first->ret_index = (size_t)(one - first->ones);
    pe__wait_end(first->waiter, 0);
    give_back(first);
}

static void cancel(struct pe__task *task)
{
    give_back(task->object);
    pe__wait_end(task, PE_ECANCELED);
}

static struct pe__task *next_target(const struct pe__task *task, uintptr_t *place)
{
    const struct first *first = task->object;

    return pe__watches_next(first->ones, first->count, place);
}

static const struct pe__wait_kind kind = {
    .name = "the first of several tasks",
    .cancel = cancel,
    .next_target = next_target,
};

static int check(pe_task *t, pe_task *const *tasks, size_t count)
{
    int result = count == 0 ? PE_EINVAL : pe__watches_check(pe__task_of(t)->loop, tasks, count);

    for (size_t i = 0; i < count && result == 0; i++) {
        if (tasks[i] == t)
            result = PE_EDEADLK;
    }
    return result;
}

static bool has_ended(const pe_task *t)
{
    return pe__task_of(t)->wait == &pe__wait_ended;
}

static int begin(pe_task *t, pe_task *const *tasks, size_t count, size_t *ret_index)
{
    struct pe__task *task = pe__task_of(t);
    struct first *first = pe__slab_new(&task->loop->slab, bytes_of(count));

    if (first == NULL)
        return PE_ENOMEM;
    *first = (struct first){ .waiter = task, .ret_index = ret_index, .count = count };
    int result = pe__wait_begin(t, &kind, first);
    if (result == PE_WAIT)
        (void)pe__watches_start(first->ones, tasks, count, first, ended);
    else
        pe__slab_free(&task->loop->slab, first, bytes_of(count));
    return result;
}

int pe_wait_first(pe_task *t, pe_task *const *tasks, size_t count, size_t *ret_index)
{
    int result = pe__wait_check(t);

    if (result == 0)
        result = check(t, tasks, count);
    if (result != 0)
        return result;
    size_t place = 0;
    while (place < count && !has_ended(tasks[place]))
        place++;
    if (place == count)
        return begin(t, tasks, count, ret_index);
    if (ret_index != NULL)
        *ret_index = place;
    return 0;
}
