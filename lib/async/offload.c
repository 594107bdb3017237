/*
 * offload.c - calls on threads of the loop's own.
 *
 * A thread is made when a call finds none idle, up to the loop's number. One that has found nothing to do for IDLE_NS
 * ends and leaves its name to be joined. The loop never waits for a call, but for the joins when it is closed, and by
 * then every call has returned, for the tasks have ended.
 */
#include "async/offload.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include <parexec/cpu.h>

#include "async/source.h"
#include "async/wait.h"

#define IDLE_NS PE_SECONDS(5)
#define THREADS_LEAST 4 /* of the default: what blocks needs no CPU */

struct pe__offload {
    struct pe__source source;
    struct pe__object object;
    pe_loop *loop;
    pthread_mutex_t mutex; /* of all that follows */
    pthread_cond_t changed; /* there is a call, or it is over */
    struct pe__base_list queue; /* struct call */
    struct pe__base_list done;
    struct pe__base_list ended; /* struct thread, to be joined */
    _Atomic bool has_done;      /* `done` is not empty; changed under the mutex */
    uint32_t queued;
    uint32_t idle;
    uint32_t threads;
    uint32_t most;
    bool is_over;
};

struct thread {
    struct pe__base_list link; /* once it has ended */
    struct pe__offload *offload;
    pthread_t id;
};

struct call {
    struct pe__base_list link;
    pe__offload_fn *fn;
    void *arg;
    struct pe__task *task;
    int result;
    bool has_begun; /* under the mutex */
    _Atomic bool is_cancelled;
};

static _Thread_local const struct call *running;

bool pe__offload_is_cancelled(void)
{
    return running != NULL && atomic_load_explicit(&running->is_cancelled, memory_order_relaxed);
}

static struct call *of_link(struct pe__base_list *link)
{
    return PE__BASE_LIST_ENTRY(link, struct call, link);
}

/* ---- in the threads ---- */

/* Without the mutex. */
static void run(struct call *call)
{
    running = call;
    call->result = call->fn(call->arg);
    running = NULL;
}

/* The first one wakes the loop: it takes all at once. */
static void finish(struct pe__offload *offload, struct call *call)
{
    pe__base_list_push_back(&offload->done, &call->link);
    if (!atomic_load_explicit(&offload->has_done, memory_order_relaxed)) {
        atomic_store_explicit(&offload->has_done, true, memory_order_release);
        uv_async_send(&offload->loop->async);
    }
}

/* False: it has been idle for too long. */
static bool wait_for_call(struct pe__offload *offload)
{
    int64_t deadline_ns = pe_after(IDLE_NS);
    struct timespec until = { .tv_sec = deadline_ns / 1000000000, .tv_nsec = deadline_ns % 1000000000 };
    int error = 0;

    offload->idle++;
    while (offload->queued == 0 && !offload->is_over && offload->threads <= offload->most && error == 0)
        error = pthread_cond_timedwait(&offload->changed, &offload->mutex, &until);
    offload->idle--;
    return offload->queued > 0;
}

static void serve(struct pe__offload *offload)
{
    while (offload->queued > 0 || wait_for_call(offload)) {
        struct call *call = of_link(pe__base_list_pop_front(&offload->queue));

        offload->queued--;
        call->has_begun = true;
        pthread_mutex_unlock(&offload->mutex);
        run(call);
        pthread_mutex_lock(&offload->mutex);
        finish(offload, call);
    }
}

static void *thread_main(void *context)
{
    struct thread *thread = context;
    struct pe__offload *offload = thread->offload;

    pthread_mutex_lock(&offload->mutex);
    serve(offload);
    offload->threads--;
    pe__base_list_push_back(&offload->ended, &thread->link);
    if (offload->is_over)
        pthread_cond_broadcast(&offload->changed);
    pthread_mutex_unlock(&offload->mutex);
    return NULL;
}

/* ---- threads come and go ---- */

/* All signals are blocked in it. */
static int start_thread(struct thread *thread)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread->id, NULL, thread_main, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

/* With the mutex. */
static int add_thread(struct pe__offload *offload)
{
    struct thread *thread = calloc(1, sizeof *thread);

    if (thread == NULL)
        return PE_ENOMEM;
    thread->offload = offload;
    int result = start_thread(thread);
    if (result < 0)
        free(thread);
    else
        offload->threads++;
    return result;
}

/* With the mutex; they have nothing more to do with it. */
static void join_ended(struct pe__offload *offload)
{
    struct pe__base_list *link;

    while ((link = pe__base_list_pop_front(&offload->ended)) != NULL) {
        struct thread *thread = PE__BASE_LIST_ENTRY(link, struct thread, link);

        pthread_mutex_unlock(&offload->mutex);
        pthread_join(thread->id, NULL);
        free(thread);
        pthread_mutex_lock(&offload->mutex);
    }
}

static void end_threads(struct pe__offload *offload)
{
    pthread_mutex_lock(&offload->mutex);
    offload->is_over = true;
    pthread_cond_broadcast(&offload->changed);
    while (offload->threads > 0)
        pthread_cond_wait(&offload->changed, &offload->mutex);
    join_ended(offload);
    pthread_mutex_unlock(&offload->mutex);
}

