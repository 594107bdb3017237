/*
 * attach.h - the pools of another process, read from outside.
 *
 * A pool's shared memory is found among the mappings of its host and known by its first words (shared/mapping.h). It
 * is copied, never written to, and nobody there notices. Whatever is read may be anything: sizes are checked against
 * the mapping before they are used, everything else is only shown.
 */
#ifndef PE__TOP_ATTACH_H
#define PE__TOP_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/mapping.h"

#define PE__TOP_POOLS_MOST 64

/* Where a pool is. */
struct pe__top_pool {
    pid_t pid;
    uintptr_t base;
    struct pe__shared plan; /* its pointers are relative to base */
    uint64_t born;
};

/* What is found in a process. */
struct pe__top_found {
    struct pe__top_pool pools[PE__TOP_POOLS_MOST];
    size_t count;
    size_t foreign; /* pools of other versions of the library */
    bool may_not;   /* some memory that may be a pool's was refused */
};

/* 0, or a negative errno: the process's mappings cannot be listed. */
int pe__top_find(pid_t pid, struct pe__top_found *ret);

/* Copies bytes that lie where `part` of the plan points to. False: it is gone. */
bool pe__top_read(const struct pe__top_pool *pool, const volatile void *part, void *ret, size_t bytes);

#endif
