/*
 * What a profile makes of tables: times in nanoseconds, own times, recursion, lines, open and unfinished calls, sums over
 * threads and workers, what pools that were freed leave, and of tables full of garbage.
 */
#include "harness/harness.h"

#include <parexec/region.h>

#include "base/clock.h"
#include "harness/table.h"
#include "region/mode.h"
#include "region/profile.h"

#define NOTHING PE__REGION_NOTHING

static const struct pe__region_geometry small = { 64, 256, 8 };
static const struct pe__profile_part all = { NOTHING, NOTHING };

/* So many ticks as are that many nanoseconds, or a little more. */
static uint64_t ticks(int64_t ns)
{
    uint64_t ticks = (uint64_t)ns;

    while (pe__base_ticks_to_ns(ticks) < ns)
        ticks += ticks / 1000 + 1;
    return ticks;
}

static void assert_about(int64_t ns, int64_t wanted)
{
    ck_assert_int_ge(ns, wanted - wanted / 100 - 1);
    ck_assert_int_le(ns, wanted + wanted / 100 + 1);
}

static struct pe__profile take(void)
{
    struct pe__profile profile;

    ck_assert_int_eq(pe__profile_take(&profile), 0);
    return profile;
}

static const struct pe__profile_sum *row_named(const struct pe__profile *profile, const struct pe__profile_sums *sums,
                                               const char *name)
{
    for (uint32_t i = 0; i < sums->count; i++)
        if (strcmp(profile->labels[sums->rows[i].label].name, name) == 0)
            return &sums->rows[i];
    ck_abort_msg("no row %s", name);
    return NULL;
}

/* A track with its root. */
static uint32_t begin_track(struct pe__region_table *table, uint32_t *ret_root)
{
    uint32_t track = table_track(table, "worker");

    *ret_root = table_node(table, track, NOTHING, table_label(table, PE__KIND_ROOT, ""));
    return track;
}

static uint32_t region(struct pe__region_table *table, uint32_t track, uint32_t parent, const char *name)
{
    return table_node(table, track, parent, table_label(table, PE_SITE_REGION, name));
}

static struct pe__region_table begin(struct tables *tables, uint32_t count)
{
    pe__region_sources_follow(PE__MODE_ON);
    tables_make(tables, count, small);
    pe__region_source_add(&tables->source);
    return tables_at(tables, 0);
}

static void end(struct tables *tables)
{
    pe__region_source_remove(&tables->source);
    tables_free(tables);
}

PE_TEST(nothing_measured_is_an_empty_profile)
{
    struct pe__profile profile = take();
    struct pe__profile_sums sums;

    ck_assert_uint_eq(profile.process_count + profile.track_count + profile.node_count, 0);
    ck_assert_uint_eq(profile.runs, 1);
    ck_assert_int_eq(pe__profile_flat(&profile, all, &sums), 0);
    ck_assert_uint_eq(sums.count, 0);
    pe__profile_sums_free(&sums);
    pe__profile_free(&profile);
}

/* a(b, b) */
PE_TEST(own_time_is_what_the_regions_inside_leave)
{
    struct tables tables;
    struct pe__region_table table = begin(&tables, 1);
    struct pe__profile_sums sums;
    struct pe__profile profile;
    uint32_t root, track = begin_track(&table, &root), a = region(&table, track, root, "a");
    uint32_t b = region(&table, track, a, "b");

    table_call(&table, b, ticks(2000));
    table_call(&table, b, ticks(4000));
    table_call(&table, a, ticks(10000));
    profile = take();
    ck_assert_int_eq(pe__profile_flat(&profile, all, &sums), 0);
    ck_assert_uint_eq(sums.count, 2);
    ck_assert_uint_eq(row_named(&profile, &sums, "a")->calls, 1);
    ck_assert_uint_eq(row_named(&profile, &sums, "b")->calls, 2);
    assert_about(row_named(&profile, &sums, "a")->total_ns, 10000);
    assert_about(row_named(&profile, &sums, "a")->own_ns, 4000);
    assert_about(row_named(&profile, &sums, "b")->own_ns, 6000);
    assert_about(row_named(&profile, &sums, "b")->least_ns, 2000);
    assert_about(row_named(&profile, &sums, "b")->most_ns, 4000);
    pe__profile_sums_free(&sums);
    pe__profile_free(&profile);
    end(&tables);
}

PE_TEST(recursion_counts_its_time_once)
{
    struct tables tables;
    struct pe__region_table table = begin(&tables, 1);
    struct pe__profile_sums sums;
    struct pe__profile profile;
    uint32_t root, track = begin_track(&table, &root), parent = root;
    const struct pe__profile_sum *row;

    for (int i = 0; i < 20; i++) {
        parent = region(&table, track, parent, "down");
        table_call(&table, parent, ticks(20000 - 1000 * i));
    }
    profile = take();
    ck_assert_int_eq(pe__profile_flat(&profile, all, &sums), 0);
    row = row_named(&profile, &sums, "down");
    ck_assert_uint_eq(row->calls, 20);
    ck_assert_uint_eq(row->first_calls, 1);
    assert_about(row->total_ns, 20000);
    assert_about(row->own_ns, 20000);
    pe__profile_sums_free(&sums);
    ck_assert_int_eq(pe__profile_tree(&profile, all, &sums), 0);
    ck_assert_uint_eq(sums.count, 20);
    for (uint32_t i = 0; i < 20; i++) {
        ck_assert_uint_eq(sums.rows[i].depth, i);
        assert_about(sums.rows[i].total_ns, 20000 - 1000 * i);
    }
    pe__profile_sums_free(&sums);
    pe__profile_free(&profile);
    end(&tables);
}

HARNESS_MAIN("profile")
