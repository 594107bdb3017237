/*
 * fence.h - what the tests' library lays around shared memory to catch a stray access; nothing at all in
 * others.
 *
 * With PE__TEST_HOOKS every part of a mapping ends where a page ends, and no access is allowed to the pages
 * before and behind it. Blocks that belong to nobody are filled with a pattern, and under the address
 * sanitizer the host that reads or writes one of them is caught. Workers and the keeper have their own copies
 * of the sanitizer's marks, from before any block was used.
 */
#ifndef PE__SHARED_FENCE_H
#define PE__SHARED_FENCE_H

#ifndef PE__TEST_HOOKS

#define PE__FENCE_POISON(memory, bytes) ((void)0)
#define PE__FENCE_UNPOISON(memory, bytes) ((void)0)
#define PE__FENCE_END(memory, bytes) ((void)0)
#define PE__FENCE_NONE(shared) ((void)0)
#define PE__FENCE_BEGIN(shared, at) ((void)(shared))
#define PE__FENCE_CLOSE(shared, at) ((void)0)
#define PE__FENCE_RAISE(shared) ((void)0)
#define PE__FENCE_SLACK(bytes) ((uint64_t)0)

#else

#include <stddef.h>
#include <stdint.h>

#define PE__FENCES_MOST 32
#define PE__FENCE_PATTERN 0xdb

/* Offsets of pages that nobody may touch, each up to the next part. */
struct pe__fences {
    uint64_t begins[PE__FENCES_MOST];
    uint64_t ends[PE__FENCES_MOST];
    uint32_t count;
};

/* A fence at the next page's begin, a page long at least, moves `*at` behind itself; it ends where the next part
 * begins. */
void pe__fence_begin(struct pe__fences *fences, uint64_t *at);
void pe__fence_close(struct pe__fences *fences, uint64_t at);
/* From now on they hold. */
void pe__fence_raise(const struct pe__fences *fences, unsigned char *base);
/* What lies between a part of so many bytes and the page's begin, so that its last line is the last of a page. */
uint64_t pe__fence_slack(uint64_t bytes);

void pe__fence_poison(void *memory, size_t bytes);
void pe__fence_unpoison(void *memory, size_t bytes);

/* The range is about to be unmapped: no mark is left on it. */
void pe__fence_end(void *memory, size_t bytes);

#define PE__FENCE_POISON(memory, bytes) pe__fence_poison(memory, bytes)
#define PE__FENCE_UNPOISON(memory, bytes) pe__fence_unpoison(memory, bytes)
#define PE__FENCE_END(memory, bytes) pe__fence_end(memory, bytes)
#define PE__FENCE_NONE(shared) ((void)((shared)->fences.count = 0))
#define PE__FENCE_BEGIN(shared, at) pe__fence_begin(&(shared)->fences, at)
#define PE__FENCE_CLOSE(shared, at) pe__fence_close(&(shared)->fences, at)
#define PE__FENCE_RAISE(shared) pe__fence_raise(&(shared)->fences, (shared)->base)
#define PE__FENCE_SLACK(bytes) pe__fence_slack(bytes)

#endif

#endif
