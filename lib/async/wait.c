/*
 * wait.c - requests to stop, and the waits that they end.
 *
 * A request is a bit of the task until a wait has ended with it. It is looked for when a wait begins, and handed to the
 * wait that goes on when it comes; a wait that gets its value first leaves the bit. A wait that ended for a request
 * which the task has not seen yet ends for those that come meanwhile too. In the loop's last phase every new
 * wait ends at once with PE_ECANCELED, in a later pass, so that a task which never gives up cannot hold the loop: after
 * so many such waits it is ended without being called again.
 */
#include "async/wait.h"

#include "async/limit.h"

#define LAST_WAITS 100 /* of a task in the last phase */

const struct pe__wait_kind pe__wait_ready = { .name = "its turn" };
const struct pe__wait_kind pe__wait_new = { .name = "its first turn" };
const struct pe__wait_kind pe__wait_ended = { .name = "nothing: it has ended" };

/* What the task may be stopped for now: PE_ECANCELED, PE_ETIMEDOUT, 0: nothing. */
static int reason(const struct pe__task *task)
{
    if (task->stop & PE__STOP_FINAL)
        return PE_ECANCELED;
    if ((task->stop & PE__STOP_CANCEL) && task->shield == 0)
        return PE_ECANCELED;
    if ((task->stop & PE__STOP_LIMIT) && pe__limit_is_due(task))
        return PE_ETIMEDOUT;
    return 0;
}

/* A wait ends with it. A task that is cancelled sees nothing more of limits that had fired. */
static void answer(struct pe__task *task, int why)
{
    if (why == PE_ECANCELED)
        task->stop &= (uint8_t)~PE__STOP_CANCEL;
    pe__limit_answered(task, why);
}

/* One wait more in the last phase. `shield` counts them: nothing is held back any more. */
static void count_last(struct pe__task *task)
{
    if (++task->shield > LAST_WAITS)
        pe__task_give_up(task);
}

static int end_at_once(struct pe__task *task)
{
    task->loop->current = NULL;
    task->stop = PE__STOP_FINAL;
    task->head.result = PE_ECANCELED;
    count_last(task);
    pe__wait_ready_up(task);
    return PE_WAIT;
}

int pe__wait_refusal(struct pe__task *task)
{
    if (task->stop & PE__STOP_FINAL)
        return end_at_once(task);
    task->stop &= (uint8_t)~PE__STOP_TOLD;
    if (reason(task) != PE_ECANCELED)
        return 0;
    answer(task, PE_ECANCELED);
    return PE_ECANCELED;
}

int pe__wait_limit(struct pe__task *task)
{
    if (reason(task) != PE_ETIMEDOUT)
        return 0;
    answer(task, PE_ETIMEDOUT);
    return PE_ETIMEDOUT;
}

int pe__wait_refusal_or_limit(struct pe__task *task)
{
    int result = pe__wait_refusal(task);

    return result == 0 && (task->stop & PE__STOP_LIMIT) ? pe__wait_limit(task) : result;
}

int pe__wait_settle(struct pe__task *task, int result)
{
    uint8_t stop = task->stop;
    int why = result == PE_ECANCELED && (stop & PE__STOP_ASKED) ? reason(task) : 0;

    task->stop &= (uint8_t)~(PE__STOP_ASKED | PE__STOP_TOLD);
    if (stop & PE__STOP_FINAL)
        count_last(task);
    else if (why != 0)
        answer(task, why);
    if (why == PE_ECANCELED)
        task->stop |= PE__STOP_TOLD;
    return why != 0 ? why : result;
}

bool pe__wait_ask(struct pe__task *task)
{
    if (task->wait == NULL || task->wait->cancel == NULL || (task->stop & PE__STOP_ASKED) || reason(task) == 0)
        return false;
    task->stop |= PE__STOP_ASKED;
    return true;
}

void pe__wait_stop(struct pe__task *task)
{
    if (pe__wait_ask(task))
        task->wait->cancel(task);
}

static void abandon(struct pe__task *task)
{
    task->stop |= PE__STOP_ASKED;
    task->wait->abandon(task);
}

void pe__wait_abort(struct pe__task *task)
{
    if (task->wait->cancel == NULL || (task->stop & PE__STOP_ASKED))
        return;
    task->stop |= PE__STOP_ASKED;
    task->wait->cancel(task);
}

void pe__wait_stop_all(pe_loop *loop)
{
    PE__BASE_LIST_EACH_SAFE(link, after, &loop->tasks) {
        struct pe__task *task = PE__BASE_LIST_ENTRY(link, struct pe__task, all);

        task->shield = 0;
        task->stop |= PE__STOP_FINAL;
        if (task->wait == &pe__wait_new)
            pe__task_give_up(task);
        else if (task->wait != NULL && task->wait->abandon != NULL)
            abandon(task);
        else
            pe__wait_stop(task);
    }
}

bool pe__wait_leads_to(const struct pe__task *waiter, const struct pe__task *task)
{
    while (waiter->wait != NULL && waiter->wait->target != NULL)
        waiter = waiter->wait->target(waiter);
    return waiter == task;
}

/* ---- any operation with a callback ---- */

static void cancel_external(struct pe__task *task)
{
    pe_cancel_fn *cancel = task->in.cancel;

    if (cancel == NULL)
        return;
    pe_loop *before = pe__loop_enter(task->loop);
    cancel(&task->head, task->object);
    pe__loop_leave(before);
}

static const struct pe__wait_kind external = { .name = "an operation", .cancel = cancel_external };

int pe_wait_external(pe_task *t, int started, pe_cancel_fn *cancel, void *object)
{
    struct pe__task *task = pe__task_of(t);
    int result = pe__wait_check_running(t);

    if (result < 0 || started < 0)
        return result < 0 ? result : started == PE_WAIT ? PE_EINVAL : started;
    task->in.cancel = cancel;
    return pe__wait_begin_anyway(t, &external, object);
}

int pe_wait_end(pe_task *t, int result)
{
    struct pe__task *task = pe__task_of(t);

    if (t == NULL)
        return PE_EINVAL;
    if (pe__base_forked(task->loop->token))
        return PE_EFORKED;
    if (task->wait != &external || result == PE_WAIT)
        return PE_EINVAL;
    pe__wait_end(task, result);
    return 0;
}
