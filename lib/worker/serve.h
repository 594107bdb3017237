/* serve.h - a worker's life: initialise, then claim, run and complete records until told to leave. */
#ifndef PE__WORKER_SERVE_H
#define PE__WORKER_SERVE_H

#include <stdint.h>
#include <stdnoreturn.h>

#include "worker/worker.h"

/* Exit code of a worker whose initialiser failed. Nobody decides by it: the slot's life tells the keeper. */
#define PE__WORKER_EXIT_INIT 70

/* What a worker gets along from the keeper. */
struct pe__worker_start {
    int host_bell;
    int output_fd; /* -1: its output is not caught */
    int keeper_bell;
    uint32_t inherited;
    uint32_t death; /* how the process that had the number before has died (PE_*), 0: it has not */
};

/*
 * Runs in a fresh child of the keeper and never returns. `inherited` is the record that the slot's last life
 * left RUNNING (or PE__SLOT_NO_RECORD): it is run first.
 */
noreturn void pe__worker_serve(struct pe__shared *shared, uint32_t index, const struct pe__worker_start *start);

/* Whatever this worker did would be ignored or wrong: it waits for the SIGKILL that is on its way. */
noreturn void pe__worker_await_death(void);

/* Jobs and items this life may still run. */
uint64_t pe__worker_life_left(const struct pe__worker *worker);

#endif
