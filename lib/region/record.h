/*
 * record.h - what pool and worker use of this room beside the public calls.
 */
#ifndef PE__REGION_RECORD_H
#define PE__REGION_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include <parexec/region.h>

#include "region/mode.h"
#include "region/table.h"

#ifdef PE__REGION_ON_IS_DEFINED_HERE
extern volatile uint32_t pe_region_on;
#endif

/* Worker, before its initialiser: from now on this process records into that table, zeroed or a dead predecessor's;
 * what that one left open is counted as unfinished. `name` is what reports call its first thread, such as "worker 3".
 * While `mode` is off the table is not touched. */
void pe__region_begin(void *table, const struct pe__region_geometry *geometry, const char *name, uint32_t mode);

/* Whether this process was given a table, and has not begun with it. */
bool pe__region_is_assigned(void);

/* Where the mode is about to be on: begins with the table that this process was given, unless it has. */
void pe__region_begin_assigned(void);

/* Worker, before _exit: what is open is unfinished. */
void pe__region_end(void);

/* A call of a region that was measured elsewhere, from `start` to `end` in ticks (pe__base_ticks): counted on this
 * thread, outside its nesting. */
void pe__region_add(pe_region_site *site, uint64_t start, uint64_t end);

/* A job was handed over here (PE__EVENT_FLOW_OUT) or is begun here (PE__EVENT_FLOW_IN), an arrow in the timeline. */
void pe__region_flow(pe_region_site *site, enum pe__region_event_kind kind, uint64_t job);

#endif
