/*
 * queue.h - the order of submission: the records themselves, in a ring for each level of priority.
 *
 * The levels are numbered as PE_PRIORITY_* are, and each has N records (a power of two) of its own: those of level l
 * begin at record l * N, and are address space only while the level is not used. Position p of a level's queue is
 * its record p mod N in its use number p / N + 1, and it waits exactly while that record's word is QUEUED with that
 * sequence. So there are no entries beside the records, and a job travels to its worker in the one line that it is.
 * The host, under its mutex, pushes at the tail: it fills the record, stores the word, then the tail. A position whose
 * record is still busy with an older job is left out.
 *
 * Workers look at positions from their own cursor on. At position p the word tells: QUEUED with p's sequence, then
 * it can be claimed; anything else, and p is below a tail that was read before the word, then p was claimed,
 * cancelled or left out, and is passed for good; otherwise it may be pushed any moment. The tail has to be read
 * before the word that lets p be passed: a word that is read first may be older than the push.
 *
 * The host never lets the tail go further than N beyond the oldest position that waits, judged from its private
 * book, so a worker that finds the tail more than N ahead may start N below it. The head is a hint that any worker
 * may push forward to where it has looked; it never passes a position that waits, because a worker advances only
 * over positions that it has looked at, or that the head had passed before. A head that is too low (its writer died,
 * or lost the race) costs looks, never jobs; one that a hostile worker pushed too high starves that pool's jobs, which
 * the host notices by itself (pool/doubt.c).
 *
 * All of this holds for each level by itself. What joins them is the order in which a free worker looks: at the level
 * above the normal one by its tail, at the normal one, then at the one below. It goes to sleep only when it has
 * found nothing at any of them since it announced it. Tail and head of each level have a line of their own: a look at
 * a level that nobody pushes to is a load from the worker's own cache, and the normal level's tail, which the host
 * writes all the time, is left alone until what was seen of it is done.
 *
 * Orders. The word is stored with release after the record's fields, the tail after the word; a worker reads the
 * tail with acquire or more, and claims by an acquiring swap of the word. The tail's store is sequentially consistent
 * because the host next looks at the announcements of sleepers (bell.h). The head needs no order: what a worker
 * finds through it is always judged by the claim word's own swap.
 */
#ifndef PE__SHARED_QUEUE_H
#define PE__SHARED_QUEUE_H

#include "shared/record.h"

#define PE__QUEUE_LEVELS 3

/* Behind the last position pushed. */
struct pe__queue_tail {
    _Atomic uint64_t tail;
    uint64_t pad[7];
};

/* No position below it waits. */
struct pe__queue_head {
    _Atomic uint64_t head;
    uint64_t pad[7];
};

/* `records` is N, the number of each level. */
static inline uint32_t pe__queue_record(uint32_t level, uint64_t position, uint32_t records)
{
    return level * records + ((uint32_t)position & (records - 1));
}

/* The level whose record it is. */
static inline uint32_t pe__queue_level(uint32_t record, uint32_t records)
{
    return record >> __builtin_ctz(records);
}

/* From 1 on, so that the zeros of fresh memory are no use of any record. */
static inline uint64_t pe__queue_sequence(uint64_t position, uint32_t records)
{
    return ((position >> __builtin_ctz(records)) + 1) & PE__RECORD_SEQUENCE_MASK;
}

#endif
