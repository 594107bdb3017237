/*
 * workers.h - what workers do to the memory that they share with the host, rightly and wrongly, as an input says.
 *
 * The memory is that of the stand-in's pool (stand-in.h), which has so many workers, and maps of so many items.
 */
#ifndef PE__TEST_WORKERS_H
#define PE__TEST_WORKERS_H

#include "input.h"
#include "pool/pool.h"

#define WORKERS 3
#define ITEMS   12

/* One of those that were pushed last. */
uint32_t workers_take_record(struct input *input, const pe_pool *pool);

/* Any owner, any phase, nearly any sequence. */
void workers_forge_word(struct input *input, const pe_pool *pool);

/* The phase is a possible one, and so may the rest be. */
void workers_end_record(struct input *input, const pe_pool *pool);

/* `read_only_too`: also in the pages that are written by the host alone, as a worker would that made them writable. */
void workers_write_anywhere(struct input *input, bool read_only_too);

void workers_write_into_record(struct input *input, const pe_pool *pool);

/* An item of the oldest map. */
void workers_close_item(struct input *input, const pe_pool *pool);

#endif
