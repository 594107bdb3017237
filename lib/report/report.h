/* report.h - from options to a format, for all calls that make reports. */
#ifndef PE__REPORT_REPORT_H
#define PE__REPORT_REPORT_H

#include <stdio.h>

#include <parexec/report.h>

#include "report/profile.h"

/* A checked copy of the caller's options. 0, or PE_EINVAL. */
int pe__report_options_check(const pe_report_options *given, pe_report_options *ret);

/* Writes a profile as checked options say, in one piece however many threads write to the file. 0, or a negative
 * errno. */
int pe__report_profile(FILE *file, const struct pe__profile *profile, const pe_report_options *options);

/* Takes the cost of measuring off first if that is asked for, and frees the profile in the end. 0, PE_ENOMEM, or a
 * negative errno. */
int pe__report_finish(FILE *file, struct pe__profile *profile, const pe_report_options *options);

#endif
