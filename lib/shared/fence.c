/* fence.c - marks memory that nobody may touch; built into the tests' library only. */
#include "shared/fence.h"

#include <string.h>

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
#include <sanitizer/asan_interface.h>
#endif

/* Enough to be noticed; all of a large block would take as long as its use. */
#define FILL_MOST ((size_t)65536)

void pe__fence_poison(void *memory, size_t bytes)
{
    pe__fence_unpoison(memory, bytes);
    memset(memory, PE__FENCE_PATTERN, bytes < FILL_MOST ? bytes : FILL_MOST);
#ifdef SANITIZED
    ASAN_POISON_MEMORY_REGION(memory, bytes);
#endif
}

void pe__fence_unpoison(void *memory, size_t bytes)
{
    (void)memory;
    (void)bytes;
#ifdef SANITIZED
    ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
#endif
}
