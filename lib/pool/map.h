/* map.h - a map from its call to its end, and the host's private book on it. */
#ifndef PE__POOL_MAP_H
#define PE__POOL_MAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <parexec/pool.h>

#include "shared/limit.h"

struct pe__item_detail;
struct pe__texts;

/* How an item that did not simply return 0 ended; private, in the order of items. */
struct pe__map_failure {
    pe_status status;
    struct pe__texts *texts; /* NULL: none */
};

#define PE__MAP_TICKET_ENDED UINT32_MAX
/* To be queued: it was held back so far, or its worker died and has no successor. */
#define PE__MAP_TICKET_ORPHANED (UINT32_MAX - 1)

struct pe__map_job {
    /* as the caller gave it */
    pe_map_fn *fn;
    const unsigned char *in;
    unsigned char *out;
    size_t in_bytes, out_bytes, count;
    pe_map_options options;
    bool keeps_handle; /* started by pe_pool_start_map: items may be asked for later */
    bool never_waits;  /* for a place: PE_EAGAIN instead */
    int give_up;       /* not 0: it is not to begin any more, and its items are to have their endings */
    uint64_t start_ticks;
    /* while it runs */
    bool running;
    uint32_t index; /* of its descriptor */
    uint32_t lanes;
    uint32_t ticketed; /* lanes whose tickets have been queued */
    uint32_t tickets;  /* queued and not ended */
    bool cancelled;   /* by the caller, not by on_error */
    int cut;          /* why it ended early when it ran inline: PE_ETIMEDOUT, PE_EINTR, 0 */
    void *block;      /* in the heap: everything below */
    unsigned char *shared_in, *shared_out;
    _Atomic uint8_t *state;
    struct pe__item_detail *detail;
    unsigned char *texts;
    uint64_t text_bytes;
    unsigned char *outputs;
    uint64_t outputs_bytes; /* 0: none are kept */
    int64_t progress_due_ns;
    /* once it has ended */
    pe_map_summary summary;
    int result; /* of pe_pool_map: 0, PE_EITEMS, PE_ECANCELED, PE_EBROKEN */
    struct pe__map_failure *failures;
    size_t failure_count;
    bool failures_lost; /* no memory to keep them */
    uint32_t records[]; /* of each lane's ticket, or PE__MAP_TICKET_* */
};

static inline bool pe__map_has_record(const struct pe__map_job *map, uint32_t lane)
{
    return map->records[lane] < PE__MAP_TICKET_ORPHANED;
}

/* Of a map that its caller does not wait for; 0: none. */
static inline int64_t pe__map_deadline(const struct pe__map_job *map)
{
    return map->keeps_handle && map->options.deadline_ns != PE_FOREVER ? map->options.deadline_ns : 0;
}

static inline uint32_t pe__map_limits(const struct pe__map_job *map)
{
    return (map->options.timeout_ns != 0 ? PE__LIMIT_TIMEOUT : 0) |
           (pe__map_deadline(map) != 0 ? PE__LIMIT_DEADLINE : 0);
}

void pe__map_finish(pe_pool *pool, pe_job *job, uint32_t rest); /* items still open end as `rest` */
void pe__map_cancel(pe_pool *pool, pe_job *job);
void pe__map_cancel_if_queued(pe_pool *pool, pe_job *job);
void pe__map_free(pe_job *job);

#endif
