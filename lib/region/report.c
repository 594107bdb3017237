/* report.c - the public calls that make reports. */
#include <parexec/report.h>

#include <parexec/error.h>

int pe_report(FILE *file, const pe_report_options *options)
{
    (void)file, (void)options;
    return PE_ENOSYS;
}

int pe_report_write(const char *path, uint32_t format)
{
    (void)path, (void)format;
    return PE_ENOSYS;
}

int pe_report_merge(const char *const *paths, size_t count, FILE *file, const pe_report_options *options)
{
    (void)paths, (void)count, (void)file, (void)options;
    return PE_ENOSYS;
}
