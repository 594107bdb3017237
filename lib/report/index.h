/*
 * index.h - numbers by the hash of what they stand for: an open-addressed table that knows nothing of the things
 * themselves. Whoever looks for one compares the candidates:
 *
 *     for (uint32_t at = 0, n; (n = pe__index_next(&index, hash, &at)) != PE__INDEX_NONE;)
 *         if (is_it(n))
 *             return n;
 */
#ifndef PE__REPORT_INDEX_H
#define PE__REPORT_INDEX_H

#include <stdint.h>

#define PE__INDEX_NONE UINT32_MAX

struct pe__index_slot {
    uint64_t hash;
    uint32_t number; /* + 1; 0: empty */
};

/* Zeroed is empty. */
struct pe__index {
    struct pe__index_slot *slots;
    uint32_t room; /* a power of two, or 0 */
    uint32_t used;
};

/* The next number with that hash; *at is 0 at first. */
uint32_t pe__index_next(const struct pe__index *index, uint64_t hash, uint32_t *at);
/* 0, or PE_ENOMEM. */
int pe__index_add(struct pe__index *index, uint64_t hash, uint32_t number);
void pe__index_fini(struct pe__index *index);

/* Of a text, and of two numbers. */
uint64_t pe__index_hash_text(uint64_t seed, const char *text);
uint64_t pe__index_hash(uint64_t a, uint64_t b);

#endif
