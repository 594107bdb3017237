/*
 * await.c - waiting for another task: pe_await, pe_shield, pe_timeout.
 *
 * The waiting task's watch is in the awaited task's ring, in the order in which they came. Stopping such a wait cancels
 * the awaited task and leaves the watch where it is, so that the wait ends when that task has; pe_shield takes it out.
 */
#include "async/limit.h"
#include "async/watch.h"

static struct pe__task *watcher_of(struct pe__task_watch *watch)
{
    return (struct pe__task *)(void *)((char *)watch - offsetof(struct pe__task, in.watch));
}

static void await_ended(struct pe__task_watch *watch, struct pe__task *ended)
{
    pe__task_seen(ended);
    pe__wait_end(watcher_of(watch), ended->head.result);
}

static void timeout_ended(struct pe__task_watch *watch, struct pe__task *ended)
{
    struct pe__task *task = watcher_of(watch);

    pe__task_seen(ended);
    pe__wait_end(task, ended->head.result);
    pe__limit_leave(task->limit);
}

static void cancel_shield(struct pe__task *task)
{
    pe__watch_stop(task->object, &task->in.watch);
    pe__wait_end(task, PE_ECANCELED);
}

static struct pe__task *target(const struct pe__task *task)
{
    return task->object;
}

static const struct pe__wait_kind await_kind = { .name = "a task", .cancel = pe__task_cancel_target, .target = target };
static const struct pe__wait_kind shield_kind = {
    .name = "a task, shielded",
    .cancel = cancel_shield,
    .target = target,
};

/* 0: it has not ended, and can be waited for. */
static int check_other(const struct pe__task *task, const struct pe__task *other)
{
    if (other == NULL || other->loop != task->loop)
        return PE_EINVAL;
    return pe__wait_is_for(other, task) ? PE_EDEADLK : 0;
}

static int result_of(struct pe__task *ended)
{
    pe__task_seen(ended);
    return ended->head.result;
}

/* A task that is to be stopped before it waits stops the other one all the same, as it would a moment later. */
int pe_await(pe_task *t, pe_task *task)
{
    struct pe__task *other = pe__task_of(task);
    int result = pe__wait_check_running(t);

    if (result == 0)
        result = check_other(pe__task_of(t), other);
    if (result == 0 && (other->wait == &pe__wait_ended || (pe__task_of(t)->stop & PE__STOP_FINAL)))
        result = pe__wait_check(t);
    if (result != 0)
        return result;
    if (other->wait == &pe__wait_ended)
        return result_of(other);
    pe__watch_start(other, &pe__task_of(t)->in.watch, await_ended);
    return pe__wait_begin_anyway(t, &await_kind, other);
}

int pe_shield(pe_task *t, pe_task *task)
{
    struct pe__task *other = pe__task_of(task);
    int result = pe__wait_check(t);

    if (result == 0)
        result = check_other(pe__task_of(t), other);
    if (result != 0)
        return result;
    if (other->wait == &pe__wait_ended)
        return result_of(other);
    result = pe__wait_begin(t, &shield_kind, other);
    if (result == PE_WAIT)
        pe__watch_start(other, &pe__task_of(t)->in.watch, await_ended);
    return result;
}

int pe_timeout(pe_task *t, pe_limit *limit, int64_t deadline_ns, pe_task *task)
{
    int result = pe_limit_enter(t, limit, deadline_ns);

    if (result < 0)
        return result;
    result = pe_await(t, task);
    if (result == PE_WAIT && pe__task_of(t)->wait == &await_kind)
        pe__task_of(t)->in.watch.ended = timeout_ended;
    else
        pe__limit_leave(pe__task_of(t)->limit);
    return result;
}
