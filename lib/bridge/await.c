/*
 * await.c - tasks that wait for jobs and maps.
 *
 * The wait lies in the task and is one of the job's watches. It ends in the loop's own thread when the loop has taken
 * the watch back from the pool. Stopping such a wait stops the job and leaves the watch where it is, so that the wait
 * ends when the job has; pe_shield_job takes it out.
 */
#include <parexec/await.h>

#include "bridge/bridge.h"
#include "pool/job.h"
#include "pool/pool.h"

void pe__await_cancel_job(struct pe__task *task)
{
    (void)pe_job_cancel(task->object);
}

static void cancel_shield(struct pe__task *task)
{
    struct pe__job_wait *wait = pe__job_wait_of(task);
    struct pe__bridge *bridge = wait->bridge;

    if (!pe__listener_unwatch(&wait->watch, task->object))
        return;
    bridge->waits--;
    pe__wait_end(task, PE_ECANCELED);
}

static const struct pe__wait_kind job_kind = { .name = "a job", .cancel = pe__await_cancel_job };
static const struct pe__wait_kind shield_kind = { .name = "a job, shielded", .cancel = cancel_shield };

/* The ending of a job that has ended, and the result of a wait for it. */
static int tell(const struct pe__task *task, const pe_job *job, pe_status *ret_status)
{
    pe_status status;

    if (ret_status == NULL && !(task->stop & PE__STOP_ASKED))
        return 0;
    int result = pe_job_status(job, &status);
    if (result < 0)
        return result;
    if (ret_status != NULL)
        *ret_status = status;
    return (task->stop & PE__STOP_ASKED) && status.kind == PE_CANCELLED ? PE_ECANCELED : 0;
}

static bool is_own_job(const struct pe__task *task)
{
    return task->wait != &job_kind && task->wait != &shield_kind;
}

static int finish_own(struct pe__task *task, pe_job *job)
{
    const struct pe__job_purpose *purpose = (const struct pe__job_purpose *)(const void *)task->wait;

    return purpose->finish(pe__job_wait_of(task), job);
}

void pe__await_job_ended(struct pe__task *task)
{
    struct pe__job_wait *wait = pe__job_wait_of(task);
    pe_job *job = task->object;

    wait->bridge->waits--;
    pe__wait_end(task, is_own_job(task) ? finish_own(task, job) : tell(task, job, wait->ret_status));
}

/* 1: the task is to wait. 0: the job has ended. */
static int watch_by(struct pe__bridge *bridge, struct pe__task *task, pe_job *job)
{
    struct pe__job_wait *wait = pe__job_wait_of(task);

    wait->bridge = bridge;
    int result = pe__listener_watch(&bridge->listener, &wait->watch, job);
    if (result > 0)
        bridge->waits++;
    return result;
}

static int watch(struct pe__task *task, pe_job *job, pe_status *ret_status)
{
    struct pe__bridge *bridge;

    if (pe__base_forked(job->pool->token))
        return PE_EFORKED;
    if (pe__job_has_ended(job))
        return 0;
    int result = pe__bridge_of(task->loop, job->pool, &bridge);
    if (result < 0)
        return result;
    pe__job_wait_of(task)->ret_status = ret_status;
    return watch_by(bridge, task, job);
}

/* The wait is begun although it may be to be stopped: then the job is. */
static int begin_anyway(pe_task *t, const struct pe__wait_kind *kind, pe_job *job)
{
    struct pe__task *task = pe__task_of(t);

    if (task->loop->phase == PE__LOOP_FINAL)
        task->stop |= PE__STOP_CANCEL;
    return pe__wait_begin_anyway(t, kind, job);
}

/* PE_WAIT: the wait is to be begun, which may be done. Else it is over. */
static int prepare(pe_task *t, int may_be_done, pe_job *job, pe_status *ret_status)
{
    struct pe__task *task = pe__task_of(t);
    int result = may_be_done == 0 && job == NULL ? PE_EINVAL : may_be_done;

    if (result == 0)
        result = watch(task, job, ret_status);
    if (result < 0)
        return result;
    return result == 0 ? tell(task, job, ret_status) : PE_WAIT;
}

int pe_await_job(pe_task *t, pe_job *job, pe_status *ret_status)
{
    int result = prepare(t, pe__wait_check_running(t), job, ret_status);

    return result == PE_WAIT ? begin_anyway(t, &job_kind, job) : result;
}

int pe_shield_job(pe_task *t, pe_job *job, pe_status *ret_status)
{
    int result = prepare(t, pe__wait_check(t), job, ret_status);

    return result == PE_WAIT ? pe__wait_begin_anyway(t, &shield_kind, job) : result;
}

/* ---- jobs that belong to the wait ---- */

int pe__await_own_job(struct pe__bridge *bridge, struct pe__task *task, const struct pe__job_purpose *purpose,
                      pe_job *job)
{
    if (watch_by(bridge, task, job) > 0)
        return begin_anyway(&task->head, &purpose->kind, job);
    return purpose->finish(pe__job_wait_of(task), job);
}

void pe__await_started_job(struct pe__bridge *bridge, struct pe__task *task, const struct pe__job_purpose *purpose,
                           pe_job *job)
{
    if (watch_by(bridge, task, job) > 0) {
        task->wait = &purpose->kind;
        task->object = job;
    } else {
        pe__wait_end(task, purpose->finish(pe__job_wait_of(task), job));
    }
}

/* What pe_pool_map would return. */
static int finish_map(struct pe__job_wait *wait, pe_job *job)
{
    pe_status status;
    int result = pe_job_status(job, &status);

    (void)wait;
    pe_job_free(job);
    if (result < 0)
        return result;
    switch (status.kind) {
    case PE_RETURNED: return status.code;
    case PE_TIMED_OUT: return PE_ETIMEDOUT;
    case PE_LOST: return PE_EBROKEN;
    default: return PE_ECANCELED;
    }
}

const struct pe__job_purpose pe__map_purpose = { { .name = "a map", .cancel = pe__await_cancel_job }, finish_map,
                                                 NULL };
