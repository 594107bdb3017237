/* source.c - passes of a loop that has things to ask. */
#include "async/source.h"

#include "async/task.h"
#include "base/clock.h"

#define PASS_NS 50000

/* True: there is more to do before the loop sleeps. */
static bool look(pe_loop *loop, enum pe__look how)
{
    bool again = false;

    PE__BASE_LIST_EACH_SAFE(link, after, &loop->sources) {
        struct pe__source *source = PE__BASE_LIST_ENTRY(link, struct pe__source, link);

        again |= source->look(source, loop->ready == NULL ? how : PE__LOOK_QUICK);
    }
    return again || loop->ready != NULL;
}

/* What ends soon goes on without a turn of libuv in between, for as long as a pass may take. */
static bool look_and_run(pe_loop *loop)
{
    uint64_t begin = pe__base_ticks();

    while (look(loop, PE__LOOK_LAST)) {
        if (pe__base_ticks_to_ns(pe__base_ticks() - begin) >= PASS_NS)
            return true;
        pe__task_run_ready(loop);
    }
    return false;
}

/* The first source may come in the pass itself. */
bool pe__source_run_pass(pe_loop *loop)
{
    pe__task_run_ready(loop);
    return pe__base_list_empty(&loop->sources) ? loop->ready != NULL : look_and_run(loop);
}

void pe__source_look_woken(pe_loop *loop)
{
    pe_loop *before = pe__loop_enter(loop);

    if (look(loop, PE__LOOK_WOKEN) && !loop->is_idling)
        pe__loop_wake(loop);
    pe__loop_leave(before);
}
