/* soak_bridge.c - acts with a pool: jobs that return, fail, exit, crash and hang, and maps. */
#include "harness/soak.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum kind { VALUE, FAILURE, EXIT, CRASH, HANG, KINDS };

/* In a worker. */
static int do_job(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    uint64_t kind = *(const uint64_t *)arg;

    ck_assert_uint_eq(arg_bytes, sizeof kind);
    switch (kind) {
    case FAILURE: return pe_worker_fail(7, "failed");
    case EXIT: _exit(9);
    case CRASH: abort();
    case HANG:
        for (;;)
            pause();
    default: return pe_reply_write(reply, arg, arg_bytes);
    }
}

struct job {
    struct soak_head head;
    uint64_t kind;
    pe_job *job;
    pe_status status;
};

/* Most of them end well: a death takes the rest of the soak some time. */
static uint64_t some_kind(const struct soak_head *head)
{
    return soak_random(head, 10) == 0 ? soak_random(head, KINDS) : VALUE;
}

static void check_status(const struct job *f)
{
    static const struct {
        uint32_t kind;
        int32_t code;
    } wanted[KINDS] = { { PE_RETURNED, 0 }, { PE_RETURNED, 7 }, { PE_EXITED, 9 }, { PE_CRASHED, SIGABRT },
                        { PE_TIMED_OUT, 0 } };
    const void *reply;
    size_t bytes;

    ck_assert_uint_eq(f->status.kind, wanted[f->kind].kind);
    ck_assert(f->kind == HANG || f->status.code == wanted[f->kind].code);
    ck_assert(f->kind != VALUE || pe_job_result(f->job, &reply, &bytes) == 0);
}

static int await_job(pe_task *t, void *frame)
{
    struct job *f = frame;

    PE_BEGIN(t);
    f->kind = some_kind(&f->head);
    pe_job_options options = PE_JOB_OPTIONS_INIT;
    options.timeout_ns = f->kind == HANG ? PE_MS(5) : 0;
    int error = pe_pool_try_submit(f->head.soak->pool, do_job, &f->kind, sizeof f->kind, &options, &f->job);
    ck_assert_int_eq(error, 0);
    PE_AWAIT(t, soak_random(&f->head, 8) ? pe_await_job(t, f->job, &f->status)
                                         : pe_shield_job(t, f->job, &f->status));
    SOAK_MUST(t, 0);
    if (t->result == 0)
        check_status(f);
    pe_job_free(f->job);
    PE_RETURN(t, t->result);
    PE_END(t);
}

/* ---- maps ---- */

#define ITEMS 32

static int square(const void *in, void *out, const void *context)
{
    (void)context;
    *(int *)out = *(const int *)in * *(const int *)in;
    return 0;
}

struct map {
    struct soak_head head;
    pe_job *job;
    int in[ITEMS], out[ITEMS];
};

static int await_map(pe_task *t, void *frame)
{
    struct map *f = frame;

    PE_BEGIN(t);
    for (int i = 0; i < ITEMS; i++)
        f->in[i] = (int)soak_random(&f->head, 1000);
    int error = pe_pool_start_map(f->head.soak->pool, square, f->in, sizeof f->in[0], f->out, sizeof f->out[0], ITEMS,
                                  NULL, &f->job);
    ck_assert_int_eq(error, 0);
    PE_AWAIT(t, pe_await_job(t, f->job, NULL));
    SOAK_MUST(t, 0);
    for (int i = 0; i < ITEMS && t->result == 0; i++)
        ck_assert_int_eq(f->out[i], f->in[i] * f->in[i]);
    pe_job_free(f->job);
    PE_RETURN(t, t->result);
    PE_END(t);
}

/* ---- functions off the loop ---- */

struct nap {
    uint64_t kind;
    int64_t ns, value;
};

static int nap(void *arg)
{
    struct nap *f = arg;

    if (f->kind == CRASH)
        abort();
    while (f->kind == HANG)
        pause();
    usleep((useconds_t)(f->ns / 1000));
    f->value = f->ns;
    return 5;
}

struct offload {
    struct soak_head head;
    struct nap nap;
};

/* On a thread: it goes on to its end though the wait is to be stopped. */
static int offload(pe_task *t, void *frame)
{
    struct offload *f = frame;

    PE_BEGIN(t);
    f->nap.ns = soak_time(&f->head, 300);
    PE_AWAIT(t, pe_offload(t, nap, &f->nap, NULL));
    SOAK_MUST(t, 5);
    ck_assert(t->result < 0 || f->nap.value == f->nap.ns);
    PE_RETURN(t, t->result < 0 ? t->result : 0);
    PE_END(t);
}

static int isolate(pe_task *t, void *frame)
{
    struct offload *f = frame;
    pe_offload_options options = PE_OFFLOAD_OPTIONS_INIT;

    PE_BEGIN(t);
    f->nap.kind = some_kind(&f->head);
    f->nap.ns = soak_time(&f->head, 300);
    options.flags = PE_ISOLATED;
    options.pool = f->head.soak->pool;
    options.arg_bytes = sizeof f->nap;
    options.timeout_ns = f->nap.kind == HANG ? PE_MS(5) : 0;
    PE_AWAIT(t, pe_offload(t, nap, &f->nap, &options));
    SOAK_MUST(t, f->nap.kind == CRASH ? PE_ECRASHED : f->nap.kind == HANG ? PE_ETIMEDOUT : 5);
    ck_assert(t->result != 5 || f->nap.value == f->nap.ns);
    PE_RETURN(t, soak_is_stopped(t->result) ? t->result : 0);
    PE_END(t);
}

/* ---- begin and end ---- */

pe_pool *soak_bridge_open(void)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool;

    options.workers = 2;
    options.grace_ns = PE_NOW;
    options.max_deaths = UINT32_MAX;
    ck_assert_int_eq(pe_pool_new(&options, &pool), 0);
    return pool;
}

void soak_bridge_close(pe_pool *pool)
{
    ck_assert_int_eq(pe_pool_join(pool, pe_after(PE_SECONDS(20))), 0);
    pe_pool_free(pool);
}

const struct soak_act soak_bridge_acts[] = {
    { "job", await_job, 4 },
    { "map", await_map, 1 },
    { "offload", offload, 2 },
    { "isolated", isolate, 1 },
    { NULL, NULL, 0 },
};
