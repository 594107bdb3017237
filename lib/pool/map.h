/* map.h - a map's way from its call to its last item, and the host's private book on it. */
#ifndef PE__POOL_MAP_H
#define PE__POOL_MAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <parexec/pool.h>

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

void pe__map_adopt_orphans(pe_pool *pool); /* between collections, as often as one likes */
void pe__map_ticket_ended(pe_pool *pool, pe_job *job, uint32_t lane, uint64_t word);
void pe__map_finish(pe_pool *pool, pe_job *job, uint32_t rest); /* items still open end as `rest` */
void pe__map_cancel(pe_pool *pool, pe_job *job);
uint32_t pe__map_target(pe_pool *pool, void *job); /* what a wait for it is worth waking up for */
void pe__map_cancel_if_queued(pe_pool *pool, pe_job *job);
void pe__map_free(pe_job *job);
int pe__map_check(struct pe__map_job *wanted, const pe_map_options *options); /* what it asks for; fills in options */
/* For maps and reduces, and what they have in common with streams. */
int pe__map_check_options(const pe_map_options *given, pe_map_options *ret_options);
int pe__map_check_common(const pe_map_options *given, pe_map_options *ret_options);

#endif
