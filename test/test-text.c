/* The text report and the line report, of profiles made by hand. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/region.h>
#include <parexec/report.h>

#include "harness/harness.h"
#include "harness/profile.h"
#include "harness/tree.h"
#include "report/cost.h"
#include "report/sink.h"
#include "report/text.h"

/* ---- what reports give ---- */

static char *written;

static const char *write_report(pe__report_fn *write, const struct pe__profile *profile,
                                const pe_report_options *options)
{
    static const pe_report_options defaults = PE_REPORT_OPTIONS_INIT;
    struct pe__sink sink = { NULL, 0 };
    size_t bytes;

    free(written);
    sink.file = open_memstream(&written, &bytes);
    ck_assert_ptr_nonnull(sink.file);
    write(&sink, profile, options ? options : &defaults);
    ck_assert_int_eq(fclose(sink.file), 0);
    ck_assert_int_eq(sink.error, 0);
    return written;
}

static void finish(struct draft *draft)
{
    draft_free(draft);
    free(written);
    written = NULL;
}

static void check_has(const char *text, const char *wanted)
{
    ck_assert_msg(strstr(text, wanted), "no \"%s\" in:\n%s", wanted, text);
}

static void check_has_not(const char *text, const char *unwanted)
{
    ck_assert_msg(!strstr(text, unwanted), "\"%s\" in:\n%s", unwanted, text);
}

/* These stand in the text one after the other. */
static void check_order(const char *text, const char *const *names, size_t count)
{
    const char *from = text;

    for (size_t i = 0; i < count; i++) {
        const char *at = strstr(from, names[i]);
        ck_assert_msg(at, "\"%s\" is missing or too early in:\n%s", names[i], text);
        from = at + strlen(names[i]);
    }
}

/* ---- cells ---- */

PE_TEST(times_have_four_digits_and_a_unit)
{
    static const struct {
        double ns;
        const char *wanted;
    } cases[] = {
        { 0, "0ns" }, { 1, "1ns" }, { 27.3, "27.3ns" }, { 0.04, "0.0ns" }, { 999, "999ns" }, { 999.9, "999.9ns" },
        { 999.96, "1.000us" }, { 1000, "1.000us" }, { 9999.4, "9.999us" }, { 9999.6, "10.00us" }, { 12345, "12.35us" },
        { 123456, "123.5us" }, { 999949, "999.9us" }, { 999951, "1.000ms" }, { 1.5e6, "1.500ms" }, { 2e9, "2.000s" },
        { 59.994e9, "59.99s" }, { 3600e9, "3600s" }, { 86400e9, "86400s" }, { 9.2e18, "9200000000s" },
    };
    pe__text_cell cell;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pe__text_time(cell, cases[i].ns);
        ck_assert_str_eq(cell, cases[i].wanted);
    }
}
END_TEST

PE_TEST(percentages_need_a_whole)
{
    pe__text_cell cell;

    pe__text_percent(cell, 1, 3);
    ck_assert_str_eq(cell, "33.3");
    pe__text_percent(cell, 1, 0);
    ck_assert_str_eq(cell, "-");
}
END_TEST

/* ---- the text report ---- */

#define HEAD \
    "program   example\n" \
    "measured  1.000ms from 2023-11-14 22:13:20 UTC on\n" \
    "clock     time-stamp counter, 2.500 GHz: steady, and the kernel keeps time by it\n" \
    "mode      exact; enter and leave cost 30ns here\n" \
    "recorded  2 threads of the host and 2 workers of 1 pool\n"

