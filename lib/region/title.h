/*
 * title.h - what reports call threads and labels, and which of these lie on a thread's stack.
 */
#ifndef PE__REGION_TITLE_H
#define PE__REGION_TITLE_H

#include "region/profile.h"

#define PE__TITLE_BYTES 160

/* Its name, or "thread 123". */
void pe__title_track(char title[PE__TITLE_BYTES], const struct pe__profile_track *track);

/* Its name, and of a line "grid.c:41", without directories. */
void pe__title_label(char title[PE__TITLE_BYTES], const struct pe__profile_label *label);

/* It is a part of its thread's nesting: a region, a line, a function; what else there is only happens beside that. */
bool pe__title_takes_time(const struct pe__profile_label *label);

/* The file without its directories. */
const char *pe__title_file(const char *file);

#endif
