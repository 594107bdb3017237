/*
 * record.h - the job record and its claim word.
 *
 * A record is in exactly one phase, told by one 64-bit word {sequence:40, owner:16, phase:8} that is only
 * ever moved by compare-and-swap of the whole word (but for the host, which alone touches a record that is
 * FREE, never used so far, or final):
 *
 *     FREE -> QUEUED                                  host, once everything else in the record is written
 *     QUEUED -> RUNNING(owner)                        worker: the claim; ownership is the same instruction
 *     QUEUED -> CANCELLED                             host
 *     QUEUED -> TIMED_OUT(nobody)                     keeper, when its deadline has passed
 *     RUNNING(owner) -> TIMED_OUT(nobody)             worker: its deadline had passed, and it was not begun
 *     RUNNING(owner) -> DONE                          worker, once the result is written
 *     RUNNING(owner) -> STOPPING(owner)               keeper, before it signals the owner
 *     RUNNING(owner) -> CRASHED | EXITED | OUT_OF_MEMORY   keeper, once the owner is reaped
 *     STOPPING(owner) -> TIMED_OUT | CANCELLED        keeper, once the owner is reaped
 *     any final phase -> QUEUED                       host, after taking the result over, for the next use
 *
 * Who writes the other fields:
 *     "host" fields     the host while FREE or final; constant from QUEUED to a final phase
 *     "worker" fields   the owner while RUNNING
 *     "ending" fields   the owner before its swap to DONE, or the keeper, after the owner was reaped, before its swap
 *     asked             the host and the keeper, any time: the sequence of the use that is asked to stop. It only ever
 *                       grows, so whoever is late with it asks a use that has ended, and never the next one
 *     attempts          the host, to 0, with its other fields; then the keeper, between the reaping of one owner and
 *                       the fork of the next
 *
 * Orders. Every swap is at least acquire-release: the release half publishes the fields written before it,
 * the acquire half of the next party's swap (or the host's acquire load of a final phase) makes them visible.
 * The claim and the completion are sequentially consistent, since both are followed by a look at an
 * announcement (see bell.h) that must not move in front of them.
 *
 * A death before the claim's swap leaves QUEUED: somebody else claims. A death after it leaves
 * RUNNING(owner), with the result fields in any state: the keeper overwrites the ending and nobody reads the
 * rest. A death after the completion's swap leaves a whole result. The keeper finds what a dead worker held
 * by its slot's hint, which is stored before the claim, and by a scan of all words where the hint does not
 * fit.
 *
 * A record may be for one worker alone (pool/broadcast.c): it waits as QUEUED with that worker's number + 1 in the
 * place of the owner. No other worker's claim fits that word, so to all of them its position of the queue is one that
 * does not wait. Its own worker is told by an order in its slot, which is a hint and no more: the word alone tells
 * whether it is still to be run. A worker clears the order once it has looked; one that dies before that, in front of
 * its claim or behind it, leaves it to the next of its number, who finds the word as it is.
 */
#ifndef PE__SHARED_RECORD_H
#define PE__SHARED_RECORD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <parexec/job.h>

enum pe__record_phase {
    PE__RECORD_FREE = 0,
    PE__RECORD_QUEUED = 1,
    PE__RECORD_RUNNING = 2,
    PE__RECORD_STOPPING = 3,
    PE__RECORD_DONE = 4,
    PE__RECORD_CRASHED = 5,
    PE__RECORD_EXITED = 6,
    PE__RECORD_TIMED_OUT = 7,
    PE__RECORD_CANCELLED = 8,
    PE__RECORD_OUT_OF_MEMORY = 9,
};

#define PE__RECORD_SEQUENCE_MASK ((UINT64_C(1) << 40) - 1)
#define PE__RECORD_INDEX_BITS 24
#define PE__RECORD_NEAR_BYTES 8    /* an argument or reply up to this size lies beside the word */
#define PE__RECORD_INLINE_BYTES 64 /* up to this size it lies in the rest of the record */
#define PE__RECORD_FAR UINT16_MAX  /* as a length: see the rest of the record */
#define PE__RECORD_NO_REPLY (UINT16_MAX - 1)
#define PE__RECORD_NO_BLOCK UINT32_MAX
#define PE__RECORD_HAS_OUTPUT 0x8000 /* in text_bytes: there is output as well */
#define PE__RECORD_TICKET_AGAIN 1 /* as a ticket's code: there may be more for its lane, so it is to be queued again */
#define PE__RECORD_NOBODY 0xffff /* as the owner of an ending: it was never begun */