#define OTHERS \
    "\nCounters:\n\n" \
    "times  sum  mean  min  max  name(file:line)\n" \
    "    2  500   250  250  250  cells(grid.c:45)\n" \
    "\nUnfinished: open now, or cut short by the end of their thread or process:\n\n" \
    "cut short  open for  name(file:line)\n" \
    "        0   20.00us  write(io.c:7) in io (host)\n" \
    "        1         -  pe.run(example.c:1) in pool 1 worker 1\n" \
    "        1         -  item(job.c:12) in pool 1 worker 1\n" \
    "\nThe library's own regions:\n\n" \
    "ncalls  cumtime  percall      min      p50      p95      p99      max  name(file:line)\n" \
    "     3  600.0us  200.0us  200.0us  200.0us  200.0us  200.0us  200.0us  pe.run(example.c:1)\n" \
    "     3  30.00us  10.00us  10.00us  10.00us  10.00us  10.00us  10.00us  pe.submit(example.c:1)\n" \
    "\nWhere the pools' time went (times and counters whose names begin with pe.):\n\n" \
    " submit      run  process\n" \
    "30.00us        -  host, pid 100\n" \
    "      -  400.0us  pool 1 worker 0, pid 200\n" \
    "      -  200.0us  pool 1 worker 1, pid 201 and 1 before it\n"

PE_TEST(text_report_in_the_manner_of_cprofile)
{
    static const char wanted[] =
        HEAD "\nRegions of all threads, by cumulative time:\n\n"
        "ncalls     %  tottime  percall  cumtime  percall      min      p50      p95      p99      max"
        "  name(file:line)\n"
        "     1  22.8  370.0us  370.0us  1.000ms  1.000ms  1.000ms  1.000ms  1.000ms  1.000ms  1.000ms"
        "  solve(grid.c:30)\n"
        "     2  37.0  600.0us  300.0us  600.0us  300.0us  300.0us  300.0us  300.0us  300.0us  300.0us"
        "  relax(grid.c:40)\n"
        "   5/3  27.8  450.0us  90.00us  450.0us  150.0us  50.00us  150.0us  150.0us  150.0us  150.0us"
        "  item(job.c:12)\n"
        "     4  12.3  200.0us  50.00us  200.0us  50.00us  50.00us  50.00us  50.00us  50.00us  50.00us"
        "  write(io.c:7)\n" OTHERS;
    struct draft draft = { 0 };

    draft_example(&draft);
    ck_assert_str_eq(write_report(pe__report_text, draft_finish(&draft), NULL), wanted);
    finish(&draft);
}
END_TEST

PE_TEST(tree_is_indented_and_shows_shares_of_parents)
{
    static const char wanted[] =
        HEAD "\nCall tree of all threads, by cumulative time:\n\n"
        "ncalls  %parent  tottime  cumtime  percall      min      p50      p95      p99      max  name(file:line)\n"
        "     1     55.6  370.0us  1.000ms  1.000ms  1.000ms  1.000ms  1.000ms  1.000ms  1.000ms  solve(grid.c:30)\n"
        "     2     60.0  600.0us  600.0us  300.0us  300.0us  300.0us  300.0us  300.0us  300.0us    relax(grid.c:40)\n"
        "     3      3.0  30.00us  30.00us  10.00us  10.00us  10.00us  10.00us  10.00us  10.00us"
        "    pe.submit(example.c:1)\n"
        "     3     33.3  150.0us  600.0us  200.0us  200.0us  200.0us  200.0us  200.0us  200.0us"
        "  pe.run(example.c:1)\n"
        "     3     75.0  350.0us  450.0us  150.0us  150.0us  150.0us  150.0us  150.0us  150.0us    item(job.c:12)\n"
        "     2     22.2  100.0us  100.0us  50.00us  50.00us  50.00us  50.00us  50.00us  50.00us      item(job.c:12)\n"
        "     4     11.1  200.0us  200.0us  50.00us  50.00us  50.00us  50.00us  50.00us  50.00us  write(io.c:7)\n"
        OTHERS;
    pe_report_options options = PE_REPORT_OPTIONS_INIT;
    struct draft draft = { 0 };

    options.flags = PE_REPORT_TREE;
    draft_example(&draft);
    ck_assert_str_eq(write_report(pe__report_text, draft_finish(&draft), &options), wanted);
    finish(&draft);
}
END_TEST

