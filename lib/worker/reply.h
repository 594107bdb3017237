/*
 * reply.h - the bytes a job gives back: they start in a small place and move to larger ones as they grow.
 *
 * Where larger places come from is the owner's business (shared blocks in a worker, malloc in an inline
 * pool). The first failure sticks: later writes fail too, and the job's code becomes that error.
 */
#ifndef PE__WORKER_REPLY_H
#define PE__WORKER_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <parexec/job.h>

#include "base/forked.h"

struct pe_reply {
    unsigned char *data;
    size_t bytes;
    size_t capacity;
    size_t limit; /* most bytes allowed */
    int error;
    bool written; /* a reply of no bytes differs from no reply */
    /* Moves the data to a place of at least `bytes`; sets data and capacity. 0 or an error. */
    int (*grow)(struct pe_reply *reply, size_t bytes);
    void *owner; /* whoever grows it */
    uint64_t token; /* of the worker (base/forked.h): its children may not write to it; 0: nobody asks */
};

static inline bool pe__reply_is_of_parent(const struct pe_reply *reply)
{
    return reply->token != 0 && pe__base_forked(reply->token);
}

#endif
