/* output.h - the memory files that workers write their output to. */
#ifndef PE__KEEPER_OUTPUT_H
#define PE__KEEPER_OUTPUT_H

#include "keeper/keeper.h"

/* Nothing of this does anything in a pool that catches no output. */

/* Whether there is a file for the number, empty. 0 or an error. */
int pe__keeper_output_prepare(struct pe__keeper *keeper, uint32_t index);

/* Whether a limit on file sizes can have workers leave (worker/output.c). */
bool pe__keeper_output_may_fill(const struct pe__keeper *keeper);

/* In the child that is to be this worker: closes the files of the others. Returns its own, or -1. */
int pe__keeper_output_inherit(const struct pe__keeper *keeper, uint32_t index);

/* Gives memory back of what nobody will ask for any more; when it is to be called next, or INT64_MAX. */
int64_t pe__keeper_output_trim(struct pe__keeper *keeper, int64_t now_ns);

/* What the dead worker's last item has written: how much is to be kept, and a copy of it. */
uint32_t pe__keeper_output_look(const struct pe__keeper *keeper, uint32_t index, uint64_t *ret_end);
void pe__keeper_output_take(const struct pe__keeper *keeper, uint32_t index, uint64_t end, void *place, uint32_t bytes);

#endif