/* One thread of the host, and regions below its root. */
static uint32_t begin(struct draft *draft)
{
    uint32_t host = draft_process(draft, 100, 0, -1), track = draft_track(draft, host, 100, "main");

    return draft_node(draft, track, PE__REGION_NOTHING, draft_label(draft, PE__KIND_ROOT, ""), 0, 0);
}

static uint32_t add(struct draft *draft, uint32_t parent, const char *name, uint64_t calls, int64_t total_ns)
{
    return draft_node(draft, 0, parent, draft_label_at(draft, PE_SITE_REGION, name, "a.c", 1), calls, total_ns);
}

PE_TEST(rows_are_sorted_as_asked)
{
    static const char *const orders[][4] = {
        [PE_SORT_CUMULATIVE] = { "outer", "many", "few", "inner" },
        [PE_SORT_OWN] = { "many", "few", "inner", "outer" },
        [PE_SORT_CALLS] = { "many", "outer", "few", "inner" },
        [PE_SORT_PER_CALL] = { "few", "outer", "inner", "many" },
        [PE_SORT_NAME] = { "few", "inner", "many", "outer" },
    };
    pe_report_options options = PE_REPORT_OPTIONS_INIT;
    struct draft draft = { 0 };
    uint32_t root = begin(&draft), outer = add(&draft, root, "outer", 7, 9000);

    add(&draft, outer, "many", 100, 8000);
    add(&draft, root, "few", 3, 6000);
    add(&draft, outer, "inner", 2, 900);
    draft_finish(&draft);
    for (options.sort = 0; options.sort <= PE_SORT_NAME; options.sort++)
        check_order(write_report(pe__report_text, &draft.profile, &options), orders[options.sort], 4);
    options.sort = PE_SORT_NAME;
    options.flags = PE_REPORT_TREE;
    check_order(write_report(pe__report_text, &draft.profile, &options),
                (const char *const[]){ "few", "outer", "inner", "many" }, 4);
    finish(&draft);
}
END_TEST

PE_TEST(rows_are_limited_and_picked_by_pattern)
{
    pe_report_options options = PE_REPORT_OPTIONS_INIT;
    struct draft draft = { 0 };
    uint32_t root = begin(&draft), outer = add(&draft, root, "outer", 1, 9000);

    add(&draft, add(&draft, outer, "middle", 1, 5000), "needle", 1, 4000);
    add(&draft, outer, "other", 1, 3000);
    draft_finish(&draft);
    options.rows = 3;
    check_has(write_report(pe__report_text, &draft.profile, &options), "needle(a.c:1)\nand 1 more\n");
    check_has_not(written, "other");
    options.rows = 4;
    check_has_not(write_report(pe__report_text, &draft.profile, &options), "more");
    options.rows = 0;
    options.match = "n*e";
    check_has(write_report(pe__report_text, &draft.profile, &options), "needle");
    check_has_not(written, "outer");
    options.flags = PE_REPORT_TREE; /* with the way to it */
    check_has(write_report(pe__report_text, &draft.profile, &options), "  outer(a.c:1)\n");
    check_has(written, "    middle(a.c:1)\n");
    check_has(written, "      needle(a.c:1)\n");
    check_has_not(written, "other");
    finish(&draft);
}
END_TEST

PE_TEST(tables_of_processes_and_threads)
{
    static const char *const processes[] = {
        "Regions of all threads,",      "Regions of host,", "solve", "write",
        "Regions of pool 1 worker 0,", "item", "Regions of pool 1 worker 1,", "item",
    };
    static const char *const threads[] = {
        "Regions of all threads,", "Regions of thread main (100) of host,", "solve",
        "Regions of thread io (101) of host,", "write", "Regions of thread worker 0 (200) of pool 1 worker 0,", "item",
    };
    pe_report_options options = PE_REPORT_OPTIONS_INIT;
    struct draft draft = { 0 };

    draft_example(&draft);
    draft_finish(&draft);
    options.flags = PE_REPORT_PER_PROCESS;
    check_order(write_report(pe__report_text, &draft.profile, &options), processes, 8);
    check_has_not(written, "of thread");
    options.flags = PE_REPORT_PER_THREAD;
    check_order(write_report(pe__report_text, &draft.profile, &options), threads, 7);
    finish(&draft);
}
END_TEST

