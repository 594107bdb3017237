/*
 * leave.h - leaving what is not the innermost region: lines, ends that cross, ends of nothing.
 */
#ifndef PE__REGION_LEAVE_H
#define PE__REGION_LEAVE_H

#include <stdint.h>

#include <parexec/region.h>

/* This thread leaves a region, NULL: the innermost one, which ended at `end` as pe__region_end_of read it. */
void pe__region_leave_other(pe_region_site *site, uint64_t end);

#endif
