/* expect.h - what targets demand of the library. A demand that is not met is a crash, which is what fuzzers find. */
#ifndef PE__TEST_EXPECT_H
#define PE__TEST_EXPECT_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <parexec/error.h>

static inline void demand(bool condition)
{
    if (!condition)
        abort();
}

/* What a call has returned: not below 0, or an error that has a name. */
static inline int demand_named(int result)
{
    demand(result >= 0 || strcmp(pe_strerror(result), "unknown error") != 0);
    return result;
}

/* The same before and after an input, or a descriptor is left. */
static inline int lowest_free_fd(void)
{
    int fd = dup(0);

    close(fd);
    return fd;
}

#endif
