/* texts.h - what dead workers have left as text goes to what they held. */
#ifndef PE__KEEPER_TEXTS_H
#define PE__KEEPER_TEXTS_H

#include "keeper/keeper.h"

/* Once a worker is reaped and `last_status` and `last_pid` are set: its notes of the crash become a text of the record
 * that it held. Returns the text's length, 0: none. */
uint16_t pe__keeper_keep_record_text(const struct pe__keeper *keeper, uint32_t index, uint32_t record);

/* The same for its output; returns PE__RECORD_HAS_OUTPUT, or 0. */
uint16_t pe__keeper_keep_record_output(const struct pe__keeper *keeper, uint32_t index, uint32_t record);

/* Both for the item that it was running, whose detail says so far that there is neither. */
void pe__keeper_keep_item_text(const struct pe__keeper *keeper, uint32_t index, const struct pe__map *map,
                               struct pe__map_live *live, struct pe__item_detail *detail);

#endif
