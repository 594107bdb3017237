/* The limit: state machines as one writes them by hand for one program. A task is a struct with a state; ready ones
 * stand in a queue, a switch makes the next step of the first; structs come from a free list; sleepers stand in a heap.
 * Nothing can be cancelled, nobody holds a handle, there is no I/O and the switch knows all tasks of the program. */

#include "async/heap.h"
#include "async/steps.h"
#include "harness.h"

#include <stdlib.h>

enum { BLOCK = 1024 };

enum state { COUNT, ASK, ASKED, ANSWER, STEP, WAIT, GO_ON, SLEEP };

struct states;

struct task {
    struct task *next;
    enum state state;
    uint32_t result;
    union {
        struct task *waiter;
        uint64_t left;
    };
};

struct block {
    struct block *next;
    struct task tasks[BLOCK];
};

struct states {
    struct task *head, **tail;
    struct task *unused;
    struct block *blocks;
    struct task *waiting; /* for the gate */
    struct async_heap heap;
    int64_t deadline_ns; /* of a sleeper that lies down now */
    uint64_t asked;      /* AWAIT: so many in all */
    uint64_t proof;
};

static void refill(struct states *states)
{
    struct block *block = malloc(sizeof(*block));
    if (!block)
        abort();
    block->next = states->blocks;
    states->blocks = block;
    for (int i = BLOCK - 1; i >= 0; i--) {
        block->tasks[i].next = states->unused;
        states->unused = &block->tasks[i];
    }
}

static struct task *take(struct states *states)
{
    if (!states->unused)
        refill(states);
    struct task *task = states->unused;
    states->unused = task->next;
    return task;
}

static void give_back(struct states *states, struct task *task)
{
    task->next = states->unused;
    states->unused = task;
}

static void make_ready(struct states *states, struct task *task)
{
    task->next = NULL;
    *states->tail = task;
    states->tail = &task->next;
}

static struct task *start(struct states *states, enum state state)
{
    struct task *task = take(states);
    task->state = state;
    make_ready(states, task);
    return task;
}

/* Starts a task that answers the next question; `task` goes on when it has. */
static void ask(struct states *states, struct task *task)
{
    struct task *other = start(states, ANSWER);
    other->waiter = task;
    task->state = ASKED;
}

static void step(struct states *states, struct task *task)
{
    switch (task->state) {
    case COUNT:
    case GO_ON:
        states->proof++;
        give_back(states, task);
        break;
    case ASK:
        task->result = 0;
        ask(states, task);
        break;
    case ASKED:
        states->proof += task->result;
        if (task->result < states->asked)
            ask(states, task);
        else
            give_back(states, task);
        break;
    case ANSWER:
        task->waiter->result++;
        make_ready(states, task->waiter);
        give_back(states, task);
        break;
    case STEP:
        states->proof++;
        if (--task->left > 0)
            make_ready(states, task);
        else
            give_back(states, task);
        break;
    case WAIT:
        task->state = GO_ON;
        task->next = states->waiting;
        states->waiting = task;
        break;
    case SLEEP:
        task->state = GO_ON;
        heap_push(&states->heap, states->deadline_ns, task);
        break;
    }
}

static void run_ready(struct states *states)
{
    struct task *task;
    while ((task = states->head) != NULL) {
        states->head = task->next;
        if (!states->head)
            states->tail = &states->head;
        step(states, task);
    }
}

static void begin(struct states *states)
{
    states->tail = &states->head;
    states->proof = 0;
}

static uint64_t run_spawn(void *state, const struct plan *plan, uint64_t n)
{
    struct states *states = state;
    (void)plan;
    begin(states);
    for (uint64_t done = 0; done < n; done += STEPS_BATCH) {
        uint64_t batch = n - done < STEPS_BATCH ? n - done : STEPS_BATCH;
        for (uint64_t i = 0; i < batch; i++)
            start(states, COUNT);
        run_ready(states);
    }
    return states->proof;
}

static uint64_t run_await(void *state, const struct plan *plan, uint64_t n)
{
    struct states *states = state;
    (void)plan;
    begin(states);
    states->asked = n;
    start(states, ASK);
    run_ready(states);
    return states->proof;
}

static uint64_t run_yield(void *state, const struct plan *plan, uint64_t n)
{
    struct states *states = state;
    begin(states);
    for (uint32_t i = 0; i < plan->workers; i++) {
        uint64_t left = n / plan->workers + (i < n % plan->workers);
        if (left > 0)
            start(states, STEP)->left = left;
    }
    run_ready(states);
    return states->proof;
}

static uint64_t run_live(void *state, const struct plan *plan, uint64_t n)
{
    struct states *states = state;
    (void)plan;
    begin(states);
    for (uint64_t i = 0; i < n; i++)
        start(states, WAIT);
    run_ready(states);
    memory_look();
    while (states->waiting) {
        struct task *task = states->waiting;
        states->waiting = task->next;
        make_ready(states, task);
    }
    run_ready(states);
    return states->proof;
}

static uint64_t run_asleep(void *state, const struct plan *plan, uint64_t n)
{
    struct states *states = state;
    begin(states);
    states->deadline_ns = bench_now_ns() + (int64_t)plan->job_ns;
    for (uint64_t i = 0; i < n; i++)
        start(states, SLEEP);
    run_ready(states);
    while (states->heap.count > 0) {
        heap_sleep(&states->heap);
        int64_t now_ns = bench_now_ns();
        while (states->heap.count > 0 && heap_first_ns(&states->heap) <= now_ns)
            make_ready(states, heap_pop(&states->heap));
        run_ready(states);
    }
    return states->proof;
}

static int open_states(const struct plan *plan, void **ret_state)
{
    (void)plan;
    *ret_state = calloc(1, sizeof(struct states));
    return *ret_state ? 0 : -1;
}

static void close_states(void *state)
{
    struct states *states = state;
    while (states->blocks) {
        struct block *block = states->blocks;
        states->blocks = block->next;
        free(block);
    }
    free(states->heap.entries);
    free(states);
}

const struct steps states_spawn = { open_states, run_spawn, close_states };
const struct steps states_await = { open_states, run_await, close_states };
const struct steps states_yield = { open_states, run_yield, close_states };
const struct steps states_live = { open_states, run_live, close_states };
const struct steps states_asleep = { open_states, run_asleep, close_states };
