/*
 * topology.c - CPUs in the order in which workers get them.
 *
 * Each CPU is described by what it is part of: package, last cache, core. The numbers of packages are the kernel's;
 * a cache and a core are named by the first CPU that shares them. Sorted by these, CPUs that share most are
 * neighbours, which is the compact order. Each CPU then has a place among its like: the first, second, ... thread of
 * its core, its core that of its cache, and so on. Sorted by these places, the smallest part first, neighbours share
 * least: every package has had a worker before a second cache of any has, every core before a second thread of any.
 *
 * What cannot be read is as if it were not there: the CPU is a core of its own, and all are in one cache and package.
 */
#include "base/topology.h"

#include <stdio.h>
#include <stdlib.h>

#include <parexec/error.h>

#include "base/file.h"

struct place {
    int32_t cpu;
    int32_t package, cache, core;
    uint32_t package_place, cache_place, core_place, thread_place; /* from 0, among those of the same larger part */
    bool known;
};

/* The first number in a file about a CPU; false: there is none. */
static bool read_first(const char *root, int32_t cpu, const char *name, int32_t *ret_number)
{
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/%s", (int)cpu, name);
    char *text = pe__base_file_read(root, path), *end = text;
    long number = text != NULL ? strtol(text, &end, 10) : 0;
    bool found = end != text && number >= INT32_MIN && number <= INT32_MAX;
    if (found)
        *ret_number = (int32_t)number;
    free(text);
    return found;
}

static void describe(const char *root, int32_t cpu, struct place *ret)
{
    *ret = (struct place){ .cpu = cpu, .core = cpu };
    ret->known = read_first(root, cpu, "topology/physical_package_id", &ret->package);
    ret->known |= read_first(root, cpu, "topology/thread_siblings_list", &ret->core);
    read_first(root, cpu, "cache/index3/shared_cpu_list", &ret->cache);
}

static int compare(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_shared(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    int order = compare(a->package, b->package);
    if (order == 0)
        order = compare(a->cache, b->cache);
    if (order == 0)
        order = compare(a->core, b->core);
    return order != 0 ? order : compare(a->cpu, b->cpu);
}

static int compare_apart(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    int order = compare(a->thread_place, b->thread_place);
    if (order == 0)
        order = compare(a->core_place, b->core_place);
    if (order == 0)
        order = compare(a->cache_place, b->cache_place);
    return order != 0 ? order : compare(a->package_place, b->package_place);
}

/* Of places in the compact order, each starts where the one before it left off. */
static void count_places(struct place *places, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        const struct place *before = &places[i - 1];
        struct place *place = &places[i];
        bool same_package = place->package == before->package;
        bool same_cache = same_package && place->cache == before->cache;
        bool same_core = same_cache && place->core == before->core;
        place->package_place = before->package_place + !same_package;
        place->cache_place = same_package ? before->cache_place + !same_cache : 0;
        place->core_place = same_cache ? before->core_place + !same_core : 0;
        place->thread_place = same_core ? before->thread_place + 1 : 0;
    }
}

/* Of numbers in the order of their reversed bits, each further one is far from those before it. */
static uint32_t reverse(uint32_t number)
{
    uint32_t reversed = 0;
    for (int bit = 0; bit < 32; bit++)
        reversed |= (number >> bit & 1) << (31 - bit);
    return reversed;
}

/* Where nothing is known but the CPUs' numbers. */
static void invent_places(struct place *places, size_t count)
{
    for (size_t i = 0; i < count; i++)
        places[i].core_place = reverse((uint32_t)i);
}

int pe__base_topology_deal(const char *root, const int32_t *cpus, size_t count, bool spread, uint32_t workers,
                           int32_t *ret)
{
    struct place *places = malloc(count * sizeof *places);
    bool known = false;
    if (places == NULL)
        return PE_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        describe(root, cpus[i], &places[i]);
        known |= places[i].known;
    }
    qsort(places, count, sizeof *places, compare_shared);
    if (known)
        count_places(places, count);
    else
        invent_places(places, count);
    if (spread)
        qsort(places, count, sizeof *places, compare_apart);
    for (uint32_t i = 0; i < workers; i++)
        ret[i] = places[i % count].cpu;
    free(places);
    return 0;
}
