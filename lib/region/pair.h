/* pair.h - what an enter and a leave cost, here and now. */
#ifndef PE__REGION_PAIR_H
#define PE__REGION_PAIR_H

#include <stdint.h>

/* In nanoseconds, in that mode but for its timeline. Takes some 10 us, in which this thread takes no signals. */
double pe__region_pair_cost_ns(uint32_t mode);

#endif
