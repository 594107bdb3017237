/* workers.h - the processes of worker numbers. */
#ifndef PE__KEEPER_WORKERS_H
#define PE__KEEPER_WORKERS_H

#include "keeper/keeper.h"

/* What workers ignore, unless they keep the host's dispositions; the keeper sets it for all of them. */
void pe__keeper_worker_signals(sigset_t *ret_ignored);

/* Forks one worker: sets pid or, when fork fails, settles what the number holds and sets a later due time. */
void pe__keeper_fork_worker(struct pe__keeper *keeper, uint32_t index);

#endif
