/* uv_queue_work, from plain callbacks. The requests are there before; a callback that brings a result sends its request
 * off again. */

#include "async/steps.h"
#include "pool/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

struct work_state;

struct request {
    uv_work_t work; /* first: the callbacks get its address */
    struct work_state *owner;
    uint64_t arg, result;
};

struct work_state {
    uv_loop_t loop;
    struct request requests[FLIGHTS];
    uint64_t n, sent;
    uint64_t sum;
    int marks;
};

static void work(uv_work_t *work)
{
    struct request *request = (struct request *)work;
    request->result = work_job(request->arg);
}

static void after_work(uv_work_t *work, int status);

static void send_off(struct work_state *state, struct request *request)
{
    request->arg = state->sent++ << 32;
    uv_queue_work(&state->loop, &request->work, work, after_work);
}

static void after_work(uv_work_t *work, int status)
{
    struct request *request = (struct request *)work;
    struct work_state *state = request->owner;
    (void)status;
    state->sum += request->result;
    if (state->marks)
        trip_mark();
    if (state->sent < state->n)
        send_off(state, request);
}

static uint64_t run(void *context, const struct plan *plan, uint64_t n)
{
    struct work_state *state = context;
    uint64_t window = plan->activity == MANY ? FLIGHTS : 1;
    state->n = n;
    state->sent = state->sum = 0;
    state->marks = plan->activity == ROUND_TRIP;
    for (uint64_t i = 0; i < window && i < n; i++)
        send_off(state, &state->requests[i]);
    uv_run(&state->loop, UV_RUN_DEFAULT);
    return state->sum;
}

/* The size of libuv's thread pool is read once in a process, at the first request. */
static int open_work(const struct plan *plan, void **ret_state)
{
    char size[16];
    struct work_state *state = calloc(1, sizeof(*state));
    snprintf(size, sizeof(size), "%u", (unsigned)plan->workers);
    setenv("UV_THREADPOOL_SIZE", size, 1);
    uv_loop_init(&state->loop);
    for (int i = 0; i < FLIGHTS; i++)
        state->requests[i].owner = state;
    *ret_state = state;
    return 0;
}

static void close_work(void *context)
{
    struct work_state *state = context;
    uv_loop_close(&state->loop);
    free(state);
}

const struct steps work_trips = { open_work, run, close_work };
const struct steps work_flights = { open_work, run, close_work };
