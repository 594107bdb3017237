/*
 * report_text.c - the text report, in the manner of cProfile: a head, a table of regions for all threads together and
 * for parts of them as asked for, and tables of what is not a region of the program.
 */
#include "report/report_text.h"

#include <stdarg.h>
#include <stdlib.h>

#include <parexec/error.h>
#include <parexec/region.h>

#include "report/text.h"

static const struct pe__profile_part everything = { PE__REGION_NOTHING, PE__REGION_NOTHING };
static const char *const sorted_by[] = { "cumulative time", "own time", "calls", "time per call", "name" };

void pe__text_title(struct pe__sink *sink, const char *format, ...)
{
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    pe__sink_text(sink, "\n");
    pe__sink_plain(sink, text);
    pe__sink_text(sink, ":\n\n");
}

uint32_t pe__text_rows(uint32_t count, const pe_report_options *options)
{
    return options->rows && options->rows < count ? (uint32_t)options->rows : count;
}

void pe__text_rows_left_out(struct pe__sink *sink, uint32_t count, const pe_report_options *options)
{
    uint32_t shown = pe__text_rows(count, options);

    if (shown < count)
        pe__sink_print(sink, "and %u more\n", (unsigned)(count - shown));
}

bool pe__text_is_region(const struct pe__profile_label *label)
{
    return label->kind == PE_SITE_REGION || label->kind == PE__KIND_FUNCTION;
}

/* ---- filters ---- */

static bool is_programs_region(const struct pe__profile_label *label)
{
    return pe__text_is_region(label) && !pe__text_is_built_in(label);
}

static bool is_librarys_region(const struct pe__profile_label *label)
{
    return pe__text_is_region(label) && pe__text_is_built_in(label);
}

static bool is_span(const struct pe__profile_label *label)
{
    return label->kind == PE__KIND_SPAN;
}

static bool is_programs_counter(const struct pe__profile_label *label)
{
    return label->kind == PE_SITE_COUNTER && !pe__text_is_built_in(label);
}

static bool is_mark(const struct pe__profile_label *label)
{
    return label->kind == PE_SITE_MARK;
}

/* ---- tables ---- */

/* Own times of a flat table, total times of a tree's topmost rows. */
static int64_t whole_of(const struct pe__text_sums *table, pe__text_filter_fn *filter)
{
    int64_t whole_ns = 0;

    for (uint32_t i = 0; i < table->sums->count; i++) {
        const struct pe__profile_sum *sum = &table->sums->rows[i];

        if (!filter(&table->profile->labels[sum->label]))
            continue;
        if (table->kind == PE__TEXT_TREE)
            whole_ns += sum->parent == PE__REGION_NOTHING ? sum->total_ns : 0;
        else
            whole_ns += sum->own_ns;
    }
    return whole_ns;
}

/* Nothing when there is no row. */
static void print_sums(struct pe__sink *sink, const struct pe__profile *profile, const struct pe__profile_sums *sums,
                       uint32_t kind, pe__text_filter_fn *filter, const char *title, const pe_report_options *options)
{
    struct pe__text_sums table = { .profile = profile, .sums = sums, .kind = kind };

    if (pe__text_sums_order(&table, filter, options) != 0) {
        sink->error = PE_ENOMEM;
        return;
    }
    table.whole_ns = whole_of(&table, filter);
    if (table.count) {
        pe__text_title(sink, "%s", title);
        pe__text_sums_print(sink, &table, options);
    }
    free(table.order);
}

static int take_sums(const struct pe__profile *profile, struct pe__profile_part part, const pe_report_options *options,
                     struct pe__profile_sums *ret)
{
    return (options->flags & PE_REPORT_TREE) != 0 ? pe__profile_tree(profile, part, ret)
                                                  : pe__profile_flat(profile, part, ret);
}

/* Regions of some threads; `whose` is part of the title. */
static void print_regions(struct pe__sink *sink, const struct pe__profile *profile, struct pe__profile_part part,
                          const char *whose, const pe_report_options *options)
{
    bool is_tree = (options->flags & PE_REPORT_TREE) != 0;
    struct pe__profile_sums sums;
    char title[256];

    if (take_sums(profile, part, options, &sums) != 0) {
        sink->error = PE_ENOMEM;
        return;
    }
    snprintf(title, sizeof title, "%s of %s, by %s", is_tree ? "Call tree" : "Regions", whose,
             sorted_by[options->sort]);
    print_sums(sink, profile, &sums, is_tree ? PE__TEXT_TREE : PE__TEXT_FLAT,
               is_tree ? pe__text_is_region : is_programs_region, title, options);
    pe__profile_sums_free(&sums);
}

static void print_processes(struct pe__sink *sink, const struct pe__profile *profile, const pe_report_options *options)
{
    for (uint32_t i = 0; i < profile->process_count; i++) {
        struct pe__profile_part part = { i, PE__REGION_NOTHING };
        char name[PE__PROFILE_PROCESS_BYTES];

        pe__profile_process_name(&profile->processes[i], name);
        print_regions(sink, profile, part, name, options);
    }
}

static void print_tracks(struct pe__sink *sink, const struct pe__profile *profile, const pe_report_options *options)
{
    for (uint32_t i = 0; i < profile->track_count; i++) {
        const struct pe__profile_track *track = &profile->tracks[i];
        struct pe__profile_part part = { PE__REGION_NOTHING, i };
        char process[PE__PROFILE_PROCESS_BYTES], whose[128];

        pe__profile_process_name(&profile->processes[track->process], process);
        snprintf(whose, sizeof whose, "thread %s (%d) of %s", track->name, (int)track->tid, process);
        print_regions(sink, profile, part, whose, options);
    }
}

/* What has no place in a tree, or would drown the program's own regions in it. */
static void print_others(struct pe__sink *sink, const struct pe__profile *profile, const pe_report_options *options)
{
    struct pe__profile_sums sums;

    if (pe__profile_flat(profile, everything, &sums) != 0) {
        sink->error = PE_ENOMEM;
        return;
    }
    print_sums(sink, profile, &sums, PE__TEXT_SPANS, is_span, "Spans", options);
    print_sums(sink, profile, &sums, PE__TEXT_COUNTERS, is_programs_counter, "Counters", options);
    print_sums(sink, profile, &sums, PE__TEXT_MARKS, is_mark, "Marks", options);
    pe__text_unfinished(sink, profile, options);
    print_sums(sink, profile, &sums, PE__TEXT_LIBRARY, is_librarys_region, "The library's own regions", options);
    pe__text_pools(sink, profile);
    pe__profile_sums_free(&sums);
}

void pe__report_text(struct pe__sink *sink, const struct pe__profile *profile, const pe_report_options *options)
{
    pe__text_head(sink, profile, options);
    if (profile->node_count == 0) {
        pe__sink_text(sink, "\nNothing was measured: no region was entered while measuring was on.\n");
        return;
    }
    print_regions(sink, profile, everything, "all threads", options);
    if (options->flags & PE_REPORT_PER_PROCESS)
        print_processes(sink, profile, options);
    if (options->flags & PE_REPORT_PER_THREAD)
        print_tracks(sink, profile, options);
    print_others(sink, profile, options);
}
