/* spin.h - how long workers and host look again and again before they sleep. */
#ifndef PE__SHARED_SPIN_H
#define PE__SHARED_SPIN_H

#include <stdbool.h>
#include <stdint.h>

#define PE__SPIN_NS_MOST 30000 /* about what waking a sleeper costs */
#define PE__SPIN_NS_LEAST 2000
#define PE__SPIN_LOOKS 32 /* between two looks at the clock */
#define PE__SPIN_ROUNDS_ALONE 2   /* of so many looks each, before the CPU is offered to others */

/* A spin in vain halves the next one, a successful one restores it. */
static inline void pe__spin_adapt(int64_t *spin_ns, bool found)
{
    if (found)
        *spin_ns = PE__SPIN_NS_MOST;
    else if (*spin_ns > PE__SPIN_NS_LEAST)
        *spin_ns /= 2;
}

#endif
