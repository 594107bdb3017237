/*
 * fuzz-tables.c - what workers have measured: a table in memory that they write to, any bytes in it, copied into a
 * profile and written in every format. An input is a list of {place: 4 bytes, value: 8 bytes}.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <parexec/report.h>

#include "region/source.h"
#include "report/builder.h"
#include "report/copy.h"
#include "report/report.h"

static const struct pe__region_geometry geometry = { .labels = 8, .nodes = 16, .segments = 2 };

static void write_words(unsigned char *memory, size_t bytes, const uint8_t *input, size_t count)
{
    struct {
        uint32_t place;
        uint64_t value;
    } word;

    for (; count >= 12; count -= 12, input += 12) {
        memcpy(&word.place, input, 4);
        memcpy(&word.value, input + 4, 8);
        memcpy(memory + word.place % (bytes - 7), &word.value, 8);
    }
}

static void report(const struct pe__region_source *source)
{
    FILE *nowhere = fopen("/dev/null", "w");
    pe_report_options options = PE_REPORT_OPTIONS_INIT;
    struct pe__builder builder;
    struct pe__profile profile;

    if (nowhere == NULL || pe__builder_init(&builder, (struct pe__builder_most)PE__BUILDER_NO_LIMIT) != 0)
        abort();
    pe__copy_source(&builder, source, 1, (struct pe__copy_times){ .begin_ticks = 1, .over = true });
    builder.profile.program = builder.profile.clock = builder.profile.mode = "fuzz";
    if (pe__builder_finish(&builder, &profile) == 0) {
        for (options.format = PE_REPORT_TEXT; options.format <= PE_REPORT_HTML; options.format++)
            pe__report_profile(nowhere, &profile, &options);
        pe__profile_free(&profile);
    }
    fclose(nowhere);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    size_t table_bytes = (pe__region_table_bytes(&geometry) + 63) / 64 * 64;
    unsigned char *memory = aligned_alloc(64, table_bytes);
    struct pe__region_source source = { .count = 1, .tables = memory, .stride = table_bytes, .geometry = geometry };

    if (memory == NULL)
        return 0;
    memset(memory, 0, table_bytes);
    write_words(memory, table_bytes, bytes, count);
    report(&source);
    free(memory);
    return 0;
}
