/* Our tasks. A main task of each row starts the others, each with a frame of its own where it needs one. */

#include "async/steps.h"

#include <parexec.h>
#include <stdio.h>
#include <stdlib.h>

struct ours {
    pe_loop *loop;
    const struct plan *plan;
    uint64_t n;
    uint64_t proof;
};

static int fail(const struct plan *plan, const char *what, int error)
{
    snprintf(plan->note, NOTE_BYTES, "%s: %s", what, pe_strerror(error));
    return error;
}

/* Runs a main task, and with it all that it starts. */
static uint64_t run_main(struct ours *ours, const struct plan *plan, uint64_t n, pe_task_fn *fn, const void *frame,
                         size_t frame_bytes)
{
    pe_task *task;
    ours->plan = plan;
    ours->n = n;
    ours->proof = 0;
    int r = pe_spawn(ours->loop, fn, frame, frame_bytes, &task);
    if (r == 0)
        r = pe_loop_run(ours->loop);
    if (r == 0) {
        r = pe_task_result(task);
        pe_task_free(task);
    }
    if (r < 0)
        fail(plan, "a task", r);
    return r < 0 ? 0 : ours->proof;
}

/* ---- SPAWN ---- */

struct count {
    uint64_t *proof;
};

static int count(pe_task *t, void *frame)
{
    const struct count *f = frame;
    PE_BEGIN(t);
    ++*f->proof;
    PE_END(t);
}

struct batches {
    struct ours *ours;
    uint64_t left;
};

static int start_batch(struct ours *ours, uint64_t *left)
{
    struct count f = { &ours->proof };
    uint64_t batch = *left < STEPS_BATCH ? *left : STEPS_BATCH;
    int r = 0;
    for (uint64_t i = 0; i < batch && r == 0; i++)
        r = pe_spawn(ours->loop, count, &f, sizeof(f), NULL);
    *left -= batch;
    return r;
}

/* All of a batch stand before this task in the queue. */
static int spawn_all(pe_task *t, void *frame)
{
    struct batches *f = frame;
    int r;
    PE_BEGIN(t);
    while (f->left > 0) {
        if ((r = start_batch(f->ours, &f->left)) < 0)
            PE_RETURN(t, r);
        PE_YIELD(t);
    }
    PE_END(t);
}

static uint64_t run_spawn(void *state, const struct plan *plan, uint64_t n)
{
    struct batches f = { state, n };
    return run_main(state, plan, n, spawn_all, &f, sizeof(f));
}

/* ---- AWAIT ---- */

struct answer {
    int value;
};

static int give_answer(pe_task *t, void *frame)
{
    const struct answer *f = frame;
    PE_BEGIN(t);
    PE_RETURN(t, f->value + 1);
    PE_END(t);
}

struct asker {
    struct ours *ours;
    int i;
    pe_task *other;
    pe_call_link call;
    struct answer answer;
};

static int await_each(pe_task *t, void *frame)
{
    struct asker *f = frame;
    int r;
    PE_BEGIN(t);
    for (f->i = 0; f->i < (int)f->ours->n; f->i++) {
        f->answer.value = f->i;
        if ((r = pe_spawn(f->ours->loop, give_answer, &f->answer, sizeof(f->answer), &f->other)) < 0)
            PE_RETURN(t, r);
        PE_AWAIT(t, pe_await(t, f->other));
        pe_task_free(f->other);
        f->ours->proof += (uint64_t)t->result;
    }
    PE_END(t);
}

static uint64_t run_await(void *state, const struct plan *plan, uint64_t n)
{
    struct asker f = { .ours = state };
    return run_main(state, plan, n, await_each, &f, sizeof(f));
}

/* The same without a task: the function becomes a part of this one. */
static int call_each(pe_task *t, void *frame)
{
    struct asker *f = frame;
    PE_BEGIN(t);
    for (f->i = 0; f->i < (int)f->ours->n; f->i++) {
        f->answer.value = f->i;
        PE_AWAIT(t, pe_call(t, &f->call, give_answer, &f->answer));
        f->ours->proof += (uint64_t)t->result;
    }
    PE_END(t);
}

