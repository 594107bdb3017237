/* mapping.c - reserves and lays out a pool's shared memory. */
#include "shared/mapping.h"

#include <errno.h>
#include <sys/mman.h>

#include <parexec/error.h>

#include "base/fd.h"

#define LINE_BYTES 64
#define PAGE_BYTES 4096
#define HEAP_ALIGN 65536
/* What has more addresses than this cannot be mapped: where they have 32 bits, that is 2 GiB. */
#define BYTES_MOST (PTRDIFF_MAX - HEAP_ALIGN)
/* Below this much heap and reply memory a pool is of no use. */
#define SMALLEST_BUDGET ((uint64_t)1 << 20)
/* Of all parts together, in a core. */
#define CORE_BYTES_MOST ((size_t)16 << 20)

/* Hands out addresses one after the other. */
struct cursor {
    uintptr_t base; /* 0 while only sizes are asked for */
    uint64_t at;
};

static void align(struct cursor *cursor, uint64_t alignment)
{
    cursor->at = (cursor->at + alignment - 1) / alignment * alignment;
}

static void fence(struct pe__shared *shared, struct cursor *cursor, uint64_t alignment)
{
    PE__FENCE_BEGIN(shared, &cursor->at);
    align(cursor, alignment);
    PE__FENCE_CLOSE(shared, cursor->at);
}

static void *part(struct pe__shared *shared, struct cursor *cursor, uint64_t bytes)
{
    fence(shared, cursor, LINE_BYTES);
    cursor->at += PE__FENCE_SLACK(bytes);
    void *start = (void *)(uintptr_t)(cursor->base + cursor->at);
    cursor->at += bytes;
    return start;
}

/* What the host alone writes. */
static void lay_out_read_only(struct pe__shared *shared, struct cursor *c)
{
    const struct pe__geometry *g = &shared->geometry;
    shared->config = part(shared, c, sizeof *shared->config);
    shared->tails = part(shared, c, PE__QUEUE_LEVELS * sizeof *shared->tails);
    shared->keep_fds = part(shared, c, (uint64_t)g->keep_fd_count * sizeof *shared->keep_fds);
    shared->pins = part(shared, c, (uint64_t)g->workers_most * sizeof *shared->pins);
    shared->maps = part(shared, c, PE__MAPS_MAX * sizeof *shared->maps);
    align(c, PAGE_BYTES);
    shared->readonly_bytes = c->at;
}

/* What all use to find work and each other. */
static void lay_out_protocol(struct pe__shared *shared, struct cursor *c)
{
    const struct pe__geometry *g = &shared->geometry;
    uint64_t groups = (g->workers_most + PE__BELL_GROUP_WORKERS - 1) / PE__BELL_GROUP_WORKERS;
    shared->counts = part(shared, c, sizeof *shared->counts);
    shared->watch = part(shared, c, sizeof *shared->watch);
    shared->heads = part(shared, c, PE__QUEUE_LEVELS * sizeof *shared->heads);
    shared->host_waits = part(shared, c, LINE_BYTES);
    shared->groups = part(shared, c, groups * sizeof *shared->groups);
    shared->slots = part(shared, c, g->workers_most * sizeof *shared->slots);
    shared->crashes = part(shared, c, g->workers_most * sizeof *shared->crashes);
    shared->lives = part(shared, c, PE__MAPS_MAX * sizeof *shared->lives);
    shared->lanes = part(shared, c, (uint64_t)PE__MAPS_MAX * g->workers_most * sizeof *shared->lanes);
    align(c, PAGE_BYTES);
}

/* What there is of each record, and the workers' tables of regions. */
static void lay_out_records(struct pe__shared *shared, struct cursor *c)
{
    const struct pe__geometry *g = &shared->geometry;
    uint64_t records = pe__mapping_records(shared);
    shared->records = part(shared, c, records * sizeof *shared->records);
    align(c, PAGE_BYTES);
    shared->records_more = part(shared, c, records * sizeof *shared->records_more);
    align(c, PAGE_BYTES);
    shared->texts = part(shared, c, records * PE_TEXT_BYTES_MAX);
    align(c, PAGE_BYTES);
    shared->outputs = part(shared, c, records * pe__mapping_output_stride(g));
    align(c, PAGE_BYTES);
    shared->regions = part(shared, c, g->workers_most * g->region_bytes);
    align(c, PAGE_BYTES);
}

