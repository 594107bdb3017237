/* mapping.c - reserves and lays out a pool's shared memory. */
#include "shared/mapping.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include <parexec/error.h>

#include "base/fd.h"

#define LINE_BYTES 64
#define PAGE_BYTES 4096
#define HEAP_ALIGN 65536
/* Below this much heap and reply memory a pool is of no use. */
#define SMALLEST_BUDGET ((uint64_t)1 << 20)

/* Hands out addresses one after the other. */
struct cursor {
    unsigned char *base;
    uint64_t at;
};

static void align(struct cursor *cursor, uint64_t alignment)
{
    cursor->at = (cursor->at + alignment - 1) / alignment * alignment;
}

static void *part(struct cursor *cursor, uint64_t bytes)
{
    align(cursor, LINE_BYTES);
    void *start = cursor->base + cursor->at;
    cursor->at += bytes;
    return start;
}

static void lay_out(struct pe__shared *shared, unsigned char *base)
{
    const struct pe__geometry *g = &shared->geometry;
    struct cursor c = { .base = base };
    shared->base = base;
    shared->config = part(&c, sizeof *shared->config);
    shared->tail = part(&c, LINE_BYTES);
    shared->keep_fds = part(&c, (uint64_t)g->keep_fd_count * sizeof *shared->keep_fds);
    shared->maps = part(&c, PE__MAPS_MAX * sizeof *shared->maps);
    shared->ring = part(&c, (uint64_t)g->ring_entries * sizeof *shared->ring);
    align(&c, PAGE_BYTES);
    shared->readonly_bytes = c.at;

    shared->counts = part(&c, sizeof *shared->counts);
    shared->head = part(&c, LINE_BYTES);
    shared->host_waits = part(&c, LINE_BYTES);
    uint64_t groups = (g->workers + PE__BELL_GROUP_WORKERS - 1) / PE__BELL_GROUP_WORKERS;
    shared->groups = part(&c, groups * sizeof *shared->groups);
    shared->slots = part(&c, g->workers * sizeof *shared->slots);
    shared->lives = part(&c, PE__MAPS_MAX * sizeof *shared->lives);
    shared->lanes = part(&c, (uint64_t)PE__MAPS_MAX * g->workers * sizeof *shared->lanes);
    align(&c, PAGE_BYTES);
    shared->records = part(&c, (uint64_t)g->records * sizeof *shared->records);
    align(&c, PAGE_BYTES);
    shared->texts = part(&c, (uint64_t)g->records * PE_TEXT_BYTES_MAX);
    align(&c, PAGE_BYTES);
    struct pe__block_table probe;
    pe__block_plan(&probe, 0, g->reply_bytes);
    shared->block_words = part(&c, probe.block_count * sizeof *shared->block_words);
    align(&c, PAGE_BYTES);
    c.at = pe__block_plan(&shared->blocks, c.at, g->reply_bytes);
    align(&c, HEAP_ALIGN);
    shared->heap_bytes = g->heap_bytes / HEAP_ALIGN * HEAP_ALIGN;
    shared->heap = part(&c, shared->heap_bytes);
    shared->bytes = c.at;
}

void pe__mapping_plan(struct pe__shared *ret, const struct pe__geometry *geometry)
{
    *ret = (struct pe__shared){ .memfd = -1, .geometry = *geometry };
    lay_out(ret, NULL);
}

static bool halve(struct pe__geometry *geometry)
{
    if (geometry->reply_bytes / 2 < SMALLEST_BUDGET || geometry->heap_bytes / 2 < SMALLEST_BUDGET)
        return false;
    geometry->reply_bytes /= 2;
    geometry->heap_bytes /= 2;
    return true;
}

int pe__mapping_new(struct pe__shared *ret, const struct pe__geometry *geometry)
{
    struct pe__geometry tried = *geometry;
    do {
        pe__mapping_plan(ret, &tried);
        /* The heap wants 64 KiB alignment, mmap gives a page's: ask for more and cut the ends off. */
        size_t asked = ret->bytes + HEAP_ALIGN;
        unsigned char *got = mmap(NULL, asked, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
                                  -1, 0);
        if (got == MAP_FAILED)
            continue;
        unsigned char *base = got + (HEAP_ALIGN - (uintptr_t)got % HEAP_ALIGN) % HEAP_ALIGN;
        size_t before = (size_t)(base - got), after = asked - before - ret->bytes;
        if (before > 0)
            munmap(got, before);
        if (after > 0)
            munmap(base + ret->bytes, after);
        lay_out(ret, base);
        return 0;
    } while (halve(&tried));
    return PE_ENOMEM;
}

int pe__mapping_attach(struct pe__shared *ret, const struct pe__geometry *geometry, void *at, int memfd)
{
    pe__mapping_plan(ret, geometry);
    if (mmap(at, ret->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, memfd, 0) == MAP_FAILED)
        return -errno;
    lay_out(ret, at);
    ret->memfd = memfd;
    return 0;
}

int pe__mapping_new_at(struct pe__shared *ret, const struct pe__geometry *geometry, void *at, size_t at_bytes)
{
    struct pe__geometry fitting = *geometry;
    pe__mapping_plan(ret, &fitting);
    while (ret->bytes > at_bytes) {
        if (!halve(&fitting))
            return PE_ENOMEM;
        pe__mapping_plan(ret, &fitting);
    }
    int memfd = pe__base_memfd("parexec", ret->bytes);
    if (memfd < 0)
        return memfd;
    int result = pe__mapping_attach(ret, &fitting, at, memfd);
    if (result < 0)
        pe__base_fd_close(memfd);
    return result;
}

void pe__mapping_fini(struct pe__shared *shared)
{
    if (shared->base == NULL)
        return;
    if (shared->memfd >= 0) {
        mmap(shared->base, shared->bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
        pe__base_fd_close(shared->memfd);
    } else {
        munmap(shared->base, shared->bytes);
    }
    shared->base = NULL;
}

void pe__mapping_discard(void *memory, size_t bytes)
{
    madvise(memory, bytes, MADV_REMOVE); /* where it is refused, the pages simply stay */
}

int pe__mapping_protect(struct pe__shared *shared)
{
    return mprotect(shared->base, shared->readonly_bytes, PROT_READ) == 0 ? 0 : -errno;
}
