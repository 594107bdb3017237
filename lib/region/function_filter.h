/*
 * function_filter.h - which functions are measured: PAREXEC_PROFILE_EXCLUDE and PAREXEC_PROFILE_ONLY.
 */
#ifndef PE__REGION_FUNCTION_FILTER_H
#define PE__REGION_FUNCTION_FILTER_H

#include <stdbool.h>

/* By its symbol; of C++, by its readable name as well. */
bool pe__function_is_wanted(const char *symbol);

/* The patterns, with commas between; NULL: none. Only before the first function is looked at. */
void pe__function_filter(const char *exclude, const char *only);

#endif
