/* sized.h - sized structs with any members, of their own size, much shorter or a little longer, from an input. */
#ifndef PE__TEST_FUZZ_SIZED_H
#define PE__TEST_FUZZ_SIZED_H

#include "expect.h"
#include "input.h"

/* To be freed; exactly as long as it says, so that whatever is beyond its end is found. */
static inline void *take_struct(struct input *input, size_t size)
{
    size_t given = size;
    uint64_t how = input_take(input, 1);

    if (how >= 240)
        given = how < 248 ? how - 232 : size + 8 * (how - 247);
    unsigned char *bytes = malloc(given);
    demand(bytes != NULL);
    for (size_t i = 0; i < given; i++)
        bytes[i] = (unsigned char)input_take(input, 1);
    memcpy(bytes, &given, sizeof given);
    return bytes;
}

/* Long enough for every member to be looked at. */
static inline bool is_whole(const void *given, size_t size)
{
    size_t bytes;

    memcpy(&bytes, given, sizeof bytes);
    return bytes >= size;
}

#endif
