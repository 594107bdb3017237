/* rng.h - the functions under the random streams. */
#ifndef PE__BASE_RNG_H
#define PE__BASE_RNG_H

#include <stdint.h>

/* Philox4x64-10: four words of a key of two and a counter of four. */
void pe__base_philox(const uint64_t key[2], const uint64_t counter[4], uint64_t ret_words[4]);

/* The normal number that a word makes. */
double pe__base_normal(uint64_t word);

#endif
