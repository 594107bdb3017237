#include "harness/table.h"

#include <sys/mman.h>

#include <parexec/region.h>

#include "base/clock.h"
#include "harness/harness.h"
#include "report/kept.h"

#define STORE(word, value) atomic_store_explicit(&(word), value, memory_order_release)
#define ADD(word, amount) atomic_fetch_add_explicit(&(word), amount, memory_order_relaxed)
#define LOAD(word) atomic_load_explicit(&(word), memory_order_relaxed)

void tables_make(struct tables *tables, uint32_t count, struct pe__region_geometry geometry)
{
    size_t stride = (pe__region_table_bytes(&geometry) + 4095) / 4096 * 4096;
    void *memory = mmap(NULL, count * stride, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(memory, MAP_FAILED);
    memset(tables, 0, sizeof *tables);
    tables->bytes = count * stride;
    tables->source.tables = memory;
    tables->source.stride = stride;
    tables->source.count = count;
    tables->source.geometry = geometry;
    tables->source.mode = &tables->mode;
    for (uint32_t i = 0; i < count; i++)
        STORE(tables_at(tables, i).head->lives, 1);
}

struct pe__region_table tables_at(const struct tables *tables, uint32_t number)
{
    struct pe__region_table table;

    pe__region_table_at(&table, tables->source.tables + number * tables->source.stride, &tables->source.geometry);
    return table;
}

void tables_free(struct tables *tables)
{
    munmap(tables->source.tables, tables->bytes);
}

uint32_t table_track(struct pe__region_table *table, const char *name)
{
    uint32_t number = ADD(table->head->tracks, 1);
    struct pe__region_track *track = &table->tracks[number];

    ck_assert_uint_lt(number, PE__REGION_TRACKS);
    strncpy(track->name, name, sizeof track->name - 1);
    STORE(track->tid, 100 + (int32_t)number);
    STORE(track->lives, 1);
    STORE(track->state, PE__TRACK_LIVE);
    return number;
}

uint32_t table_label_at(struct pe__region_table *table, uint32_t kind, const char *name, const char *file,
                        uint32_t line)
{
    uint32_t count = LOAD(table->head->labels);
    struct pe__region_label *label;

    for (uint32_t i = 0; i < count; i++) {
        label = &table->labels[i];
        if (LOAD(label->ready) == kind + 1 && label->line == line && !strcmp(label->name, name) &&
            !strcmp(label->file, file))
            return i;
    }
    ck_assert_uint_lt(count, table->geometry.labels);
    label = &table->labels[count];
    label->line = line;
    strncpy(label->name, name, sizeof label->name - 1);
    strncpy(label->file, file, sizeof label->file - 1);
    STORE(label->ready, kind + 1);
    STORE(table->head->labels, count + 1);
    return count;
}

uint32_t table_label(struct pe__region_table *table, uint32_t kind, const char *name)
{
    return table_label_at(table, kind, name, "table.c", 1);
}

uint32_t table_node(struct pe__region_table *table, uint32_t track, uint32_t parent, uint32_t label)
{
    uint32_t number = ADD(table->head->nodes, 1);
    struct pe__region_node *node = &table->nodes[number];

    ck_assert_uint_lt(number, table->geometry.nodes);
    node->parent = parent;
    node->track = track;
    STORE(node->ready, label + 1);
    return number;
}

void table_call(struct pe__region_table *table, uint32_t number, uint64_t ticks)
{
    struct pe__region_node *node = &table->nodes[number];

    if (LOAD(node->timed) == 0 || ticks < LOAD(node->least))
        STORE(node->least, ticks);
    if (LOAD(node->timed) > 0)
        ADD(node->buckets[pe__region_bucket((uint64_t)pe__base_ticks_to_ns(LOAD(node->recent)))], 1);
    STORE(node->recent, ticks);
    if (ticks > LOAD(node->most))
        STORE(node->most, ticks);
    ADD(node->total, ticks);
    ADD(node->timed, 1);
    ADD(node->calls, 1);
}

void table_count(struct pe__region_table *table, uint32_t number, int64_t amount)
{
    struct pe__region_node *node = &table->nodes[number];

    if (LOAD(node->calls) == 0 || amount < (int64_t)LOAD(node->least))
        STORE(node->least, (uint64_t)amount);
    if (LOAD(node->calls) == 0 || amount > (int64_t)LOAD(node->most))
        STORE(node->most, (uint64_t)amount);
    ADD(node->total, (uint64_t)amount);
    ADD(node->calls, 1);
}

/* The track's chain; how long it is. */
static uint32_t list_segments(const struct pe__region_table *table, const struct pe__region_track *track,
                              uint32_t *list)
{
    uint32_t first = LOAD(track->first_segment), link = first, count = 0;

    while (link != 0 && (link != first || count == 0)) {
        list[count++] = link - 1;
        link = LOAD(table->segments[link - 1].next);
    }
    return count;
}

void table_event(struct pe__region_table *table, uint32_t number, struct pe__region_event event)
{
    struct pe__region_track *track = &table->tracks[number];
    uint64_t place = LOAD(track->events);
    uint32_t list[256] = { 0 }, count = list_segments(table, track, list), fresh = LOAD(table->head->segments);

    if (count == 0 && fresh >= table->geometry.segments) {
        STORE(track->events, place + 1);
        return;
    }
    if (place == (uint64_t)count * PE__REGION_SEGMENT_EVENTS) {
        if (fresh < table->geometry.segments) {
            ADD(table->head->segments, 1);
            table->segments[fresh].track = number;
            list[count++] = fresh;
        } else {
            fresh = list[0];
        }
        if (LOAD(track->first_segment) == 0)
            STORE(track->first_segment, fresh + 1);
        else
            STORE(table->segments[list[fresh == list[0] ? count - 1 : count - 2]].next, fresh + 1);
    }
    table->segments[list[place / PE__REGION_SEGMENT_EVENTS % count]].events[place % PE__REGION_SEGMENT_EVENTS] = event;
    STORE(track->events, place + 1);
}

const struct pe__region_geometry tables_small = { 64, 256, 8 };

struct pe__region_table tables_begin(struct tables *tables, uint32_t count)
{
    ck_assert_int_eq(pe_region_enable(1), 0);
    tables_make(tables, count, tables_small);
    pe__region_source_add(&tables->source);
    return tables_at(tables, 0);
}

void tables_end(struct tables *tables)
{
    pe__region_source_remove(&tables->source, pe__kept_take_over);
    tables_free(tables);
}

void tables_keep_again(const struct tables *tables)
{
    struct pe__region_source source = tables->source;

    pe__region_source_add(&source);
    pe__region_source_remove(&source, pe__kept_take_over);
}

struct pe__profile profile_taken(void)
{
    struct pe__profile profile;

    ck_assert_int_eq(pe__profile_take(&profile), 0);
    return profile;
}

uint32_t table_track_with_root(struct pe__region_table *table, uint32_t *ret_root)
{
    uint32_t track = table_track(table, "worker");

    *ret_root = table_node(table, track, PE__REGION_NOTHING, table_label(table, PE__KIND_ROOT, ""));
    return track;
}

uint32_t table_region(struct pe__region_table *table, uint32_t track, uint32_t parent, const char *name)
{
    return table_node(table, track, parent, table_label(table, PE_SITE_REGION, name));
}
