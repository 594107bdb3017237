/*
 * limit.c - time limits.
 *
 * A limit that fires leaves a mark in itself and a request in its task. The request is answered by the wait that ends
 * with PE_ETIMEDOUT; that answers all limits whose time was over by then, and of these the outermost is to blame: what
 * is inside it had no more time either. So each PE_ETIMEDOUT is one limit's, and one that fires later has its own.
 */
#include "async/limit.h"

#include "async/wait.h"
#include "base/clock.h"

static struct pe__limit *limit_of(pe_limit *memory)
{
    return (struct pe__limit *)memory;
}

bool pe__limit_is_due(const struct pe__task *task)
{
    for (const struct pe__limit *limit = task->limit; limit != NULL; limit = limit->outer) {
        if (limit->has_fired && !limit->is_answered && limit->shield >= task->shield)
            return true;
    }
    return false;
}

static void look_again(struct pe__task *task)
{
    task->stop &= (uint8_t)~PE__STOP_LIMIT;
    for (const struct pe__limit *limit = task->limit; limit != NULL; limit = limit->outer) {
        if (limit->has_fired && !limit->is_answered)
            task->stop |= PE__STOP_LIMIT;
    }
}

/* The loop may not have looked at its timers yet. */
static void fire_due(struct pe__task *task)
{
    int64_t now_ns = task->limit != NULL ? pe__base_now_ns() : 0;

    for (struct pe__limit *limit = task->limit; limit != NULL; limit = limit->outer) {
        if (pe__timer_is_started(&limit->timer) && limit->timer.deadline_ns <= now_ns) {
            pe__timer_stop(&task->loop->timers, &limit->timer);
            limit->has_fired = 1;
        }
    }
}

void pe__limit_answered(struct pe__task *task, int result)
{
    struct pe__limit *outermost = NULL;

    fire_due(task);
    for (struct pe__limit *limit = task->limit; limit != NULL; limit = limit->outer) {
        if (limit->has_fired && !limit->is_answered && limit->shield >= task->shield) {
            limit->is_answered = 1;
            outermost = limit;
        }
    }
    if (outermost != NULL && result == PE_ETIMEDOUT)
        outermost->is_to_blame = 1;
    look_again(task);
}

static void fire(struct pe__timer *timer)
{
    struct pe__limit *limit = (struct pe__limit *)(void *)((char *)timer - offsetof(struct pe__limit, timer));

    limit->has_fired = 1;
    limit->task->stop |= PE__STOP_LIMIT;
    pe__wait_stop(limit->task);
}

/* Is the limit one of those that the task has entered? */
static bool has_entered(const struct pe__task *task, const struct pe__limit *limit)
{
    const struct pe__limit *at = task->limit;

    while (at != NULL && at != limit)
        at = at->outer;
    return at != NULL;
}

static int set(struct pe__limit *limit, int64_t deadline_ns)
{
    struct pe__task *task = limit->task;

    if (deadline_ns == PE_FOREVER)
        return 0;
    if (!pe__base_deadline_passed(deadline_ns))
        return pe__timer_start(&task->loop->timers, &limit->timer, deadline_ns, fire);
    limit->has_fired = 1;
    task->stop |= PE__STOP_LIMIT;
    return 0;
}

int pe_limit_enter(pe_task *t, pe_limit *memory, int64_t deadline_ns)
{
    struct pe__task *task = pe__task_of(t);
    struct pe__limit *limit = limit_of(memory);
    int result = pe__wait_check_running(t);

    if (result == 0)
        result = memory == NULL || has_entered(task, limit) ? PE_EINVAL : pe__base_deadline_check(deadline_ns);
    if (result < 0)
        return result;
    *limit = (struct pe__limit){
        .outer = task->limit, .task = task, .call = task->call, .shield = task->shield,
    };
    result = set(limit, deadline_ns);
    if (result == 0)
        task->limit = limit;
    return result;
}

int pe_limit_move(pe_task *t, pe_limit *memory, int64_t deadline_ns)
{
    struct pe__task *task = pe__task_of(t);
    struct pe__limit *limit = limit_of(memory);
    int result = pe__wait_check_running(t);

    if (result == 0)
        result = memory == NULL || !has_entered(task, limit) ? PE_EINVAL : pe__base_deadline_check(deadline_ns);
    if (result < 0)
        return result;
    if (limit->has_fired)
        return PE_EALREADY;
    result = pe__timer_reserve(&task->loop->timers, deadline_ns);
    if (result < 0)
        return result;
    pe__timer_stop(&task->loop->timers, &limit->timer);
    return set(limit, deadline_ns);
}

int pe__limit_leave(struct pe__limit *limit)
{
    struct pe__task *task = limit->task;

    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): one that stands in a task's list has not been left */
    pe__timer_stop(&task->loop->timers, &limit->timer);
    task->limit = limit->outer;
    limit->task = NULL;
    if (task->stop & PE__STOP_LIMIT)
        look_again(task);
    return limit->is_to_blame;
}

int pe_limit_leave(pe_task *t, pe_limit *memory)
{
    struct pe__task *task = pe__task_of(t);
    struct pe__limit *limit = limit_of(memory);
    int result = pe__wait_check_running(t);

    if (result < 0)
        return result;
    if (memory == NULL || !has_entered(task, limit))
        return PE_EINVAL;
    while (task->limit != limit)
        (void)pe__limit_leave(task->limit);
    return pe__limit_leave(limit);
}

int pe_limit_is_to_blame(const pe_task *t, const pe_limit *memory)
{
    int result = pe__wait_check_running(t);

    if (result == 0)
        result = memory == NULL ? PE_EINVAL : ((const struct pe__limit *)memory)->is_to_blame;
    return result;
}

void pe__limit_leave_open(struct pe__task *task)
{
    while (task->limit != NULL && task->limit->call == task->call)
        (void)pe__limit_leave(task->limit);
}
