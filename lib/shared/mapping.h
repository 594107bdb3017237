/*
 * mapping.h - the memory that host, keeper and workers share, and where everything lies in it.
 *
 * One range of addresses, mapped shared before the keeper is forked, so it has the same address everywhere:
 *
 *     config, tails, map descriptors           written by the host alone; keeper and workers map these pages read-only
 *     slots, bells, lanes, records, ...        written as the heads of their files say
 *     reply blocks                             written by the workers that took them
 *     heap                                     arguments, maps' arrays, pe_pool_alloc; bookkeeping in the host
 *
 * The range is reserved, not committed: pages appear when they are touched. Where the system refuses the
 * wished size (a limit on address space, strict overcommit) smaller ones are tried.
 *
 * The view (struct pe__shared) is private memory of each process: pointers and sizes in it are believed,
 * values behind the pointers are not.
 */
#ifndef PE__SHARED_MAPPING_H
#define PE__SHARED_MAPPING_H

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <parexec/version.h>
#include <parexec/worker.h>

#include "shared/bell.h"
#include "shared/block.h"
#include "shared/crash.h"
#include "shared/fence.h"
#include "shared/lane.h"
#include "shared/limit.h"
#include "shared/map.h"
#include "shared/output.h"
#include "shared/queue.h"
#include "shared/record.h"
#include "shared/slot.h"

/* Sizes that decide the layout. */
struct pe__geometry {
    uint32_t workers_most; /* worker numbers there is room for; how many there are is for host and keeper to know */
    uint32_t records; /* of each level of the queue, a power of two */
    uint32_t keep_fd_count;
    uint64_t output_bytes; /* kept of what a job writes, whole pages; 0: none */
    uint64_t region_bytes; /* of the table that each worker number measures into, whole pages; 0: none; wished */
    uint64_t reply_bytes; /* wished budget of the reply blocks */
    uint64_t heap_bytes;  /* wished */
};

/* By these a program that looks in from outside (top/attach.c) knows the memory of a pool, and that it is laid out as
 * in its own version of the library. */
#define PE__MAPPING_MAGIC UINT64_C(0x706f6f6c2d657270)
#define PE__MAPPING_LAYOUT \
    ((uint64_t)PE_VERSION_NUMBER << 32 | (uint64_t)(sizeof(struct pe__config) + 7 * sizeof(struct pe__slot) + \
                                                    31 * sizeof(struct pe__lane) + 127 * sizeof(struct pe__map)))

/* What keeper and workers need to know; constant once the keeper is forked, but for `workers`, `region_mode` and the
 * last three. */
struct pe__config {
    uint64_t magic, layout;
    struct pe__geometry geometry; /* as it was had */
    uint64_t born;                /* ticks: when the pool was made */
    _Atomic uint32_t workers;     /* wanted: those with other numbers leave */
    _Atomic uint32_t region_mode; /* whether and how regions are measured (region/mode.h) */
    uint32_t region_labels, region_nodes, region_segments; /* the sizes of a table; 0: there is none */
    uint32_t pool;                /* of this program's, counted from 1 */
    uint32_t flags;
    uint32_t cpus;
    uint32_t max_deaths;
    uint32_t keep_fd_count;
    uint32_t inner_threads; /* 0: not limited */
    uint32_t affinity;      /* 0: workers are not pinned */
    uint32_t depth; /* pools around this one: 0 in a program, 1 in a pool's worker, ... */
    uint64_t jobs_per_worker;
    uint64_t memory_limit_bytes;
    uint64_t rss_limit_bytes;
    uint64_t max_reply_bytes;
    int64_t grace_ns, idle_ns;
    pe_worker_fn *worker_init, *worker_exit;
    void *worker_context;
    pid_t host_pid;
    sigset_t host_mask; /* of the creating thread, for PE_POOL_KEEP_SIGNALS */
    _Atomic uint32_t stop __attribute__((aligned(64))); /* workers leave when the queue is empty */
    _Atomic int32_t host_cpu; /* where the host waits: not a good place to spin */
    _Atomic uint32_t deadlines; /* records in flight that have one */
};

