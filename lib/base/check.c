/*
 * Sized structs in and out. The caller's memory is copied once and only the copy is used, so that a
 * struct which another thread changes meanwhile cannot pass the check in one shape and be used in
 * another.
 */
#include "base/check.h"

#include <string.h>

#include <parexec/error.h>

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int all_zero(const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != 0)
            return 0;
    return 1;
}

/* memcpy, since a binding's buffer need not be aligned. */
static int read_size(const void *given, size_t minimum_bytes, size_t *ret_size)
{
    size_t size;

    memcpy(&size, given, sizeof size);
    if (size < sizeof size || size < minimum_bytes || size > PE__BASE_SIZED_MAX_BYTES)
        return PE_EINVAL;
    *ret_size = size;
    return 0;
}

int pe__base_check_sized(const void *given, size_t known_bytes, size_t minimum_bytes, void *copy)
{
    size_t size = 0;

    if (given) {
        int error = read_size(given, minimum_bytes, &size);

        if (error)
            return error;
        if (size > known_bytes && !all_zero((const unsigned char *)given + known_bytes, size - known_bytes))
            return PE_EINVAL;
    }
    memset(copy, 0, known_bytes);
    if (given)
        memcpy(copy, given, smaller(size, known_bytes));
    memcpy(copy, &known_bytes, sizeof known_bytes);
    return 0;
}

int pe__base_fill_sized(void *given, const void *full, size_t known_bytes, size_t minimum_bytes)
{
    size_t size, shared;
    unsigned char *to = given;
    int error;

    if (!given)
        return PE_EINVAL;
    error = read_size(given, minimum_bytes, &size);
    if (error)
        return error;
    shared = smaller(size, known_bytes);
    memcpy(to + sizeof size, (const unsigned char *)full + sizeof size, shared - sizeof size);
    memset(to + shared, 0, size - shared);
    return 0;
}
