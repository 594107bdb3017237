/* message.h - what host and keeper say to each other over their socket, one packet each. */
#ifndef PE__KEEPER_MESSAGE_H
#define PE__KEEPER_MESSAGE_H

#include <stdint.h>

enum pe__message_type {
    /* host to keeper */
    PE__MESSAGE_STOP_JOB = 1, /* record, sequence, grace_ns, phase: CANCELLED or TIMED_OUT */
    PE__MESSAGE_LEAVE = 2,    /* workers are leaving by themselves: replace none, end when all have gone */
    PE__MESSAGE_KILL = 3,     /* grace_ns: end all workers, then yourself */
    PE__MESSAGE_RESIZE = 4,   /* value: a number for this order; record: so many workers are wanted */
    PE__MESSAGE_START = 5,    /* value: the number of a worker that left for want of work, or PE__MESSAGE_ALL */
    PE__MESSAGE_LOOK = 6,     /* a deadline comes sooner than you would wake: this has woken you */
    /* keeper to host */
    PE__MESSAGE_HELLO = 7,    /* value: the keeper's pid; < 0: the error for which it ends at once */
    PE__MESSAGE_FAILED = 8,   /* value: the error pe_pool_new is to return; the keeper ends */
    PE__MESSAGE_RESIZED = 9,  /* value: the number of the order; no process is left of those not wanted */
    PE__MESSAGE_GONE = 10,    /* every worker has been reaped; the keeper ends */
    PE__MESSAGE_BROKEN = 11,  /* too many deaths in a row, or no worker can be forked: the keeper ends */
};

#define PE__MESSAGE_ALL (-1)

struct pe__message {
    uint32_t type;
    uint32_t record;
    uint64_t sequence;
    int64_t grace_ns;
    uint32_t phase;
    int32_t value;
};

#endif