/* Counted by the keeper, shown in statistics, believed by nobody. */
struct pe__keeper_counts {
    _Atomic uint64_t restarts, recycled, retired;
    _Atomic uint32_t death_kind; /* of the last worker that died though it was not to end; written last of these */
    _Atomic int32_t death_code, death_pid, death_worker;
    _Atomic uint32_t sleeps; /* 1: it wants to be rung by a worker that wakes up; set to 0 by that one */
    uint32_t pad0;
    uint64_t pad1[2];
};

struct pe__shared {
    unsigned char *base;
    size_t bytes;
    int memfd; /* -1: anonymous */
    struct pe__geometry geometry;
    /* read-only to keeper and workers */
    size_t readonly_bytes;
    struct pe__config *config;
    struct pe__queue_tail *tails; /* of each level */
    struct pe__map *maps;
    int32_t *keep_fds;
    int32_t *pins; /* with affinity: the CPU of each worker number */
    /* shared */
    struct pe__keeper_counts *counts;
    struct pe__limit_watch *watch;
    struct pe__queue_head *heads; /* of each level */
    _Atomic uint64_t *host_waits;
    struct pe__bell_group *groups;
    struct pe__slot *slots;
    struct pe__crash *crashes; /* one for each worker */
    struct pe__map_live *lives;
    struct pe__lane *lanes; /* PE__MAPS_MAX * workers_most */
    struct pe__record *records;
    struct pe__record_more *records_more;
    unsigned char *texts; /* PE_TEXT_BYTES_MAX for each record */
    unsigned char *outputs; /* struct pe__output, with the geometry's output_bytes, for each record */
    unsigned char *regions; /* a table (region/table.h) for each worker number */
    _Atomic uint64_t *block_words;
    struct pe__block_table blocks;
    unsigned char *heap;
    size_t heap_bytes;
#ifdef PE__TEST_HOOKS
    struct pe__fences fences;
#endif
};

/* Lays the parts out for a geometry, relative to base NULL; `ret->bytes` tells the total. */
void pe__mapping_plan(struct pe__shared *ret, const struct pe__geometry *geometry);

/* Reserves and maps anonymous memory, trying smaller budgets where the wished ones are refused. 0 or an
 * error. */
int pe__mapping_new(struct pe__shared *ret, const struct pe__geometry *geometry);

/* The same, as a memory file over the reserved range [at, at + at_bytes); the view's memfd is to be sent
 * to the seed. */
int pe__mapping_new_at(struct pe__shared *ret, const struct pe__geometry *geometry, void *at, size_t at_bytes);

/* Maps another process's memory file at the same address, over a range that was reserved there. */
int pe__mapping_attach(struct pe__shared *ret, const struct pe__geometry *geometry, void *at, int memfd);

/* Unmaps; a range that was reserved beforehand becomes a reservation again. */
void pe__mapping_fini(struct pe__shared *shared);

/* Gives the pages of a range back to the system; they read as zero when touched again. */
void pe__mapping_discard(void *memory, size_t bytes);

/* In the keeper, and so in the workers that it forks: what only the host writes becomes read-only. */
int pe__mapping_protect(struct pe__shared *shared);

/* Of all levels. */
static inline uint32_t pe__mapping_records(const struct pe__shared *shared)
{
    return PE__QUEUE_LEVELS * shared->geometry.records;
}

static inline struct pe__lane *pe__mapping_lanes(const struct pe__shared *shared, uint32_t map)
{
    return &shared->lanes[(size_t)map * shared->geometry.workers_most];
}

static inline unsigned char *pe__mapping_text(const struct pe__shared *shared, uint32_t record)
{
    return &shared->texts[(size_t)record * PE_TEXT_BYTES_MAX];
}

/* From one record's output to the next; whole pages. */
static inline size_t pe__mapping_output_stride(const struct pe__geometry *geometry)
{
    return geometry->output_bytes != 0 ? geometry->output_bytes + 4096 : 0;
}

static inline unsigned char *pe__mapping_regions(const struct pe__shared *shared, uint32_t worker)
{
    return shared->regions + worker * shared->geometry.region_bytes;
}

static inline struct pe__output *pe__mapping_output(const struct pe__shared *shared, uint32_t record)
{
    return (struct pe__output *)(void *)&shared->outputs[record * pe__mapping_output_stride(&shared->geometry)];
}

#endif
