/*
 * A profile is sound whatever the tables hold: garbage, what somebody writes while it is read, and what is recorded
 * meanwhile; and without memory it says so.
 */
#include "harness/harness.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/region.h>

#include "base/clock.h"
#include "harness/table.h"
#include "report/kept.h"
#include "report/profile.h"

#define NOTHING PE__REGION_NOTHING

static const struct pe__profile_part all = { NOTHING, NOTHING };

/* ---- invariants, whatever the tables hold ---- */

/* ck_assert would write a line for each that holds. */
#define CHECK(condition) \
    do { \
        if (!(condition)) \
            ck_abort_msg("not so: %s", #condition); \
    } while (0)

static void check_tracks(const struct pe__profile *profile)
{
    for (uint32_t i = 0; i < profile->track_count; i++) {
        const struct pe__profile_track *track = &profile->tracks[i];

        CHECK(track->process < profile->process_count);
        CHECK(i == 0 || profile->tracks[i - 1].process <= track->process);
        CHECK(strlen(track->name) < PE__REGION_THREAD_BYTES);
        CHECK(track->first_unmatched == NOTHING || track->first_unmatched < profile->label_count);
        CHECK(track->first_crossed == NOTHING || track->first_crossed < profile->label_count);
        CHECK(track->first_unfinished == NOTHING || track->first_unfinished < profile->label_count);
        CHECK(track->first_event + (uint64_t)track->event_count <= profile->event_count);
    }
}

static void check_nodes(const struct pe__profile *profile)
{
    for (uint32_t i = 0; i < profile->node_count; i++) {
        const struct pe__profile_node *node = &profile->nodes[i];

        CHECK(node->track < profile->track_count);
        CHECK(node->label < profile->label_count);
        CHECK(node->parent == NOTHING || node->parent < i);
        CHECK(node->parent == NOTHING || profile->nodes[node->parent].track == node->track);
        CHECK(node->timed <= node->calls);
        CHECK(node->own_ns >= 0);
        CHECK(node->own_ns <= node->total_ns);
        CHECK(node->least_ns >= 0);
        CHECK(node->least_ns <= node->most_ns);
        CHECK(node->waited_ns >= 0);
        CHECK(node->cpu_ns >= 0);
        CHECK(node->open_ns >= 0);
        CHECK(node->open_ns <= profile->wall_ns + 1);
    }
}

static void check_events(const struct pe__profile *profile)
{
    for (size_t i = 0; i < profile->event_count; i++) {
        const struct pe__profile_event *event = &profile->events[i], *before = &profile->events[i ? i - 1 : 0];

        CHECK(event->track < profile->track_count);
        CHECK(event->label < profile->label_count);
        CHECK(event->kind >= PE__EVENT_CALL);
        CHECK(event->kind <= PE__EVENT_CUT);
        CHECK(event->start_ns >= 0);
        CHECK(event->start_ns <= event->end_ns);
        CHECK(event->end_ns <= profile->wall_ns);
        CHECK(before->track < event->track || before->start_ns <= event->start_ns);
    }
}

static void check_sums(const struct pe__profile *profile)
{
    struct pe__profile_sums sums[3];

    ck_assert_int_eq(pe__profile_flat(profile, all, &sums[0]), 0);
    ck_assert_int_eq(pe__profile_tree(profile, all, &sums[1]), 0);
    ck_assert_int_eq(pe__profile_lines(profile, all, &sums[2]), 0);
    for (int which = 0; which < 3; which++) {
        for (uint32_t i = 0; i < sums[which].count; i++) {
            const struct pe__profile_sum *row = &sums[which].rows[i];

            CHECK(row->parent == NOTHING || row->parent < i);
            CHECK(row->first_calls <= row->calls);
            CHECK(row->least_ns <= row->p50_ns);
            CHECK(row->p50_ns <= row->p95_ns);
            CHECK(row->p95_ns <= row->p99_ns);
            CHECK(row->p99_ns <= row->most_ns);
        }
        pe__profile_sums_free(&sums[which]);
    }
}

static void check_sound(const struct pe__profile *profile)
{
    for (uint32_t i = 0; i < profile->label_count; i++) {
        CHECK(strlen(profile->labels[i].name) < PE__REGION_NAME_BYTES);
        CHECK(strlen(profile->labels[i].file) < PE__REGION_FILE_BYTES);
    }
    check_tracks(profile);
    check_nodes(profile);
    check_events(profile);
    check_sums(profile);
}

/* ---- garbage ---- */

/* Something in each part, three threads, with events that have gone round. */
static void fill(struct pe__region_table *table)
{
    for (uint32_t thread = 0; thread < 3; thread++) {
        uint32_t root, track = table_track_with_root(table, &root), parent = root;

        for (uint32_t depth = 0; depth < 8; depth++) {
            char name[16];

            snprintf(name, sizeof name, "region %u", depth % 5);
            parent = table_region(table, track, parent, name);
            table_call(table, parent, 1000 * (8 - depth));
            table_node(table, track, parent, table_label_at(table, PE_SITE_LINE, "", "table.c", depth));
            table_count(table, table_node(table, track, parent, table_label(table, PE_SITE_COUNTER, "count")), depth);
        }
        for (uint64_t i = 0; i < 3000; i++)
            table_event(table, track, (struct pe__region_event){ pe__base_ticks(), pe__base_ticks(), i,
                                                                  (uint32_t)(i % 8), (uint32_t)(i % 6 + 1) });
    }
}

/* A word of the table's used parts, whatever it means; half of the time near the front, where heads and indices are. */
static uint64_t *random_word(const struct tables *tables, uint64_t *random)
{
    struct pe__region_table table = tables_at(tables, 0);
    unsigned char *const parts[] = { (unsigned char *)table.head, (unsigned char *)table.tracks,
                                     (unsigned char *)table.labels, (unsigned char *)table.nodes,
                                     (unsigned char *)table.segments };
    const size_t bytes[] = { sizeof *table.head, 4 * sizeof *table.tracks, 24 * sizeof *table.labels,
                             60 * sizeof *table.nodes, 8 * sizeof *table.segments };
    size_t part = harness_random(random) % 5, at = harness_random(random) % bytes[part];

    if (part == 3 && harness_random(random) % 2)
        at = at / sizeof *table.nodes * sizeof *table.nodes + harness_random(random) % 128;
    if (part == 4 && harness_random(random) % 2)
        at = at / sizeof *table.segments * sizeof *table.segments;
    return (uint64_t *)(void *)(parts[part] + at / 8 * 8);
}

static uint64_t edge(uint64_t *random, uint64_t old)
{
    switch (harness_random(random) % 10) {
    case 0: return 0;
    case 1: return UINT64_MAX;
    case 2: return old + 1;
    case 3: return old - 1;
    case 4: return UINT64_C(1) << harness_random(random) % 64;
    case 5: return old ^ UINT64_C(1) << harness_random(random) % 64;
    case 6: return (old & 0xffffffff) | harness_random(random) % 64 << 32;
    case 7: return (old & ~UINT64_C(0xffffffff)) | harness_random(random) % 64;
    case 8: return pe__base_ticks() + harness_random(random) % 1000000;
    default: return harness_random(random);
    }
}

PE_TEST_SLOW(garbage_in_tables_is_only_a_wrong_profile, 60)
{
    struct tables tables;
    struct pe__region_table table = tables_begin(&tables, 1);
    int rounds = harness_long() ? 20000 : 500;
    uint64_t random = 77, pools = 1; /* this one and those that were freed */
    unsigned char *sound;

    fill(&table);
    sound = malloc(tables.bytes);
    ck_assert_ptr_nonnull(sound);
    memcpy(sound, tables.source.tables, tables.bytes);
    for (int round = 0; round < rounds; round++) {
        int words = 1 << harness_random(&random) % 12;
        struct pe__profile profile;

        memcpy(tables.source.tables, sound, tables.bytes);
        for (int i = 0; i < words; i++) {
            uint64_t *word = random_word(&tables, &random);

            *word = edge(&random, *word);
        }
        profile = profile_taken();
        check_sound(&profile);
        ck_assert_uint_le(profile.node_count, pools * tables_small.nodes);
        ck_assert_uint_le(profile.event_count, pools * tables_small.segments * PE__REGION_SEGMENT_EVENTS);
        pe__profile_free(&profile);
        if (round % 10 == 0) {
            tables_keep_again(&tables);
            pools++;
        }
    }
    free(sound);
    tables_end(&tables);
}

/* A process that writes while it is read. */
PE_TEST(a_scribbler_at_work_does_no_harm)
{
    struct tables tables;
    struct pe__region_table table = tables_begin(&tables, 1);
    pid_t scribbler;
    int status;

    fill(&table);
    scribbler = fork();
    ck_assert_int_ge(scribbler, 0);
    if (scribbler == 0)
        for (uint64_t random = 99;;) {
            volatile uint64_t *word = random_word(&tables, &random);
            *word = edge(&random, *word);
        }
    for (int i = 0; i < 300; i++) {
        struct pe__profile profile = profile_taken();

        check_sound(&profile);
        pe__profile_free(&profile);
    }
    kill(scribbler, SIGKILL);
    ck_assert_int_eq(waitpid(scribbler, &status, 0), scribbler);
    tables_end(&tables);
}

/* ---- recording and reading at once ---- */

#define RECORDERS 2
#define PAIRS 200000

static void *record(void *nothing)
{
    for (int i = 0; i < PAIRS; i++) {
        pe_region_enter("outer");
        pe_region_enter("inner");
        pe_region_leave("inner");
        pe_region_leave("outer");
    }
    return nothing;
}

static uint64_t calls_of(const struct pe__profile *profile, const char *name)
{
    struct pe__profile_sums sums;
    uint64_t calls = 0;

    ck_assert_int_eq(pe__profile_flat(profile, all, &sums), 0);
    for (uint32_t i = 0; i < sums.count; i++)
        if (strcmp(profile->labels[sums.rows[i].label].name, name) == 0)
            calls = sums.rows[i].calls;
    pe__profile_sums_free(&sums);
    return calls;
}

PE_TEST(profiles_are_sound_while_regions_are_recorded)
{
    pthread_t threads[RECORDERS];
    struct pe__profile profile;
    uint64_t calls = 0, profiles = 0;

    ck_assert_int_eq(pe_region_enable(1), 0);
    for (int i = 0; i < RECORDERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, record, NULL), 0);
    do {
        uint64_t now;

        profile = profile_taken();
        check_sound(&profile);
        now = calls_of(&profile, "inner");
        ck_assert_uint_ge(now + RECORDERS, calls);
        calls = now;
        profiles++;
        pe__profile_free(&profile);
    } while (calls < RECORDERS * PAIRS / 2);
    for (int i = 0; i < RECORDERS; i++)
        pthread_join(threads[i], NULL);
    profile = profile_taken();
    ck_assert_uint_eq(calls_of(&profile, "inner"), RECORDERS * PAIRS);
    ck_assert_uint_eq(calls_of(&profile, "outer"), RECORDERS * PAIRS);
    ck_assert_uint_gt(profiles, 1);
    pe__profile_free(&profile);
}

