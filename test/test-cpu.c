/* Usable CPUs: the affinity mask, and quotas in made-up trees below a temporary directory. */
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include <parexec/cpu.h>

#include "base/cpu.h"
#include "harness/harness.h"
#include "harness/tree.h"

#define V2_MOUNT "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1_MOUNT "33 25 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:10 - cgroup cgroup rw,cpu,cpuacct\n"
#define OTHER_MOUNTS \
    "24 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n" \
    "25 24 0:5 / /proc rw - proc proc rw\n" \
    "26 24 0:6 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"

static void put_process(const struct tree *tree, const char *groups, const char *mounts)
{
    tree_put(tree, "/proc/self/cgroup", groups);
    tree_put(tree, "/proc/self/mountinfo", mounts);
}

/* ---- v2 ---- */

PE_TEST(quota_v2_is_rounded_up)
{
    static const struct {
        const char *text;
        int cpus;
    } cases[] = {
        { "150000 100000\n", 2 }, { "100000 100000\n", 1 }, { "100001 100000\n", 2 }, { "1000 100000\n", 1 },
        { "400000 100000", 4 }, { "50000 10000\n", 5 }, { "max 100000\n", 0 },
        { "9223372036854775807 1\n", INT_MAX },
    };
    struct tree tree;

    tree_make(&tree);
    put_process(&tree, "0::/job\n", OTHER_MOUNTS V2_MOUNT);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tree_put(&tree, "/sys/fs/cgroup/job/cpu.max", cases[i].text);
        ck_assert_msg(pe__base_cpu_quota(tree.root) == cases[i].cpus, "%s: %d", cases[i].text,
                      pe__base_cpu_quota(tree.root));
    }
    tree_remove(&tree);
}
END_TEST

PE_TEST(quota_v2_counts_at_every_level)
{
    static const char *const levels[] = { "/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/a/cpu.max",
                                          "/sys/fs/cgroup/a/b/cpu.max", "/sys/fs/cgroup/a/b/c/cpu.max" };
    struct tree tree;

    tree_make(&tree);
    put_process(&tree, "0::/a/b/c\n", V2_MOUNT);
    tree_put(&tree, "/sys/fs/cgroup/a/b/c/d/cpu.max", "100000 100000\n");  /* below: not ours */
    tree_put(&tree, "/sys/fs/cgroup/a/x/cpu.max", "100000 100000\n");      /* beside */
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 0);
    for (size_t tight = 0; tight < 4; tight++) {
        for (size_t i = 0; i < 4; i++)
            tree_put(&tree, levels[i],
                i == tight ? "300000 100000\n" : i % 2 ? "max 100000\n" : "800000 100000\n");
        ck_assert_int_eq(pe__base_cpu_quota(tree.root), 3);
    }
    tree_remove(&tree);
}
END_TEST

PE_TEST(quota_v2_in_a_container_with_its_own_root)
{
    struct tree tree;

    tree_make(&tree);
    put_process(&tree, "0::/\n", V2_MOUNT);
    tree_put(&tree, "/sys/fs/cgroup/cpu.max", "250000 100000\n");
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 3);
    tree_remove(&tree);
}
END_TEST

/* ---- mounts that show a part of the hierarchy ---- */

PE_TEST(quota_below_a_mount_of_a_subtree)
{
    struct tree tree;

    tree_make(&tree);
    put_process(&tree, "0::/docker/abc/inner\n",
                "30 24 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
    tree_put(&tree, "/sys/fs/cgroup/cpu.max", "400000 100000\n");
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 4);
    tree_put(&tree, "/sys/fs/cgroup/inner/cpu.max", "200000 100000\n");
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 2);
    tree_remove(&tree);
}
END_TEST

