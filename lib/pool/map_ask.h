/* map_ask.h - a map as its caller asks for it, for those who come back when there is no place. */
#ifndef PE__POOL_MAP_ASK_H
#define PE__POOL_MAP_ASK_H

#include <parexec/pool.h>

struct pe__map_ask {
    pe_map_fn *fn;
    const void *in;
    void *out;
    size_t in_bytes, out_bytes, count;
    pe_map_options options;
};

/* As pe_pool_start_map, but never waits: PE_EAGAIN. give_up: for one that was refused so and is not to be tried again;
 * PE_ETIMEDOUT, or 0. It is returned then, and the map's items have their endings. */
int pe__map_try_start(pe_pool *pool, const struct pe__map_ask *ask, int give_up, pe_job **ret_job);

#endif
