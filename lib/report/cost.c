/*
 * cost.c - times without the cost of measuring.
 *
 * Next to nothing of a pair's cost lies between its own two readings of the clock: it is in the time of the regions
 * around. Calls are counted from the leaves up; a parent lies before its children, so one walk from the end does it.
 */
#include "report/cost.h"

#include <stdlib.h>

#include <parexec/error.h>
#include <parexec/region.h>

static bool costs_a_pair(const struct pe__profile *profile, const struct pe__profile_node *node)
{
    uint32_t kind = profile->labels[node->label].kind;

    return kind == PE_SITE_REGION || kind == PE__KIND_FUNCTION;
}

static void take_off(int64_t *ns, double cost_ns)
{
    *ns = (double)*ns > cost_ns ? *ns - (int64_t)cost_ns : 0;
}

/* Of lines on the way, and of the region around them: lines take nothing away from it. */
static void count_just_below(const struct pe__profile *profile, uint32_t up, double calls, double *just_below)
{
    for (; up != PE__REGION_NOTHING; up = profile->nodes[up].parent) {
        just_below[up] += calls;
        if (profile->labels[profile->nodes[up].label].kind != PE_SITE_LINE)
            return;
    }
}

int pe__profile_subtract_cost(struct pe__profile *profile)
{
    double *below = calloc(2 * (size_t)profile->node_count + 1, sizeof *below); /* calls of all that are inside */
    double *just_below;

    if (!below)
        return PE_ENOMEM;
    just_below = below + profile->node_count;
    for (uint32_t i = profile->node_count; i-- > 0;) {
        struct pe__profile_node *node = &profile->nodes[i];
        double calls = costs_a_pair(profile, node) ? (double)node->calls : 0;

        take_off(&node->total_ns, below[i] * profile->pair_cost_ns);
        take_off(&node->own_ns, just_below[i] * profile->pair_cost_ns);
        if (node->parent != PE__REGION_NOTHING)
            below[node->parent] += calls + below[i];
        count_just_below(profile, node->parent, calls, just_below);
    }
    free(below);
    return 0;
}