PE_TEST(quota_of_another_subtree_is_not_ours)
{
    struct tree tree;

    tree_make(&tree);
    put_process(&tree, "0::/docker/abcdef\n",
                "31 24 0:26 /docker/abc /mnt rw - cgroup2 cgroup rw\n" V2_MOUNT);
    tree_put(&tree, "/mnt/cpu.max", "100000 100000\n");
    tree_put(&tree, "/mnt/def/cpu.max", "100000 100000\n");
    tree_put(&tree, "/sys/fs/cgroup/docker/abcdef/cpu.max", "500000 100000\n");
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 5);
    tree_put(&tree, "/sys/fs/cgroup/docker/abcdef/cpu.max", "max 100000\n");
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 0);
    tree_remove(&tree);
}
END_TEST

PE_TEST(quota_at_the_mount_point_when_no_mount_shows_the_group)
{
    static const char *const groups[] = { "0::/elsewhere\n", "0::/../other\n", "0::/..\n" };
    struct tree tree;

    tree_make(&tree);
    tree_put(&tree, "/sys/fs/cgroup/cpu.max", "200000 100000\n");
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        put_process(&tree, groups[i], "30 24 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
        ck_assert_int_eq(pe__base_cpu_quota(tree.root), 2);
    }
    put_process(&tree, "0::/\n", "30 24 0:26 /../.. /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 2);
    tree_remove(&tree);
}
END_TEST

PE_TEST(quota_mount_point_with_escaped_characters)
{
    struct tree tree;

    tree_make(&tree);
    put_process(&tree, "0::/my job\n", "30 24 0:26 / /mnt/my\\040groups\\134x ro - cgroup2 cgroup rw\n");
    tree_put(&tree, "/mnt/my groups\\x/my job/cpu.max", "300000 100000\n");
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 3);
    tree_remove(&tree);
}
END_TEST

PE_TEST(quota_mount_point_at_the_root)
{
    struct tree tree;

    tree_make(&tree);
    put_process(&tree, "0::/a\n", "30 24 0:26 / / ro - cgroup2 cgroup rw\n");
    tree_put(&tree, "/a/cpu.max", "max 100000\n");
    tree_put(&tree, "/cpu.max", "300000 100000\n");
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 3);
    tree_remove(&tree);
}
END_TEST

/* ---- v1 ---- */

static void put_v1(const struct tree *tree, const char *group, const char *quota, const char *period)
{
    char path[256];

    snprintf(path, sizeof path, "/sys/fs/cgroup/cpu,cpuacct%s/cpu.cfs_quota_us", group);
    tree_put(tree, path, quota);
    snprintf(path, sizeof path, "/sys/fs/cgroup/cpu,cpuacct%s/cpu.cfs_period_us", group);
    tree_put(tree, path, period);
}

PE_TEST(quota_v1_counts_at_every_level)
{
    struct tree tree;

    tree_make(&tree);
    put_process(&tree, "11:cpuset:/z\n4:cpu,cpuacct:/a/b\n1:name=systemd:/c\n", OTHER_MOUNTS V1_MOUNT);
    put_v1(&tree, "", "-1\n", "100000\n");
    put_v1(&tree, "/a", "-1\n", "100000\n");
    put_v1(&tree, "/a/b", "-1\n", "100000\n");
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 0);
    put_v1(&tree, "/a", "150000\n", "100000\n");
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 2);
    put_v1(&tree, "/a/b", "10000\n", "50000\n");
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 1);
    tree_remove(&tree);
}
END_TEST

PE_TEST(quota_v1_needs_both_files_and_the_right_controller)
{
    struct tree tree;

    tree_make(&tree);
    put_process(&tree, "4:cpu,cpuacct:/a\n", V1_MOUNT);
    tree_put(&tree, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "100000\n");
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 0);
    tree_put(&tree, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 1);
    put_process(&tree, "4:cpuset,cpuacct:/a\n", V1_MOUNT);
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 0);
    put_process(&tree, "4:cpuacct,cpu:/a\n",
                "33 25 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpuacct,cpuset\n");
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 0);
    tree_remove(&tree);
}
END_TEST

PE_TEST(quota_hybrid_takes_the_smaller)
{
    struct tree tree;

    tree_make(&tree);
    put_process(&tree, "4:cpu,cpuacct:/a\n0::/b\n",
                V1_MOUNT "40 25 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup rw\n");
    put_v1(&tree, "/a", "300000\n", "100000\n");
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 3);
    tree_put(&tree, "/sys/fs/cgroup/unified/b/cpu.max", "200000 100000\n");
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 2);
    put_v1(&tree, "/a", "100000\n", "100000\n");
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 1);
    tree_remove(&tree);
}
END_TEST

