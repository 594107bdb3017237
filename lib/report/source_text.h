/* source_text.h - the lines of a source file, where it can be found. */
#ifndef PE__REPORT_SOURCE_TEXT_H
#define PE__REPORT_SOURCE_TEXT_H

#include <stdint.h>

struct pe__source_text {
    char *text;
    char **lines; /* in it, each ended with 0 */
    uint32_t count;
};

/*
 * Reads a file that the compiler called by that name: as it is, and below each of the directories that
 * PAREXEC_SOURCE_PATH lists with colons between, with and without the directories of the name.
 * No file: a count of 0. 0, or PE_ENOMEM.
 */
int pe__source_text_read(struct pe__source_text *ret, const char *file);
void pe__source_text_free(struct pe__source_text *source);

/* Lines are counted from 1. NULL: there is no such line. */
const char *pe__source_text_line(const struct pe__source_text *source, uint32_t line);

#endif