/* All that a small job needs; it travels to the worker and back once. */
struct pe__record {
    _Atomic uint64_t word;
    pe_job_fn *fn;        /* host; NULL: a ticket, which serves lane `lane` of map `map` to the map's end */
    uint64_t start_ticks; /* host: when it was queued; worker: when it was begun */
    uint64_t end_ticks;   /* ending */
    uint16_t arg_short;   /* host: bytes of the argument, or FAR */
    uint16_t reply_short; /* ending: bytes of the reply, or FAR, or NO_REPLY */
    uint16_t text_bytes;  /* ending; with HAS_OUTPUT */
    uint16_t limits;      /* host: PE__LIMIT_* (limit.h) */
    int32_t code; /* ending; of a ticket that is DONE: 0 or TICKET_AGAIN */
    int32_t pid;  /* ending */
    union {
        unsigned char arg[PE__RECORD_NEAR_BYTES]; /* host */
        struct {
            uint16_t map, lane; /* host, of a ticket */
        };
    };
    unsigned char reply[PE__RECORD_NEAR_BYTES]; /* worker */
};

/* What larger jobs need besides. Zeros, as far as the host leaves it alone. */
struct pe__record_more {
    unsigned char arg[PE__RECORD_INLINE_BYTES];   /* host */
    unsigned char reply[PE__RECORD_INLINE_BYTES]; /* worker */
    uint64_t arg_bytes;                           /* host, like the next two */
    const void *arg_block;
    _Atomic int64_t timeout_ns; /* host, where `limits` says so, like the next one */
    _Atomic int64_t deadline_ns;
    uint32_t retries; /* host */
    _Atomic uint32_t attempts;
    _Atomic uint64_t asked;
    uint64_t reply_bytes; /* ending, like the rest */
    uint32_t reply_block;
    int32_t stop_signal;
};

_Static_assert(sizeof(struct pe__record) == 64, "a record is a cache line");
_Static_assert(sizeof(struct pe__record_more) == 192, "three more");

static inline bool pe__record_is_ticket(const struct pe__record *record)
{
    return record->fn == NULL;
}

static inline uint64_t pe__record_word(uint64_t sequence, uint32_t owner, enum pe__record_phase phase)
{
    return sequence << 24 | (uint64_t)(owner & 0xffff) << 8 | (uint64_t)phase;
}

static inline uint64_t pe__record_sequence(uint64_t word)
{
    return word >> 24;
}

static inline uint32_t pe__record_owner(uint64_t word)
{
    return (uint32_t)(word >> 8) & 0xffff;
}

static inline uint32_t pe__record_phase(uint64_t word)
{
    return (uint32_t)(word & 0xff);
}

/* Names one use of one record, never 0; what a reply block is marked with. */
static inline uint64_t pe__record_use(uint64_t sequence, uint32_t index)
{
    return sequence << PE__RECORD_INDEX_BITS | index;
}

/* The same among all pools of a program, as good as unique: the number of an arrow from its submission to its run. */
static inline uint64_t pe__record_flow(uint32_t pool, uint64_t sequence, uint32_t index)
{
    return (uint64_t)pool << 52 | (pe__record_use(sequence, index) & ((UINT64_C(1) << 52) - 1));
}

static inline bool pe__record_is_final(uint64_t word)
{
    return pe__record_phase(word) >= PE__RECORD_DONE;
}

/* The owner's death, not by the keeper's hand, ended it. */
static inline bool pe__record_is_crash(uint32_t phase)
{
    return phase == PE__RECORD_CRASHED || phase == PE__RECORD_EXITED || phase == PE__RECORD_OUT_OF_MEMORY;
}

/* True while a worker owns the record. */
static inline bool pe__record_is_held(uint64_t word)
{
    uint32_t phase = pe__record_phase(word);
    return phase == PE__RECORD_RUNNING || phase == PE__RECORD_STOPPING;
}

static inline bool pe__record_swap(struct pe__record *record, uint64_t from, uint64_t to)
{
    return atomic_compare_exchange_strong_explicit(&record->word, &from, to, memory_order_seq_cst,
                                                   memory_order_relaxed);
}

#endif
