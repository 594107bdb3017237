/* GThreadPool as a rival: exclusive threads, so that they are not shared or given up between jobs. A
 * single result comes back through a GAsyncQueue, as GLib's own documentation has it; of many, each
 * thread stores its results in place and counts them, and the host waits for the count: cheaper than a
 * queue, in GLib's favour. */

#include "pool/rivals.h"

#ifdef HAVE_GLIB

#include "pool/work.h"

#include <glib.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct glib_state;

struct item {
    struct glib_state *state;
    uint64_t arg;
    uint64_t *home;
};

struct glib_state {
    GThreadPool *pool;
    GAsyncQueue *answers; /* for one at a time */
    GMutex lock;
    GCond all_done;
    _Atomic size_t open; /* jobs of a batch that are not done; 0: one at a time */
    struct item *items;
};

static void work(gpointer data, gpointer user_data)
{
    struct item *item = data;
    struct glib_state *state = user_data;
    *item->home = work_chosen(item->arg);
    if (atomic_load_explicit(&state->open, memory_order_relaxed) == 0) {
        g_async_queue_push(state->answers, item);
    } else if (atomic_fetch_sub(&state->open, 1) == 1) {
        g_mutex_lock(&state->lock);
        g_cond_signal(&state->all_done);
        g_mutex_unlock(&state->lock);
    }
}

static int glib_jobs_open(const struct plan *plan, void **ret_state)
{
    struct glib_state *state = calloc(1, sizeof(*state));
    g_mutex_init(&state->lock);
    g_cond_init(&state->all_done);
    state->answers = g_async_queue_new();
    state->items = malloc(plan->n * sizeof(*state->items));
    memset(state->items, 0, plan->n * sizeof(*state->items));
    state->pool = g_thread_pool_new(work, state, (gint)plan->workers, TRUE, NULL);
    *ret_state = state;
    return 0;
}

static int push(struct glib_state *state, size_t i, uint64_t arg, uint64_t *home)
{
    state->items[i] = (struct item){ state, arg, home };
    return g_thread_pool_push(state->pool, &state->items[i], NULL) ? 0 : -1;
}

static int glib_jobs_one(void *context, uint64_t arg, uint64_t *ret_result)
{
    struct glib_state *state = context;
    if (push(state, 0, arg, ret_result) < 0)
        return -1;
    g_async_queue_pop(state->answers);
    return 0;
}

static int glib_jobs_many(void *context, const uint64_t *args, uint64_t *results, size_t n)
{
    struct glib_state *state = context;
    atomic_store(&state->open, n);
    for (size_t i = 0; i < n; i++)
        if (push(state, i, args[i], &results[i]) < 0)
            return -1;
    g_mutex_lock(&state->lock);
    while (atomic_load(&state->open) > 0)
        g_cond_wait(&state->all_done, &state->lock);
    g_mutex_unlock(&state->lock);
    return 0;
}

static void glib_jobs_close(void *context)
{
    struct glib_state *state = context;
    g_thread_pool_free(state->pool, FALSE, TRUE);
    g_async_queue_unref(state->answers);
    g_mutex_clear(&state->lock);
    g_cond_clear(&state->all_done);
    free(state->items);
    free(state);
}

const struct job_ops glib_jobs = {
    NULL, glib_jobs_open, glib_jobs_one, glib_jobs_many, NULL, glib_jobs_close, NULL
};

#else
const struct job_ops glib_jobs = { .absent = "built without glib" };
#endif
