/*
 * job.h - the host's private side of a job: the handle that the user holds.
 *
 * A million handles may be held at once, and each costs the memory that it touches: what a small job needs is one
 * cache line. Larger arguments and results, messages, callbacks and maps have a second part, `more`.
 *
 * All fields are guarded by the pool's mutex until `ended` is set (release), the last store that ends a job. From
 * then on its ending and its result are constant until pe_job_free, which is the handle's last use: whoever sees
 * `ended` (acquire) may read them without the mutex. `more` itself may still come, with a late callback; its fields
 * for the result do not change then.
 */
#ifndef PE__POOL_JOB_H
#define PE__POOL_JOB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <parexec/pool.h>

#include "base/list.h"

/* Replies up to this size are kept in the handle's line. */
#define PE__JOB_SMALL_BYTES 8

struct pe__map_job;
struct pe__texts;

/* Zeros where not in use. */
struct pe__job_more {
    pe_job *job;
    struct pe__map_job *map;       /* of a map */
    struct pe__base_list maps;     /* of the pool's maps, while it has not ended */
    struct pe__base_list callbacks; /* of struct pe__callback, while the job is live */
    struct pe__base_list *watches; /* of a map, the first of a ring (pool/listen.h); NULL: none */
    uint32_t callback_count;       /* not yet run; together they hold one reference */
    void *arg_block;               /* in the heap */
    const void *data;              /* the result, unless it is small */
    size_t data_bytes;
    void *owned;                   /* malloc'ed copy that `data` lies in */
    bool has_block;                /* `data` lies in the shared block `block` */
    uint32_t block;
    struct pe__texts *texts;       /* NULL: none */
};

struct pe_job {
    _Alignas(64) pe_pool *pool;
    struct pe__job_more *more; /* NULL: nothing of it is needed */
    _Atomic bool ended;
    bool detached;     /* nobody will ask for the result */
    bool in_ring;      /* occupies record `record` */
    bool is_map;
    bool has_result;
    uint8_t small_bytes; /* the result is in `small`; PE__JOB_NOT_SMALL: in `more` */
    uint8_t refs;        /* the user's handle, the pool until it has ended, callbacks */
    /* how it ended, without what is the same for every job */
    uint8_t kind;
    int32_t code;
    uint32_t attempts;
    union {
        uint32_t record; /* while in_ring */
        int32_t pid;
    };
    int16_t worker;
    uint8_t stop_signal;
    uint8_t pad;
    uint64_t queued; /* ticks; until it has ended, when it was submitted */
    int64_t run;     /* ticks, until somebody asks; of a map nanoseconds */
    union {
        _Alignas(8) unsigned char small[PE__JOB_SMALL_BYTES];
        pe_job *next_free; /* in its slab */
    };
};

#define PE__JOB_NOT_SMALL UINT8_MAX

_Static_assert(sizeof(struct pe_job) == 64, "a handle is one cache line");

/* With or without the mutex; with acquire, so that all that was written before is seen. */
static inline bool pe__job_has_ended(const pe_job *job)
{
    return atomic_load_explicit(&job->ended, memory_order_acquire);
}

static inline struct pe__map_job *pe__job_map(const pe_job *job)
{
    return job->more->map;
}

/* The job that stands in a list of maps. */
static inline pe_job *pe__job_of_map(struct pe__base_list *maps)
{
    return PE__BASE_LIST_ENTRY(maps, struct pe__job_more, maps)->job;
}

/* A handle with two references, all of it set; NULL: no memory. */
pe_job *pe__job_new(pe_pool *pool);

/* The second part, made when there is none; NULL: no memory. */
struct pe__job_more *pe__job_more(pe_job *job);

/* Keeps a copy of a text, as pe__texts_add does. */
void pe__job_keep_text(pe_job *job, uint32_t which, const void *text, size_t bytes);

/* Ends one that was never begun. */
void pe__job_drop(pe_job *job);

/* A job is live from begin to end; unref never destroys the pool, whose own reference is the caller's. */
void pe__job_begin(pe_pool *pool, pe_job *job, uint64_t arg_bytes);
void pe__job_end(pe_pool *pool, pe_job *job, uint64_t result_bytes);
void pe__job_unref(pe_pool *pool, pe_job *job);
bool pe__job_is_ready(pe_pool *pool, void *job); /* for a struct pe__wait: it has ended */
void pe__job_wait_surely(pe_job *job); /* neither a time nor an interrupt ends it */

#endif
