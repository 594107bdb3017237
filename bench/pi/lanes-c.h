#ifndef PE__BENCH_PI_LANES_C_H
#define PE__BENCH_PI_LANES_C_H

/* Two generators side by side in a vector of 16 bytes, as gcc and clang offer them in C for any processor,
 * stepped in the form of pi/kernel.h. */

#include "pi/kernel.h"

#include <string.h>

typedef uint64_t draws __attribute__((vector_size(16)));

/* Two generators: a, b, the next b in place of c, d. */
typedef struct pair {
    draws a, b, b_next, d;
} pair;

static inline pair load(uint64_t (*word)[PI_LANES], int lane)
{
    draws c;
    pair s;

    memcpy(&s.a, &word[0][lane], sizeof(draws));
    memcpy(&s.b, &word[1][lane], sizeof(draws));
    memcpy(&c, &word[2][lane], sizeof(draws));
    memcpy(&s.d, &word[3][lane], sizeof(draws));
    s.b_next = s.b ^ c ^ s.a;
    return s;
}

static inline void store(uint64_t (*word)[PI_LANES], int lane, const pair *s)
{
    draws c = s->b_next ^ s->b ^ s->a;

    memcpy(&word[0][lane], &s->a, sizeof(draws));
    memcpy(&word[1][lane], &s->b, sizeof(draws));
    memcpy(&word[2][lane], &c, sizeof(draws));
    memcpy(&word[3][lane], &s->d, sizeof(draws));
}

static inline draws draw(pair *s)
{
    draws result = s->a + s->d;
    draws u = s->d ^ s->b;
    draws a = s->a ^ u;
    draws b = s->b ^ s->b << 17 ^ a;

    *s = (pair){ a, s->b_next, b, u << 45 | u >> 19 };
    return result;
}

#endif
