/*
 * rng.c - random streams out of a counter: word p of a stream is word p % 4 of the block with the key {seed, 0} and
 * the counter {p / 4, stream, 0, 0}.
 *
 * Of the generators with a counter Philox has the shortest code, and on processors that multiply 64 bits at once
 * the one with 64-bit words is the fastest without vectors: 20 multiplications for 32 bytes, half as many as with
 * 32-bit words. A block is computed when its first word is drawn; blocks do not depend on each other, so in the
 * loops that fill memory the processor works on several at a time.
 *
 * words[] is valid while position is no multiple of 4.
 */
#include "base/rng.h"

#include <string.h>

#include <parexec/rng.h>

#include "base/wide.h"

#define BLOCK 4
#define ROUNDS 10

static inline void philox(uint64_t k0, uint64_t k1, const uint64_t counter[BLOCK], uint64_t ret_words[BLOCK])
{
    uint64_t w0 = counter[0], w1 = counter[1], w2 = counter[2], w3 = counter[3];
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t high0, low0, high2, low2;
        pe__base_multiply(w0, UINT64_C(0xD2E7470EE14C6C93), &high0, &low0);
        pe__base_multiply(w2, UINT64_C(0xCA5A826395121157), &high2, &low2);
        w0 = high2 ^ w1 ^ k0;
        w1 = low2;
        w2 = high0 ^ w3 ^ k1;
        w3 = low0;
        k0 += UINT64_C(0x9E3779B97F4A7C15); /* golden ratio */
        k1 += UINT64_C(0xBB67AE8584CAA73B); /* sqrt(3) - 1 */
    }
    ret_words[0] = w0;
    ret_words[1] = w1;
    ret_words[2] = w2;
    ret_words[3] = w3;
}

void pe__base_philox(const uint64_t key[2], const uint64_t counter[BLOCK], uint64_t ret_words[BLOCK])
{
    philox(key[0], key[1], counter, ret_words);
}

/* The block that the word at `position` is in. */
static inline void make_block(const pe_rng *rng, uint64_t position, uint64_t ret_words[BLOCK])
{
    philox(rng->seed, 0, (uint64_t[BLOCK]){ position / BLOCK, rng->stream, 0, 0 }, ret_words);
}

static inline uint64_t draw(pe_rng *rng)
{
    uint64_t place = rng->position % BLOCK;
    if (place == 0)
        make_block(rng, rng->position, rng->words);
    rng->position++;
    return rng->words[place];
}

static inline double to_double(uint64_t word)
{
    return (double)(int64_t)(word >> 11) * 0x1p-53;
}

/* In memory the lowest byte comes first. */
static inline uint64_t to_little_endian(uint64_t word)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(word);
#else
    return word;
#endif
}

/* Words until the next block begins, but at most `count`. */
static uint64_t rest_of_block(const pe_rng *rng, uint64_t count)
{
    uint64_t rest = -rng->position % BLOCK;
    return rest < count ? rest : count;
}

void pe_rng_init(pe_rng *rng, uint64_t seed, uint64_t stream)
{
    if (rng != NULL)
        *rng = (pe_rng){ .seed = seed, .stream = stream };
}

uint64_t pe_rng_next(pe_rng *rng)
{
    return rng != NULL ? draw(rng) : 0;
}

double pe_rng_double(pe_rng *rng)
{
    return rng != NULL ? to_double(draw(rng)) : 0;
}

/* Multiplies instead of dividing (Lemire, "Fast random integer generation in an interval", 2019): the upper half of
 * word * n is the number, and words whose lower half is below 2^64 % n would make some of them likelier. */
uint64_t pe_rng_below(pe_rng *rng, uint64_t n)
{
    uint64_t number, low;
    if (rng == NULL || n == 0)
        return 0;
    pe__base_multiply(draw(rng), n, &number, &low);
    if (low < n)
        for (uint64_t excess = -n % n; low < excess;)
            pe__base_multiply(draw(rng), n, &number, &low);
    return number;
}

/* Where the caller's memory has no alignment. */
static void put_word(unsigned char *memory, uint64_t word, size_t bytes)
{
    word = to_little_endian(word);
    memcpy(memory, &word, bytes);
}

static unsigned char *put_words(pe_rng *rng, unsigned char *memory, uint64_t count)
{
    for (; count > 0; count--, memory += sizeof(uint64_t))
        put_word(memory, draw(rng), sizeof(uint64_t));
    return memory;
}

void pe_rng_fill(pe_rng *rng, void *memory, size_t bytes)
{
    if (rng == NULL || memory == NULL)
        return;
    uint64_t count = bytes / sizeof(uint64_t), begun = rest_of_block(rng, count);
    unsigned char *at = put_words(rng, memory, begun);
    for (count -= begun; count >= BLOCK; count -= BLOCK) {
        uint64_t words[BLOCK];
        make_block(rng, rng->position, words);
        rng->position += BLOCK;
        for (int i = 0; i < BLOCK; i++, at += sizeof(uint64_t))
            put_word(at, words[i], sizeof(uint64_t));
    }
    at = put_words(rng, at, count);
    if (bytes % sizeof(uint64_t) > 0)
        put_word(at, draw(rng), bytes % sizeof(uint64_t));
}

void pe_rng_fill_doubles(pe_rng *rng, double *values, size_t count)
{
    if (rng == NULL || values == NULL)
        return;
    for (uint64_t begun = rest_of_block(rng, count); begun > 0; begun--, count--)
        *values++ = to_double(draw(rng));
    for (; count >= BLOCK; count -= BLOCK) {
        uint64_t words[BLOCK];
        make_block(rng, rng->position, words);
        rng->position += BLOCK;
        for (int i = 0; i < BLOCK; i++)
            *values++ = to_double(words[i]);
    }
    for (; count > 0; count--)
        *values++ = to_double(draw(rng));
}

void pe_rng_skip(pe_rng *rng, uint64_t words)
{
    if (rng == NULL)
        return;
    rng->position += words;
    if (rng->position % BLOCK != 0)
        make_block(rng, rng->position, rng->words);
}
