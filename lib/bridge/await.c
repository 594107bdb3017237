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

static void cancel_job(struct pe__task *task)
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

static const struct pe__wait_kind job_kind = { .name = "a job", .cancel = cancel_job };
static const struct pe__wait_kind shield_kind = { .name = "a job, shielded", .cancel = cancel_shield };
static const struct pe__wait_kind map_kind = { .name = "a map", .cancel = cancel_job };

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

/* What pe_pool_map would return; the handle is not needed any more. */
static int finish_map(pe_job *job)
{
    pe_status status;
    int result = pe_job_status(job, &status);

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

void pe__await_job_ended(struct pe__task *task)
{
    struct pe__job_wait *wait = pe__job_wait_of(task);
    bool is_map = task->wait == &map_kind;

    wait->bridge->waits--;
    pe__wait_end(task, is_map ? finish_map(task->object) : tell(task, task->object, wait->ret_status));
}

/* 1: the task is to wait. 0: the job has ended. */
static int watch_by(struct pe__bridge *bridge, struct pe__task *task, pe_job *job, pe_status *ret_status)
{
    struct pe__job_wait *wait = pe__job_wait_of(task);

    wait->ret_status = ret_status;
    wait->bridge = bridge;
    int result = pe__listener_watch(&bridge->listener, &wait->watch, job);
    if (result > 0)
        bridge->waits++;
    return result;
}

static int watch(struct pe__task *task, pe_job *job, pe_status *ret_status)
{
    struct pe__bridge *bridge;

    if (pe__job_has_ended(job))
        return 0;
    int result = pe__bridge_of(task->loop, job->pool, &bridge);
    return result < 0 ? result : watch_by(bridge, task, job, ret_status);
}

/* The wait is begun although it may be to be stopped: then the job is. */
static int begin_anyway(pe_task *t, const struct pe__wait_kind *kind, pe_job *job)
{
    struct pe__task *task = pe__task_of(t);

    if (task->loop->phase == PE__LOOP_FINAL)
        task->stop |= PE__STOP_CANCEL;
    return pe__wait_begin_anyway(t, kind, job);
}

int pe_await_job(pe_task *t, pe_job *job, pe_status *ret_status)
{
    struct pe__task *task = pe__task_of(t);
    int result = pe__wait_check_running(t);

    if (result == 0 && job == NULL)
        result = PE_EINVAL;
    if (result == 0)
        result = watch(task, job, ret_status);
    if (result < 0)
        return result;
    if (result == 0)
        return tell(task, job, ret_status);
    return begin_anyway(t, &job_kind, job);
}

int pe_shield_job(pe_task *t, pe_job *job, pe_status *ret_status)
{
    struct pe__task *task = pe__task_of(t);
    int result = pe__wait_check(t);

    if (result == 0 && job == NULL)
        result = PE_EINVAL;
    if (result == 0)
        result = watch(task, job, ret_status);
    if (result < 0)
        return result;
    return result == 0 ? tell(task, job, ret_status) : pe__wait_begin_anyway(t, &shield_kind, job);
}

/* ---- maps ---- */

int pe__await_map_job(struct pe__bridge *bridge, struct pe__task *task, pe_job *job)
{
    return watch_by(bridge, task, job, NULL) > 0 ? begin_anyway(&task->head, &map_kind, job) : finish_map(job);
}

void pe__await_map_started(struct pe__task *task, struct pe__bridge *bridge, pe_job *job)
{
    if (watch_by(bridge, task, job, NULL) > 0) {
        task->wait = &map_kind;
        task->object = job;
    } else {
        pe__wait_end(task, finish_map(job));
    }
}
