/*
 * What a profile makes of tables: times in nanoseconds, own times, recursion, lines, open and unfinished calls, sums
 * over threads and workers, and what pools that were freed leave.
 */
#include "harness/harness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/region.h>

#include "base/clock.h"
#include "harness/process.h"
#include "harness/profile.h"
#include "harness/table.h"
#include "report/cost.h"
#include "report/kept.h"
#include "region/mode.h"
#include "report/profile.h"

#define NOTHING PE__REGION_NOTHING

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

static const struct pe__profile_sum *row_named(const struct pe__profile *profile, const struct pe__profile_sums *sums,
                                               const char *name)
{
    for (uint32_t i = 0; i < sums->count; i++)
        if (strcmp(profile->labels[sums->rows[i].label].name, name) == 0)
            return &sums->rows[i];
    ck_abort_msg("no row %s", name);
    return NULL;
}

PE_TEST(nothing_measured_is_an_empty_profile)
{
    struct pe__profile profile = profile_taken();
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
    struct pe__region_table table = tables_begin(&tables, 1);
    struct pe__profile_sums sums;
    struct pe__profile profile;
    uint32_t root, track = table_track_with_root(&table, &root), a = table_region(&table, track, root, "a");
    uint32_t b = table_region(&table, track, a, "b");

    table_call(&table, b, ticks(2000));
    table_call(&table, b, ticks(4000));
    table_call(&table, a, ticks(10000));
    profile = profile_taken();
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
    tables_end(&tables);
}

PE_TEST(recursion_counts_its_time_once)
{
    struct tables tables;
    struct pe__region_table table = tables_begin(&tables, 1);
    struct pe__profile_sums sums;
    struct pe__profile profile;
    uint32_t root, track = table_track_with_root(&table, &root), parent = root;
    const struct pe__profile_sum *row;

    for (int i = 0; i < 20; i++) {
        parent = table_region(&table, track, parent, "down");
        table_call(&table, parent, ticks(20000 - 1000 * i));
    }
    profile = profile_taken();
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
    tables_end(&tables);
}


/* outer { line 1 { inner }, line 2 } */
PE_TEST(lines_are_transparent)
{
    struct tables tables;
    struct pe__region_table table = tables_begin(&tables, 1);
    struct pe__profile_sums sums;
    struct pe__profile profile;
    uint32_t root, track = table_track_with_root(&table, &root), outer = table_region(&table, track, root, "outer");
    uint32_t first = table_node(&table, track, outer, table_label_at(&table, PE_SITE_LINE, "", "table.c", 1));
    uint32_t second = table_node(&table, track, outer, table_label_at(&table, PE_SITE_LINE, "", "table.c", 2));
    uint32_t inner = table_region(&table, track, first, "inner");

    table_call(&table, inner, ticks(3000));
    table_call(&table, first, ticks(5000));
    table_call(&table, second, ticks(4000));
    table_call(&table, outer, ticks(10000));
    profile = profile_taken();
    ck_assert_int_eq(pe__profile_tree(&profile, all, &sums), 0);
    ck_assert_uint_eq(sums.count, 2);
    ck_assert_ptr_eq(&sums.rows[row_named(&profile, &sums, "inner")->parent], row_named(&profile, &sums, "outer"));
    assert_about(row_named(&profile, &sums, "outer")->own_ns, 7000);
    pe__profile_sums_free(&sums);
    ck_assert_int_eq(pe__profile_lines(&profile, all, &sums), 0);
    ck_assert_uint_eq(sums.count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        const struct pe__profile_sum *row = &sums.rows[i];
        bool is_first = profile.labels[row->label].line == 1;

        assert_about(row->total_ns, is_first ? 5000 : 4000);
        assert_about(row->own_ns, is_first ? 2000 : 4000);
    }
    pe__profile_sums_free(&sums);
    pe__profile_free(&profile);
    tables_end(&tables);
}

PE_TEST(sampled_times_are_scaled_to_all_calls)
{
    struct tables tables;
    struct pe__region_table table = tables_begin(&tables, 1);
    struct pe__profile_sums sums;
    struct pe__profile profile;
    uint32_t root, track = table_track_with_root(&table, &root), node = table_region(&table, track, root, "sampled");
    const struct pe__profile_sum *row;

    for (int i = 0; i < 10; i++)
        table_call(&table, node, ticks(1000));
    atomic_fetch_add(&table.nodes[node].calls, 150);
    profile = profile_taken();
    ck_assert_int_eq(pe__profile_flat(&profile, all, &sums), 0);
    row = row_named(&profile, &sums, "sampled");
    ck_assert_uint_eq(row->calls, 160);
    ck_assert_uint_eq(row->timed, 10);
    assert_about(row->total_ns, 160000);
    assert_about(row->most_ns, 1000);
    pe__profile_sums_free(&sums);
    pe__profile_free(&profile);
    tables_end(&tables);
}