/* ---- nonsense ---- */

PE_TEST(quota_malformed_limits_nothing)
{
    static const char *const texts[] = {
        "100000", "100000\n", "", "\n", "x", "100000 \n", "100000 x\n", "100000 0\n", "0 100000\n",
        "-5 100000\n", "100000 -1\n", " 100000 100000\n", "100000 100000 7\n",
        "99999999999999999999 100000\n", "maximum 100000\n", "100000\t100000\n",
    };
    struct tree tree;

    tree_make(&tree);
    put_process(&tree, "0::/job\n", V2_MOUNT);
    tree_put(&tree, "/sys/fs/cgroup/cpu.max", "700000 100000\n");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        tree_put(&tree, "/sys/fs/cgroup/job/cpu.max", texts[i]);
        ck_assert_msg(pe__base_cpu_quota(tree.root) == 7, "'%s'", texts[i]);
    }
    put_process(&tree, "4:cpu,cpuacct:/job\n", V1_MOUNT);
    for (size_t i = 2; i < sizeof texts / sizeof texts[0]; i++) {  /* a number alone is right here */
        put_v1(&tree, "/job", texts[i], "100000\n");
        ck_assert_msg(pe__base_cpu_quota(tree.root) == 0, "'%s'", texts[i]);
        put_v1(&tree, "/job", "100000\n", texts[i]);
        ck_assert_msg(pe__base_cpu_quota(tree.root) == 0, "'%s'", texts[i]);
    }
    tree_remove(&tree);
}
END_TEST

PE_TEST(quota_malformed_lists_limit_nothing)
{
    static const char *const lists[] = {
        "", "\n\n", ":", "::", "0:", "0::", "0::job\n", "0::\n", "garbage", "1::/job\n",
        "a b c d e f g\n", "- - - -\n", " - \n", "30 24 0:26 / - cgroup2 x rw\n",
        "30 24 0:26 / /sys/fs/cgroup rw\n", "30 24 0:26 / /sys/fs/cgroup rw - cgroup2\n",
        "30 24 0:26 x y rw - cgroup2 cgroup rw\n",
    };
    struct tree tree;

    tree_make(&tree);
    tree_put(&tree, "/sys/fs/cgroup/cpu.max", "100000 100000\n");
    tree_put(&tree, "/sys/fs/cgroup/job/cpu.max", "100000 100000\n");
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        put_process(&tree, lists[i], V2_MOUNT);
        ck_assert_msg(pe__base_cpu_quota(tree.root) == 0, "groups '%s'", lists[i]);
        put_process(&tree, "0::/job\n", lists[i]);
        ck_assert_msg(pe__base_cpu_quota(tree.root) == 0, "mounts '%s'", lists[i]);
    }
    tree_remove(&tree);
}
END_TEST

PE_TEST(quota_missing_files_limit_nothing)
{
    struct tree tree;

    ck_assert_int_eq(pe__base_cpu_quota("/nonexistent/root"), 0);
    tree_make(&tree);
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 0);
    tree_put(&tree, "/proc/self/cgroup", "0::/job\n");
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 0);
    tree_put(&tree, "/proc/self/mountinfo", V2_MOUNT);
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 0);
    tree_put(&tree, "/sys/fs/cgroup/job/cpu.max/in-the-way", "a directory where the file should be");
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 0);
    tree_remove(&tree);
}
END_TEST

/* A list longer than the first buffer of the reader, with what counts at its end. */
PE_TEST(quota_long_list_of_mounts)
{
    struct tree tree;
    char *mounts = malloc(3000 * sizeof OTHER_MOUNTS + sizeof V2_MOUNT), *end = mounts;

    ck_assert_ptr_nonnull(mounts);
    for (int i = 0; i < 3000; i++)
        end = stpcpy(end, OTHER_MOUNTS);
    strcpy(end, V2_MOUNT);
    tree_make(&tree);
    put_process(&tree, "0::/job\n", mounts);
    free(mounts);
    tree_put(&tree, "/sys/fs/cgroup/job/cpu.max", "300000 100000\n");
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 3);
    tree_remove(&tree);
}
END_TEST

