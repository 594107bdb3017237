#ifndef PE__TEST_HARNESS_TOLD_H
#define PE__TEST_HARNESS_TOLD_H

/* Tasks that end when they are told to, and a loop that runs as far as it gets: so a test says what happens in which
 * order, and no clock does. */

#include <parexec/async.h>

struct told {
    int cleans_up; /* once cancelled, it waits once more till it is told */
    int cancelled; /* times */
};

/* The function of such a task; its frame is zeroed. */
int told_run(pe_task *t, void *frame);
/* In `loop`; waits from its first turn on. */
pe_task *told_new(pe_loop *loop);
struct told *told_frame(pe_task *task);
/* It returns this in its next turn, whatever else is asked of it. */
void told_end(pe_task *task, int value);

/* Till all wait. */
void told_settle(pe_loop *loop);
/* A task by a function of the test's own, with the frame as it is. */
pe_task *told_start(pe_loop *loop, pe_task_fn *fn, void *frame);

#endif
