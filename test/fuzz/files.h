/*
 * files.h - files of the system, of which the input is the text.
 *
 * Linked with open, open64, fopen and fopen64 wrapped. Between `files_begin` and `files_end` every path is that of the
 * next file of the input, in the order in which they are opened. Files are separated by the byte 0xff; one that begins
 * with 0xfe cannot be opened, nor can those behind the end.
 */
#ifndef PE__TEST_FILES_H
#define PE__TEST_FILES_H

#include "input.h"

void files_begin(const uint8_t *bytes, size_t count);
void files_end(void);

#endif
