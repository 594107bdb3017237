/* input.h - an input that is taken from its front, a few bytes for each decision; behind its end are zeros. */
#ifndef PE__TEST_INPUT_H
#define PE__TEST_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct input {
    const uint8_t *at, *end;
};

static inline bool input_is_over(const struct input *input)
{
    return input->at == input->end;
}

/* The next bytes, at most 8, as a number. */
static inline uint64_t input_take(struct input *input, int bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < bytes && !input_is_over(input); i++)
        value |= (uint64_t)*input->at++ << 8 * i;
    return value;
}

#endif
