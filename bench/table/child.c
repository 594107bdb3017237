/* Turns in processes of their own: see the header. */

#include "table/child.h"
#include "machine.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct answer_of_child {
    double values[METRICS_MAX];
    char note[NOTE_BYTES];
    _Atomic int is_done;
};

int child_open(const struct plan *plan, void **ret_state)
{
    struct plan *copy = malloc(sizeof(*copy));
    if (!copy)
        return -1;
    *copy = *plan;
    *ret_state = copy;
    return 0;
}

void child_close(void *state)
{
    free(state);
}

/* Leaves what the child said, or how it ended, in the note of the parent. */
static void note_failure(const struct plan *plan, const struct answer_of_child *answer, int status)
{
    if (answer->note[0])
        memcpy(plan->note, answer->note, NOTE_BYTES);
    else if (WIFSIGNALED(status))
        snprintf(plan->note, NOTE_BYTES, "ended by signal %d", WTERMSIG(status));
}

int child_run(void *state, child_fn *fn, double *values)
{
    struct plan *plan = state;
    struct answer_of_child *answer = machine_shared(sizeof(*answer));
    pid_t pid = machine_fork();
    int status = 0;
    if (pid == 0) {
        plan->note = answer->note;
        if (fn(plan, answer->values) == 0)
            atomic_store(&answer->is_done, 1);
        _exit(0);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0)
        continue;
    int is_done = atomic_load(&answer->is_done);
    memcpy(values, answer->values, sizeof(answer->values));
    if (!is_done)
        note_failure(plan, answer, status);
    machine_unshare(answer, sizeof(*answer));
    return is_done ? 0 : -1;
}

static int run_child(void *state, double *values)
{
    const struct plan *plan = state;
    child_fn *const *fn = plan->ops;
    return child_run(state, *fn, values);
}

const struct driver child_driver = { child_open, run_child, child_close };
