#ifndef PE__TEST_STATE_H
#define PE__TEST_STATE_H

/*
 * What a pool looks like that does not go on: for the log of a test that has waited too long.
 */

#include "shared/mapping.h"

/* Writes to standard error, from one of the pool's workers: its processes and what each waits in, the announcements,
 * the records that were pushed last, and the lanes that the tickets among them are for. */
void state_tell(const struct pe__shared *shared);

#endif