PE_TEST(losses_and_wrong_use_are_told)
{
    struct draft draft = { 0 };
    uint32_t root = begin(&draft), solve;

    add(&draft, root, "solve", 1, 10);
    solve = draft_label_at(&draft, PE_SITE_REGION, "solve", "a.c", 1);
    draft_finish(&draft);
    draft.profile.processes[0].dropped_labels = 1;
    draft.profile.processes[0].dropped_nodes = 2;
    draft.profile.processes[0].dropped_threads = 3;
    draft.profile.processes[0].dropped_in_handler = 4;
    draft.profile.tracks[0].dropped_calls = 5;
    draft.profile.tracks[0].dropped_events = 6;
    draft.profile.tracks[0].unmatched = 7;
    draft.profile.tracks[0].first_unmatched = solve;
    draft.profile.tracks[0].crossed = 8;
    draft.profile.tracks[0].first_crossed = PE__REGION_NOTHING;
    check_has(write_report(pe__report_text, &draft.profile, NULL),
              "dropped   host: 1 name, 2 paths, 3 threads, 4 first used in handlers\n"
              "          main (host): 5 calls, 6 events\n"
              "          room for more: names=N, paths=N, events=N in PAREXEC_PROFILE, or pe_region_setup\n"
              "wrong use main (host): 7 left but not entered, first solve(a.c:1); 8 closed by an end further out\n");
    finish(&draft);
}
END_TEST

/* Where there is no such word, as for calls too deep, none is named. */
PE_TEST(words_that_make_room_are_named)
{
    struct draft draft = { 0 };
    uint32_t root = begin(&draft);

    add(&draft, root, "solve", 1, 10);
    draft_finish(&draft);
    draft.profile.tracks[0].dropped_calls = 5;
    draft.profile.processes[0].dropped_threads = 1;
    check_has(write_report(pe__report_text, &draft.profile, NULL), "5 calls\n");
    check_has_not(written, "room for more");
    draft.profile.processes[0].dropped_nodes = 1;
    check_has(write_report(pe__report_text, &draft.profile, NULL), "more: paths=N in PAREXEC_PROFILE,");
    draft.profile.processes[0].dropped_nodes = 0;
    draft.profile.tracks[0].dropped_events = 1;
    check_has(write_report(pe__report_text, &draft.profile, NULL), "more: events=N in PAREXEC_PROFILE,");
    finish(&draft);
}
END_TEST

PE_TEST(lines_about_hundreds_of_threads_are_counted)
{
    struct draft draft = { 0 };
    uint32_t root = begin(&draft);

    add(&draft, root, "solve", 1, 10);
    for (int i = 0; i < 99; i++)
        draft_track(&draft, 0, 200 + i, "more");
    draft_finish(&draft);
    for (int i = 0; i < 100; i++)
        draft.profile.tracks[i].unmatched = 1;
    check_has(write_report(pe__report_text, &draft.profile, NULL), "\n          and 84 more\n");
    finish(&draft);
}
END_TEST

