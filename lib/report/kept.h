/*
 * kept.h - what pools that were freed had measured.
 *
 * The first few are kept apart. Of those that follow, the workers with the same number count as one process of
 * PE__PROFILE_FREED_POOLS, so that a program that makes pools over and over stays as large as it is.
 */
#ifndef PE__REPORT_KEPT_H
#define PE__REPORT_KEPT_H

#include "report/builder.h"
#include "region/source.h"

struct pe__kept;

/* With the sources' lock, while nobody writes to the tables any more. */
void pe__kept_take_over(struct pe__region_sources *sources, const struct pe__region_source *source);

/* Adds all of it to a profile. NULL is nothing. */
void pe__kept_add_to(struct pe__builder *builder, const struct pe__kept *kept);

#endif