/* ---- no memory ---- */

PE_TEST(a_profile_without_memory_says_so)
{
    struct tables tables;
    struct pe__region_table table = tables_begin(&tables, 2);
    struct pe__profile_sums sums;
    struct pe__profile profile;
    uint64_t nth = 0;
    int error;

    fill(&table);
    tables_keep_again(&tables);
    do {
        harness_fail_nth(HARNESS_MALLOC, ++nth, ENOMEM);
        error = pe__profile_take(&profile);
        ck_assert(error == 0 || error == PE_ENOMEM);
    } while (error != 0);
    ck_assert_uint_gt(nth, 20);
    for (int which = 0; which < 3; which++) {
        nth = 0;
        do {
            harness_fail_nth(HARNESS_MALLOC, ++nth, ENOMEM);
            error = which == 0   ? pe__profile_flat(&profile, all, &sums)
                    : which == 1 ? pe__profile_tree(&profile, all, &sums)
                                 : pe__profile_lines(&profile, all, &sums);
            ck_assert(error == 0 || error == PE_ENOMEM);
        } while (error != 0);
        ck_assert_uint_gt(nth, 3);
        pe__profile_sums_free(&sums);
    }
    harness_fail_reset();
    pe__profile_free(&profile);
    tables_end(&tables);
}

/* A pool that is freed without memory to keep what it had measured leaves less behind, and sound. */
PE_TEST(what_cannot_be_kept_is_left_out)
{
    struct tables tables;
    struct pe__region_table table = tables_begin(&tables, 1);
    uint64_t nth = 0, count;

    pe__region_source_remove(&tables.source, pe__kept_take_over);
    fill(&table);
    do {
        struct pe__profile profile;

        pe__region_source_add(&tables.source);
        harness_fail_nth(HARNESS_MALLOC, ++nth, ENOMEM);
        pe__region_source_remove(&tables.source, pe__kept_take_over);
        count = harness_fail_count(HARNESS_MALLOC);
        harness_fail_reset();
        profile = profile_taken();
        check_sound(&profile);
        pe__profile_free(&profile);
    } while (count >= nth);
    ck_assert_uint_gt(nth, 3);
    tables_free(&tables);
}

HARNESS_MAIN("profile-sound")
