/* fuzz.h - what the targets of this directory are: a function that takes any bytes, and must return. */
#ifndef PE__TEST_FUZZ_H
#define PE__TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

#endif
