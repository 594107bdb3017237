/*
 * Profiles in files: JSON comes back as it was written, several runs add up, and nothing that a file may hold instead
 * does harm. test-formats.py has the same files read by others.
 */
#include "harness/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/region.h>
#include <parexec/report.h>

#include "harness/profile.h"
#include "report/json.h"
#include "report/sink.h"

#define NOTHING PE__REGION_NOTHING

/* ---- JSON ---- */

static bool is_json(const char *text)
{
    struct pe__json json = pe__json_over(text, strlen(text));

    pe__json_skip(&json);
    return pe__json_end(&json);
}

PE_TEST(json_is_read_strictly)
{
    static const char *const good[] = { "0",   "-0",   "10.5e-3", "1E+2", "true", " false ", "null", "\"\"", "[]", "{}",
                                        "[1, 2]", "{\"a\": [1, {\"b\":null}], \"c\" : \"\\u00e4\\ud83d\\ude00\\n\"}",
                                        "\"gr\xc3\xbc\xc3\x9f\"", "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]" };
    static const char *const bad[] = { "", "01", "-", "1.", ".5", "1e", "+1", "tru", "nul", "\"", "\"\n\"", "\"\\x\"",
                                       "[1,]", "[,1]", "[1 2]", "[", "]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
                                       "{1:2}", "{", "1 2",
                                       "\"\xff\"", "\"\\u12\"", "\"\\ud83d\"", "\"\\ude00\"", "\"\\ud83d\\u0041\"",
                                       "\"\\u0000\"", "[1]]", "[}", "{]", "'a'", "NaN", "// a\n1",
                                       "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]" };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(is_json(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!is_json(bad[i]), "%s", bad[i]);
}

static bool reads_u64(const char *text, uint64_t *ret)
{
    struct pe__json json = pe__json_over(text, strlen(text));

    *ret = pe__json_u64(&json);
    return pe__json_end(&json);
}

static bool reads_i64(const char *text, int64_t *ret)
{
    struct pe__json json = pe__json_over(text, strlen(text));

    *ret = pe__json_i64(&json);
    return pe__json_end(&json);
}

PE_TEST(json_numbers_keep_to_their_range)
{
    uint64_t u;
    int64_t i;

    ck_assert(reads_u64("18446744073709551615", &u) && u == UINT64_MAX);
    ck_assert(!reads_u64("18446744073709551616", &u));
    ck_assert(!reads_u64("-1", &u));
    ck_assert(!reads_u64("1.0", &u));
    ck_assert(reads_i64("-9223372036854775808", &i) && i == INT64_MIN);
    ck_assert(reads_i64("9223372036854775807", &i) && i == INT64_MAX);
    ck_assert(!reads_i64("9223372036854775808", &i));
    ck_assert(!reads_i64("-9223372036854775809", &i));
    ck_assert(!reads_i64("1e3", &i));
}

/* ---- whole profiles ---- */

static char *write_as(const struct pe__profile *profile, pe__report_fn *report)
{
    static const pe_report_options options = PE_REPORT_OPTIONS_INIT;
    char *text = NULL;
    size_t bytes;
    struct pe__sink sink = { open_memstream(&text, &bytes), 0 };

    ck_assert_ptr_nonnull(sink.file);
    report(&sink, profile, &options);
    ck_assert_int_eq(sink.error, 0);
    fclose(sink.file);
    return text;
}

static int read_text(const char *text, size_t bytes, struct pe__profile *ret)
{
    FILE *file = bytes ? fmemopen((void *)text, bytes, "r") : fopen("/dev/null", "r");
    int error;

    ck_assert_ptr_nonnull(file);
    error = pe__profile_read(ret, file);
    fclose(file);
    return error;
}

static void add_odd_things(struct draft *draft)
{
    uint32_t worker = draft_process(draft, 7, PE__PROFILE_FREED_POOLS, 3);
    uint32_t track = draft_track(draft, worker, 8, "a \"quoted\"\tname");
    uint32_t root = draft_node(draft, track, NOTHING, draft_label(draft, PE__KIND_ROOT, ""), 0, 0);
    uint32_t mark = draft_label(draft, PE_SITE_MARK, "gr\xc3\xbc\xc3\x9f, \"x\"\\");
    uint32_t node = draft_node(draft, track, root, draft_label(draft, PE__KIND_SPAN, "span"), 3, 900);

    draft->profile.nodes[node].waited_ns = 400;
    draft->profile.nodes[node].cpu_ns = 5;
    draft_counter(draft, track, root, draft_label(draft, PE_SITE_COUNTER, "down"), 3, INT64_MIN);
    draft_counter(draft, track, root, mark, UINT64_MAX, 0);
    draft->profile.tracks[track].unmatched = 1;
    draft->profile.tracks[track].first_unmatched = mark;
    draft->profile.tracks[track].dropped_calls = UINT64_MAX;
    draft->profile.tracks[track].ended = true;
    draft->profile.processes[worker].dropped_labels = 11;
    draft->profile.processes[worker].dropped_nodes = 12;
    draft->profile.processes[worker].dropped_threads = 13;
    draft->profile.processes[worker].dropped_in_handler = 14;
}

static const struct pe__profile *make_odd_example(struct draft *draft)
{
    memset(draft, 0, sizeof *draft);
    draft_example(draft);
    add_odd_things(draft);
    return draft_finish(draft);
}

PE_TEST(json_comes_back_exactly)
{
    struct draft draft;
    char *text = write_as(make_odd_example(&draft), pe__report_json), *again;
    struct pe__profile read;

    ck_assert_int_eq(read_text(text, strlen(text), &read), 0);
    ck_assert_uint_eq(read.node_count, draft.profile.node_count);
    ck_assert_uint_eq(read.label_count, draft.profile.label_count);
    again = write_as(&read, pe__report_json);
    ck_assert_msg(strcmp(again, text) == 0, "not the same text");
    ck_assert_int_eq(read.begin_unix_ns, INT64_C(1700000000000000000));
    pe__profile_free(&read);
    draft_free(&draft);
    free(text);
    free(again);
}

/* The numbers of a file, not its text: members that are not known, and in another order, make no difference. */
PE_TEST(members_may_stand_in_any_order)
{
    static const char text[] = "{\"future\":{\"a\":[1,2.5]},"
                               "\"nodes\":[{\"label\":0,\"thread\":0,\"parent\":null},"
                               "{\"buckets\":[[100,2]],\"calls\":2,\"timed\":2,\"total_ns\":210,\"least_ns\":100,"
                               "\"most_ns\":110,\"label\":1,\"parent\":0,\"thread\":0,\"own_ns\":1}],"
                               "\"threads\":[{\"process\":0}],\"processes\":[{\"pool\":0}],"
                               "\"labels\":[{\"kind\":\"root\"},{\"kind\":\"region\",\"name\":\"a\"}],"
                               "\"parexec_report\":1}";
    struct pe__profile read;

    ck_assert_int_eq(read_text(text, strlen(text), &read), 0);
    ck_assert_uint_eq(read.node_count, 2);
    ck_assert_int_eq(read.nodes[1].own_ns, 210);
    ck_assert_uint_eq(read.nodes[1].buckets[pe__region_bucket(100)], 2);
    ck_assert_str_eq(read.labels[read.nodes[1].label].name, "a");
    pe__profile_free(&read);
}

PE_TEST(what_is_no_report_is_refused)
{
    static const char *const others[] = {
        "", "[]", "{}", "{\"parexec_report\":1}", "not JSON at all",
        "{\"parexec_report\":2,\"labels\":[],\"processes\":[],\"threads\":[],\"nodes\":[]}",
        "{\"parexec_report\":1,\"runs\":0,\"labels\":[],\"processes\":[],\"threads\":[],\"nodes\":[]}",
        "{\"parexec_report\":1,\"labels\":[],\"processes\":[],\"threads\":[],\"nodes\":[]} x",
        "{\"parexec_report\":1,\"labels\":[{\"kind\":\"animal\"}],\"processes\":[],\"threads\":[],\"nodes\":[]}",
        "{\"parexec_report\":1,\"labels\":[],\"processes\":[],\"threads\":[{\"process\":0}],\"nodes\":[]}",
        "{\"parexec_report\":1,\"labels\":[],\"processes\":[{}],\"threads\":[{}],\"nodes\":[]}",
        "{\"parexec_report\":1,\"labels\":[{\"kind\":\"root\"}],\"processes\":[{}],\"threads\":[{\"process\":0}],"
        "\"nodes\":[{\"thread\":0,\"label\":0,\"parent\":0}]}",
        "{\"parexec_report\":1,\"labels\":[{\"kind\":\"root\"}],\"processes\":[{}],\"threads\":[{\"process\":0}],"
        "\"nodes\":[{\"thread\":1,\"label\":0}]}",
        "{\"parexec_report\":1,\"labels\":[{\"kind\":\"root\"}],\"processes\":[{}],\"threads\":[{\"process\":0}],"
        "\"nodes\":[{\"thread\":0,\"label\":0,\"total_ns\":-1}]}",
        "{\"parexec_report\":1,\"labels\":[{\"kind\":\"root\"}],\"processes\":[{}],\"threads\":[{\"process\":0}],"
        "\"nodes\":[{\"thread\":0,\"label\":0,\"buckets\":[[1]]}]}",
    };
    static const char empty[] = "{\"parexec_report\":1,\"labels\":[],\"processes\":[],\"threads\":[],\"nodes\":[]}";
    struct pe__profile read;

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert_msg(read_text(others[i], strlen(others[i]), &read) == PE_EINVAL, "%s", others[i]);
    ck_assert_int_eq(read_text(empty, strlen(empty), &read), 0);
    pe__profile_free(&read);
}

/* Bytes changed, taken out and doubled at random: refused, or read as something that reports can be made of. */
PE_TEST(a_damaged_file_does_no_harm)
{
    struct draft draft;
    char *text = write_as(make_odd_example(&draft), pe__report_json), *damaged = malloc(2 * strlen(text));
    uint64_t random = 5;
    size_t bytes = strlen(text), refused = 0, rounds = harness_long() ? 200000 : 3000;

    for (size_t round = 0; round < rounds; round++) {
        size_t length = bytes, at, count = 1 + harness_random(&random) % 4;
        struct pe__profile read;

        memcpy(damaged, text, bytes);
        for (size_t i = 0; i < count; i++) {
            static const char edge[] = "0918-\"{}[],:.eE\\nu \n\xff";
            size_t span = harness_random(&random) % 40;

            at = harness_random(&random) % (length - 50);
            if (harness_random(&random) % 8 == 0)
                memmove(damaged + at, damaged + at + span, length - at - span), length -= span;
            else
                damaged[at] = edge[harness_random(&random) % (sizeof edge - 1)];
        }
        if (read_text(damaged, length, &read) != 0) {
            refused++;
            continue;
        }
        free(write_as(&read, pe__report_json));
        free(write_as(&read, pe__report_csv));
        pe__profile_free(&read);
    }
    ck_assert_uint_gt(refused, rounds / 4);
    ck_assert_uint_lt(refused, rounds);
    draft_free(&draft);
    free(damaged);
    free(text);
}

/* ---- several runs ---- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

/* Three files with the example in them, in a directory of their own. */
struct runs {
    char directory[64], paths[3][96];
    const char *list[3];
};

static void make_runs(struct runs *runs)
{
    struct draft draft;
    char *text = write_as(make_odd_example(&draft), pe__report_json);

    strcpy(runs->directory, "/tmp/test-merge-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(runs->directory));
    for (int i = 0; i < 3; i++) {
        snprintf(runs->paths[i], sizeof runs->paths[i], "%s/run-%d.json", runs->directory, i);
        write_file(runs->paths[i], text);
        runs->list[i] = runs->paths[i];
    }
    free(text);
    draft_free(&draft);
}

static void remove_runs(struct runs *runs)
{
    for (int i = 0; i < 3; i++)
        unlink(runs->paths[i]);
    rmdir(runs->directory);
}

PE_TEST(three_runs_add_up)
{
    pe_report_options options = PE_REPORT_OPTIONS_INIT;
    struct runs runs;
    struct draft draft;
    struct pe__profile merged;
    char *text = NULL;
    size_t bytes;
    FILE *file = open_memstream(&text, &bytes);

    make_runs(&runs);
    make_odd_example(&draft);
    options.format = PE_REPORT_JSON;
    ck_assert_int_eq(pe_report_merge(runs.list, 3, file, &options), 0);
    fclose(file);
    ck_assert_int_eq(read_text(text, bytes, &merged), 0);
    ck_assert_uint_eq(merged.runs, 3);
    ck_assert_int_eq(merged.wall_ns, 3 * draft.profile.wall_ns);
    ck_assert_uint_eq(merged.node_count, draft.profile.node_count);
    ck_assert_uint_eq(merged.process_count, draft.profile.process_count);
    ck_assert_uint_eq(merged.track_count, draft.profile.track_count);
    for (uint32_t i = 0; i < merged.node_count; i++) {
        const struct pe__profile_node *node = &merged.nodes[i], *once = &draft.profile.nodes[i];

        ck_assert_uint_eq(node->calls, once->calls == UINT64_MAX ? UINT64_MAX : 3 * once->calls);
        ck_assert_int_eq(node->total_ns, 3 * once->total_ns);
        ck_assert_int_eq(node->own_ns, 3 * once->own_ns);
        ck_assert_int_eq(node->least_ns, once->least_ns);
        ck_assert_int_eq(node->most_ns, once->most_ns);
    }
    pe__profile_free(&merged);
    draft_free(&draft);
    remove_runs(&runs);
    free(text);
}

PE_TEST(wrong_calls_of_merge_write_nothing)
{
    pe_report_options options = PE_REPORT_OPTIONS_INIT;
    struct runs runs;
    char *text = NULL;
    size_t bytes;
    FILE *file = open_memstream(&text, &bytes);
    const char *with_none[2];

    make_runs(&runs);
    options.format = PE_REPORT_JSON;
    ck_assert_int_eq(pe_report_merge(NULL, 3, file, &options), PE_EINVAL);
    ck_assert_int_eq(pe_report_merge(runs.list, 0, file, &options), PE_EINVAL);
    ck_assert_int_eq(pe_report_merge(runs.list, 3, NULL, &options), PE_EINVAL);
    with_none[0] = runs.list[0], with_none[1] = NULL;
    ck_assert_int_eq(pe_report_merge(with_none, 2, file, &options), PE_EINVAL);
    with_none[1] = "/no/such/file";
    ck_assert_int_eq(pe_report_merge(with_none, 2, file, &options), -ENOENT);
    with_none[1] = "/tmp";
    ck_assert_int_eq(pe_report_merge(with_none, 2, file, &options), -EISDIR);
    write_file(runs.paths[2], "{}");
    ck_assert_int_eq(pe_report_merge(runs.list, 3, file, &options), PE_EINVAL);
    options.flags = UINT64_C(1) << 40;
    ck_assert_int_eq(pe_report_merge(runs.list, 2, file, &options), PE_EINVAL);
    fclose(file);
    ck_assert_uint_eq(bytes, 0);
    remove_runs(&runs);
    free(text);
}

/* Each allocation fails once. */
PE_TEST(a_merge_without_memory_says_so)
{
    pe_report_options options = PE_REPORT_OPTIONS_INIT;
    struct runs runs;
    FILE *file = fopen("/dev/null", "w");
    uint64_t nth = 0;
    int error;

    make_runs(&runs);
    options.format = PE_REPORT_JSON;
    do {
        harness_fail_nth(HARNESS_MALLOC, ++nth, ENOMEM);
        error = pe_report_merge(runs.list, 3, file, &options);
        ck_assert(error == 0 || error == PE_ENOMEM);
    } while (error != 0);
    harness_fail_reset();
    ck_assert_uint_gt(nth, 20);
    fclose(file);
    remove_runs(&runs);
}

HARNESS_MAIN("merge")
