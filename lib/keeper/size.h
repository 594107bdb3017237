/* size.h - how many workers there are to be. */
#ifndef PE__KEEPER_SIZE_H
#define PE__KEEPER_SIZE_H

#include "keeper/keeper.h"

/* The host needs a process for this number, or for all (PE__MESSAGE_ALL). */
void pe__keeper_start_worker(struct pe__keeper *keeper, int32_t number);

/* So many are wanted from now on. */
void pe__keeper_resize(struct pe__keeper *keeper, uint32_t workers, int32_t order);

/* Tells the host of the last order once nobody is left of those not wanted. */
void pe__keeper_tell_size(struct pe__keeper *keeper);

#endif