PE_TEST(quota_without_memory_never_crashes)
{
    struct tree tree;

    tree_make(&tree);
    put_process(&tree, "0::/job\n4:cpu:/job\n", OTHER_MOUNTS V1_MOUNT V2_MOUNT);
    tree_put(&tree, "/sys/fs/cgroup/job/cpu.max", "300000 100000\n");
    for (uint64_t n = 1; n <= 40; n++) {
        int quota;

        harness_fail_nth(HARNESS_MALLOC, n, ENOMEM);
        quota = pe__base_cpu_quota(tree.root);
        ck_assert(quota == 0 || quota == 3);
        harness_fail_from(HARNESS_MALLOC, n, ENOMEM);
        quota = pe__base_cpu_quota(tree.root);
        ck_assert(quota == 0 || quota == 3);
    }
    harness_fail_reset();
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 3);
    tree_remove(&tree);
}
END_TEST

/* ---- affinity ---- */

PE_TEST(affinity_of_one_cpu_is_one)
{
    cpu_set_t former, one;
    int all, first = 0;

    ck_assert_int_eq(sched_getaffinity(0, sizeof former, &former), 0);
    all = CPU_COUNT(&former);
    ck_assert_int_eq(pe__base_cpu_affinity(), all);
    while (!CPU_ISSET(first, &former))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    ck_assert_int_eq(pe__base_cpu_affinity(), 1);
    ck_assert_int_eq(pe_cpu_count(), 1);
    ck_assert_int_eq(sched_setaffinity(0, sizeof former, &former), 0);
    ck_assert_int_eq(pe__base_cpu_affinity(), all);
}
END_TEST

PE_TEST(count_is_the_smaller_of_affinity_and_quota)
{
    struct tree tree;
    int all = pe__base_cpu_affinity();

    tree_make(&tree);
    ck_assert_int_eq(pe__base_cpu_count(tree.root), all);
    put_process(&tree, "0::/job\n", V2_MOUNT);
    tree_put(&tree, "/sys/fs/cgroup/job/cpu.max", "100000 100000\n");
    ck_assert_int_eq(pe__base_cpu_count(tree.root), 1);
    tree_put(&tree, "/sys/fs/cgroup/job/cpu.max", "200000000000 100000\n");
    ck_assert_int_eq(pe__base_cpu_count(tree.root), all);
    ck_assert_int_ge(pe_cpu_count(), 1);
    ck_assert_int_le(pe_cpu_count(), all);
    tree_remove(&tree);
}
END_TEST

/* A mask of one CPU, a quota of 1.5, both, and files that say nothing. */
PE_TEST(g03_count_of_usable_cpus)
{
    struct tree tree;
    cpu_set_t former, one;
    int all = pe__base_cpu_affinity(), first = 0;

    tree_make(&tree);
    put_process(&tree, "0::/job\n", V2_MOUNT);
    tree_put(&tree, "/sys/fs/cgroup/job/cpu.max", "150000 100000\n");
    ck_assert_int_eq(pe__base_cpu_quota(tree.root), 2);
    ck_assert_int_eq(pe__base_cpu_count(tree.root), all < 2 ? all : 2);
    ck_assert_int_eq(sched_getaffinity(0, sizeof former, &former), 0);
    while (!CPU_ISSET(first, &former))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    ck_assert_int_eq(pe__base_cpu_count(tree.root), 1);
    tree_put(&tree, "/sys/fs/cgroup/job/cpu.max", "1.5 cpus\n");
    ck_assert_int_eq(pe__base_cpu_count(tree.root), 1);
    ck_assert_int_eq(sched_setaffinity(0, sizeof former, &former), 0);
    ck_assert_int_eq(pe__base_cpu_count(tree.root), all);
    tree_remove(&tree);
}
END_TEST

HARNESS_MAIN("cpu")