PE_TEST(spans_marks_and_cpu_time_have_columns)
{
    struct draft draft = { 0 };
    uint32_t root = begin(&draft), span, node;

    node = add(&draft, root, "solve", 2, 4000);
    span = draft_node(&draft, 0, root, draft_label_at(&draft, PE__KIND_SPAN, "request", "a.c", 2), 2, 9000);
    draft_node(&draft, 0, root, draft_label_at(&draft, PE_SITE_MARK, "tick", "a.c", 3), 5, 0);
    draft_finish(&draft);
    check_has_not(write_report(pe__report_text, &draft.profile, NULL), "cpu");
    draft.profile.nodes[span].waited_ns = 7000;
    draft.profile.nodes[node].cpu_ns = 3000;
    draft.profile.has_cpu_time = true;
    write_report(pe__report_text, &draft.profile, NULL);
    check_has(written, "  cumtime  percall      cpu      min");
    check_has(written, "4.000us  2.000us  3.000us  2.000us");
    check_has(written, "\nSpans:\n\nncalls  cumtime  percall   active  waiting      min");
    check_has(written, "     2  9.000us  4.500us  2.000us  7.000us  4.500us");
    check_has(written, "\nMarks:\n\ntimes  name(file:line)\n    5  tick(a.c:3)\n");
    finish(&draft);
}
END_TEST

PE_TEST(head_tells_clock_mode_and_runs)
{
    pe_report_options options = PE_REPORT_OPTIONS_INIT;
    struct draft draft = { 0 };
    uint32_t root = begin(&draft);

    add(&draft, root, "solve", 1, 10);
    draft_finish(&draft);
    draft.profile.clock = "clock_gettime";
    draft.profile.mode = "sampled";
    draft.profile.sample_every = 16;
    draft.profile.runs = 3;
    draft.profile.pair_cost_ns = 2.4;
    options.flags = PE_REPORT_SUBTRACT_COST;
    write_report(pe__report_text, &draft.profile, &options);
    check_has(written, " UTC on, the sum of 3 runs\n");
    check_has(written, "clock     clock_gettime: the time-stamp counter is missing, not steady or not the same on all "
                       "CPUs\n");
    check_has(written, "mode      sampled, 1 call in 16 timed and scaled up; "
                       "enter and leave cost 2.4ns here, taken off below\n");
    check_has(written, "recorded  1 thread of the host\n");
    finish(&draft);
}
END_TEST

/* Threads that came one after the other share a track, others share a name. */
PE_TEST(threads_are_counted_and_told_apart)
{
    struct draft draft = { 0 };
    uint32_t root = begin(&draft), same, worker;

    add(&draft, root, "solve", 1, 10);
    same = draft_track(&draft, 0, 102, "main");
    worker = draft_process(&draft, 200, 1, 0);
    draft_track(&draft, worker, 200, "worker 0");
    draft_track(&draft, worker, 201, "helper");
    draft_finish(&draft);
    draft.profile.tracks[same].lives = 10000;
    draft.profile.tracks[same].crossed = 1;
    write_report(pe__report_text, &draft.profile, NULL);
    check_has(written, "recorded  10001 threads of the host and 1 worker of 1 pool with 2 threads\n");
    check_has(written, "wrong use main (host, tid 102): 1 closed by an end further out\n");
    finish(&draft);
}
END_TEST

/* Whatever a name is, it ends its row, and each row's name begins in the same column. */
PE_TEST(names_disturb_no_column)
{
    static const char *const beginnings[] = { "name(", "xxx", "gr", "two", "bad", "(a.c" };
    struct draft draft = { 0 };
    uint32_t root = begin(&draft);
    char name[128];
    size_t column = 0;
    int rows = 0;

    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    add(&draft, root, name, 1, 10);
    add(&draft, root, "gr\xc3\xbc\xc3\x9f", UINT64_C(1) << 60, INT64_C(1) << 60);
    add(&draft, root, "two\nlines\x1b[31m\x7f\xc2\x9bred", 1, 1000);
    add(&draft, root, "bad\xff\xc3", 1, 1000);
    add(&draft, root, "", 1, 1000);
    write_report(pe__report_text, draft_finish(&draft), NULL);
    check_has(written, "  gr\xc3\xbc\xc3\x9f(a.c:1)\n");
    check_has(written, "  two\\x0alines\\x1b[31m\\x7f\\u009bred(a.c:1)\n");
    check_has(written, "  bad\xef\xbf\xbd\xef\xbf\xbd(a.c:1)\n");
    check_has(written, "  (a.c:1)\n");
    for (char *line = strtok(strstr(written, ":\n\n") + 3, "\n"); line; line = strtok(NULL, "\n"), rows++) {
        char *at = NULL;
        for (int i = 0; !at && i < 6; i++)
            at = strstr(line, beginnings[i]);
        ck_assert_ptr_nonnull(at);
        column = column ? column : (size_t)(at - line);
        ck_assert_msg((size_t)(at - line) == column, "%s", line);
    }
    ck_assert_int_eq(rows, 6);
    finish(&draft);
}
END_TEST

