/*
 * task.c - tasks: how they start, and what their handles are good for.
 *
 * Task and frame are one block of the loop's slab. The block is given back when the task has ended and no handle is
 * left; the loop's own reference keeps a task going that nobody holds.
 */
#include "async/task.h"

#include <stdlib.h>
#include <string.h>

#include "async/failure.h"
#include "async/local.h"
#include "async/watch.h"

#define FRAME_BYTES_MOST (UINT32_C(1) << 26)

struct pe__task_more *pe__task_more(struct pe__task *task)
{
    if (task->more == NULL && (task->more = pe__slab_new(&task->loop->slab, sizeof *task->more)) != NULL)
        *task->more = (struct pe__task_more){ 0 };
    return task->more;
}

static void give_back(struct pe__task *task)
{
    pe_loop *loop = task->loop;

    if (task->more != NULL) {
        free(task->more->name);
        pe__slab_free(&loop->slab, task->more, sizeof *task->more);
    }
    pe__slab_free(&loop->slab, task, (size_t)task->block_steps * PE__SLAB_STEP);
    if (--loop->kept == 0)
        pe__loop_task_gone(loop);
}

void pe__task_last_unref(struct pe__task *task)
{
    if (task->head.result < 0)
        pe__failure_forgotten(task);
    give_back(task);
}

/* ---- start ---- */

static struct pe__task *new_task(pe_loop *loop, const void *frame, size_t frame_bytes)
{
    size_t steps = (sizeof(struct pe__task) + frame_bytes + PE__SLAB_STEP - 1) / PE__SLAB_STEP;
    struct pe__task *task = pe__slab_new(&loop->slab, steps * PE__SLAB_STEP);

    if (task == NULL)
        return NULL;
    /* Member by member, since the compiler clears the whole of it more slowly; `object` and `in` need nothing. */
    task->head = (pe_task){ 0, 0 };
    task->loop = loop;
    task->watches = NULL;
    task->more = NULL;
    task->call = NULL;
    task->limit = NULL;
    task->block_steps = (uint32_t)steps & 0xffffff;
    task->cancels = 0;
    task->refs = 1;
    task->stop = 0;
    task->shield = 0;
    task->frame = frame_bytes > 0 ? task + 1 : (void *)(uintptr_t)frame;
    if (frame_bytes > 0 && frame != NULL)
        memcpy(task->frame, frame, frame_bytes);
    else if (frame_bytes > 0)
        memset(task->frame, 0, frame_bytes);
    return task;
}

struct pe__task *pe__task_start(pe_loop *loop, pe_task_fn *fn, const void *frame, size_t frame_bytes)
{
    struct pe__task *task = new_task(loop, frame, frame_bytes);

    if (task == NULL)
        return NULL;
    if (loop->current != NULL && loop->current->more != NULL && !pe__local_inherit(task, loop->current)) {
        pe__slab_free(&loop->slab, task, (size_t)task->block_steps * PE__SLAB_STEP);
        return NULL;
    }
    task->fn = fn;
    loop->kept++;
    pe__base_list_push_back(&loop->tasks, &task->all);
    if (loop->live++ == 0)
        pe__loop_keep_alive(loop, true);
    pe__wait_ready_up(task);
    task->wait = &pe__wait_new;
    return task;
}

int pe_spawn(pe_loop *loop, pe_task_fn *fn, const void *frame, size_t frame_bytes, pe_task **ret_task)
{
    int result = pe__loop_check(loop);

    if (result == 0 && (fn == NULL || frame_bytes > FRAME_BYTES_MOST))
        result = PE_EINVAL;
    if (result == 0 && loop->phase != PE__LOOP_OPEN && loop->current == NULL)
        result = PE_ECLOSED;
    if (result < 0)
        return result;
    struct pe__task *task = pe__task_start(loop, fn, frame, frame_bytes);
    if (task == NULL)
        return PE_ENOMEM;
    if (ret_task != NULL) {
        task->refs++;
        *ret_task = &task->head;
    }
    return 0;
}

/* ---- cancelling ---- */

int pe_task_cancel(pe_task *t)
{
    struct pe__task *task = pe__task_of(t);

    if (t == NULL)
        return PE_EINVAL;
    if (pe__base_forked(task->loop->token))
        return PE_EFORKED;
    if (task->wait == &pe__wait_ended)
        return PE_EALREADY;
    if (task->cancels < 255)
        task->cancels++;
    task->stop |= PE__STOP_CANCEL;
    if (task->wait == &pe__wait_new)
        pe__task_give_up(task);
    else
        pe__wait_stop(task);
    return 0;
}

/* ---- handles ---- */

static bool is_ours(const pe_task *t)
{
    return t != NULL && !pe__base_forked(pe__task_of(t)->loop->token);
}

void pe_task_free(pe_task *t)
{
    if (is_ours(t))
        pe__task_unref(pe__task_of(t));
}

pe_task *pe_task_ref(pe_task *t)
{
    if (!is_ours(t) || pe__task_of(t)->refs == UINT16_MAX)
        return NULL;
    pe__task_of(t)->refs++;
    return t;
}

void *pe_task_frame(pe_task *t)
{
    pe_task_fn *fn;
    void *frame = NULL;

    if (is_ours(t))
        pe__task_origin(pe__task_of(t), &fn, &frame);
    return frame;
}

int pe_task_result(const pe_task *t)
{
    struct pe__task *task = pe__task_of(t);

    if (t == NULL)
        return PE_EINVAL;
    if (pe__base_forked(task->loop->token))
        return PE_EFORKED;
    if (task->wait != &pe__wait_ended)
        return PE_EAGAIN;
    pe__task_seen(task);
    return task->head.result;
}

int pe_task_has_ended(const pe_task *t)
{
    if (t == NULL)
        return PE_EINVAL;
    if (pe__base_forked(pe__task_of(t)->loop->token))
        return PE_EFORKED;
    return pe__task_of(t)->wait == &pe__wait_ended;
}

int pe_task_cancels(const pe_task *t)
{
    if (t == NULL)
        return PE_EINVAL;
    if (pe__base_forked(pe__task_of(t)->loop->token))
        return PE_EFORKED;
    return (int)pe__task_of(t)->cancels;
}

pe_loop *pe_task_loop(const pe_task *t)
{
    return is_ours(t) && !pe__task_of(t)->loop->is_freed ? pe__task_of(t)->loop : NULL;
}
