#ifndef PE__TEST_TABLE_H
#define PE__TEST_TABLE_H

/*
 * Tables of regions written by hand, as a worker would, for tests of those who read them.
 *
 *     struct tables tables;
 *     tables_make(&tables, 2, (struct pe__region_geometry){ 64, 256, 8 });     a source of two numbers, not yet added
 *     struct pe__region_table table = tables_at(&tables, 0);
 *     uint32_t track = table_track(&table, "worker 0");
 *     uint32_t root = table_node(&table, track, PE__REGION_NOTHING, table_label(&table, PE__KIND_ROOT, ""));
 *     uint32_t node = table_node(&table, track, root, table_label(&table, PE_SITE_REGION, "solve"));
 *     table_call(&table, node, 500);
 *     tables_free(&tables);
 */

#include <stdint.h>

#include "region/source.h"
#include "region/table.h"
#include "report/profile.h"

struct tables {
    struct pe__region_source source;
    size_t bytes;
    _Atomic uint32_t mode;
};

/* In shared memory, zeroed. */
void tables_make(struct tables *tables, uint32_t count, struct pe__region_geometry geometry);
struct pe__region_table tables_at(const struct tables *tables, uint32_t number);
/* Not added, or removed. */
void tables_free(struct tables *tables);

/* Measuring is switched on, and the source is there, with tables of that geometry; then it is gone, as that of a pool
 * that is freed. */
extern const struct pe__region_geometry tables_small;
struct pe__region_table tables_begin(struct tables *tables, uint32_t count);
void tables_end(struct tables *tables);
/* As if one more pool with the same had come and were freed. */
void tables_keep_again(const struct tables *tables);
/* Whatever is measured at the moment. */
struct pe__profile profile_taken(void);

uint32_t table_track(struct pe__region_table *table, const char *name);
/* Of a worker. */
uint32_t table_track_with_root(struct pe__region_table *table, uint32_t *ret_root);
uint32_t table_region(struct pe__region_table *table, uint32_t track, uint32_t parent, const char *name);
uint32_t table_label(struct pe__region_table *table, uint32_t kind, const char *name);
uint32_t table_label_at(struct pe__region_table *table, uint32_t kind, const char *name, const char *file,
                        uint32_t line);
uint32_t table_node(struct pe__region_table *table, uint32_t track, uint32_t parent, uint32_t label);
/* One more call of so many ticks. */
void table_call(struct pe__region_table *table, uint32_t node, uint64_t ticks);
void table_count(struct pe__region_table *table, uint32_t node, int64_t amount);
/* As a track does it: takes segments while there are any, then goes round. */
void table_event(struct pe__region_table *table, uint32_t track, struct pe__region_event event);

#endif
