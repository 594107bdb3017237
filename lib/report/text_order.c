/*
 * text_order.c - which sums a table shows, and in which order.
 *
 * Rows are sorted by what the options say and at last by name and number, so that one profile always gives one text. In
 * a tree the parents' numbers come first in the comparison: each row's children then lie together, and the tree is
 * walked without a stack, however deep it is.
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include <parexec/error.h>

#include "report/report_text.h"

/* What one sum is compared by. */
struct ranked {
    uint32_t group; /* in a tree: the parent + 1 */
    uint32_t sum;
    double key;
    const char *name;
};

static double key_of(const struct pe__profile_sum *sum, uint32_t sort)
{
    switch (sort) {
    case PE_SORT_OWN:
        return (double)sum->own_ns;
    case PE_SORT_CALLS:
        return (double)sum->calls;
    case PE_SORT_PER_CALL:
        return sum->calls ? (double)sum->total_ns / (double)sum->calls : 0;
    case PE_SORT_NAME:
        return 0;
    default:
        return (double)sum->total_ns;
    }
}

static int compare(const void *a, const void *b)
{
    const struct ranked *left = a, *right = b;
    int by_name;

    if (left->group != right->group)
        return left->group < right->group ? -1 : 1;
    if (left->key > right->key || left->key < right->key)
        return left->key > right->key ? -1 : 1;
    by_name = strcmp(left->name, right->name);
    if (by_name != 0)
        return by_name;
    return left->sum < right->sum ? -1 : left->sum > right->sum;
}

/* Parents lie before their children, so one walk from the end marks whatever has a marked descendant. */
static void mark_shown(const struct pe__text_sums *table, pe__text_filter_fn *filter, const char *match, bool *is_shown)
{
    for (uint32_t i = table->sums->count; i-- > 0;) {
        const struct pe__profile_sum *sum = &table->sums->rows[i];
        const struct pe__profile_label *label = &table->profile->labels[sum->label];

        if (filter(label) && (!match || fnmatch(match, label->name, 0) == 0))
            is_shown[i] = true;
        if (is_shown[i] && table->kind == PE__TEXT_TREE && sum->parent != PE__REGION_NOTHING)
            is_shown[sum->parent] = true;
    }
}

static uint32_t rank(const struct pe__text_sums *table, const bool *is_shown, uint32_t sort, struct ranked *ranks)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < table->sums->count; i++) {
        const struct pe__profile_sum *sum = &table->sums->rows[i];

        if (!is_shown[i])
            continue;
        ranks[count++] = (struct ranked){
            .group = table->kind == PE__TEXT_TREE ? sum->parent + 1 : 0, /* of PE__REGION_NOTHING: 0 */
            .sum = i,
            .key = key_of(sum, sort),
            .name = table->profile->labels[sum->label].name,
        };
    }
    qsort(ranks, count, sizeof *ranks, compare);
    return count;
}

static void order_flat(struct pe__text_sums *table, const struct ranked *ranks)
{
    for (uint32_t i = 0; i < table->count; i++)
        table->order[i] = ranks[i].sum;
}

/* `places` has two numbers for each sum: where its first child is among the ranks, + 1, and where it is itself. */
static void order_tree(struct pe__text_sums *table, const struct ranked *ranks, uint32_t *places)
{
    uint32_t *first_child = places, *place = places + table->sums->count, at = 0;

    for (uint32_t i = table->count; i-- > 0;) {
        place[ranks[i].sum] = i;
        if (ranks[i].group)
            first_child[ranks[i].group - 1] = i + 1;
    }
    for (uint32_t done = 0; done < table->count; done++) {
        table->order[done] = ranks[at].sum;
        if (first_child[ranks[at].sum]) {
            at = first_child[ranks[at].sum] - 1;
            continue;
        }
        while (ranks[at].group && (at + 1 == table->count || ranks[at + 1].group != ranks[at].group))
            at = place[ranks[at].group - 1];
        at++;
    }
}

int pe__text_sums_order(struct pe__text_sums *table, pe__text_filter_fn *filter, const pe_report_options *options)
{
    size_t room = (size_t)table->sums->count + 1;
    bool *is_shown = calloc(room, sizeof *is_shown);
    struct ranked *ranks = calloc(room, sizeof *ranks);
    uint32_t *places = calloc(2 * room, sizeof *places);
    int error = 0;

    table->order = calloc(room, sizeof *table->order);
    if (is_shown && ranks && places && table->order) {
        mark_shown(table, filter, options->match, is_shown);
        table->count = rank(table, is_shown, options->sort, ranks);
        if (table->kind == PE__TEXT_TREE)
            order_tree(table, ranks, places);
        else
            order_flat(table, ranks);
    } else {
        free(table->order);
        table->order = NULL;
        error = PE_ENOMEM;
    }
    free(is_shown);
    free(ranks);
    free(places);
    return error;
}