PE_TEST(empty_profile_says_so)
{
    struct draft draft = { 0 };

    draft_process(&draft, 100, 0, -1);
    write_report(pe__report_text, draft_finish(&draft), NULL);
    check_has(written, "recorded  0 threads of the host\n\n"
                       "Nothing was measured: no region was entered while measuring was on.\n");
    draft.profile.begin_unix_ns = 0;
    write_report(pe__report_text, &draft.profile, NULL);
    check_has(written, "\nmeasured  nothing yet\nclock ");
    write_report(pe__report_lines, &draft.profile, NULL);
    check_has(written, "\nNo line was measured: PE_LINE marks lines.\n");
    finish(&draft);
}
END_TEST

PE_TEST(cost_is_taken_off_the_regions_around)
{
    struct draft draft = { 0 };
    uint32_t root = begin(&draft), outer = add(&draft, root, "outer", 1, 10000);
    uint32_t middle = add(&draft, outer, "middle", 10, 5000), inner = add(&draft, middle, "inner", 100, 3500);
    uint32_t small = add(&draft, outer, "small", 1, 20), tiny = add(&draft, small, "tiny", 5, 10);
    const struct pe__profile_node *node;

    draft_finish(&draft); /* a pair costs 30 ns */
    node = draft.profile.nodes;
    ck_assert_int_eq(pe__profile_subtract_cost(&draft.profile), 0);
    ck_assert_int_eq(node[outer].total_ns, 10000 - 116 * 30);
    ck_assert_int_eq(node[outer].own_ns, 10000 - 5000 - 20 - 11 * 30);
    ck_assert_int_eq(node[middle].total_ns, 5000 - 100 * 30);
    ck_assert_int_eq(node[middle].own_ns, 0); /* not below */
    ck_assert_int_eq(node[inner].total_ns, 3500);
    ck_assert_int_eq(node[inner].own_ns, 3500);
    ck_assert_int_eq(node[small].total_ns, 0);
    ck_assert_int_eq(node[tiny].total_ns, 10);
    finish(&draft);
}
END_TEST

static void check_without_memory(pe__report_fn *write, const struct pe__profile *profile)
{
    pe_report_options options = PE_REPORT_OPTIONS_INIT;
    bool is_done = false;
    uint64_t n;

    for (n = 1; !is_done && n < 1000; n++) {
        struct pe__sink sink = { fopen("/dev/null", "we"), 0 };

        harness_fail_nth(HARNESS_MALLOC, n, ENOMEM);
        write(&sink, profile, &options);
        is_done = harness_fail_count(HARNESS_MALLOC) < n;
        harness_fail_reset();
        fclose(sink.file);
        ck_assert_int_eq(sink.error, is_done ? 0 : PE_ENOMEM);
    }
    ck_assert_uint_gt(n, 2);
}

PE_TEST(reports_without_memory_say_so)
{
    struct draft draft = { 0 };

    draft_example(&draft);
    draft_finish(&draft);
    check_without_memory(pe__report_text, &draft.profile);
    check_without_memory(pe__report_lines, &draft.profile);
    harness_fail_nth(HARNESS_MALLOC, 1, ENOMEM);
    ck_assert_int_eq(pe__profile_subtract_cost(&draft.profile), PE_ENOMEM);
    finish(&draft);
}
END_TEST

