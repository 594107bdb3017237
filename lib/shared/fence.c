/* fence.c - marks memory that nobody may touch; built into the tests' library only. */
#include "shared/fence.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/sanitizer.h"

#if PE__BASE_ASAN
#include <sanitizer/asan_interface.h>
#endif

#define LINE_BYTES 64
#define PAGE_BYTES 4096
/* Enough to be noticed; all of a large block would take as long as its use. */
#define FILL_MOST ((size_t)65536)

#if PE__BASE_ASAN

/* What was forbidden last. A mapping ends by allowing these, since its whole range has more marks than can
 * be written. */
#define REMEMBERED 8192

static struct {
    char *memory;
    size_t bytes;
} forbidden[REMEMBERED];
static _Atomic uint32_t forbidden_count;

static void forbid(void *memory, size_t bytes)
{
    uint32_t at = atomic_fetch_add(&forbidden_count, 1) % REMEMBERED;
    if (forbidden[at].memory != NULL)
        ASAN_UNPOISON_MEMORY_REGION(forbidden[at].memory, forbidden[at].bytes);
    forbidden[at].memory = memory;
    forbidden[at].bytes = bytes;
    ASAN_POISON_MEMORY_REGION(memory, bytes);
}

#endif

void pe__fence_poison(void *memory, size_t bytes)
{
    pe__fence_unpoison(memory, bytes);
    memset(memory, PE__FENCE_PATTERN, bytes < FILL_MOST ? bytes : FILL_MOST);
#if PE__BASE_ASAN
    forbid(memory, bytes);
#endif
}

void pe__fence_unpoison(void *memory, size_t bytes)
{
    (void)memory;
    (void)bytes;
#if PE__BASE_ASAN
    ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
#endif
}

void pe__fence_end(void *memory, size_t bytes)
{
    (void)memory;
    (void)bytes;
#if PE__BASE_ASAN
    for (uint32_t i = 0; i < REMEMBERED; i++)
        if (forbidden[i].memory >= (char *)memory && forbidden[i].memory < (char *)memory + bytes) {
            ASAN_UNPOISON_MEMORY_REGION(forbidden[i].memory, forbidden[i].bytes);
            forbidden[i].memory = NULL;
        }
#endif
}

static uint64_t page_end(uint64_t at)
{
    return (at + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

void pe__fence_begin(struct pe__fences *fences, uint64_t *at)
{
    fences->begins[fences->count] = page_end(*at);
    *at = page_end(*at) + PAGE_BYTES;
}

void pe__fence_close(struct pe__fences *fences, uint64_t at)
{
    fences->ends[fences->count++] = at;
}

void pe__fence_raise(const struct pe__fences *fences, unsigned char *base)
{
    for (uint32_t i = 0; i < fences->count; i++)
        mprotect(base + fences->begins[i], fences->ends[i] - fences->begins[i], PROT_NONE);
}

uint64_t pe__fence_slack(uint64_t bytes)
{
    uint64_t lines = (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;

    return page_end(lines) - lines;
}
