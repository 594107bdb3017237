/* topology.h - which CPU each worker of a pool is pinned to, by how the CPUs share packages, caches and cores. */
#ifndef PE__BASE_TOPOLOGY_H
#define PE__BASE_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Deals `count` CPUs, in ascending order and at least one, out to workers 0, 1, ... in turn; when all CPUs have one,
 * they are dealt out again.
 *
 * root     stands before /sys: "" is the real system, tests give a directory with a made-up tree.
 * spread   neighbours share as little as can be: other packages first, then other caches, then other cores, the
 *          second threads of cores last. Else they share as much as can be.
 * ret      gets a CPU for each worker.
 * Returns 0 or PE_ENOMEM. Of a machine that does not tell its topology, CPUs are as close as their numbers. What a
 * worker gets does not depend on how many there are.
 */
int pe__base_topology_deal(const char *root, const int32_t *cpus, size_t count, bool spread, uint32_t workers,
                           int32_t *ret);

#endif
