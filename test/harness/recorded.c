#include "harness/recorded.h"

#include <parexec/region.h>

#include "harness/harness.h"

void recorded_take(struct recorded *result)
{
    struct pe__profile_part all = { PE__REGION_NOTHING, PE__REGION_NOTHING };

    ck_assert_int_eq(pe__profile_take(&result->profile), 0);
    ck_assert_int_eq(pe__profile_tree(&result->profile, all, &result->tree), 0);
}

void recorded_free(struct recorded *result)
{
    pe__profile_sums_free(&result->tree);
    pe__profile_free(&result->profile);
}

static const struct pe__profile_sum *find_child(const struct recorded *result, uint32_t parent, const char *name,
                                                size_t bytes)
{
    for (uint32_t i = 0; i < result->tree.count; i++) {
        const struct pe__profile_sum *row = &result->tree.rows[i];
        const char *its = result->profile.labels[row->label].name;

        if (row->parent == parent && strlen(its) == bytes && memcmp(its, name, bytes) == 0)
            return row;
    }
    return NULL;
}

const struct pe__profile_sum *recorded_find(const struct recorded *result, const char *path)
{
    const struct pe__profile_sum *row = NULL;
    uint32_t parent = PE__REGION_NOTHING;

    for (;;) {
        size_t bytes = strcspn(path, "/");

        row = find_child(result, parent, path, bytes);
        if (row == NULL || path[bytes] == '\0')
            return row;
        parent = (uint32_t)(row - result->tree.rows);
        path += bytes + 1;
    }
}

uint64_t recorded_calls(const struct recorded *result, const char *path)
{
    const struct pe__profile_sum *row = recorded_find(result, path);

    return row != NULL ? row->calls : 0;
}

uint64_t recorded_wrong_uses(const struct recorded *result)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < result->profile.track_count; i++)
        sum += result->profile.tracks[i].unmatched + result->profile.tracks[i].crossed +
               result->profile.tracks[i].unfinished;
    return sum;
}

void recorded_begin(void)
{
    ck_assert_int_eq(pe_region_enable(1), 0);
}

void recorded_end(struct recorded *result)
{
    ck_assert_int_eq(pe_region_enable(0), 0);
    recorded_take(result);
}

uint64_t recorded_all_calls(const struct recorded *result, const char *name)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < result->tree.count; i++)
        if (strcmp(result->profile.labels[result->tree.rows[i].label].name, name) == 0)
            sum += result->tree.rows[i].calls;
    return sum;
}
