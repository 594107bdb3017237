/*
 * ring.h - the queue: record numbers in the order of submission.
 *
 * Entries {sequence:40, record:24} and the tail are written by the host alone (under its mutex) and sit in
 * pages that workers map read-only. The head is a hint that any worker may push forward past entries whose
 * record is no longer QUEUED with the entry's sequence; it never passes one that is, because a worker
 * advances only over entries it has looked at. A head that is too low (its writer died, or lost the race)
 * costs looks, never jobs; one that a hostile worker pushed too high starves that pool's jobs, which the host
 * notices by itself (pool/collect.c).
 *
 * Orders. The entry is written before the tail (release); a worker reads the tail (acquire), then the entry.
 * The tail's store is sequentially consistent because the host next looks at the announcements of sleepers
 * (bell.h). The host reuses the slot of entry t for t + N only when the record of t is no longer QUEUED with
 * that sequence, judged from its private copy: a free record is not a free ring slot. The head needs no
 * order: what a worker finds through it is always judged by the claim word's own swap.
 */
#ifndef PE__SHARED_RING_H
#define PE__SHARED_RING_H

#include <stdatomic.h>
#include <stdint.h>

#define PE__RING_RECORD_BITS 24
#define PE__RING_RECORDS_MAX (UINT32_C(1) << PE__RING_RECORD_BITS)

static inline uint64_t pe__ring_entry(uint64_t sequence, uint32_t record)
{
    return sequence << PE__RING_RECORD_BITS | record;
}

static inline uint32_t pe__ring_record(uint64_t entry)
{
    return (uint32_t)(entry & (PE__RING_RECORDS_MAX - 1));
}

static inline uint64_t pe__ring_sequence(uint64_t entry)
{
    return entry >> PE__RING_RECORD_BITS;
}

#endif
