/*
 * Regions of one thread: what is counted where, with which times, in each mode; and wrong use, which is counted and spoils
 * nothing.
 */

#include "harness/harness.h"

#include <stdlib.h>

#include <parexec/error.h>
#include <parexec/options.h>
#include <parexec/region.h>

#include "region/profile.h"

static struct pe__profile profile;

static void take_profile(void)
{
    pe__profile_free(&profile);
    ck_assert_int_eq(pe__profile_take(&profile), 0);
}

static const struct pe__profile_label *label_of(const struct pe__profile_node *node)
{
    return &profile.labels[node->label];
}

/* Of a path such as "a/b", below the root of the first thread; NULL: there is none. */
static const struct pe__profile_node *find_below(uint32_t parent, const char *path)
{
    size_t bytes = strcspn(path, "/");

    for (uint32_t i = 0; i < profile.node_count; i++) {
        const struct pe__profile_node *node = &profile.nodes[i];
        const char *name = label_of(node)->name;

        if (node->parent != parent || node->track != 0 || strncmp(name, path, bytes) || name[bytes] != '\0')
            continue;
        return path[bytes] ? find_below(i, path + bytes + 1) : node;
    }
    return NULL;
}

static const struct pe__profile_node *find(const char *path)
{
    for (uint32_t i = 0; i < profile.node_count; i++)
        if (profile.nodes[i].parent == PE__REGION_NOTHING && profile.nodes[i].track == 0)
            return find_below(i, path);
    return NULL;
}

static const struct pe__profile_node *get(const char *path)
{
    const struct pe__profile_node *node = find(path);

    ck_assert_msg(node != NULL, "no node %s", path);
    return node;
}

static void measure(uint32_t clock, uint64_t flags)
{
    pe_region_options options = { PE_SIZED(pe_region_options), .clock = clock, .flags = flags };

    ck_assert_int_eq(pe_region_setup(&options), 0);
    ck_assert_int_eq(pe_region_enable(1), 0);
}

static void spend(int64_t ns)
{
    int64_t end = pe_now() + ns;

    while (pe_now() < end)
        ;
}

PE_TEST(nested)
{
    int64_t sum = 0;

    measure(PE_CLOCK_EXACT, 0);
    PE_REGION("a") {
        spend(PE_MS(2));
        for (int i = 0; i < 2; i++)
            PE_REGION("b")
                spend(PE_MS(3));
    }
    take_profile();
    ck_assert_uint_eq(get("a")->calls, 1);
    ck_assert_uint_eq(get("a/b")->calls, 2);
    ck_assert_int_ge(get("a/b")->total_ns, PE_MS(6));
    ck_assert_int_ge(get("a")->total_ns, PE_MS(8));
    ck_assert_int_eq(get("a")->own_ns, get("a")->total_ns - get("a/b")->total_ns);
    for (uint32_t i = 0; i < profile.node_count; i++)
        sum += profile.nodes[i].own_ns;
    ck_assert_int_le(llabs(sum - get("a")->total_ns), get("a")->total_ns / 100);
}
END_TEST

HARNESS_MAIN("region")
