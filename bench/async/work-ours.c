/* Jobs of our pool that tasks wait for: one task and one job at a time, or FLIGHTS tasks with a job each. */

#include "async/steps.h"
#include "pool/crew.h"
#include "pool/work.h"

#include <parexec.h>
#include <stdlib.h>
#include <string.h>

struct ours {
    struct plan plan;
    struct crew crew;
    pe_loop *loop;
    uint64_t n, sent;
    uint64_t sum;
    int error; /* the first one */
};

static int run_job(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    uint64_t word;
    (void)arg_bytes;
    memcpy(&word, arg, sizeof(word));
    word = work_job(word);
    return pe_reply_write(reply, &word, sizeof(word));
}

struct flight {
    struct ours *ours;
    pe_job *job;
};

static int send_off(struct flight *f)
{
    uint64_t arg = f->ours->sent++ << 32;
    return pe_pool_submit(f->ours->crew.pool, run_job, &arg, sizeof(arg), NULL, &f->job);
}

static int collect(struct flight *f)
{
    const void *data;
    size_t bytes;
    uint64_t word;
    int r = pe_job_result(f->job, &data, &bytes);
    if (r == 0) {
        memcpy(&word, data, sizeof(word));
        f->ours->sum += word;
    }
    pe_job_free(f->job);
    if (f->ours->plan.activity == ROUND_TRIP)
        trip_mark();
    return r;
}

/* Takes the next number until there are none. */
static int fly(pe_task *t, void *frame)
{
    struct flight *f = frame;
    int r;
    PE_BEGIN(t);
    while (f->ours->sent < f->ours->n) {
        if ((r = send_off(f)) < 0)
            PE_RETURN(t, r);
        PE_TRY(t, pe_await_job(t, f->job, NULL));
        if ((r = collect(f)) < 0)
            PE_RETURN(t, r);
    }
    PE_END(t);
}

static void on_failure(pe_loop *loop, const char *task_name, int error, void *context)
{
    struct ours *ours = context;
    (void)loop, (void)task_name;
    if (ours->error == 0)
        ours->error = error;
}

static uint64_t run(void *state, const struct plan *plan, uint64_t n)
{
    struct ours *ours = state;
    uint64_t flights = plan->activity == MANY ? FLIGHTS : 1;
    struct flight f = { .ours = ours };
    int r = 0;
    ours->n = n;
    ours->sent = ours->sum = 0;
    for (uint64_t i = 0; i < flights && r == 0; i++)
        r = pe_spawn(ours->loop, fly, &f, sizeof(f), NULL);
    if (r == 0)
        r = pe_loop_run(ours->loop);
    if (r == 0)
        r = ours->error;
    if (r < 0)
        crew_failed(plan, "a task", r);
    return r < 0 ? 0 : ours->sum;
}

static void close_ours(void *state)
{
    struct ours *ours = state;
    pe_loop_free(ours->loop);
    crew_close(&ours->crew);
    free(ours);
}

static int open_ours(const struct plan *plan, void **ret_state)
{
    struct ours *ours = calloc(1, sizeof(*ours));
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    ours->plan = *plan;
    options.workers = plan->workers;
    if (crew_open(&ours->crew, plan, &options) < 0) {
        free(ours);
        return -1;
    }
    crew_await(&ours->crew, plan->workers);
    int r = pe_loop_new(NULL, &ours->loop);
    if (r == 0)
        r = pe_loop_on_failure(ours->loop, on_failure, ours);
    if (r < 0) {
        close_ours(ours);
        return crew_failed(plan, "pe_loop_new", r);
    }
    *ret_state = ours;
    return 0;
}

const struct steps ours_trips = { open_ours, run, close_ours };
const struct steps ours_flights = { open_ours, run, close_ours };
