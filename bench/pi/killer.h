#ifndef PE__BENCH_PI_KILLER_H
#define PE__BENCH_PI_KILLER_H

/* Kills busy workers at random, for --kill-every. Workers publish their process ids in memory that the
 * pool shares. */

#include <stddef.h>
#include <stdint.h>

typedef struct pi_victims pi_victims;
typedef struct pi_killer pi_killer;

size_t pi_victims_bytes(uint32_t workers);
void pi_victims_init(pi_victims *victims, uint32_t workers);

/* In a worker, around its work. Indices out of range are ignored. */
void pi_victims_enter(pi_victims *victims, int worker);
void pi_victims_leave(pi_victims *victims, int worker);

/* Starts a thread of the host. 0 or a negative errno. `victims` must live until pi_killer_stop. */
int pi_killer_start(pi_victims *victims, int64_t every_ns, uint64_t seed, pi_killer **ret_killer);
/* Stops it and returns how many it killed; NULL is fine. */
uint64_t pi_killer_stop(pi_killer *killer);

#endif
