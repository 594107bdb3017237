/*
 * call.c - task functions as parts of a task. The innermost one is what a turn calls, however deep it is; the callers
 * wait in a chain of links, with the points where they go on. The first call of one that waits is inside pe_call, so
 * that what needs no wait costs a call and no more. What a function leaves open, limits, regions and shielded sections,
 * ends with it: its frame is the caller's to use again.
 */
#include "async/limit.h"
#include "async/region.h"
#include "async/wait.h"

struct __attribute__((may_alias)) call {
    struct call *outer;
    pe_task_fn *fn; /* the caller's, as the rest */
    void *frame;
    uint32_t resume;
    uint8_t shield;
};

_Static_assert(sizeof(struct call) <= sizeof(pe_call_link), "a call's contents fit");

void pe__call_return(struct pe__task *task, int value)
{
    struct call *call = (struct call *)task->call;

    if (pe__task_has_regions(task))
        pe__task_regions_leave_call(task);
    if (task->limit != NULL)
        pe__limit_leave_open(task);
    if (!(task->stop & PE__STOP_FINAL))
        task->shield = call->shield;
    task->fn = call->fn;
    task->frame = call->frame;
    task->head.resume = call->resume;
    task->head.result = value;
    task->call = (pe_call_link *)call->outer;
}

void pe__call_outermost(const struct pe__task *task, pe_task_fn **ret_fn, void **ret_frame)
{
    *ret_fn = task->fn;
    *ret_frame = task->frame;
    for (const struct call *call = (const struct call *)task->call; call != NULL; call = call->outer) {
        *ret_fn = call->fn;
        *ret_frame = call->frame;
    }
}

int pe_call(pe_task *t, pe_call_link *link, pe_task_fn *fn, void *frame)
{
    struct pe__task *task = pe__task_of(t);
    struct call *call = (struct call *)link;
    int result = pe__wait_check_running(t);

    if (result == 0 && (link == NULL || fn == NULL || link == task->call))
        result = PE_EINVAL;
    if (result < 0)
        return result;
    *call = (struct call){ (struct call *)task->call, task->fn, task->frame, task->head.resume, task->shield };
    task->call = link;
    task->fn = fn;
    task->frame = frame;
    task->head.resume = 0;
    result = fn(t, frame);
    if (task->wait != NULL) {
        if (result != PE_WAIT)
            pe__task_break_off(task);
        return PE_WAIT;
    }
    pe__call_return(task, result == PE_WAIT ? PE_EINVAL : result);
    return task->head.result;
}
