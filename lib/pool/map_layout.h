/* map_layout.h - what workers see of a map. */
#ifndef PE__POOL_MAP_LAYOUT_H
#define PE__POOL_MAP_LAYOUT_H

#include "pool/map.h"

/* Copies it to where workers see it. */
int pe__map_place(pe_pool *pool, struct pe__map_job *map);

/* With `index` and `ticketed` set: its descriptor, and its items dealt out to lanes. */
void pe__map_describe(pe_pool *pool, struct pe__map_job *map);

#endif
