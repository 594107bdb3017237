/* settle.h - what dead workers held is ended, or kept for the next process of their number. */
#ifndef PE__KEEPER_SETTLE_H
#define PE__KEEPER_SETTLE_H

#include "keeper/keeper.h"

/* The record that a number holds, or PE__SLOT_NO_RECORD. */
uint32_t pe__keeper_held_record(const struct pe__keeper *keeper, uint32_t index);

/* How the number's last life ended, as a kind and its code. That memory was what failed has no code but the signal. */
void pe__keeper_ending_of(const struct pe__kept *kept, uint32_t *ret_kind, int32_t *ret_code);

/* Settles the record that a number held whose process is reaped. `died`: it did not leave by its own will. */
void pe__keeper_settle_record(struct pe__keeper *keeper, uint32_t index, uint32_t record, bool died);

/* Ends the record that a number holds although no process will run it. */
void pe__keeper_settle_orphan(struct pe__keeper *keeper, uint32_t index);

#endif