PE_TEST(counters_have_sums_of_their_own)
{
    struct tables tables;
    struct pe__region_table table = tables_begin(&tables, 1);
    struct pe__profile_sums sums;
    struct pe__profile profile;
    uint32_t root, track = table_track_with_root(&table, &root);
    uint32_t first = table_node(&table, track, root, table_label(&table, PE_SITE_COUNTER, "count"));
    uint32_t inside = table_region(&table, track, root, "a");
    uint32_t second = table_node(&table, track, inside, table_label(&table, PE_SITE_COUNTER, "count"));
    const struct pe__profile_sum *row;

    table_count(&table, first, 5);
    table_count(&table, first, -7);
    table_count(&table, second, 40);
    profile = profile_taken();
    ck_assert_int_eq(pe__profile_flat(&profile, all, &sums), 0);
    row = row_named(&profile, &sums, "count");
    ck_assert_uint_eq(row->calls, 3);
    ck_assert_int_eq(row->sum, 38);
    ck_assert_int_eq(row->least, -7);
    ck_assert_int_eq(row->most, 40);
    ck_assert_int_eq(row->total_ns, 0);
    pe__profile_sums_free(&sums);
    pe__profile_free(&profile);
    tables_end(&tables);
}

PE_TEST(parts_add_up_to_the_whole)
{
    struct tables tables;
    struct pe__profile_sums sums;
    struct pe__profile profile;
    uint64_t calls = 0;

    tables_begin(&tables, 2);
    for (uint32_t worker = 0; worker < 2; worker++) {
        struct pe__region_table table = tables_at(&tables, worker);

        for (uint32_t thread = 0; thread < 3; thread++) {
            uint32_t root, track = table_track_with_root(&table, &root);
            uint32_t node = table_region(&table, track, root, "work");

            for (uint32_t i = 0; i <= 10 * worker + thread; i++)
                table_call(&table, node, ticks(100));
        }
    }
    profile = profile_taken();
    ck_assert_uint_eq(profile.process_count, 3);
    ck_assert_int_eq(profile.processes[0].worker, -1);
    for (uint32_t i = 0; i < profile.track_count; i++) {
        struct pe__profile_part part = { NOTHING, i };
        uint32_t process = profile.tracks[i].process;

        ck_assert_int_eq(pe__profile_tree(&profile, part, &sums), 0);
        ck_assert_uint_eq(sums.count, 1);
        ck_assert_uint_eq(sums.rows[0].calls, 10 * (process - 1) + profile.tracks[i].number + 1);
        pe__profile_sums_free(&sums);
    }
    for (uint32_t i = 0; i < profile.process_count; i++) {
        struct pe__profile_part part = { i, NOTHING };

        ck_assert_int_eq(pe__profile_flat(&profile, part, &sums), 0);
        calls += sums.count ? sums.rows[0].calls : 0;
        pe__profile_sums_free(&sums);
    }
    ck_assert_int_eq(pe__profile_flat(&profile, all, &sums), 0);
    ck_assert_uint_eq(sums.rows[0].calls, 1 + 2 + 3 + 11 + 12 + 13);
    ck_assert_uint_eq(calls, sums.rows[0].calls);
    pe__profile_sums_free(&sums);
    pe__profile_free(&profile);
    tables_end(&tables);
}

PE_TEST(percentiles_are_within_a_bucket)
{
    uint64_t buckets[PE__REGION_BUCKETS] = { 0 };

    ck_assert_int_eq(pe__profile_percentile(buckets, 0.5, 0, INT64_MAX), 0);
    for (uint64_t ns = 1; ns <= 100000; ns++)
        buckets[pe__region_bucket(ns)]++;
    for (int percent = 1; percent < 100; percent++) {
        int64_t wanted = 1000 * percent, ns = pe__profile_percentile(buckets, percent / 100.0, 0, INT64_MAX);

        ck_assert_int_ge(ns, wanted - wanted / 8 - 1);
        ck_assert_int_le(ns, wanted + wanted / 8 + 1);
    }
    ck_assert_int_eq(pe__profile_percentile(buckets, 0.5, 1, 40000), 40000);
    ck_assert_int_eq(pe__profile_percentile(buckets, 0.5, 60000, 90000), 60000);
    memset(buckets, 0, sizeof buckets);
    buckets[pe__region_bucket(1000)] = 1;
    buckets[PE__REGION_BUCKETS - 1] = UINT64_MAX;
    ck_assert_int_ge(pe__profile_percentile(buckets, 1, 0, INT64_MAX),
                     (int64_t)pe__region_bucket_from(PE__REGION_BUCKETS - 1));
}