/* ---- the line report ---- */

static void add_line(struct draft *draft, uint32_t parent, const char *file, uint32_t line, uint64_t hits, int64_t ns)
{
    draft_node(draft, 0, parent, draft_label_at(draft, PE_SITE_LINE, "", file, line), hits, ns);
}

static uint32_t add_in(struct draft *draft, uint32_t parent, const char *name, const char *file, uint32_t line,
                       int64_t ns)
{
    return draft_node(draft, 0, parent, draft_label_at(draft, PE_SITE_REGION, name, file, line), 1, ns);
}

PE_TEST(line_report_in_the_manner_of_line_profiler)
{
    static const char wanted[] =
        "Region: relax at line 2\n\n"
        "Line #  Hits     Time  Per Hit  % Time  Line Contents\n"
        "=====================================================\n"
        "     2                                  {\n"
        "     3   100  3.000us     30ns    75.0  \tPE_LINE(); a();\n"
        "     4                                  \t/* \\x1b */\n"
        "     5    10  1.000us    100ns    25.0  \tPE_LINE();\n"
        "     6                                  \tb();\n";
    char file[128], text[256];
    struct draft draft = { 0 };
    struct tree tree;
    uint32_t root = begin(&draft), relax;

    tree_make(&tree);
    tree_put(&tree, "/grid.c", "void relax()\n{\n\tPE_LINE(); a();\r\n\t/* \x1b */\n\tPE_LINE();\n\tb();\n}\n");
    snprintf(file, sizeof file, "%s/grid.c", tree.root);
    relax = add_in(&draft, root, "relax", file, 2, 5000);
    add_line(&draft, relax, file, 5, 10, 1000);
    add_line(&draft, relax, file, 3, 100, 3000);
    write_report(pe__report_lines, draft_finish(&draft), NULL);
    snprintf(text, sizeof text, "\nTotal time: 4.000us\nFile: %s\nRegion: relax", file);
    check_has(written, text);
    check_has(written, wanted);
    check_has_not(written, "void relax");
    tree_remove(&tree);
    finish(&draft);
}
END_TEST

PE_TEST(lines_are_grouped_by_region_and_file_the_longest_first)
{
    static const char *const order[] = {
        "Total time: 9.000us\nFile: b.c", "Region: one at line 1",  "Total time: 5.000us\nFile: a.c",
        "Region: one at line 1",          "Total time: 3.000us\nFile: a.c", "Region: two at line 50",
        "Total time: 1.000us\nFile: a.c", "Region: none",
    };
    pe_report_options options = PE_REPORT_OPTIONS_INIT;
    struct draft draft = { 0 };
    uint32_t root = begin(&draft), one = add_in(&draft, root, "one", "a.c", 1, 20000);
    uint32_t two = add_in(&draft, root, "two", "a.c", 50, 4000);
    uint32_t nested = add_in(&draft, two, "one", "a.c", 1, 1000); /* the same region by another path */

    add_line(&draft, one, "a.c", 3, 1, 4000);
    add_line(&draft, nested, "a.c", 3, 2, 1000);
    add_line(&draft, one, "b.c", 8, 1, 9000);
    add_line(&draft, two, "a.c", 52, 1, 3000);
    add_line(&draft, root, "a.c", 90, 1, 1000);
    write_report(pe__report_lines, draft_finish(&draft), NULL);
    check_order(written, order, 8);
    check_has(written, "     3     3  5.000us  1.667us   100.0  \n");
    check_has(written, "File: a.c (not found; PAREXEC_SOURCE_PATH lists directories)\n");
    options.match = "t?o";
    write_report(pe__report_lines, &draft.profile, &options);
    check_has(written, "Region: two");
    check_has_not(written, "Region: one");
    finish(&draft);
}
END_TEST

