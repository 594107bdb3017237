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

#include "base/clock.h"
#include "base/resident.h"

#define LOOK_NS 1000000

void pe__worker_memory_begin(struct pe__worker_memory *memory, uint64_t rss_limit_bytes)
{
    uint64_t resident;
    if (rss_limit_bytes == 0 || !pe__base_resident(0, &resident))
        return;
    memory->resident_most = rss_limit_bytes < UINT64_MAX - resident ? resident + rss_limit_bytes : UINT64_MAX;
}

bool pe__worker_memory_look(struct pe__worker_memory *memory, uint64_t now_ticks)
{
    uint64_t resident;
    if (pe__base_ticks_to_ns(now_ticks - memory->looked) < LOOK_NS)
        return memory->overgrown;
    memory->looked = now_ticks;
    memory->overgrown = pe__base_resident(0, &resident) && resident > memory->resident_most;
    return memory->overgrown;
}
