/* regions.c - the built-in regions of workers. */
#include "worker/regions.h"

#include <stdio.h>

#include <parexec/job.h>

#include "region/builtin.h"
#include "region/record.h"
#include "region/source.h"

static pe_region_site init_site = PE__BUILTIN(PE_SITE_REGION, "pe.init");
static pe_region_site run_site = PE__BUILTIN(PE_SITE_REGION, "pe.run");
static pe_region_site queue_site = PE__BUILTIN(PE_SITE_REGION, "pe.queue");
static pe_region_site idle_site = PE__BUILTIN(PE_SITE_REGION, "pe.idle");
static pe_region_site bytes_in_site = PE__BUILTIN(PE_SITE_COUNTER, "pe.bytes in");
static pe_region_site bytes_out_site = PE__BUILTIN(PE_SITE_COUNTER, "pe.bytes out");

static void mark_death(uint32_t kind)
{
    static pe_region_site crashed = PE__BUILTIN(PE_SITE_MARK, "pe.crash: crashed");
    static pe_region_site exited = PE__BUILTIN(PE_SITE_MARK, "pe.crash: exited");
    static pe_region_site timed_out = PE__BUILTIN(PE_SITE_MARK, "pe.crash: timed out");
    static pe_region_site cancelled = PE__BUILTIN(PE_SITE_MARK, "pe.crash: cancelled");
    static pe_region_site out_of_memory = PE__BUILTIN(PE_SITE_MARK, "pe.crash: out of memory");
    switch (kind) {
    case PE_CRASHED: pe_region_mark(&crashed); break;
    case PE_EXITED: pe_region_mark(&exited); break;
    case PE_TIMED_OUT: pe_region_mark(&timed_out); break;
    case PE_CANCELLED: pe_region_mark(&cancelled); break;
    case PE_OUT_OF_MEMORY: pe_region_mark(&out_of_memory); break;
    default: break;
    }
}

/* If it is on now. Pools that jobs make are told, too. */
static void begin_measuring(struct pe__worker *worker)
{
    pe__region_sources_follow(pe_region_on);
    if (pe_region_on == 0)
        return;
    mark_death(worker->regions.death);
    worker->regions.death = 0;
}

void pe__worker_regions_begin(struct pe__worker *worker, uint32_t death)
{
    const struct pe__config *config = worker->shared->config;
    struct pe__region_geometry geometry = { .labels = config->region_labels,
                                            .nodes = config->region_nodes,
                                            .segments = config->region_segments };
    char name[PE__REGION_THREAD_BYTES];
    worker->regions.death = death;
    worker->regions.followed = atomic_load_explicit(&config->region_mode, memory_order_relaxed);
    if (geometry.nodes == 0) {
        pe__region_mode_set(0);
        return;
    }
    snprintf(name, sizeof name, "worker %u", worker->index);
    pe__region_begin(pe__mapping_regions(worker->shared, worker->index), &geometry, name, worker->regions.followed);
    if (worker->regions.followed != 0)
        begin_measuring(worker);
}

void pe__worker_regions_begin_init(struct pe__worker *worker)
{
    worker->regions.runs = pe_region_on != 0;
    if (worker->regions.runs)
        pe_region_enter_site(&init_site);
}

void pe__worker_regions_end_init(struct pe__worker *worker)
{
    if (worker->regions.runs)
        pe_region_leave_site(&init_site);
    worker->regions.runs = false;
}

/* True: measuring has just begun, and nothing is known of what was before. */
static bool follow(struct pe__worker *worker)
{
    uint32_t mode = atomic_load_explicit(&worker->shared->config->region_mode, memory_order_relaxed);
    if (mode == worker->regions.followed)
        return false;
    bool was_off = pe_region_on == 0;
    worker->regions.followed = mode;
    pe__region_mode_set(mode);
    begin_measuring(worker);
    return was_off;
}

/* What it has done last may have ended before the next record was queued. */
static void add_queue(uint64_t from, uint64_t to)
{
    if (from != 0)
        pe__region_add(&queue_site, from < to ? from : to, to);
}

static void add_idle(uint64_t from, uint64_t to)
{
    if (from != 0 && from < to)
        pe__region_add(&idle_site, from, to);
}

/* Of all pools of the program. */
static uint64_t flow_of(const struct pe__worker *worker)
{
    return pe__record_flow(worker->shared->config->pool, pe__record_sequence(worker->word), worker->record_index);
}

void pe__worker_regions_begin_record(struct pe__worker *worker, bool claimed, uint64_t now)
{
    const struct pe__record *record = &worker->shared->records[worker->record_index];
    bool fresh = follow(worker);
    if (pe_region_on == 0)
        return;
    if (!fresh)
        add_idle(atomic_load_explicit(&worker->slot->free, memory_order_relaxed), now);
    if (claimed)
        add_queue(record->start_ticks, now);
    worker->regions.runs = true;
    worker->regions.served = worker->served;
    pe_region_enter_site(&run_site);
    if (claimed)
        pe__region_flow(&run_site, PE__EVENT_FLOW_IN, flow_of(worker));
}

static void count_bytes(const struct pe__worker *worker, const struct pe__record *record)
{
    const struct pe__shared *shared = worker->shared;
    uint64_t in, out;
    if (!pe__record_is_ticket(record)) {
        in = record->arg_short != PE__RECORD_FAR ? record->arg_short
                                                 : shared->records_more[worker->record_index].arg_bytes;
        out = worker->reply.bytes;
    } else if (record->map < PE__MAPS_MAX) {
        uint64_t items = worker->served - worker->regions.served;
        in = items * shared->maps[record->map].in_bytes;
        out = items * shared->maps[record->map].out_bytes;
    } else {
        return; /* only a scribbler gets here */
    }
    pe_region_count(&bytes_in_site, (int64_t)in);
    pe_region_count(&bytes_out_site, (int64_t)out);
}

void pe__worker_regions_end_record(struct pe__worker *worker)
{
    if (!worker->regions.runs)
        return;
    worker->regions.runs = false;
    if (pe_region_on != 0)
        count_bytes(worker, &worker->shared->records[worker->record_index]);
    pe_region_leave_site(&run_site);
}

void pe__worker_regions_end(struct pe__worker *worker)
{
    pe__worker_regions_end_record(worker);
    pe__region_end();
}
