/*
 * The one checker for sized structs: public structs whose first member is `size_t size`.
 *
 * A program may be older than the library (its struct is shorter) or newer (longer). Shorter ones count
 * as if the missing members were zero; longer ones are taken as long as the members that this library
 * does not know are zero. Nothing beyond the caller's size is ever read or written.
 */
#ifndef PE__BASE_CHECK_H
#define PE__BASE_CHECK_H

#include <stddef.h>

#define PE__BASE_SIZED_MAX_BYTES 4096

/* Copies the caller's options to `copy` (known_bytes long), members that the caller lacks being zero, its
 * size member set to known_bytes. `given` NULL: all defaults. `minimum_bytes` is the struct of the first
 * release. 0, or PE_EINVAL (too short, absurdly long, unknown members not zero) with `copy` untouched. */
int pe__base_check_sized(const void *given, size_t known_bytes, size_t minimum_bytes, void *copy);

/* Writes a result to the caller's struct: as much of `full` (known_bytes long) as its size allows; the
 * size member stays; members that this library does not know become zero. 0, or PE_EINVAL with nothing
 * written. */
int pe__base_fill_sized(void *given, const void *full, size_t known_bytes, size_t minimum_bytes);

#endif
