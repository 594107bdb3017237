/*
 * sums.c - the rows of tables: one for each label, each path, each source line.
 *
 * Each node of the part that is asked for is given a row; then the rows add up their nodes. A label's total is that
 * of its nodes that are not inside another one of the same label, so recursion counts once; calls and own time are
 * those of all.
 */
#include <stdlib.h>
#include <string.h>

#include <parexec/error.h>
#include <parexec/region.h>

#include "report/builder.h"

struct sums {
    const struct pe__profile *profile;
    struct pe__profile_part part;
    struct pe__profile_sums *ret;
    struct pe__index index;
    uint32_t *rows; /* by node: its row, or PE__REGION_NOTHING */
    size_t room;
    bool by_path;
};

static bool is_of_part(const struct sums *sums, const struct pe__profile_node *node)
{
    return (sums->part.track == PE__REGION_NOTHING || sums->part.track == node->track) &&
           (sums->part.process == PE__REGION_NOTHING ||
            sums->part.process == sums->profile->tracks[node->track].process);
}

/* ---- which row ---- */

static bool add_row(struct sums *sums, uint32_t parent, uint32_t label)
{
    struct pe__profile_sums *ret = sums->ret;

    if (ret->count == sums->room) {
        size_t room = sums->room ? 2 * sums->room : 64;
        struct pe__profile_sum *rows = realloc(ret->rows, room * sizeof *rows);

        if (!rows)
            return false;
        ret->rows = rows;
        sums->room = room;
    }
    ret->rows[ret->count++] = (struct pe__profile_sum){
        .label = label,
        .parent = parent,
        .depth = parent == PE__REGION_NOTHING ? 0 : ret->rows[parent].depth + 1,
    };
    return true;
}

/* The row of that label below that one, made if it is new. False: no memory. */
static bool find_row(struct sums *sums, uint32_t parent, uint32_t label, uint32_t *ret)
{
    uint64_t hash = pe__index_hash(parent, label);

    for (uint32_t at = 0; (*ret = pe__index_next(&sums->index, hash, &at)) != PE__INDEX_NONE;)
        if (sums->ret->rows[*ret].parent == parent && sums->ret->rows[*ret].label == label)
            return true;
    *ret = sums->ret->count;
    return add_row(sums, parent, label) && pe__index_add(&sums->index, hash, *ret) == 0;
}

/* The nearest region further up that has a row. */
static uint32_t row_above(const struct sums *sums, const struct pe__profile_node *node)
{
    uint32_t up = node->parent;

    while (up != PE__REGION_NOTHING && sums->rows[up] == PE__REGION_NOTHING)
        up = sums->profile->nodes[up].parent;
    return up == PE__REGION_NOTHING ? PE__REGION_NOTHING : sums->rows[up];
}

static bool deal_out(struct sums *sums, bool lines)
{
    const struct pe__profile *profile = sums->profile;

    for (uint32_t i = 0; i < profile->node_count; i++) {
        const struct pe__profile_node *node = &profile->nodes[i];
        uint32_t kind = profile->labels[node->label].kind;
        uint32_t parent = sums->by_path ? row_above(sums, node) : PE__REGION_NOTHING;

        sums->rows[i] = PE__REGION_NOTHING;
        if (is_of_part(sums, node) && kind != PE__KIND_ROOT && (kind == PE_SITE_LINE) == lines &&
            !find_row(sums, parent, node->label, &sums->rows[i]))
            return false;
    }
    return true;
}

/* ---- what it adds up ---- */

static void add_extremes(struct pe__profile_sum *row, const struct pe__profile_node *node)
{
    if (node->timed > 0) {
        row->least_ns = row->timed == 0 || node->least_ns < row->least_ns ? node->least_ns : row->least_ns;
        row->most_ns = row->timed == 0 || node->most_ns > row->most_ns ? node->most_ns : row->most_ns;
    }
    if (node->calls > 0) {
        row->least = row->calls == 0 || node->least < row->least ? node->least : row->least;
        row->most = row->calls == 0 || node->most > row->most ? node->most : row->most;
    }
}

static void add_node(struct pe__profile_sum *row, const struct pe__profile_node *node, bool by_path)
{
    add_extremes(row, node);
    row->calls = pe__sum_of_counts(row->calls, node->calls);
    row->timed = pe__sum_of_counts(row->timed, node->timed);
    row->unfinished = pe__sum_of_counts(row->unfinished, node->unfinished);
    row->own_ns = pe__sum_of_ns(row->own_ns, node->own_ns);
    row->waited_ns = pe__sum_of_ns(row->waited_ns, node->waited_ns);
    row->sum = pe__sum_of_ns(row->sum, node->sum);
    row->open |= node->open_ns != 0;
    if (!node->recursive)
        row->first_calls = pe__sum_of_counts(row->first_calls, node->calls);
    if (!node->recursive || by_path) {
        row->total_ns = pe__sum_of_ns(row->total_ns, node->total_ns);
        row->cpu_ns = pe__sum_of_ns(row->cpu_ns, node->cpu_ns);
    }
}

