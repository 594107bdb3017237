/*
 * failure.c - a failure is reported once, unless somebody awaits the task or asks for its result: when the last handle
 * is given back, or when the loop is closed. Until then the task is in the loop's list of the failed. Tasks that were
 * cancelled have not failed.
 */
#include "async/failure.h"

#include "async/watch.h"
#include "base/log.h"

void pe__failure_note(struct pe__task *task)
{
    if (task->head.result != PE_ECANCELED)
        pe__base_list_push_back(&task->loop->failed, &task->all);
}

static void report(struct pe__task *task)
{
    pe_loop *loop = task->loop;
    pe_loop *before = pe__loop_enter(loop);
    struct pe__task *running = loop->current;

    pe__task_seen(task);
    loop->current = NULL;
    if (loop->on_failure != NULL)
        loop->on_failure(loop, pe_task_name(&task->head), task->head.result, loop->failure_context);
    else
        pe__base_log(PE_LOG_WARNING, "task %s failed and nobody looked: %s", pe_task_name(&task->head),
                     pe_strerror(task->head.result));
    loop->current = running;
    pe__loop_leave(before);
}

void pe__failure_forgotten(struct pe__task *task)
{
    if (!pe__base_list_empty(&task->all))
        report(task);
}

void pe__failure_report_all(pe_loop *loop)
{
    while (!pe__base_list_empty(&loop->failed))
        report(PE__BASE_LIST_ENTRY(loop->failed.next, struct pe__task, all));
}

int pe_loop_on_failure(pe_loop *loop, pe_failure_fn *fn, void *context)
{
    int result = pe__loop_check(loop);

    if (result < 0)
        return result;
    loop->on_failure = fn;
    loop->failure_context = context;
    return 0;
}
