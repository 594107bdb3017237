/* regions.c - tables for workers to measure into, and the host's built-in regions. */
#include "pool/regions.h"

#include "pool/pool.h"
#include "region/record.h"
#include "region/source.h"
#include "report/kept.h"

#define PAGE_BYTES ((uint64_t)4096)
/* Smaller tables are of no use. */
#define NODES_LEAST 32u

pe_region_site pe__pool_run_site = PE__BUILTIN(PE_SITE_REGION, "pe.run");
pe_region_site pe__pool_start_site = PE__BUILTIN(PE_SITE_REGION, "pe.start");
pe_region_site pe__pool_submit_site = PE__BUILTIN(PE_SITE_REGION, "pe.submit");
pe_region_site pe__pool_map_site = PE__BUILTIN(PE_SITE_REGION, "pe.map");
pe_region_site pe__pool_wait_site = PE__BUILTIN(PE_SITE_REGION, "pe.wait");
pe_region_site pe__pool_copy_site = PE__BUILTIN(PE_SITE_REGION, "pe.copy");

static pe_region_site bytes_in_site = PE__BUILTIN(PE_SITE_COUNTER, "pe.bytes in");
static pe_region_site bytes_out_site = PE__BUILTIN(PE_SITE_COUNTER, "pe.bytes out");

uint64_t pe__pool_region_bytes(void)
{
    struct pe__region_geometry wanted = pe__region_geometry_wanted();
    return (pe__region_table_bytes(&wanted) + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

/* Where memory is short (shared/mapping.c) tables have fewer places. False: none at all. */
static bool fit(struct pe__region_geometry *geometry, uint64_t bytes)
{
    while (pe__region_table_bytes(geometry) > bytes) {
        if (geometry->nodes < 2 * NODES_LEAST)
            return false;
        geometry->nodes /= 2;
        geometry->segments /= 2;
        if (geometry->labels > NODES_LEAST)
            geometry->labels /= 2;
    }
    return true;
}

void pe__pool_begin_regions(pe_pool *pool)
{
    struct pe__region_geometry geometry = pe__region_geometry_wanted();
    struct pe__config *config = pool->shared.config;
    if (!fit(&geometry, pool->shared.geometry.region_bytes))
        return;
    pool->regions = (struct pe__region_source){ .tables = pool->shared.regions,
                                                .stride = pool->shared.geometry.region_bytes,
                                                .count = pool->numbers,
                                                .geometry = geometry,
                                                .mode = &config->region_mode };
    config->region_labels = geometry.labels;
    config->region_nodes = geometry.nodes;
    config->region_segments = geometry.segments;
    pe__region_source_add(&pool->regions);
    config->pool = pool->regions.pool;
}

void pe__pool_widen_regions(pe_pool *pool)
{
    atomic_store_explicit(&pool->regions.count, pool->numbers, memory_order_relaxed);
}

void pe__pool_end_regions(pe_pool *pool)
{
    pe__region_source_remove(&pool->regions, pe__kept_take_over);
}

void pe__pool_begin_flow(const pe_pool *pool, uint32_t record)
{
    uint64_t number = pe__record_flow(pool->regions.pool, pool->entries[record].sequence, record);
    pe__region_flow(&pe__pool_submit_site, PE__EVENT_FLOW_OUT, number);
}

void pe__pool_count_bytes(uint64_t in, uint64_t out)
{
    pe_region_count(&bytes_in_site, (int64_t)in);
    pe_region_count(&bytes_out_site, (int64_t)out);
}
