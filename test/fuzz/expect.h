/* expect.h - what targets demand of the library. A demand that is not met is a crash, which is what fuzzers find. */
#ifndef PE__TEST_EXPECT_H
#define PE__TEST_EXPECT_H

#include <fcntl.h>
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

/* Descriptors with low numbers, which new ones get: as many after an input as before, or some are left. */
static inline int open_fds(void)
{
    int count = 0;

    for (int fd = 0; fd < 64; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* All from one on that there may be: of targets that play processes, which are never to end. Such a target closes what
 * it was started with first, so that nobody else's is among them. */
static inline void close_fds_from(int first)
{
    for (int fd = first; fd < 1024; fd++)
        close(fd);
}

#endif
