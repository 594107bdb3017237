/* event.c - events. Nobody waits for one that is set. */
#include <parexec/sync.h>

#include "async/waiters.h"

struct pe_event {
    pe_loop *loop;
    bool is_set;
    struct pe__waiters waiters;
};

static const struct pe__wait_kind kind = { .name = "an event", .cancel = pe__waiters_cancel };

static int check(const pe_event *event)
{
    return event == NULL ? PE_EINVAL : pe__loop_check(event->loop);
}

int pe_event_new(pe_loop *loop, pe_event **ret_event)
{
    int result = pe__loop_check(loop);

    if (result == 0 && ret_event == NULL)
        result = PE_EINVAL;
    if (result < 0)
        return result;
    struct pe_event *event = pe__loop_alloc(loop, sizeof *event);
    if (event == NULL)
        return PE_ENOMEM;
    *event = (struct pe_event){ .loop = loop };
    pe__waiters_init(&event->waiters);
    *ret_event = event;
    return 0;
}

int pe_event_wait(pe_task *t, pe_event *event)
{
    int result = pe__waiters_check(t, event == NULL ? NULL : event->loop);

    if (result != 0 || event->is_set)
        return result;
    return pe__waiters_wait(&event->waiters, t, &kind, event, NULL);
}

int pe_event_set(pe_event *event)
{
    int result = check(event);

    if (result == 0) {
        event->is_set = true;
        pe__waiters_end_all(&event->waiters, 0);
    }
    return result;
}

int pe_event_clear(pe_event *event)
{
    int result = check(event);

    if (result == 0)
        event->is_set = false;
    return result;
}

int pe_event_is_set(const pe_event *event)
{
    int result = check(event);

    return result < 0 ? result : event->is_set;
}

void pe_event_free(pe_event *event)
{
    if (event == NULL || pe__base_forked(event->loop->token))
        return;
    pe__waiters_end_all(&event->waiters, PE_ECLOSED);
    pe__loop_dealloc(event->loop, event, sizeof *event);
}