static uint64_t run_call(void *state, const struct plan *plan, uint64_t n)
{
    struct asker f = { .ours = state };
    return run_main(state, plan, n, call_each, &f, sizeof(f));
}

/* ---- YIELD ---- */

struct walker {
    uint64_t *proof;
    uint64_t left;
};

static int walk(pe_task *t, void *frame)
{
    struct walker *f = frame;
    PE_BEGIN(t);
    for (; f->left > 0; f->left--) {
        ++*f->proof;
        PE_YIELD(t);
    }
    PE_END(t);
}

static int start_walkers(pe_task *t, void *frame)
{
    struct ours *ours = frame;
    uint32_t walkers = ours->plan->workers;
    PE_BEGIN(t);
    for (uint32_t i = 0; i < walkers; i++) {
        struct walker f = { &ours->proof, ours->n / walkers + (i < ours->n % walkers) };
        int r = pe_spawn(ours->loop, walk, &f, sizeof(f), NULL);
        if (r < 0)
            PE_RETURN(t, r);
    }
    PE_END(t);
}

static uint64_t run_yield(void *state, const struct plan *plan, uint64_t n)
{
    return run_main(state, plan, n, start_walkers, state, 0);
}

/* ---- LIVE ---- */

static pe_task *gate; /* so that those who wait for it need no frame */
static struct ours *gate_owner;

static int stand_open(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_AWAIT(t, pe_wait_external(t, 0, NULL, NULL));
    PE_END(t);
}

static int wait_at_gate(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_TRY(t, pe_await(t, gate));
    gate_owner->proof++;
    PE_END(t);
}

static int hold_all(pe_task *t, void *frame)
{
    struct ours *ours = frame;
    int r;
    PE_BEGIN(t);
    gate_owner = ours;
    r = pe_spawn(ours->loop, stand_open, NULL, 0, &gate);
    for (uint64_t i = 0; i < ours->n && r == 0; i++)
        r = pe_spawn(ours->loop, wait_at_gate, NULL, 0, NULL);
    if (r < 0)
        PE_RETURN(t, r);
    PE_YIELD(t);
    memory_look();
    pe_wait_end(gate, 0);
    pe_task_free(gate);
    PE_END(t);
}

static uint64_t run_live(void *state, const struct plan *plan, uint64_t n)
{
    return run_main(state, plan, n, hold_all, state, 0);
}

/* ---- ASLEEP ---- */

static int doze(pe_task *t, void *frame)
{
    struct ours *ours = frame;
    PE_BEGIN(t);
    PE_TRY(t, pe_sleep(t, (int64_t)ours->plan->job_ns));
    ours->proof++;
    PE_END(t);
}

static int lay_down(pe_task *t, void *frame)
{
    struct ours *ours = frame;
    int r = 0;
    PE_BEGIN(t);
    for (uint64_t i = 0; i < ours->n && r == 0; i++)
        r = pe_spawn(ours->loop, doze, ours, 0, NULL);
    PE_RETURN(t, r);
    PE_END(t);
}

static uint64_t run_asleep(void *state, const struct plan *plan, uint64_t n)
{
    return run_main(state, plan, n, lay_down, state, 0);
}

/* ---- all ---- */

static int open_ours(const struct plan *plan, void **ret_state)
{
    struct ours *ours = calloc(1, sizeof(*ours));
    int r = pe_loop_new(NULL, &ours->loop);
    if (r < 0) {
        free(ours);
        return fail(plan, "pe_loop_new", r);
    }
    *ret_state = ours;
    return 0;
}

static void close_ours(void *state)
{
    struct ours *ours = state;
    pe_loop_free(ours->loop);
    free(ours);
}

const struct steps ours_spawn = { open_ours, run_spawn, close_ours };
const struct steps ours_await = { open_ours, run_await, close_ours };
const struct steps ours_call = { open_ours, run_call, close_ours };
const struct steps ours_yield = { open_ours, run_yield, close_ours };
const struct steps ours_live = { open_ours, run_live, close_ours };
const struct steps ours_asleep = { open_ours, run_asleep, close_ours };
