/* stop.h - stops what runs before its end, and all workers at the pool's end. */
#ifndef PE__KEEPER_STOP_H
#define PE__KEEPER_STOP_H

#include "keeper/keeper.h"

/* What is to be stopped, and why. */
struct pe__stop_order {
    uint32_t record;
    uint64_t sequence;
    uint32_t phase; /* that it is to end in: CANCELLED or TIMED_OUT */
    int64_t item;   /* see stop_item */
    int64_t grace_ns;
};

/* Asks what a worker runs to stop, and signals when its grace is over. */
void pe__keeper_ask(struct pe__keeper *keeper, uint32_t index, const struct pe__stop_order *order);

/* Whether what was asked to stop still runs. */
bool pe__keeper_still_runs(const struct pe__keeper *keeper, uint32_t index);

/* The host wants a job to be stopped. */
void pe__keeper_stop_job(struct pe__keeper *keeper, const struct pe__message *message);

/* The next step of all stops that are due; and when the next one will be, or INT64_MAX. */
void pe__keeper_stop_due(struct pe__keeper *keeper, int64_t now_ns);
int64_t pe__keeper_next_stop(const struct pe__keeper *keeper);

/* All workers, with a grace or without; what is left of them later is the loop's to see. */
void pe__keeper_kill_all(struct pe__keeper *keeper, int64_t grace_ns);

/* Signals all workers; with PE_POOL_GROUPS their groups. */
void pe__keeper_signal_all(struct pe__keeper *keeper, int number);

#endif
