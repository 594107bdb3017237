/* map_options.h - what a map, a reduce or a stream may ask for. */
#ifndef PE__POOL_MAP_OPTIONS_H
#define PE__POOL_MAP_OPTIONS_H

#include "pool/map.h"

/* What the map asks for; fills in its options. */
int pe__map_check(struct pe__map_job *wanted, const pe_map_options *options);

/* For maps and reduces, and what they have in common with streams. */
int pe__map_check_options(const pe_map_options *given, pe_map_options *ret_options);
int pe__map_check_common(const pe_map_options *given, pe_map_options *ret_options);

#endif
