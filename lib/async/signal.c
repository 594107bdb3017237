/*
 * signal.c - waiting for signals.
 *
 * Each loop has one libuv handle for each signal that something on it waits for, in a source: tasks that wait for the
 * next one, and objects, which count. The source is closed with the last of these. When a signal has come, all tasks
 * are told, and of each object the task that has waited longest.
 *
 * The handles do not keep the libuv loop alive: the tasks do.
 */
#include <signal.h>
#include <stdlib.h>

#include <parexec/signal.h>

#include "async/disposition.h"
#include "async/loop.h"
#include "async/wait.h"

struct source {
    uv_signal_t handle; /* data: the loop */
    struct pe__disposition_user user;
    struct pe__base_list link;    /* in the loop's signals */
    struct pe__base_list tasks;   /* of pe_signal_wait */
    struct pe__base_list objects; /* struct pe_signal */
};

struct pe_signal {
    struct pe__object object;
    struct pe__base_list link;  /* in the source's */
    struct pe__base_list tasks; /* of pe_signal_next */
    uint64_t token;             /* of the process, see base/forked.h */
    struct source *source;
    int count;                  /* that nobody has been told of */
};

static struct pe__task *task_of(struct pe__base_list *link)
{
    return PE__BASE_LIST_ENTRY(link, struct pe__task, in.link);
}

/* ---- sources ---- */

static void on_closed(uv_handle_t *handle)
{
    pe_loop *loop = handle->data;

    pe__slab_free(&loop->slab, (struct source *)(void *)handle, sizeof(struct source));
    pe__handle_gone(loop);
}

static void close_if_unused(struct source *source)
{
    if (!pe__base_list_empty(&source->tasks) || !pe__base_list_empty(&source->objects))
        return;
    pe__base_list_remove(&source->link);
    pe__disposition_give_back(&source->user);
    uv_close((uv_handle_t *)&source->handle, on_closed);
}

static void tell_object(struct pe_signal *signal)
{
    struct pe__base_list *link = pe__base_list_pop_front(&signal->tasks);

    signal->count++;
    if (link == NULL)
        return;
    pe__wait_end(task_of(link), signal->count);
    signal->count = 0;
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct source *source = (struct source *)(void *)handle;
    struct pe__base_list *link;

    (void)number;
    while ((link = pe__base_list_pop_front(&source->tasks)) != NULL)
        pe__wait_end(task_of(link), 0);
    PE__BASE_LIST_EACH(at, &source->objects)
        tell_object(PE__BASE_LIST_ENTRY(at, struct pe_signal, link));
    close_if_unused(source);
}

static struct source *find_source(pe_loop *loop, int number)
{
    PE__BASE_LIST_EACH(link, &loop->signals) {
        struct source *source = PE__BASE_LIST_ENTRY(link, struct source, link);

        if (source->user.number == number)
            return source;
    }
    return NULL;
}

/* What has been opened is closed on failure, and its memory given back with that. */
static int open_source(pe_loop *loop, int number, struct source **ret_source)
{
    struct source *source = pe__slab_new(&loop->slab, sizeof *source);

    if (source == NULL)
        return PE_ENOMEM;
    int result = uv_signal_init(loop->uv, &source->handle);
    if (result < 0) {
        pe__slab_free(&loop->slab, source, sizeof *source);
        return result;
    }
    source->handle.data = loop;
    uv_unref((uv_handle_t *)&source->handle);
    pe__handle_opened(loop);
    result = pe__disposition_take(&source->user, &source->handle, number, on_signal);
    if (result < 0) {
        uv_close((uv_handle_t *)&source->handle, on_closed);
        return result;
    }
    pe__base_list_init(&source->tasks);
    pe__base_list_init(&source->objects);
    pe__base_list_push_back(&loop->signals, &source->link);
    *ret_source = source;
    return 0;
}

static int get_source(pe_loop *loop, int number, struct source **ret_source)
{
    if (number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL)
        return PE_EINVAL;
    *ret_source = find_source(loop, number);
    return *ret_source != NULL ? 0 : open_source(loop, number, ret_source);
}

/* ---- the next one ---- */

static void cancel_wait(struct pe__task *task)
{
    pe__base_list_remove(&task->in.link);
    close_if_unused(task->object);
    pe__wait_end(task, PE_ECANCELED);
}

static const struct pe__wait_kind wait_kind = { .name = "a signal", .cancel = cancel_wait };

int pe_signal_wait(pe_task *t, int number)
{
    struct pe__task *task = pe__task_of(t);
    struct source *source;
    int result = pe__wait_check(t);

    if (result != 0)
        return result;
    result = get_source(task->loop, number, &source);
    if (result < 0)
        return result;
    result = pe__wait_begin(t, &wait_kind, source);
    if (result == PE_WAIT)
        pe__base_list_push_back(&source->tasks, &task->in.link);
    else
        close_if_unused(source);
    return result;
}

/* ---- objects ---- */

static void close_object(struct pe__object *object)
{
    struct pe_signal *signal = PE__BASE_LIST_ENTRY(object, struct pe_signal, object);

    pe__base_list_remove(&signal->link);
    close_if_unused(signal->source);
}

int pe_signal_new(pe_loop *loop, int number, pe_signal **ret_signal)
{
    struct source *source;
    int result = pe__loop_check(loop);

    if (result == 0 && ret_signal == NULL)
        result = PE_EINVAL;
    if (result == 0 && loop->phase != PE__LOOP_OPEN && loop->current == NULL)
        result = PE_ECLOSED;
    if (result < 0)
        return result;
    struct pe_signal *signal = malloc(sizeof *signal);
    if (signal == NULL)
        return PE_ENOMEM;
    result = get_source(loop, number, &source);
    if (result < 0) {
        free(signal);
        return result;
    }
    *signal = (struct pe_signal){ .token = loop->token, .source = source };
    pe__base_list_init(&signal->tasks);
    pe__base_list_push_back(&source->objects, &signal->link);
    pe__object_open(loop, &signal->object, "signal", close_object);
    *ret_signal = signal;
    return 0;
}

void pe_signal_free(pe_signal *signal)
{
    struct pe__base_list *link;

    if (signal == NULL || pe__base_forked(signal->token))
        return;
    while ((link = pe__base_list_pop_front(&signal->tasks)) != NULL)
        pe__wait_end(task_of(link), PE_ECLOSED);
    if (signal->object.loop != NULL) {
        pe__object_close(&signal->object);
        close_object(&signal->object);
    }
    free(signal);
}

static void cancel_next(struct pe__task *task)
{
    pe__base_list_remove(&task->in.link);
    pe__wait_end(task, PE_ECANCELED);
}

static const struct pe__wait_kind next_kind = { .name = "a signal's object", .cancel = cancel_next };

int pe_signal_next(pe_task *t, pe_signal *signal)
{
    struct pe__task *task = pe__task_of(t);
    int result = pe__wait_check(t);

    if (result == 0 && (signal == NULL || signal->object.loop != task->loop))
        result = PE_EINVAL;
    if (result != 0)
        return result;
    if (signal->count > 0) {
        int count = signal->count;

        signal->count = 0;
        return count;
    }
    result = pe__wait_begin(t, &next_kind, signal);
    if (result == PE_WAIT)
        pe__base_list_push_back(&signal->tasks, &task->in.link);
    return result;
}
