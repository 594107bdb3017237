/*
 * gather.c - waiting for all of several tasks.
 *
 * A wait that is to be stopped has all tasks cancelled and goes on until they have ended, and then ends as it was asked
 * to, whatever they returned. One that ends by a failure is ended first and cancels the rest afterwards: what a cancel
 * calls may find the waiting task ready, and nothing else.
 */
#include <parexec/group.h>

#include "async/watches.h"

struct gather {
    struct pe__task *waiter;
    size_t count;
    size_t left;        /* that have not ended */
    size_t error_place; /* in the array, of the task that the error is from */
    int error;
    bool waits_for_all;
    struct pe__watch_one ones[];
};

static size_t bytes_of(size_t count)
{
    return sizeof(struct gather) + count * sizeof(struct pe__watch_one);
}

static void note(struct gather *gather, size_t place, struct pe__task *ended)
{
    pe__task_seen(ended);
    if (ended->head.result < 0 && (gather->error == 0 || place < gather->error_place)) {
        gather->error = ended->head.result;
        gather->error_place = place;
    }
}

static void give_back(struct gather *gather)
{
    pe__watches_stop(gather->ones, gather->count);
    pe__slab_free(&gather->waiter->loop->slab, gather, bytes_of(gather->count));
}

static bool is_over(const struct gather *gather)
{
    return gather->left == 0 || (gather->error < 0 && !gather->waits_for_all);
}

static void ended(struct pe__task_watch *watch, struct pe__task *task)
{
    struct pe__watch_one *one = pe__watches_told(watch);
    struct gather *gather = one->owner;
    bool is_asked = gather->waiter->stop & PE__STOP_ASKED;

    note(gather, (size_t)(one - gather->ones), task);
    gather->left--;
    if (is_asked ? gather->left > 0 : !is_over(gather))
        return;
    pe__wait_end(gather->waiter, is_asked ? PE_ECANCELED : gather->error);
    pe__watches_cancel(gather->ones, gather->count);
    give_back(gather);
}

static void cancel(struct pe__task *task)
{
    struct gather *gather = task->object;

    pe__watches_cancel(gather->ones, gather->count);
}

static void abandon(struct pe__task *task)
{
    give_back(task->object);
    pe__wait_end(task, PE_ECANCELED);
}

static struct pe__task *next_target(const struct pe__task *task, uintptr_t *place)
{
    const struct gather *gather = task->object;

    return pe__watches_next(gather->ones, gather->count, place);
}

static const struct pe__wait_kind kind = {
    .name = "all of several tasks",
    .cancel = cancel,
    .abandon = abandon,
    .next_target = next_target,
};

static int check(const struct pe__task *task, pe_task *const *tasks, size_t count)
{
    int result = pe__watches_check(task->loop, tasks, count);

    for (size_t i = 0; i < count && result == 0; i++) {
        if (pe__wait_is_for(pe__task_of(tasks[i]), task))
            result = PE_EDEADLK;
    }
    return result;
}

static struct gather *new_gather(struct pe__task *task, pe_task *const *tasks, size_t count, bool waits_for_all)
{
    struct gather *gather = pe__slab_new(&task->loop->slab, bytes_of(count));

    if (gather == NULL)
        return NULL;
    *gather = (struct gather){ .waiter = task, .count = count, .waits_for_all = waits_for_all };
    gather->left = pe__watches_start(gather->ones, tasks, count, gather, ended);
    for (size_t i = 0; i < count; i++) {
        if (gather->ones[i].task == NULL)
            note(gather, i, pe__task_of(tasks[i]));
    }
    return gather;
}

int pe_gather(pe_task *t, pe_task *const *tasks, size_t count, uint32_t flags)
{
    struct pe__task *task = pe__task_of(t);
    int result = pe__wait_check_running(t);

    if (result == 0)
        result = (flags & ~PE_GATHER_ALL) != 0 ? PE_EINVAL : check(task, tasks, count);
    if (result != 0)
        return result;
    struct gather *gather = new_gather(task, tasks, count, flags & PE_GATHER_ALL);
    if (gather == NULL)
        return PE_ENOMEM;
    if (!is_over(gather) && !(task->stop & PE__STOP_FINAL))
        return pe__wait_begin_anyway(t, &kind, gather);
    result = pe__wait_check(t);
    if (result == 0)
        result = gather->error;
    pe__watches_cancel(gather->ones, count);
    give_back(gather);
    return result;
}
