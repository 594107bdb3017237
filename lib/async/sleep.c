/*
 * sleep.c - waiting for one's turn and for a time; sections that nothing stops.
 */
#include "async/wait.h"
#include "base/clock.h"

/* A turn goes on, so nothing has to be woken. */
static inline int yield(struct pe__task *task)
{
    pe_loop *loop = task->loop;

    loop->current = NULL;
    task->head.result = 0;
    pe__wait_push(loop, task);
    return PE_WAIT;
}

static __attribute__((noinline)) int yield_checked(pe_task *t)
{
    int result = pe__wait_check_running(t);

    if (result == 0 && pe__task_of(t)->stop != 0)
        result = pe__wait_refusal_or_limit(pe__task_of(t));
    return result != 0 ? result : yield(pe__task_of(t));
}

int pe_yield(pe_task *t)
{
    return pe__wait_is_plain(t) ? yield(pe__task_of(t)) : yield_checked(t);
}

static struct pe__task *task_of(struct pe__timer *timer)
{
    return (struct pe__task *)(void *)((char *)timer - offsetof(struct pe__task, in.timer));
}

static void due(struct pe__timer *timer)
{
    pe__wait_end(task_of(timer), 0);
}

static void cancel(struct pe__task *task)
{
    pe__timer_stop(&task->loop->timers, &task->in.timer);
    pe__wait_end(task, PE_ECANCELED);
}

static const struct pe__wait_kind sleep_kind = { .name = "a time", .cancel = cancel, .has_timer = true };

/* Nothing stops it by itself. */
static int sleep_for_ever(struct pe__task *task)
{
    task->in.timer.place = 0;
    return pe__wait_begin(&task->head, &sleep_kind, NULL);
}

static int sleep_till(pe_task *t, int64_t deadline_ns)
{
    struct pe__task *task = pe__task_of(t);

    if (deadline_ns == PE_FOREVER)
        return sleep_for_ever(task);
    int result = pe__wait_begin(t, &sleep_kind, NULL);
    if (result != PE_WAIT)
        return result;
    result = pe__timer_start(&task->loop->timers, &task->in.timer, deadline_ns, due);
    return result == 0 ? PE_WAIT : pe__wait_undo(task, result);
}

int pe_sleep(pe_task *t, int64_t duration_ns)
{
    int result = pe__wait_check(t);

    if (result == 0 && duration_ns < 0)
        result = PE_EINVAL;
    if (result != 0)
        return result;
    return duration_ns == 0 ? pe_yield(t) : sleep_till(t, pe__base_later(pe__base_now_ns(), duration_ns));
}

int pe_sleep_until(pe_task *t, int64_t deadline_ns)
{
    int result = pe__wait_check(t);

    if (result == 0)
        result = pe__base_deadline_check(deadline_ns);
    if (result != 0)
        return result;
    return pe__base_deadline_passed(deadline_ns) ? pe_yield(t) : sleep_till(t, deadline_ns);
}

int pe_shield_enter(pe_task *t)
{
    struct pe__task *task = pe__task_of(t);
    int result = pe__wait_check_running(t);

    if (result < 0 || (task->stop & PE__STOP_FINAL)) /* nothing is held back, and `shield` is a count of waits */
        return result;
    if (task->shield == UINT8_MAX)
        return PE_EINVAL;
    task->shield++;
    return 0;
}

int pe_shield_leave(pe_task *t)
{
    struct pe__task *task = pe__task_of(t);
    int result = pe__wait_check_running(t);

    if (result < 0 || (task->stop & PE__STOP_FINAL))
        return result;
    if (task->shield == 0)
        return PE_EINVAL;
    task->shield--;
    return 0;
}