/* ---- what is open ---- */

PE_TEST(what_is_open_counts_until_now)
{
    struct tables tables;
    struct pe__region_table table = tables_begin(&tables, 1);
    struct pe__profile_sums sums;
    struct pe__profile profile;
    uint32_t root, track = table_track_with_root(&table, &root), outer = table_region(&table, track, root, "outer");
    uint32_t inner = table_region(&table, track, outer, "inner");
    const struct pe__profile_sum *row;

    atomic_store(&table.nodes[outer].start, pe__base_ticks());
    table_call(&table, inner, ticks(1000));
    while (pe__base_ticks_to_ns(pe__base_ticks() - table.nodes[outer].start) < 20000)
        ;
    profile = profile_taken();
    ck_assert_int_eq(pe__profile_flat(&profile, all, &sums), 0);
    row = row_named(&profile, &sums, "outer");
    ck_assert(row->open);
    ck_assert_uint_eq(row->calls, 1);
    ck_assert_int_ge(row->total_ns, 20000 - 20);
    ck_assert_int_le(row->total_ns, profile.wall_ns);
    assert_about(row->total_ns - row->own_ns, 1000);
    ck_assert(!row_named(&profile, &sums, "inner")->open);
    pe__profile_sums_free(&sums);
    pe__profile_free(&profile);
    tables_end(&tables);
}

PE_TEST(what_began_before_all_or_in_the_future_begins_now)
{
    struct tables tables;
    struct pe__region_table table = tables_begin(&tables, 1);
    uint64_t starts[] = { 1, pe__base_ticks() + (UINT64_C(1) << 50) };
    uint32_t root, track = table_track_with_root(&table, &root), outer = table_region(&table, track, root, "outer");

    for (int i = 0; i < 2; i++) {
        struct pe__profile profile;

        atomic_store(&table.nodes[outer].start, starts[i]);
        profile = profile_taken();
        ck_assert_uint_eq(profile.nodes[outer].calls, 1);
        ck_assert_int_gt(profile.nodes[outer].open_ns, 0);
        ck_assert_int_eq(profile.nodes[outer].total_ns, 0);
        pe__profile_free(&profile);
    }
    tables_end(&tables);
}

PE_TEST(what_is_open_in_a_freed_pool_is_unfinished)
{
    struct tables tables;
    struct pe__region_table table = tables_begin(&tables, 1);
    struct pe__profile_sums sums;
    struct pe__profile profile;
    uint32_t root, track = table_track_with_root(&table, &root), node = table_region(&table, track, root, "cut");

    table_call(&table, node, ticks(500));
    atomic_store(&table.nodes[node].start, pe__base_ticks());
    tables_end(&tables);
    profile = profile_taken();
    ck_assert_uint_eq(profile.process_count, 2);
    ck_assert(profile.tracks[0].ended);
    ck_assert_int_eq(pe__profile_flat(&profile, all, &sums), 0);
    ck_assert_uint_eq(sums.rows[0].calls, 1);
    ck_assert_uint_eq(sums.rows[0].unfinished, 1);
    ck_assert(!sums.rows[0].open);
    assert_about(sums.rows[0].total_ns, 500);
    pe__profile_sums_free(&sums);
    pe__profile_free(&profile);
}

/* ---- cost ---- */

/* outer { line { 10 x inner } } */
PE_TEST(cost_on_a_line_is_that_of_the_region_around_too)
{
    struct draft draft = { 0 };
    uint32_t track = draft_track(&draft, draft_process(&draft, 1, 0, -1), 1, "main");
    uint32_t root = draft_node(&draft, track, NOTHING, draft_label(&draft, PE__KIND_ROOT, ""), 0, 0);
    uint32_t outer = draft_node(&draft, track, root, draft_label(&draft, PE_SITE_REGION, "outer"), 1, 10000);
    uint32_t line = draft_node(&draft, track, outer, draft_label(&draft, PE_SITE_LINE, ""), 1, 8000);
    uint32_t inner = draft_node(&draft, track, line, draft_label(&draft, PE_SITE_REGION, "inner"), 10, 5000);
    const struct pe__profile_node *nodes;

    draft_finish(&draft);
    nodes = draft.profile.nodes;
    draft.profile.pair_cost_ns = 30;
    ck_assert_int_eq(pe__profile_subtract_cost(&draft.profile), 0);
    ck_assert_int_eq(nodes[inner].own_ns, 5000);
    ck_assert_int_eq(nodes[line].total_ns, 8000 - 300);
    ck_assert_int_eq(nodes[line].own_ns, 3000 - 300);
    ck_assert_int_eq(nodes[outer].total_ns, 10000 - 300);
    ck_assert_int_eq(nodes[outer].own_ns, 5000 - 300);
    draft_free(&draft);
}

