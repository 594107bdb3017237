/*
 * completed.c - tasks of an array as they end. Places of those that have ended are noted in their order in a row of the
 * block; taking one is a step along it.
 */
#include <parexec/group.h>

#include "async/waiters.h"
#include "async/watches.h"

struct pe_completed {
    pe_loop *loop;
    size_t count;
    size_t ended; /* in `order` */
    size_t given; /* of them */
    struct pe__waiters waiters;
    size_t *order; /* behind the watches */
    struct pe__watch_one ones[];
};

static size_t bytes_of(size_t count)
{
    return sizeof(struct pe_completed) + count * (sizeof(struct pe__watch_one) + sizeof(size_t));
}

static void give(struct pe_completed *completed, size_t *ret_index)
{
    size_t place = completed->order[completed->given++];

    if (ret_index != NULL)
        *ret_index = place;
}

static void ended(struct pe__task_watch *watch, struct pe__task *task)
{
    struct pe__watch_one *one = pe__watches_told(watch);
    struct pe_completed *completed = one->owner;

    (void)task;
    completed->order[completed->ended++] = (size_t)(one - completed->ones);
    struct pe__task *waiter = pe__waiters_take(&completed->waiters);
    if (waiter != NULL) {
        give(completed, waiter->in.waiter.place);
        pe__wait_end(waiter, 0);
    }
    if (completed->ended == completed->count)
        pe__waiters_end_all(&completed->waiters, PE_ENODATA);
}

static struct pe__task *next_target(const struct pe__task *task, uintptr_t *place)
{
    const struct pe_completed *completed = task->object;

    return pe__watches_next(completed->ones, completed->count, place);
}

static const struct pe__wait_kind kind = {
    .name = "the next of several tasks",
    .cancel = pe__waiters_cancel,
    .next_target = next_target,
};

int pe_completed_new(pe_loop *loop, pe_task *const *tasks, size_t count, pe_completed **ret_completed)
{
    int result = pe__loop_check(loop);

    if (result == 0)
        result = ret_completed == NULL ? PE_EINVAL : pe__watches_check(loop, tasks, count);
    if (result < 0)
        return result;
    struct pe_completed *completed = pe__loop_alloc(loop, bytes_of(count));
    if (completed == NULL)
        return PE_ENOMEM;
    *completed = (struct pe_completed){ .loop = loop, .count = count };
    completed->order = (size_t *)(void *)(completed->ones + count);
    pe__waiters_init(&completed->waiters);
    (void)pe__watches_start(completed->ones, tasks, count, completed, ended);
    for (size_t i = 0; i < count; i++) {
        if (completed->ones[i].task == NULL)
            completed->order[completed->ended++] = i;
    }
    *ret_completed = completed;
    return 0;
}

int pe_completed_next(pe_task *t, pe_completed *completed, size_t *ret_index)
{
    int result = pe__waiters_check(t, completed == NULL ? NULL : completed->loop);

    if (result != 0)
        return result;
    if (completed->given == completed->count)
        return PE_ENODATA;
    if (completed->given < completed->ended) {
        give(completed, ret_index);
        return 0;
    }
    return pe__waiters_wait(&completed->waiters, t, &kind, completed, ret_index);
}

void pe_completed_free(pe_completed *completed)
{
    if (completed == NULL || pe__base_forked(completed->loop->token))
        return;
    pe__waiters_end_all(&completed->waiters, PE_ECLOSED);
    pe__watches_stop(completed->ones, completed->count);
    pe__loop_dealloc(completed->loop, completed, bytes_of(completed->count));
}
