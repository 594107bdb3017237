/*
 * title.h - what reports call threads and labels, and which of these lie on a thread's stack.
 */
#ifndef PE__REPORT_TITLE_H
#define PE__REPORT_TITLE_H

#include "report/profile.h"

#define PE__TITLE_BYTES 160

/* Its name, or "thread 123". */
void pe__title_track(char title[PE__TITLE_BYTES], const struct pe__profile_track *track);

/* Its name, and of a line "grid.c:41", without directories. */
void pe__title_label(char title[PE__TITLE_BYTES], const struct pe__profile_label *label);

/* One that tells of waiting, of a job in the queue or of a worker for it: nobody works meanwhile, and that time passes
 * beside the nesting. */
bool pe__title_is_wait(const struct pe__profile_label *label);

/* It is on its thread's stack: a region, a line, a function. Not so spans and waits. */
bool pe__title_is_nested(const struct pe__profile_label *label);

/* The file without its directories. */
const char *pe__title_file(const char *file);

#endif
