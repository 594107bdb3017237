/* deaths.h - deaths of workers in a row: they slow replacements down, and end the pool when there are too many. */
#ifndef PE__KEEPER_DEATHS_H
#define PE__KEEPER_DEATHS_H

#include "keeper/keeper.h"

#define PE__KEEPER_BACK_OFF_NS (INT64_C(100) * 1000000)

/* For statistics and log: how the last life of that number has ended. */
void pe__keeper_note_death(const struct pe__keeper *keeper, uint32_t index);

/* Notes it, and counts it as one more in a row, unless something has succeeded since the one before. */
void pe__keeper_count_death(struct pe__keeper *keeper, uint32_t index);

/* When the next process may be forked, whatever its number; INT64_MIN: at once. */
int64_t pe__keeper_may_fork_ns(const struct pe__keeper *keeper);

#endif
