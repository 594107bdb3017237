#include "harness/told.h"

#include "harness/async.h"
#include "harness/harness.h"

static void stop(pe_task *t, void *object)
{
    struct told *told = object;

    told->cancelled++;
    MUST(pe_wait_end(t, PE_ECANCELED), 0);
}

int told_run(pe_task *t, void *frame)
{
    struct told *told = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_wait_external(t, 0, stop, told));
    if (t->result == PE_ECANCELED && told->cleans_up)
        PE_AWAIT(t, pe_wait_external(t, 0, NULL, NULL));
    PE_RETURN(t, t->result);
    PE_END(t);
}

pe_task *told_new(pe_loop *loop)
{
    pe_task *task;

    MUST(pe_spawn(loop, told_run, NULL, sizeof(struct told), &task), 0);
    return task;
}

struct told *told_frame(pe_task *task)
{
    return pe_task_frame(task);
}

void told_end(pe_task *task, int value)
{
    MUST(pe_wait_end(task, value), 0);
}

void told_settle(pe_loop *loop)
{
    while (pe_loop_poll(loop) > 0)
        ;
}

pe_task *told_start(pe_loop *loop, pe_task_fn *fn, void *frame)
{
    pe_task *task;

    MUST(pe_spawn(loop, fn, frame, 0, &task), 0);
    return task;
}
