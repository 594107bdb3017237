/*
 * memory.c - looks at the worker's memory between jobs.
 *
 * What counts is private memory beyond what there was when the initialiser had run. A worker begins as a copy of the
 * host: all of the host's anonymous pages count as resident in it, although they are shared until somebody writes to
 * them. And memory that is mapped shared, the pool's own above all, is nobody's in particular: the kernel counts it
 * apart.
 *
 * A look opens, reads and closes a file of /proc, which takes about 5 us; no descriptor is kept for it, since jobs may
 * close what they find. So a worker looks once a millisecond at most. In that time it can touch a few MiB for the first
 * time (2 to 20, the more with huge pages), and by so much short jobs may grow beyond the limit. Where the file cannot
 * be read, there is no limit.
 */
#include "worker/memory.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"

#define LOOK_NS 1000000

/* The place of each number in the file, in pages. */
enum column { SIZE, RESIDENT, SHARED, COLUMNS };

/* Async-signal-safe. */
static bool read_columns(uint64_t ret[COLUMNS])
{
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t bytes = read(fd, text, sizeof text - 1);
    close(fd);
    const char *at = text, *end = text + (bytes > 0 ? bytes : 0);
    for (int column = 0; column < COLUMNS; column++) {
        ret[column] = 0;
        for (; at < end && *at >= '0' && *at <= '9'; at++)
            ret[column] = ret[column] * 10 + (uint64_t)(*at - '0');
        if (at++ >= end)
            return false;
    }
    return true;
}

static bool read_resident(uint64_t *ret_bytes)
{
    uint64_t pages[COLUMNS];
    if (!read_columns(pages) || pages[RESIDENT] < pages[SHARED])
        return false;
    *ret_bytes = (pages[RESIDENT] - pages[SHARED]) * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}

void pe__worker_memory_begin(struct pe__worker_memory *memory, uint64_t rss_limit_bytes)
{
    uint64_t resident;
    if (rss_limit_bytes == 0 || !read_resident(&resident))
        return;
    memory->resident_most = rss_limit_bytes < UINT64_MAX - resident ? resident + rss_limit_bytes : UINT64_MAX;
}

bool pe__worker_memory_look(struct pe__worker_memory *memory, uint64_t now_ticks)
{
    uint64_t resident;
    if (pe__base_ticks_to_ns(now_ticks - memory->looked) < LOOK_NS)
        return memory->overgrown;
    memory->looked = now_ticks;
    memory->overgrown = read_resident(&resident) && resident > memory->resident_most;
    return memory->overgrown;
}
