/* The example of harness/profile.h as a file, for test-formats.py: REPORT_FILE=FILE report-example json, csv, or plain:
 * its numbers, one node a line. */
#include "harness/harness.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <parexec/region.h>

#include "harness/profile.h"
#include "report/sink.h"

static void print_node(FILE *file, const struct pe__profile *profile, const struct pe__profile_node *node)
{
    const struct pe__profile_track *track = &profile->tracks[node->track];

    fprintf(file, "%" PRIu32 "\t%s\t%s\t%d\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRId64 "\t%" PRId64 "\t%" PRId64
           "\t%" PRId64 "\t%" PRId64 "\t%" PRId64 "\n",
           profile->processes[track->process].pool, track->name, profile->labels[node->label].name, node->recursive,
           node->calls, node->timed, node->unfinished, node->total_ns, node->own_ns, node->least_ns, node->most_ns,
           node->open_ns, node->sum);
}

static void report_plain(struct pe__sink *sink, const struct pe__profile *profile, const pe_report_options *options)
{
    (void)options;
    for (uint32_t i = 0; i < profile->node_count; i++)
        print_node(sink->file, profile, &profile->nodes[i]);
}

/* Into the file that the environment names. */
static void write_example(pe__report_fn *report)
{
    static const pe_report_options options = PE_REPORT_OPTIONS_INIT;
    const char *path = getenv("REPORT_FILE");
    struct pe__sink sink = { path ? fopen(path, "w") : NULL, 0 };
    const struct pe__profile *profile;
    struct draft draft = { 0 };

    ck_assert_ptr_nonnull(sink.file);
    draft_example(&draft);
    draft_label(&draft, PE_SITE_MARK, "odd: \"quotes\", commas;\nlines and gr\xc3\xbc\xc3\x9f, bytes \xff\x01");
    draft_node(&draft, 0, 0, draft.profile.label_count - 1, 1, 0);
    profile = draft_finish(&draft);
    report(&sink, profile, &options);
    ck_assert_int_eq(sink.error, 0);
    ck_assert_int_eq(fclose(sink.file), 0);
    draft_free(&draft);
}

PE_TEST(json)
{
    write_example(pe__report_json);
}

PE_TEST(csv)
{
    write_example(pe__report_csv);
}

PE_TEST(plain)
{
    write_example(report_plain);
}

HARNESS_MAIN("report-example")
