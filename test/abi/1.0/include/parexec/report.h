#ifndef PAREXEC_REPORT_H
#define PAREXEC_REPORT_H
#include <stdio.h>
#include <parexec/export.h>
#define PE_REPORT_TEXT 0u
#define PE_REPORT_LINES 1u
#define PE_REPORT_JSON 2u
#define PE_REPORT_CSV 3u
#define PE_REPORT_FOLDED 4u
#define PE_REPORT_TRACE 5u
#define PE_REPORT_HTML 6u
#define PE_SORT_CUMULATIVE 0u
#define PE_SORT_OWN 1u
#define PE_SORT_CALLS 2u
#define PE_SORT_PER_CALL 3u
#define PE_SORT_NAME 4u
#define PE_REPORT_TREE UINT64_C(1)
#define PE_REPORT_PER_PROCESS UINT64_C(2)
#define PE_REPORT_PER_THREAD UINT64_C(4)
#define PE_REPORT_SUBTRACT_COST UINT64_C(8)
typedef struct pe_report_options {
    size_t size;
    uint32_t format;
    uint32_t sort;
    uint64_t flags;
    uint64_t rows;
    const char *match;
} pe_report_options;
#define PE_REPORT_OPTIONS_INIT { sizeof(pe_report_options), 0, 0, 0, 0, NULL }
PE_BEGIN_DECLS
PE_EXPORT int pe_report(FILE *file, const pe_report_options *options);
PE_EXPORT int pe_report_write(const char *path, uint32_t format);
PE_EXPORT int pe_report_merge(const char *const *paths, size_t count, FILE *file, const pe_report_options *options);
PE_END_DECLS
#endif
