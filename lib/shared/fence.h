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

#else

#include <stddef.h>

#define PE__FENCES_MOST 32
#define PE__FENCE_PATTERN 0xdb

void pe__fence_poison(void *memory, size_t bytes);
void pe__fence_unpoison(void *memory, size_t bytes);

/* The range is about to be unmapped: no mark is left on it. */
void pe__fence_end(void *memory, size_t bytes);

#define PE__FENCE_POISON(memory, bytes) pe__fence_poison(memory, bytes)
#define PE__FENCE_UNPOISON(memory, bytes) pe__fence_unpoison(memory, bytes)
#define PE__FENCE_END(memory, bytes) pe__fence_end(memory, bytes)

#endif

#endif
