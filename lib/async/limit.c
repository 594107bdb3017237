/*
 * limit.c - time limits.
 *
 * A limit that fires leaves a mark in itself and a request in its task. The request is answered by the wait that ends
 * with PE_ETIMEDOUT; that answers all limits which had fired by then, and of these the outermost is to blame: what is
 * inside it had no more time either.
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

void pe__limit_answered(struct pe__task *task)
{
    for (struct pe__limit *limit = task->limit; limit != NULL; limit = limit->outer) {
        if (limit->has_fired && limit->shield >= task->shield)
            limit->is_answered = 1;
    }
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
    if (deadline_ns != 0 && !pe__base_deadline_passed(deadline_ns))
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
    *limit = (struct pe__limit){ .outer = task->limit, .task = task, .shield = task->shield };
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
    int64_t before_ns = pe__timer_is_started(&limit->timer) ? limit->timer.deadline_ns : PE_FOREVER;
    pe__timer_stop(&task->loop->timers, &limit->timer);
    result = set(limit, deadline_ns);
    if (result < 0)
        (void)set(limit, before_ns); /* there was a place for it */
    return result;
}

int pe__limit_leave(struct pe__limit *limit)
{
    struct pe__task *task = limit->task;
    int is_to_blame = limit->has_fired && limit->is_answered;

    for (const struct pe__limit *at = limit->outer; at != NULL; at = at->outer) {
        if (at->has_fired)
            is_to_blame = 0;
    }
    pe__timer_stop(&task->loop->timers, &limit->timer);
    task->limit = limit->outer;
    limit->task = NULL;
    if (task->stop & PE__STOP_LIMIT)
        look_again(task);
    return is_to_blame;
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

void pe__limit_leave_all(struct pe__task *task)
{
    while (task->limit != NULL)
        (void)pe__limit_leave(task->limit);
}
