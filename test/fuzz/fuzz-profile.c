/* fuzz-profile.c - the reader of reports in JSON, and every writer on what has been read. */
#include "fuzz.h"

#include <stdio.h>

#include <parexec/report.h>

#include "report/profile.h"
#include "report/sink.h"
#include "report/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    FILE *file = count > 0 ? fmemopen((void *)(uintptr_t)bytes, count, "r") : NULL;
    FILE *nowhere = fopen("/dev/null", "w");
    pe_report_options options = PE_REPORT_OPTIONS_INIT;
    struct pe__profile profile;

    if (file != NULL && nowhere != NULL && pe__profile_read(&profile, file) == 0) {
        for (options.format = PE_REPORT_TEXT; options.format <= PE_REPORT_HTML; options.format++)
            pe__report_profile(nowhere, &profile, &options);
        pe__profile_free(&profile);
    }
    if (file != NULL)
        fclose(file);
    if (nowhere != NULL)
        fclose(nowhere);
    return 0;
}
