/* pair.h - what an enter and a leave cost, and what they show beyond what is between them. */
#ifndef PE__REGION_PAIR_H
#define PE__REGION_PAIR_H

#include <stdint.h>

/* In nanoseconds, in that mode but for its timeline. Takes some 10 us, in which this thread takes no signals. */
double pe__region_pair_cost_ns(uint32_t mode);

/* Measures what clock.h says of readings, if that mode needs it; regions are on. The first time in a process takes some
 * 150 us, in which this thread takes no signals. */
void pe__region_pair_calibrate(uint32_t mode);

#endif
