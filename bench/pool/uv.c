/* uv_queue_work as a rival. The requests are allocated and touched beforehand, the loop is the default
 * one, the thread pool has as many threads as the others have workers; its size is read from the
 * environment once, at the first request. The result reaches the host in the after-work callback. */

#include "pool/rivals.h"

#ifdef HAVE_UV

#include "pool/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct request {
    uv_work_t work; /* first: the callbacks get its address */
    uint64_t arg, result;
    uint64_t *home; /* where the host wants the result */
};

struct uv_state {
    uv_loop_t *loop;
    struct request *requests;
};

static void work(uv_work_t *req)
{
    struct request *request = (struct request *)req;
    request->result = work_chosen(request->arg);
}

static void after_work(uv_work_t *req, int status)
{
    struct request *request = (struct request *)req;
    (void)status;
    *request->home = request->result;
}

static int uv_jobs_open(const struct plan *plan, void **ret_state)
{
    char size[16];
    struct uv_state *state = malloc(sizeof(*state));
    snprintf(size, sizeof(size), "%u", (unsigned)plan->workers);
    setenv("UV_THREADPOOL_SIZE", size, 1);
    state->loop = uv_default_loop();
    state->requests = malloc(plan->n * sizeof(*state->requests));
    memset(state->requests, 0, plan->n * sizeof(*state->requests));
    *ret_state = state;
    return 0;
}

static void queue(struct uv_state *state, size_t i, uint64_t arg, uint64_t *home)
{
    struct request *request = &state->requests[i];
    request->arg = arg;
    request->home = home;
    uv_queue_work(state->loop, &request->work, work, after_work);
}

static int uv_jobs_one(void *context, uint64_t arg, uint64_t *ret_result)
{
    struct uv_state *state = context;
    queue(state, 0, arg, ret_result);
    return uv_run(state->loop, UV_RUN_DEFAULT);
}

static int uv_jobs_many(void *context, const uint64_t *args, uint64_t *results, size_t n)
{
    struct uv_state *state = context;
    for (size_t i = 0; i < n; i++)
        queue(state, i, args[i], &results[i]);
    return uv_run(state->loop, UV_RUN_DEFAULT);
}

static void uv_jobs_close(void *context)
{
    struct uv_state *state = context;
    free(state->requests);
    free(state);
}

const struct job_ops uv_jobs = { NULL, uv_jobs_open, uv_jobs_one, uv_jobs_many, NULL, uv_jobs_close, NULL };

#else
const struct job_ops uv_jobs = { .absent = "built without libuv" };
#endif
