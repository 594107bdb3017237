/*
 * source.h - things whose ends of waits nobody tells the loop of: it asks them.
 *
 * A source is asked at the end of each pass, before the loop may sleep, and when another thread has called
 * uv_async_send for the loop's async handle.
 */
#ifndef PE__ASYNC_SOURCE_H
#define PE__ASYNC_SOURCE_H

#include <stdbool.h>

#include "async/loop.h"
#include "base/list.h"

enum pe__look {
    PE__LOOK_QUICK, /* tasks are ready, so the loop comes back: only what costs next to nothing */
    PE__LOOK_WOKEN, /* after uv_async_send */
    PE__LOOK_LAST   /* nothing is ready: the last one before the loop sleeps; it may take some 10 us */
};

/* `look` ends waits. But in a quick one it also sees to it that the loop is woken for what comes later, or returns
 * true: it is to be asked again before the loop sleeps. It may take itself out of the list. */
struct pe__source {
    struct pe__base_list link; /* of the loop's */
    bool (*look)(struct pe__source *source, enum pe__look how);
};

/* Runs the tasks that are ready, and asks the sources. True: there is more to do at once. */
bool pe__source_run_pass(pe_loop *loop);

/* Another thread has woken the loop. */
void pe__source_look_woken(pe_loop *loop);

#endif
