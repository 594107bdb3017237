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

#define FRAME_BYTES_MOST (UINT32_C(1) << 30)

struct pe__task_more *pe__task_more(struct pe__task *task)
{
    if (task->more == NULL && (task->more = pe__slab_new(&task->loop->slab, sizeof *task->more)) != NULL)
        *task->more = (struct pe__task_more){ 0 };
    return task->more;
}

/* Of a large block no more than that it is one. */
static size_t bytes_of(const struct pe__task *task)
{
    return (size_t)task->block_steps * PE__SLAB_STEP;
}

static __attribute__((noinline)) void give_back_more(struct pe__task *task)
{
    free(task->more->name);
    pe__slab_free(&task->loop->slab, task->more, sizeof *task->more);
}

static inline void give_back(struct pe__task *task)
{
    pe_loop *loop = task->loop;

    if (task->more != NULL)
        give_back_more(task);
    pe__slab_free(&loop->slab, task, bytes_of(task));
    if (--loop->kept == 0)
        pe__loop_unused(loop);
}

void pe__task_last_unref(struct pe__task *task)
{
    if (task->head.result < 0)
        pe__failure_forgotten(task);
    give_back(task);
}

/* ---- start ---- */

static __attribute__((noinline)) void fill_frame(void *to, const void *frame, size_t frame_bytes)
{
    if (frame != NULL)
        memcpy(to, frame, frame_bytes);
    else
        memset(to, 0, frame_bytes);
}

/* A pointer or two, mostly: two moves, which may overlap, instead of a call. */
static inline void *own_frame(struct pe__task *task, const void *frame, size_t frame_bytes)
{
    char *to = (char *)(task + 1);

    if (frame != NULL && frame_bytes >= sizeof(uint64_t) && frame_bytes <= 2 * sizeof(uint64_t)) {
        size_t last_at = frame_bytes - sizeof(uint64_t);
        uint64_t first, last;

        memcpy(&first, frame, sizeof first);
        memcpy(&last, (const char *)frame + last_at, sizeof last);
        memcpy(to, &first, sizeof first);
        memcpy(to + last_at, &last, sizeof last);
    } else {
        fill_frame(to, frame, frame_bytes);
    }
    return to;
}

/* Its values are those of the task that starts it, if one does. False: no memory, and the task is gone. */
static __attribute__((noinline)) bool inherit(struct pe__task *task, const struct pe__task *parent)
{
    if (pe__local_inherit(task, parent))
        return true;
    pe__slab_free(&task->loop->slab, task, bytes_of(task));
    return false;
}

/* Member by member, since the compiler clears the whole of it more slowly; `object` and `in` need nothing. */
static inline void init(struct pe__task *task, pe_loop *loop, pe_task_fn *fn, size_t steps)
{
    task->head = (pe_task){ 0, 0 };
    task->fn = fn;
    task->loop = loop;
    task->watches = NULL;
    task->more = NULL;
    task->call = NULL;
    task->limit = NULL;
    task->block_steps = steps < UINT16_MAX ? (uint16_t)steps : UINT16_MAX;
    task->refs = 1;
    task->cancels = 0;
    task->stop = 0;
    task->shield = 0;
    task->unused = 0;
}

static inline void begin_life(struct pe__task *task, pe_loop *loop)
{
    loop->kept++;
    pe__base_list_push_back(&loop->tasks, &task->all);
    loop->figures.spawned++;
    if (loop->live++ == 0)
        pe__loop_keep_alive(loop, true);
    pe__wait_ready_up(task);
    task->wait = &pe__wait_new;
}

static inline struct pe__task *start(pe_loop *loop, pe_task_fn *fn, const void *frame, size_t frame_bytes)
{
    size_t steps = (sizeof(struct pe__task) + frame_bytes + PE__SLAB_STEP - 1) / PE__SLAB_STEP;
    struct pe__task *task = pe__slab_new(&loop->slab, steps * PE__SLAB_STEP);

    if (task == NULL)
        return NULL;
    init(task, loop, fn, steps);
    task->frame = frame_bytes > 0 ? own_frame(task, frame, frame_bytes) : (void *)(uintptr_t)frame;
    if (loop->current != NULL && loop->current->more != NULL && !inherit(task, loop->current))
        return NULL;
    begin_life(task, loop);
    return task;
}

int pe_spawn(pe_loop *loop, pe_task_fn *fn, const void *frame, size_t frame_bytes, pe_task **ret_task)
{
    int result = pe__loop_check(loop);

    if (result == 0 && (fn == NULL || frame_bytes > FRAME_BYTES_MOST))
        result = PE_EINVAL;
    if (result == 0 && loop->phase != PE__LOOP_OPEN && (loop->current == NULL || loop->phase == PE__LOOP_FINAL))
        result = PE_ECLOSED;
    if (result < 0)
        return result;
    struct pe__task *task = start(loop, fn, frame, frame_bytes);
    if (task == NULL)
        return PE_ENOMEM;
    if (ret_task != NULL) {
        task->refs++;
        *ret_task = &task->head;
    }
    return 0;
}

/* ---- cancelling ---- */

/* One that has not ended. Returns the next one to be cancelled with it; NULL: none. */
static struct pe__task *request(struct pe__task *task)
{
    if (task->cancels < UINT8_MAX)
        task->cancels++;
    if (task->wait == &pe__wait_ready && (task->stop & PE__STOP_TOLD))
        return NULL;
    task->stop |= PE__STOP_CANCEL;
    if (task->wait == &pe__wait_new) {
        pe__task_give_up(task);
    } else if (pe__wait_ask(task)) {
        if (task->wait->cancel == pe__task_cancel_target)
            return task->wait->target(task);
        task->wait->cancel(task);
    }
    return NULL;
}

void pe__task_cancel_target(struct pe__task *task)
{
    (void)pe_task_cancel(&task->wait->target(task)->head);
}

int pe_task_cancel(pe_task *t)
{
    struct pe__task *task = pe__task_of(t);

    if (t == NULL)
        return PE_EINVAL;
    if (pe__base_forked(task->loop->token))
        return PE_EFORKED;
    if (task->wait == &pe__wait_ended)
        return PE_EALREADY;
    for (; task != NULL; task = request(task))
        ;
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
    return pe__task_of(t)->cancels;
}

pe_loop *pe_task_loop(const pe_task *t)
{
    if (!is_ours(t))
        return NULL;
    pe_loop *loop = pe__task_of(t)->loop;
    return loop->is_freed && pe__task_of(t)->wait == &pe__wait_ended ? NULL : loop;
}
