/* reap.h - the ends of workers. */
#ifndef PE__KEEPER_REAP_H
#define PE__KEEPER_REAP_H

#include "keeper/keeper.h"

/* Takes the ends of all dead children and settles what they held. */
void pe__keeper_reap(struct pe__keeper *keeper);

#endif
