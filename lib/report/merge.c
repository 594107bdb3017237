/* merge.c - several runs as one report. */
#include <errno.h>

#include <parexec/error.h>
#include <parexec/report.h>

#include "report/builder.h"
#include "report/report.h"
#include "report/sink.h"

static int add_file(struct pe__builder *builder, const char *path)
{
    struct pe__profile run;
    FILE *file;
    int error;

    if (!path)
        return PE_EINVAL;
    file = fopen(path, "re");
    if (!file)
        return -errno;
    error = pe__profile_read(&run, file);
    fclose(file);
    if (error)
        return error;
    pe__builder_add_run(builder, &run);
    pe__profile_free(&run);
    return builder->error;
}

static int read_runs(const char *const *paths, size_t count, struct pe__profile *ret)
{
    struct pe__builder builder;
    int error;

    if (pe__builder_init(&builder, (struct pe__builder_most)PE__BUILDER_NO_LIMIT) != 0)
        return PE_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        error = add_file(&builder, paths[i]);
        if (error) {
            pe__builder_fini(&builder);
            return error;
        }
    }
    return pe__builder_finish(&builder, ret);
}

int pe_report_merge(const char *const *paths, size_t count, FILE *file, const pe_report_options *given)
{
    pe_report_options options;
    struct pe__profile profile;
    int error;

    if (!paths || count == 0 || !file)
        return PE_EINVAL;
    error = pe__report_options_check(given, &options);
    if (!error && options.format == PE_REPORT_TRACE)
        error = PE_EINVAL;
    if (!error)
        error = read_runs(paths, count, &profile);
    return error ? error : pe__report_finish(file, &profile, &options);
}
