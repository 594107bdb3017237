/* Plain libuv: what runs later is an idle handle, what sleeps a timer. A handle that has stopped goes to a free list
 * and is started again from there: opening and closing it each time would cost libuv a turn of the loop more. */

#include "async/steps.h"

#include <stdlib.h>
#include <uv.h>

enum { BLOCK = 1024 };

struct uv_state;

struct task {
    uv_idle_t idle; /* first: the callbacks get its address */
    struct uv_state *owner;
    union {
        struct task *next;
        uint64_t left;
    };
};

struct block {
    struct block *next;
    struct task tasks[BLOCK];
};

struct uv_state {
    uv_loop_t loop;
    struct task *unused, *waiting;
    struct block *blocks;
    uv_timer_t *timers;
    uint64_t timer_count;
    uint64_t asked, answered;
    uint64_t proof;
};

static void refill(struct uv_state *state)
{
    struct block *block = malloc(sizeof(*block));
    if (!block)
        abort();
    block->next = state->blocks;
    state->blocks = block;
    for (int i = BLOCK - 1; i >= 0; i--) {
        struct task *task = &block->tasks[i];
        uv_idle_init(&state->loop, &task->idle);
        task->owner = state;
        task->next = state->unused;
        state->unused = task;
    }
}

static struct task *start(struct uv_state *state, uv_idle_cb fn)
{
    if (!state->unused)
        refill(state);
    struct task *task = state->unused;
    state->unused = task->next;
    uv_idle_start(&task->idle, fn);
    return task;
}

static void finish(struct uv_state *state, struct task *task)
{
    uv_idle_stop(&task->idle);
    task->next = state->unused;
    state->unused = task;
}

static void count(uv_idle_t *idle)
{
    struct task *task = (struct task *)idle;
    task->owner->proof++;
    finish(task->owner, task);
}

static uint64_t run_spawn(void *context, const struct plan *plan, uint64_t n)
{
    struct uv_state *state = context;
    (void)plan;
    state->proof = 0;
    for (uint64_t done = 0; done < n; done += STEPS_BATCH) {
        uint64_t batch = n - done < STEPS_BATCH ? n - done : STEPS_BATCH;
        for (uint64_t i = 0; i < batch; i++)
            start(state, count);
        uv_run(&state->loop, UV_RUN_DEFAULT);
    }
    return state->proof;
}

static void answer(uv_idle_t *idle);

static void on_answer(struct uv_state *state, uint64_t value)
{
    state->proof += value;
    if (state->answered < state->asked)
        start(state, answer);
}

static void answer(uv_idle_t *idle)
{
    struct task *task = (struct task *)idle;
    struct uv_state *state = task->owner;
    finish(state, task);
    on_answer(state, ++state->answered);
}

static uint64_t run_await(void *context, const struct plan *plan, uint64_t n)
{
    struct uv_state *state = context;
    (void)plan;
    state->proof = state->answered = 0;
    state->asked = n;
    start(state, answer);
    uv_run(&state->loop, UV_RUN_DEFAULT);
    return state->proof;
}

static void walk(uv_idle_t *idle)
{
    struct task *task = (struct task *)idle;
    task->owner->proof++;
    if (--task->left == 0)
        finish(task->owner, task);
}

static uint64_t run_yield(void *context, const struct plan *plan, uint64_t n)
{
    struct uv_state *state = context;
    state->proof = 0;
    for (uint32_t i = 0; i < plan->workers; i++) {
        uint64_t left = n / plan->workers + (i < n % plan->workers);
        if (left > 0)
            start(state, walk)->left = left;
    }
    uv_run(&state->loop, UV_RUN_DEFAULT);
    return state->proof;
}

static void wait(uv_idle_t *idle)
{
    struct task *task = (struct task *)idle;
    uv_idle_stop(idle);
    task->next = task->owner->waiting;
    task->owner->waiting = task;
}

static uint64_t run_live(void *context, const struct plan *plan, uint64_t n)
{
    struct uv_state *state = context;
    (void)plan;
    state->proof = 0;
    for (uint64_t i = 0; i < n; i++)
        start(state, wait);
    uv_run(&state->loop, UV_RUN_DEFAULT);
    memory_look();
    while (state->waiting) {
        struct task *task = state->waiting;
        state->waiting = task->next;
        uv_idle_start(&task->idle, count);
    }
    uv_run(&state->loop, UV_RUN_DEFAULT);
    return state->proof;
}

static void wake(uv_timer_t *timer)
{
    struct uv_state *state = timer->data;
    state->proof++;
}

static uint64_t run_asleep(void *context, const struct plan *plan, uint64_t n)
{
    struct uv_state *state = context;
    uint64_t sleep_ms = plan->job_ns / 1000000;
    state->proof = 0;
    state->timers = malloc(n * sizeof(*state->timers));
    state->timer_count = n;
    uv_update_time(&state->loop);
    for (uint64_t i = 0; i < n; i++) {
        uv_timer_t *timer = &state->timers[i];
        uv_timer_init(&state->loop, timer);
        timer->data = state;
        uv_timer_start(timer, wake, sleep_ms, 0);
    }
    uv_run(&state->loop, UV_RUN_DEFAULT);
    return state->proof;
}

static int open_uv(const struct plan *plan, void **ret_state)
{
    struct uv_state *state = calloc(1, sizeof(*state));
    (void)plan;
    uv_loop_init(&state->loop);
    *ret_state = state;
    return 0;
}

static void close_uv(void *context)
{
    struct uv_state *state = context;
    for (struct block *block = state->blocks; block; block = block->next)
        for (int i = 0; i < BLOCK; i++)
            uv_close((uv_handle_t *)&block->tasks[i].idle, NULL);
    for (uint64_t i = 0; i < state->timer_count; i++)
        uv_close((uv_handle_t *)&state->timers[i], NULL);
    uv_run(&state->loop, UV_RUN_DEFAULT);
    uv_loop_close(&state->loop);
    while (state->blocks) {
        struct block *block = state->blocks;
        state->blocks = block->next;
        free(block);
    }
    free(state->timers);
    free(state);
}

const struct steps handles_spawn = { open_uv, run_spawn, close_uv };
const struct steps handles_await = { open_uv, run_await, close_uv };
const struct steps handles_yield = { open_uv, run_yield, close_uv };
const struct steps handles_live = { open_uv, run_live, close_uv };
const struct steps handles_asleep = { open_uv, run_asleep, close_uv };
