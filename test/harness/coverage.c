/*
 * Coverage of processes that never come to the end of main(), in a build with b_coverage.
 *
 * Workers and keepers leave by _exit or are killed, and would take their counters with them. So the pages of the
 * counters, which coverage.ld has put together, become memory shared with every process forked from the test: what a
 * worker ran is counted in the test, also when the worker is killed the moment after. Increments are atomic (the build
 * has -fprofile-update=atomic), and the one process that was not forked writes them to files.
 *
 * Nothing here is called: the linker leads __gcov_exit, by which each object's destructor writes its counters, to this
 * file, and so takes it out of the archive.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern char harness_coverage_begin[], harness_coverage_end[];

void __real___gcov_exit(void);
void __wrap___gcov_exit(void);

static pid_t writer;

/* Ahead of all other constructors, some of which are counted already, and of the first list of shared mappings. */
__attribute__((constructor(101))) static void share_counters(void)
{
    size_t bytes = (size_t)(harness_coverage_end - harness_coverage_begin);
    void *copy = malloc(bytes);

    writer = getpid();
    if (!copy)
        abort();
    memcpy(copy, harness_coverage_begin, bytes);
    if (mmap(harness_coverage_begin, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
        MAP_FAILED)
        abort();
    memcpy(harness_coverage_begin, copy, bytes);
    free(copy);
}

void __wrap___gcov_exit(void)
{
    if (getpid() == writer)
        __real___gcov_exit();
}