/* ---- pools that come and go ---- */

PE_TEST(ten_thousand_freed_pools_take_no_more_memory)
{
    struct tables tables;
    struct pe__region_table table = tables_begin(&tables, 2);
    struct pe__profile_sums sums;
    struct pe__profile profile;
    uint32_t root, track = table_track_with_root(&table, &root), node = table_region(&table, track, root, "job");
    uint64_t before, dropped;
    char name[PE__PROFILE_PROCESS_BYTES];

    pe__region_source_remove(&tables.source, pe__kept_take_over);
    table_call(&table, node, ticks(300));
    for (uint64_t i = 0; i < 50; i++)
        table_event(&table, track,
                    (struct pe__region_event){ pe__base_ticks(), pe__base_ticks(), 0, 0, PE__EVENT_CALL });
    for (int i = 0; i < 4000; i++)
        tables_keep_again(&tables);
    before = process_allocated_bytes();
    for (int i = 4000; i < 10000; i++)
        tables_keep_again(&tables);
    ck_assert_uint_lt(process_allocated_bytes(), before + (1u << 20));
    profile = profile_taken();
    ck_assert_int_eq(pe__profile_flat(&profile, all, &sums), 0);
    ck_assert_uint_eq(sums.rows[0].calls, 10000);
    ck_assert_uint_le(profile.process_count, 2 * 17 + 1);
    pe__profile_process_name(&profile.processes[profile.process_count - 1], name);
    ck_assert_str_eq(name, "freed pools worker 1");
    pe__profile_process_name(&profile.processes[1], name);
    ck_assert_str_eq(name, "pool 1 worker 0");
    pe__profile_process_name(&profile.processes[0], name);
    ck_assert_str_eq(name, "host");
    dropped = profile.event_count;
    for (uint32_t i = 0; i < profile.track_count; i++)
        dropped += profile.tracks[i].dropped_events;
    ck_assert_uint_eq(dropped, UINT64_C(10000) * 50);
    pe__profile_sums_free(&sums);
    pe__profile_free(&profile);
    tables_free(&tables);
}

PE_TEST(words_follow_the_mode)
{
    struct tables early, late;

    ck_assert_int_eq(pe_region_enable(0), 0);
    tables_make(&early, 1, tables_small);
    pe__region_source_add(&early.source);
    ck_assert_uint_eq(early.mode, 0);
    ck_assert_int_eq(pe_region_enable(1), 0);
    ck_assert_uint_ne(early.mode & PE__MODE_ON, 0);
    tables_make(&late, 1, tables_small);
    pe__region_source_add(&late.source);
    ck_assert_uint_eq(late.mode, early.mode);
    ck_assert_int_eq(pe_region_enable(0), 0);
    ck_assert_uint_eq(early.mode | late.mode, 0);
    tables_end(&early);
    tables_end(&late);
}

/* ---- forks ---- */

static pthread_barrier_t barrier;

/* Holds the lock from the first meeting to the second. */
static void *hold_the_lock(void *nothing)
{
    pe__region_sources_lock();
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    pe__region_sources_unlock();
    return nothing;
}

/* What a child finds: its own regions, and the host's process alone. */
static int look_in_child(void)
{
    struct pe__profile profile;
    struct pe__profile_sums sums;
    int wrong;

    pe_region_enter("child");
    pe_region_leave("child");
    if (pe__profile_take(&profile) != 0 || pe__profile_flat(&profile, all, &sums) != 0)
        return 1;
    wrong = profile.process_count != 1 || sums.count != 1 || sums.rows[0].calls != 1 || profile.begin_ns == 0 ||
            strcmp(profile.labels[sums.rows[0].label].name, "child") != 0 || sums.rows[0].total_ns > profile.wall_ns;
    pe__profile_sums_free(&sums);
    pe__profile_free(&profile);
    return wrong ? 2 : 0;
}

PE_TEST(a_child_begins_empty_although_another_thread_held_the_lock)
{
    struct tables tables;
    struct pe__region_table table = tables_begin(&tables, 1);
    uint32_t root, track = table_track_with_root(&table, &root);
    pthread_t thread;
    pid_t child;
    int status;

    table_call(&table, table_region(&table, track, root, "parent"), 1);
    tables_keep_again(&tables);
    pthread_barrier_init(&barrier, NULL, 2);
    ck_assert_int_eq(pthread_create(&thread, NULL, hold_the_lock, NULL), 0);
    pthread_barrier_wait(&barrier);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        pe__region_source_remove(&tables.source, pe__kept_take_over);
        _exit(look_in_child());
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&barrier);
    tables_end(&tables);
}

HARNESS_MAIN("profile")
