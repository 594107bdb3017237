/*
 * report_file.h - a file that is replaced as a whole, or not at all.
 */
#ifndef PE__REPORT_REPORT_FILE_H
#define PE__REPORT_REPORT_FILE_H

#include <stdio.h>

#include "base/write_signals.h"

struct pe__report_file {
    FILE *stream;
    char *path;      /* of the file in the end; NULL: written in place */
    char *temporary; /* what is written to till then */
    struct pe__base_write_signals signals;
};

/*
 * Opens what path names for writing. A file is written beside its final place; devices, pipes and descriptors
 * (/dev/stdout, /dev/fd/9) in place. Until close the thread takes no SIGPIPE and no SIGXFSZ: these writes give errors.
 * 0, or a negative errno with nothing open.
 */
int pe__report_file_open(struct pe__report_file *ret, const char *path);

/* Puts the new file into its place unless there was an error, now or before. That first error, or 0. */
int pe__report_file_close(struct pe__report_file *file, int error);

#endif
