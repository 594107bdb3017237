/* run.c - pe_run: one task to its end on a loop of its own. */
#include "async/loop.h"
#include "async/task.h"
#include "async/wait.h"

static int run_to_end(pe_loop *loop, pe_task *task)
{
    pe_loop *before = pe__loop_enter(loop);

    while (pe__task_of(task)->wait != &pe__wait_ended)
        uv_run(loop->uv, UV_RUN_ONCE);
    pe__loop_leave(before);
    return pe_task_result(task);
}

int pe_run(pe_task_fn *main, void *frame, int *ret_value)
{
    pe_loop *loop;
    pe_task *task;

    if (main == NULL)
        return PE_EINVAL;
    if (pe__loop_is_inside())
        return PE_EINLOOP;
    int result = pe_loop_new(NULL, &loop);
    if (result < 0)
        return result;
    result = pe_spawn(loop, main, frame, 0, &task);
    if (result == 0) {
        int value = run_to_end(loop, task);

        pe_task_free(task);
        if (ret_value != NULL)
            *ret_value = value;
        else if (value < 0)
            result = value;
    }
    pe_loop_free(loop);
    return result;
}
