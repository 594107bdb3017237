/* attach.c - /proc/PID/maps and process_vm_readv, which asks for the permission that a debugger needs. */
#include "top/attach.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <parexec/pool.h>

#define RECORDS_MOST (UINT32_C(1) << 22)
#define KEEP_FDS_MOST 65536
#define REPLY_BYTES_LEAST 4096
#define PART_BYTES_MOST (UINT64_MAX / 8)

static int read_at(pid_t pid, uintptr_t at, void *ret, size_t bytes)
{
    struct iovec here = { .iov_base = ret, .iov_len = bytes };
    struct iovec there = { .iov_base = (void *)at, .iov_len = bytes };
    ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);
    return got == (ssize_t)bytes ? 0 : got < 0 ? -errno : -EFAULT;
}

bool pe__top_read(const struct pe__top_pool *pool, const volatile void *part, void *ret, size_t bytes)
{
    return read_at(pool->pid, pool->base + (uintptr_t)part, ret, bytes) == 0;
}

struct range {
    uintptr_t start, end;
    uint64_t inode;
};

/* Shared, readable, and of no file but one that has no name. */
static bool may_be_pool(const char *line, struct range *ret)
{
    char flags[5];
    int path_at = 0;
    /* NOLINTNEXTLINE(cert-err34-c): the kernel writes addresses, which fit */
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %" SCNu64 " %n", &ret->start, &ret->end, flags, &ret->inode,
               &path_at) < 4)
        return false;
    const char *path = line + path_at;
    return flags[0] == 'r' && flags[3] == 's' &&
           (strncmp(path, "/dev/zero", 9) == 0 || strncmp(path, "/memfd:parexec", 14) == 0);
}

/* No sum of the parts overflows, and there is a plan. */
static bool is_possible(const struct pe__geometry *geometry)
{
    return geometry->workers_most > 0 && geometry->workers_most <= PE_WORKERS_MAX && geometry->records > 0 &&
           geometry->records <= RECORDS_MOST && (geometry->records & (geometry->records - 1)) == 0 &&
           geometry->keep_fd_count <= KEEP_FDS_MOST && geometry->reply_bytes >= REPLY_BYTES_LEAST &&
           geometry->reply_bytes < PART_BYTES_MOST && geometry->heap_bytes < PART_BYTES_MOST &&
           geometry->region_bytes < PART_BYTES_MOST / geometry->workers_most &&
           geometry->output_bytes < PART_BYTES_MOST / PE__QUEUE_LEVELS / geometry->records;
}

/* The parts must fill the mapping, or it is not what it says. */
static bool plan(const struct pe__config *config, size_t mapped, struct pe__top_pool *ret)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (!is_possible(&config->geometry))
        return false;
    pe__mapping_plan(&ret->plan, &config->geometry);
    ret->born = config->born;
    return (ret->plan.bytes + page - 1) / page * page == mapped;
}

static void look_at(pid_t pid, const struct range *range, struct pe__top_found *ret)
{
    struct pe__config config;
    size_t mapped = range->end - range->start;
    int result = mapped >= sizeof config ? read_at(pid, range->start, &config, sizeof config) : -EFAULT;
    ret->may_not |= result == -EPERM;
    if (result < 0 || config.magic != PE__MAPPING_MAGIC || ret->count == PE__TOP_POOLS_MOST)
        return;
    if (config.layout != PE__MAPPING_LAYOUT) {
        ret->foreign++;
        return;
    }
    struct pe__top_pool *pool = &ret->pools[ret->count];
    *pool = (struct pe__top_pool){ .pid = pid, .base = range->start };
    /* A forked child of the host has the mapping too, and so have keeper and workers: it is not theirs. */
    if (config.host_pid == pid && plan(&config, mapped, pool))
        ret->count++;
}

int pe__top_find(pid_t pid, struct pe__top_found *ret)
{
    char path[40], *line = NULL;
    size_t room = 0;
    struct range range = { 0 }, next;
    *ret = (struct pe__top_found){ .count = 0 };
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "re");
    if (maps == NULL)
        return -errno;
    errno = 0;
    while (getline(&line, &room, maps) > 0) {
        if (!may_be_pool(line, &next))
            continue;
        /* One mapping has several lines where its parts are treated differently. */
        if (next.start == range.end && next.inode == range.inode) {
            range.end = next.end;
            continue;
        }
        look_at(pid, &range, ret);
        range = next;
    }
    look_at(pid, &range, ret);
    int result = ferror(maps) ? -errno : 0;
    free(line);
    fclose(maps);
    return result;
}