/* ---- the loop's side ---- */

static void end_call(pe_loop *loop, struct call *call)
{
    struct pe__task *task = call->task;
    int result = call->result;

    pe__slab_free(&loop->slab, call, sizeof *call);
    pe__wait_end(task, result == PE_WAIT ? PE_EINVAL : result);
}

static bool look(struct pe__source *source, enum pe__look how)
{
    struct pe__offload *offload = PE__BASE_LIST_ENTRY(source, struct pe__offload, source);
    struct pe__base_list done, *link;

    (void)how;
    if (!atomic_load_explicit(&offload->has_done, memory_order_acquire))
        return false;
    pe__base_list_init(&done);
    pthread_mutex_lock(&offload->mutex);
    while ((link = pe__base_list_pop_front(&offload->done)) != NULL)
        pe__base_list_push_back(&done, link);
    atomic_store_explicit(&offload->has_done, false, memory_order_relaxed);
    join_ended(offload);
    pthread_mutex_unlock(&offload->mutex);
    while ((link = pe__base_list_pop_front(&done)) != NULL)
        end_call(offload->loop, of_link(link));
    return false;
}

static void close_offload(struct pe__object *object)
{
    struct pe__offload *offload = PE__BASE_LIST_ENTRY(object, struct pe__offload, object);

    end_threads(offload);
    pe__base_list_remove(&offload->source.link);
    offload->loop->offload = NULL;
    pthread_cond_destroy(&offload->changed);
    pthread_mutex_destroy(&offload->mutex);
    free(offload);
}

static uint32_t default_most(void)
{
    int cpus = pe_cpu_count();

    return cpus > THREADS_LEAST ? (uint32_t)cpus : THREADS_LEAST;
}

static void init_locks(struct pe__offload *offload)
{
    pthread_condattr_t monotonic;

    pthread_mutex_init(&offload->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&offload->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

/* The loop's; NULL: no memory. */
static struct pe__offload *offload_of(pe_loop *loop)
{
    if (loop->offload != NULL)
        return loop->offload;
    struct pe__offload *offload = calloc(1, sizeof *offload);
    if (offload == NULL)
        return NULL;
    offload->loop = loop;
    offload->most = default_most();
    offload->source.look = look;
    pe__base_list_init(&offload->queue);
    pe__base_list_init(&offload->done);
    pe__base_list_init(&offload->ended);
    init_locks(offload);
    pe__object_open(loop, &offload->object, "thread pool", close_offload);
    pe__base_list_push_back(&loop->sources, &offload->source.link);
    loop->offload = offload;
    return offload;
}

int pe__offload_set_most(pe_loop *loop, uint32_t most)
{
    struct pe__offload *offload = offload_of(loop);

    if (offload == NULL)
        return PE_ENOMEM;
    pthread_mutex_lock(&offload->mutex);
    offload->most = most != 0 ? most : default_most();
    pthread_cond_broadcast(&offload->changed);
    while (offload->threads < offload->most && offload->queued > offload->idle && add_thread(offload) == 0)
        ;
    pthread_mutex_unlock(&offload->mutex);
    return 0;
}

/* ---- waits ---- */

static void cancel(struct pe__task *task)
{
    struct call *call = task->object;
    struct pe__offload *offload = task->loop->offload;

    pthread_mutex_lock(&offload->mutex);
    bool has_begun = call->has_begun;
    if (has_begun) {
        atomic_store_explicit(&call->is_cancelled, true, memory_order_relaxed);
    } else {
        pe__base_list_remove(&call->link);
        offload->queued--;
    }
    pthread_mutex_unlock(&offload->mutex);
    if (has_begun)
        return;
    call->result = PE_ECANCELED;
    end_call(task->loop, call);
}

static const struct pe__wait_kind kind = { .name = "a call on a thread", .cancel = cancel };

/* Without any thread it is refused; with some it waits for them. */
static int push(struct pe__offload *offload, struct call *call)
{
    int result = 0;

    pthread_mutex_lock(&offload->mutex);
    join_ended(offload);
    if (offload->queued >= offload->idle && offload->threads < offload->most)
        result = add_thread(offload);
    if (offload->threads > 0) {
        result = 0;
        pe__base_list_push_back(&offload->queue, &call->link);
        offload->queued++;
        if (offload->idle > 0)
            pthread_cond_signal(&offload->changed);
    }
    pthread_mutex_unlock(&offload->mutex);
    return result;
}

int pe__offload_wait(pe_task *t, pe__offload_fn *fn, void *arg)
{
    struct pe__task *task = pe__task_of(t);
    struct pe__offload *offload = offload_of(task->loop);
    struct call *call = offload != NULL ? pe__slab_new(&task->loop->slab, sizeof *call) : NULL;

    if (call == NULL)
        return PE_ENOMEM;
    *call = (struct call){ .fn = fn, .arg = arg, .task = task };
    int result = pe__wait_begin(t, &kind, call);
    if (result == PE_WAIT) {
        result = push(offload, call);
        if (result == 0)
            return PE_WAIT;
        result = pe__wait_undo(task, result);
    }
    pe__slab_free(&task->loop->slab, call, sizeof *call);
    return result;
}