static void set_percentiles(struct pe__profile_sum *row, const uint64_t *buckets)
{
    row->p50_ns = pe__profile_percentile(buckets, 0.50, row->least_ns, row->most_ns);
    row->p95_ns = pe__profile_percentile(buckets, 0.95, row->least_ns, row->most_ns);
    row->p99_ns = pe__profile_percentile(buckets, 0.99, row->least_ns, row->most_ns);
}

/* The nodes of each row in a chain: first[row], then next[node]; node + 1, 0 ends it. */
static bool add_percentiles(struct sums *sums)
{
    const struct pe__profile *profile = sums->profile;
    uint32_t *first = calloc(sums->ret->count + (size_t)1, sizeof *first);
    uint32_t *next = malloc((profile->node_count + (size_t)1) * sizeof *next);
    uint64_t buckets[PE__REGION_BUCKETS];

    for (uint32_t i = 0; first && next && i < profile->node_count; i++)
        if (sums->rows[i] != PE__REGION_NOTHING && profile->nodes[i].buckets) {
            next[i] = first[sums->rows[i]];
            first[sums->rows[i]] = i + 1;
        }
    for (uint32_t row = 0; first && next && row < sums->ret->count; row++) {
        memset(buckets, 0, sizeof buckets);
        for (uint32_t node = first[row]; node != 0; node = next[node - 1])
            for (uint32_t i = 0; i < PE__REGION_BUCKETS; i++)
                buckets[i] = pe__sum_of_counts(buckets[i], profile->nodes[node - 1].buckets[i]);
        set_percentiles(&sums->ret->rows[row], buckets);
    }
    free(first);
    free(next);
    return first && next;
}

static bool add_up(struct sums *sums)
{
    for (uint32_t i = 0; i < sums->profile->node_count; i++)
        if (sums->rows[i] != PE__REGION_NOTHING)
            add_node(&sums->ret->rows[sums->rows[i]], &sums->profile->nodes[i], sums->by_path);
    return add_percentiles(sums);
}

/* ---- the calls ---- */

static int make(const struct pe__profile *profile, struct pe__profile_part part, bool by_path, bool lines,
                struct pe__profile_sums *ret)
{
    struct pe__profile_sums rows = { NULL, 0 };
    struct sums sums = { .profile = profile, .part = part, .ret = &rows, .by_path = by_path };
    bool done;

    sums.rows = malloc((profile->node_count + (size_t)1) * sizeof *sums.rows);
    done = sums.rows && deal_out(&sums, lines) && add_up(&sums);
    free(sums.rows);
    pe__index_fini(&sums.index);
    if (!done) {
        pe__profile_sums_free(&rows);
        return PE_ENOMEM;
    }
    *ret = rows;
    return 0;
}

int pe__profile_flat(const struct pe__profile *profile, struct pe__profile_part part, struct pe__profile_sums *ret)
{
    return make(profile, part, false, false, ret);
}

int pe__profile_tree(const struct pe__profile *profile, struct pe__profile_part part, struct pe__profile_sums *ret)
{
    return make(profile, part, true, false, ret);
}

int pe__profile_lines(const struct pe__profile *profile, struct pe__profile_part part, struct pe__profile_sums *ret)
{
    return make(profile, part, false, true, ret);
}

void pe__profile_sums_free(struct pe__profile_sums *sums)
{
    free(sums->rows);
    *sums = (struct pe__profile_sums){ NULL, 0 };
}

static int64_t percentile(const uint64_t *buckets, double fraction)
{
    double all = 0, before = 0, wanted;

    for (uint32_t i = 0; i < PE__REGION_BUCKETS; i++)
        all += (double)buckets[i];
    wanted = fraction * all;
    for (uint32_t i = 0; i < PE__REGION_BUCKETS; i++) {
        double from = (double)pe__region_bucket_from(i), width = (double)pe__region_bucket_from(i + 1) - from;

        if (buckets[i] != 0 && before + (double)buckets[i] >= wanted)
            return (int64_t)(from + width * ((wanted - before) / (double)buckets[i]));
        before += (double)buckets[i];
    }
    return 0;
}

int64_t pe__profile_percentile(const uint64_t *buckets, double fraction, int64_t least_ns, int64_t most_ns)
{
    int64_t ns = percentile(buckets, fraction);

    return ns < least_ns ? least_ns : ns > most_ns ? most_ns : ns;
}