/* What is handed out in blocks. */
static void lay_out_blocks(struct pe__shared *shared, struct cursor *c)
{
    const struct pe__geometry *g = &shared->geometry;
    struct pe__block_table probe;
    pe__block_plan(&probe, 0, g->reply_bytes);
    shared->block_words = part(shared, c, probe.block_count * sizeof *shared->block_words);
    fence(shared, c, PAGE_BYTES);
    c->at = pe__block_plan(&shared->blocks, c->at, g->reply_bytes);
    fence(shared, c, HEAP_ALIGN);
    shared->heap_bytes = g->heap_bytes / HEAP_ALIGN * HEAP_ALIGN;
    shared->heap = (unsigned char *)(uintptr_t)(c->base + c->at);
    c->at += shared->heap_bytes;
    fence(shared, c, LINE_BYTES);
}

static void lay_out(struct pe__shared *shared, unsigned char *base)
{
    struct cursor c = { .base = (uintptr_t)base };
    PE__FENCE_NONE(shared);
    shared->base = base;
    lay_out_read_only(shared, &c);
    lay_out_protocol(shared, &c);
    lay_out_records(shared, &c);
    lay_out_blocks(shared, &c);
    shared->bytes = c.at <= BYTES_MOST ? (size_t)c.at : SIZE_MAX;
}

void pe__mapping_plan(struct pe__shared *ret, const struct pe__geometry *geometry)
{
    *ret = (struct pe__shared){ .memfd = -1, .geometry = *geometry };
    lay_out(ret, NULL);
}

/* What is measured must not keep a pool from its work: where memory is short it gets what the heap can spare. */
static bool halve(struct pe__geometry *geometry)
{
    if (geometry->reply_bytes / 2 < SMALLEST_BUDGET || geometry->heap_bytes / 2 < SMALLEST_BUDGET)
        return false;
    geometry->reply_bytes /= 2;
    geometry->heap_bytes /= 2;
    while (geometry->workers_most * geometry->region_bytes > geometry->heap_bytes / 4)
        geometry->region_bytes = geometry->region_bytes / 2 / PAGE_BYTES * PAGE_BYTES;
    return true;
}

/*
 * A core dump has every page of shared memory in it, and has the system make those that nobody has touched: gigabytes.
 * What lies in front of the texts stays in it, to tell what was going on: slots, records, the arguments of small jobs.
 */
static void keep_out_of_cores(const struct pe__shared *shared)
{
    size_t told = ((size_t)(shared->texts - shared->base) + HEAP_ALIGN - 1) / HEAP_ALIGN * HEAP_ALIGN;
    size_t dumped = told < CORE_BYTES_MOST ? told : CORE_BYTES_MOST;
    madvise(shared->base + dumped, shared->bytes - dumped, MADV_DONTDUMP);
}

/* What is to be done once it is mapped. */
static void make_ready(struct pe__shared *shared, unsigned char *base)
{
    lay_out(shared, base);
    PE__FENCE_RAISE(shared);
    keep_out_of_cores(shared);
}

int pe__mapping_new(struct pe__shared *ret, const struct pe__geometry *geometry)
{
    struct pe__geometry tried = *geometry;
    do {
        pe__mapping_plan(ret, &tried);
        if (ret->bytes > BYTES_MOST)
            continue;
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
        make_ready(ret, base);
        return 0;
    } while (halve(&tried));
    return PE_ENOMEM;
}

int pe__mapping_attach(struct pe__shared *ret, const struct pe__geometry *geometry, void *at, int memfd)
{
    pe__mapping_plan(ret, geometry);
    if (mmap(at, ret->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, memfd, 0) == MAP_FAILED)
        return -errno;
    make_ready(ret, at);
    ret->memfd = memfd;
    return 0;
}

/* As large as fits into the range and is allowed to files. */
static int make_file(struct pe__shared *ret, struct pe__geometry *fitting, size_t at_bytes)
{
    do {
        pe__mapping_plan(ret, fitting);
        int memfd = ret->bytes <= at_bytes ? pe__base_memfd("parexec", ret->bytes) : -EFBIG;
        if (memfd != -EFBIG)
            return memfd;
    } while (halve(fitting));
    return PE_ENOMEM;
}

int pe__mapping_new_at(struct pe__shared *ret, const struct pe__geometry *geometry, void *at, size_t at_bytes)
{
    struct pe__geometry fitting = *geometry;
    int memfd = make_file(ret, &fitting, at_bytes);
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
    PE__FENCE_END(shared->base, shared->bytes);
    if (shared->memfd >= 0) {
        /* Where it is refused the pages stay until the range is used again. */
        (void)mmap(shared->base, shared->bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
                   0);
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
    int result = mprotect(shared->base, shared->readonly_bytes, PROT_READ) == 0 ? 0 : -errno;
    PE__FENCE_RAISE(shared);
    return result;
}