PE_TEST(librarys_counters_are_in_the_table_of_pools_alone)
{
    struct draft draft = { 0 };
    uint32_t host = draft_process(&draft, 100, 0, -1), worker = draft_process(&draft, 200, 1, 0);
    uint32_t root[2];

    for (uint32_t i = 0; i < 2; i++) {
        uint32_t track = draft_track(&draft, i == 0 ? host : worker, 100 + (int32_t)i, "thread");
        root[i] = draft_node(&draft, track, PE__REGION_NOTHING, draft_label(&draft, PE__KIND_ROOT, ""), 0, 0);
        draft_node(&draft, track, root[i], draft_label(&draft, PE_SITE_REGION, i == 0 ? "pe.map" : "pe.run"), 1, 1000);
    }
    draft_counter(&draft, 1, root[1], draft_label(&draft, PE_SITE_COUNTER, "pe.bytes in"), 2, 500);
    write_report(pe__report_text, draft_finish(&draft), NULL);
    check_has_not(written, "Counters");
    check_has(written, "    map      run  bytes in  process\n"
                       "1.000us        -         -  host, pid 100\n"
                       "      -  1.000us       500  pool 1 worker 0, pid 200\n");
    finish(&draft);
}
END_TEST

/* Far from each other, from their region and beyond the end of the file. */
PE_TEST(gaps_between_lines_are_short)
{
    char file[128], *text = calloc(200, 8), *end = text;
    struct draft draft = { 0 };
    struct tree tree;
    uint32_t root = begin(&draft), far;

    ck_assert_ptr_nonnull(text);
    for (int i = 1; i <= 100; i++)
        end += sprintf(end, "line%d\n", i);
    tree_make(&tree);
    tree_put(&tree, "/long.c", text);
    free(text);
    snprintf(file, sizeof file, "%s/long.c", tree.root);
    far = add_in(&draft, root, "far", file, 1, 5000);
    add_line(&draft, far, file, 40, 1, 1000);
    add_line(&draft, far, file, 71, 1, 1000);
    add_line(&draft, far, file, 110, 1, 1000);
    add_line(&draft, far, file, UINT32_MAX, 1, 1000);
    write_report(pe__report_lines, draft_finish(&draft), NULL);
    check_order(written,
                (const char *const[]){ "...  ", "line40\n", "line41\n", "line70\n", "line71\n", "line72\n",
                                       "line100\n", "110     1", "4294967295     1" }, 9);
    check_has_not(written, "line39\n");
    tree_remove(&tree);
    finish(&draft);
}
END_TEST

/* As the compiler said it, relative to where it ran: below a directory of the list, with or without its own. */
PE_TEST(sources_are_looked_for_in_a_list_of_directories)
{
    static const char *const found[] = { "../src/one.c", "./src/one.c", "/gone/build/one.c", "two.c" };
    char list[256];
    struct tree tree;

    tree_make(&tree);
    tree_put(&tree, "/a/src/one.c", "first\n");
    tree_put(&tree, "/b/one.c", "flat\n");
    tree_put(&tree, "/b/two.c", "second"); /* no end of line */
    snprintf(list, sizeof list, ":/nowhere:%s/a:%s/b", tree.root, tree.root);
    ck_assert_int_eq(setenv("PAREXEC_SOURCE_PATH", list, 1), 0);
    for (size_t i = 0; i < 4; i++) {
        struct draft draft = { 0 };
        uint32_t region = add_in(&draft, begin(&draft), "far", "x.c", 1, 1000);

        add_line(&draft, region, found[i], 1, 1, 1000);
        write_report(pe__report_lines, draft_finish(&draft), NULL);
        check_has(written, i < 2 ? "  first\n" : i == 2 ? "  flat\n" : "  second\n");
        finish(&draft);
    }
    unsetenv("PAREXEC_SOURCE_PATH");
    tree_remove(&tree);
}
END_TEST

HARNESS_MAIN("text")
