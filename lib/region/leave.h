/*
 * leave.h - leaving what is not the innermost region: lines, ends that cross, ends of nothing.
 */
#ifndef PE__REGION_LEAVE_H
#define PE__REGION_LEAVE_H

#include <stdint.h>

#include <parexec/region.h>

#include "region/path.h"

/* This thread leaves a region, NULL: the innermost one, which ended at `end` as pe__region_end_of read it. */
void pe__region_leave_other(pe_region_site *site, uint64_t end);

/* The same for the innermost one with that key, if there is any: functions, whose ends may come without a begin. What
 * is inside it is closed too, and not counted as wrong use where it is a function. */
void pe__region_leave_if_open(uint64_t key, uint64_t end);

/* Everything down to that one, which is open, ends now. */
void pe__region_leave_until(struct pe__region_path *target);

#endif
