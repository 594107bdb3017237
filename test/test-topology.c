/* Which CPU each worker gets, on made-up machines. Row P69 of the list of features. */
#include "base/topology.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <parexec/error.h>

#include "base/cpu.h"
#include "harness/harness.h"
#include "harness/tree.h"

#define CPUS_MOST 64

struct machine {
    int packages, caches, cores, threads; /* in one of the next larger part */
};

static int cpus_of(const struct machine *machine)
{
    return machine->packages * machine->caches * machine->cores * machine->threads;
}

/* Cores are numbered through all packages first, and second threads behind all first ones, as is usual. */
static void put_cpu(const struct tree *tree, const struct machine *machine, int cpu)
{
    int all_cores = cpus_of(machine) / machine->threads;
    int core = cpu % all_cores, cache = core / machine->cores;
    char path[96], text[32];

    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/physical_package_id", cpu);
    snprintf(text, sizeof text, "%d\n", cache / machine->caches);
    tree_put(tree, path, text);
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    snprintf(text, sizeof text, machine->threads > 1 ? "%d,%d\n" : "%d\n", core, core + all_cores);
    tree_put(tree, path, text);
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cache/index3/shared_cpu_list", cpu);
    snprintf(text, sizeof text, "%d-%d\n", cache * machine->cores, (cache + 1) * machine->cores - 1);
    tree_put(tree, path, text);
}

static void put_machine(struct tree *tree, const struct machine *machine)
{
    tree_make(tree);
    for (int cpu = 0; cpu < cpus_of(machine); cpu++)
        put_cpu(tree, machine, cpu);
}

/* Deals the CPUs of a mask out and compares. */
static void assert_dealt(const struct tree *tree, const int32_t *cpus, size_t count, bool spread,
                         const int32_t *wanted, uint32_t workers)
{
    int32_t got[CPUS_MOST];

    ck_assert_int_eq(pe__base_topology_deal(tree->root, cpus, count, spread, workers, got), 0);
    for (uint32_t i = 0; i < workers; i++)
        ck_assert_int_eq(got[i], wanted[i]);
}

#define LIST(...) (const int32_t[]){ __VA_ARGS__ }, sizeof((int32_t[]){ __VA_ARGS__ }) / sizeof(int32_t)

/* cpu 0 and 8 are a core, 0 to 3 and their seconds the first package, 0 and 1 the first cache. */
static const struct machine two_packages = { .packages = 2, .caches = 2, .cores = 2, .threads = 2 };
#define ALL_16 LIST(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)

PE_TEST(spread_goes_to_packages_caches_cores_and_threads)
{
    struct tree tree;

    put_machine(&tree, &two_packages);
    assert_dealt(&tree, ALL_16, true, LIST(0, 4, 2, 6, 1, 5, 3, 7, 8, 12, 10, 14, 9, 13, 11, 15));
    tree_remove(&tree);
}

PE_TEST(compact_fills_cores_caches_and_packages)
{
    struct tree tree;

    put_machine(&tree, &two_packages);
    assert_dealt(&tree, ALL_16, false, LIST(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15));
    tree_remove(&tree);
}

PE_TEST(more_workers_than_cpus_begin_anew)
{
    static const struct machine small = { .packages = 1, .caches = 1, .cores = 2, .threads = 1 };
    struct tree tree;

    put_machine(&tree, &small);
    assert_dealt(&tree, LIST(0, 1), true, LIST(0, 1, 0, 1, 0));
    assert_dealt(&tree, LIST(0, 1), false, LIST(0, 1, 0, 1, 0));
    assert_dealt(&tree, LIST(1), true, LIST(1, 1, 1));
    tree_remove(&tree);
}

/* Only the mask's CPUs count: a second thread alone in it is a first one. */
PE_TEST(the_mask_alone_is_dealt_out)
{
    struct tree tree;

    put_machine(&tree, &two_packages);
    assert_dealt(&tree, LIST(1, 3, 8, 9, 11), true, LIST(8, 3, 1, 11, 9));
    assert_dealt(&tree, LIST(1, 3, 8, 9, 11), false, LIST(8, 1, 9, 3, 11));
    tree_remove(&tree);
}

/* Packages of different sizes: when the small one is used up, the large one has the rest. */
PE_TEST(a_small_package_is_not_overfilled)
{
    struct tree tree;

    put_machine(&tree, &two_packages);
    assert_dealt(&tree, LIST(0, 1, 2, 3, 4), true, LIST(0, 4, 2, 1, 3));
    tree_remove(&tree);
}

PE_TEST(without_a_topology_numbers_are_far_apart)
{
    struct tree tree;

    tree_make(&tree);
    assert_dealt(&tree, LIST(0, 1, 2, 3, 4, 5, 6, 7), true, LIST(0, 4, 2, 6, 1, 5, 3, 7, 0));
    assert_dealt(&tree, LIST(3, 5, 6), true, LIST(3, 6, 5, 3));
    assert_dealt(&tree, LIST(0, 1, 2, 3, 4, 5, 6, 7), false, LIST(0, 1, 2));
    tree_remove(&tree);
}

/* Some files are missing or hold what is no number. */
PE_TEST(what_is_not_told_is_not_there)
{
    static const struct machine plain = { .packages = 1, .caches = 1, .cores = 4, .threads = 1 };
    struct tree tree;

    put_machine(&tree, &plain);
    for (int cpu = 0; cpu < 4; cpu++) {
        char path[160];

        snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", tree.root, cpu);
        ck_assert_int_eq(unlink(path), 0);
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cache/index3/shared_cpu_list", cpu);
        tree_put(&tree, path, "all of them\n");
    }
    assert_dealt(&tree, LIST(0, 1, 2, 3), true, LIST(0, 1, 2, 3));
    assert_dealt(&tree, LIST(0, 1, 2, 3), false, LIST(0, 1, 2, 3));
    tree_remove(&tree);
}

/* On whatever machine this is: each usable CPU has one worker of as many as there are. */
PE_TEST_LOOP(the_real_machine_is_dealt_out_whole, 0, 2)
{
    int32_t *cpus = NULL;
    size_t count = pe__base_cpu_list(&cpus);
    int32_t *got = calloc(count, sizeof *got);

    ck_assert_uint_eq(count, (unsigned)pe__base_cpu_affinity());
    ck_assert_int_eq(pe__base_topology_deal("", cpus, count, _i != 0, (uint32_t)count, got), 0);
    for (size_t i = 0; i < count; i++) {
        size_t found = 0;

        for (size_t k = 0; k < count; k++)
            found += got[k] == cpus[i];
        ck_assert_uint_eq(found, 1);
    }
    free(got);
    free(cpus);
}

PE_TEST(no_memory_is_told)
{
    int32_t cpu = 0, got;

    harness_fail_nth(HARNESS_MALLOC, 1, ENOMEM);
    ck_assert_int_eq(pe__base_topology_deal("", &cpu, 1, true, 1, &got), PE_ENOMEM);
}

HARNESS_MAIN("topology")
