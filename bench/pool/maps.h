#ifndef PE__BENCH_POOL_MAPS_H
#define PE__BENCH_POOL_MAPS_H

/* The driver of contenders that map a function over an array: MAP, NOOP_MAP, TINY_MAP, INPUTS and
 * RESULTS out of one operation. Functions have the signature of pe_map_fn for everybody and are called
 * through a pointer. */

#include "table/row.h"
#include "pool/work.h"

struct map_job {
    work_item_fn *fn;
    const void *in;
    size_t in_bytes;
    void *out;
    size_t out_bytes;
    size_t count;
    const void *context;
    size_t context_bytes;
};

struct map_ops {
    const char *absent; /* why it is not in this build, or NULL */
    int (*open)(const struct plan *plan, void **ret_state);
    void *(*alloc)(void *state, size_t bytes); /* NULL: malloc */
    void (*dealloc)(void *state, void *memory);
    int (*map)(void *state, const struct map_job *job);
    void (*close)(void *state);
};

extern const struct driver maps_driver;
extern const struct map_ops serial_maps; /* a plain loop: the limit */

#endif
