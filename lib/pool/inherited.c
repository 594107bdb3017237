/*
 * inherited.c - whether memory was there when the workers were forked.
 *
 * The keeper has the program's memory as it was at the fork, and every worker is forked from the keeper. So the
 * kernel is asked for the first and the last byte of the range in the keeper, which costs a microsecond. Where
 * nothing is mapped the array is younger than the workers for certain: better to be told so than to have all
 * items crash. Whether what is mapped there is the same array nobody can tell. Where the system does not let one
 * process look at another, everything passes.
 */
#include "pool/inherited.h"

#include <errno.h>
#include <sys/uio.h>

#include "pool/pool.h"

static int check_range(const pe_pool *pool, const void *memory, size_t bytes)
{
    if (bytes == 0)
        return 0;
    char first, last;
    char *start = (char *)memory;
    struct iovec here[2] = { { &first, 1 }, { &last, 1 } };
    struct iovec there[2] = { { start, 1 }, { start + bytes - 1, 1 } };
    ssize_t seen = process_vm_readv(pool->keeper_pid, here, 2, there, 2, 0);
    return seen == 1 || (seen < 0 && errno == EFAULT) ? PE_EFAULT : 0;
}

int pe__pool_check_inherited(const pe_pool *pool, const void *in, size_t in_bytes, const pe_map_options *options)
{
    if (pool->keeper_pid <= 0 || (options->flags & PE_MAP_INHERITED) == 0)
        return 0;
    int result = check_range(pool, in, in_bytes);
    return result < 0 ? result : check_range(pool, options->context, options->context_bytes);
}
