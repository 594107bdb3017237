/* backtrace.h - notes of a crash made readable. */
#ifndef PE__POOL_BACKTRACE_H
#define PE__POOL_BACKTRACE_H

#include <stddef.h>

struct pe__loaded;

/*
 * A line on the signal and one for each frame, malloc'ed. The notes (shared/crash.h) are the host's own copy, 8-byte
 * aligned, of any length and content. PE_ENODATA: they name no frame. PE_ENOMEM.
 */
int pe__backtrace_describe(const void *notes, size_t notes_bytes, const struct pe__loaded *loaded, char **ret_text,
                           size_t *ret_bytes);

#endif
