/* reset.h - a word back to what it was at first. */
#ifndef PE__SHARED_RESET_H
#define PE__SHARED_RESET_H

#include <stdatomic.h>

/* A line of which nothing changes stays in the caches of those who read it. */
#define PE__RESET(word, value) \
    do { \
        if (atomic_load_explicit(word, memory_order_relaxed) != (value)) \
            atomic_store_explicit(word, value, memory_order_relaxed); \
    } while (0)

#endif
