#ifndef PE__TEST_SCENE_H
#define PE__TEST_SCENE_H

/*
 * A pool one of whose workers writes where it should not, for tests that link the library with hooks: every part of the
 * mapping lies between pages that nobody may touch. Jobs see all of it through what they share with the test.
 */

#include <stddef.h>
#include <stdint.h>

#include "harness/harness.h"
#include "pool/pool.h"

#define WORKERS 3
#define PAGE    4096
#define ITEMS   64
#define LIMIT   100000 /* of a reply's bytes */

struct scene {
    struct pe__shared view;
    struct pe__region_geometry regions; /* of each worker's table */
    _Atomic uint32_t stop;   /* blockers and scribblers leave */
    _Atomic uint32_t inside; /* of those that have begun */
    _Atomic uint32_t passed; /* workers that have gone past the record that is to be forged */
    _Atomic uint32_t go;     /* all others have, and nothing of their jobs is left */
    uint64_t value;
    void *state, *detail;
};

extern struct scene *scene;

struct scene_options {
    int64_t idle_ns;
    int keeper_sleeps; /* for want of output to look at */
};

pe_pool *scene_begin(void);
pe_pool *scene_begin_with(struct scene_options wanted);
void scene_end(pe_pool *pool);

/* Memory that ends where a forbidden page begins. */
void *fenced(size_t bytes);
void unfence(void *memory, size_t bytes);

/* The argument of the job is the value. */
pe_job *scene_submit(pe_pool *pool, pe_job_fn *fn, uint64_t value);
pe_job *scene_submit_limited(pe_pool *pool, pe_job_fn *fn, uint64_t value, int64_t timeout_ns);
uint64_t value_of(const void *arg);
/* Whatever it says it is, it can be read. */
uint64_t read_all(const void *data, size_t bytes);

/* Waits until so many have counted themselves in. */
void scene_await_inside(uint32_t count);
/* So many workers have a job that never ends. */
void scene_keep_busy(pe_pool *pool, uint32_t workers);
/* Statistics may be wrong, but not impossible. */
void scene_assert_figures(const pe_pool *pool, int64_t age_ns);

/* ---- what runs in workers ---- */

/* Of the record that the calling worker runs. */
uint32_t scene_own_index(void);
/* Ends its own record as it likes, and stays. */
void scene_end_as(uint64_t sequence_more, uint32_t owner, uint32_t phase);
/* All of the mapping, fences and what only the host writes too. */
void scene_make_writable(const struct pe__shared *view);
/* Replies with its argument. */
int job_short(const void *arg, size_t arg_bytes, pe_reply *reply);
/* Counts itself in, and stays. */
int job_stays(const void *arg, size_t arg_bytes, pe_reply *reply);

#endif
