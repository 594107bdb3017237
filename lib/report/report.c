/*
 * report.c - the public calls that make reports: a profile is taken, and one of the formats writes it.
 */
#include "report/report.h"

#include <parexec/error.h>

#include "base/sized.h"
#include "report/cost.h"
#include "report/report_file.h"
#include "report/sink.h"

#define KNOWN_FLAGS \
    (PE_REPORT_TREE | PE_REPORT_PER_PROCESS | PE_REPORT_PER_THREAD | PE_REPORT_SUBTRACT_COST)

/* By PE_REPORT_*. */
static pe__report_fn *const formats[] = {
    [PE_REPORT_TEXT] = pe__report_text,
    [PE_REPORT_LINES] = pe__report_lines,
    [PE_REPORT_JSON] = pe__report_json,
    [PE_REPORT_CSV] = pe__report_csv,
    [PE_REPORT_FOLDED] = pe__report_folded,
    [PE_REPORT_TRACE] = pe__report_trace,
    [PE_REPORT_HTML] = pe__report_html,
};

int pe__report_options_check(const pe_report_options *given, pe_report_options *ret)
{
    pe_report_options options;
    int error = PE__BASE_CHECK_SIZED(pe_report_options, given, &options);

    if (error)
        return error;
    if (options.format >= sizeof formats / sizeof formats[0] || options.sort > PE_SORT_NAME ||
        (options.flags & ~KNOWN_FLAGS) != 0)
        return PE_EINVAL;
    *ret = options;
    return 0;
}

int pe__report_profile(FILE *file, const struct pe__profile *profile, const pe_report_options *options)
{
    struct pe__sink sink = { file, 0 };

    flockfile(file);
    formats[options->format](&sink, profile, options);
    funlockfile(file);
    return sink.error;
}

int pe__report_finish(FILE *file, struct pe__profile *profile, const pe_report_options *options)
{
    int error = (options->flags & PE_REPORT_SUBTRACT_COST) != 0 ? pe__profile_subtract_cost(profile) : 0;

    if (!error)
        error = pe__report_profile(file, profile, options);
    pe__profile_free(profile);
    return error;
}

int pe_report(FILE *file, const pe_report_options *given)
{
    pe_report_options options;
    struct pe__profile profile;
    int error = file ? pe__report_options_check(given, &options) : PE_EINVAL;

    if (!error)
        error = pe__profile_take(&profile);
    return error ? error : pe__report_finish(file, &profile, &options);
}

int pe_report_write(const char *path, uint32_t format)
{
    pe_report_options options = PE_REPORT_OPTIONS_INIT;
    struct pe__report_file file;
    int error;

    options.format = format;
    error = path ? pe__report_options_check(&options, &options) : PE_EINVAL;
    if (!error)
        error = pe__report_file_open(&file, path);
    if (error)
        return error;
    error = pe_report(file.stream, &options);
    return pe__report_file_close(&file, error);
}
