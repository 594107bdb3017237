/*
 * memory.c - a limit that the kernel enforces, and looks at the worker's memory between jobs.
 *
 * The limit is one on data (RLIMIT_DATA), above what the worker has at its start, which is the host's data: private
 * memory that can be written to, whether it has been touched or not. A limit on the address space would count the
 * pool's shared mapping as well, which reserves far more than anybody uses. Beyond the limit allocations fail, and
 * what the job makes of that is its own affair; most crash or exit. Then errno tells, which is cleared before each job
 * and item; or, where it was overwritten since, the data itself, when the rest is so small that little fitted into it.
 * The job may have failed for another reason all the same, if it had tried to allocate too much before and gone on.
 *
 * Between jobs, what counts is private memory beyond what there was when the initialiser had run. A worker begins as a
 * copy of the host: all of the host's anonymous pages count as resident in it, although they are shared until somebody
 * writes to them. And memory that is mapped shared, the pool's own above all, is nobody's in particular: the kernel
 * counts it apart.
 *
 * A look opens, reads and closes a file of /proc, which takes about 5 us; no descriptor is kept for it, since jobs may
 * close what they find. So a worker looks once a millisecond at most. In that time it can touch a few MiB for the first
 * time (2 to 20, the more with huge pages), and by so much short jobs may grow beyond the limit. Where the file cannot
 * be read, there is no limit.
 */
#include "worker/memory.h"

#include <errno.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/resident.h"

#define LOOK_NS 1000000

#define REST_MOST ((uint64_t)1 << 20)
#define REST_SHARE 16

/* Of the process, for the handler of its crashes. */
static struct {
    uint64_t most, rest; /* bytes of data; when no more than the rest is left, the limit counts as used up; 0: none */
} cap;

/* The limit is higher by the first thread's stack, which the kernel does not count. */
void pe__worker_memory_cap(struct pe__worker_memory *memory, uint64_t memory_limit_bytes)
{
    struct rlimit limit;
    uint64_t data;
    cap.most = cap.rest = 0;
    if (memory_limit_bytes == 0 || !pe__base_data(&data) || getrlimit(RLIMIT_DATA, &limit) < 0)
        return;
    if (limit.rlim_max > data && limit.rlim_max - data > memory_limit_bytes)
        limit.rlim_max = data + memory_limit_bytes;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_DATA, &limit) < 0)
        return;
    cap.most = limit.rlim_max;
    cap.rest = memory_limit_bytes / REST_SHARE < REST_MOST ? memory_limit_bytes / REST_SHARE : REST_MOST;
    memory->capped = true;
}

bool pe__worker_memory_is_used_up(int error)
{
    uint64_t data;
    if (cap.most == 0)
        return false;
    return error == ENOMEM || (pe__base_data(&data) && data + cap.rest >= cap.most);
}

void pe__worker_memory_begin(struct pe__worker_memory *memory, uint64_t rss_limit_bytes)
{
    uint64_t resident;
    if (rss_limit_bytes == 0 || !pe__base_resident(0, &resident))
        return;
    memory->resident_most = rss_limit_bytes < UINT64_MAX - resident ? resident + rss_limit_bytes : UINT64_MAX;
}

void pe__worker_memory_look(struct pe__worker_memory *memory, uint64_t now_ticks)
{
    uint64_t resident;
    if (pe__base_ticks_to_ns(now_ticks - memory->looked) < LOOK_NS)
        return;
    memory->looked = now_ticks;
    memory->overgrown = pe__base_resident(0, &resident) && resident > memory->resident_most;
}
