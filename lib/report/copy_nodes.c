/* copy_nodes.c - the numbers of a table's paths into a profile; copy.c says what is believed. */
#include "report/copy_table.h"

#include <stdlib.h>

#include <parexec/error.h>
#include <parexec/region.h>

#include "region/clock.h"

#define TRIES 4

/* What a node says of itself, in one piece. */
struct words {
    uint64_t start, calls, timed, total, least, most, cpu_ns, waited, unfinished;
    uint32_t label, parent, track; /* label PE__REGION_NOTHING: the place is not ready */
};

static void read_numbers(const struct pe__region_node *from, struct words *words)
{
    for (int i = 0; i < TRIES; i++) {
        words->start = PE__COPY_ACQUIRE(from->start);
        words->calls = PE__COPY_READ(from->calls);
        words->timed = PE__COPY_READ(from->timed);
        words->total = PE__COPY_READ(from->total);
        words->least = PE__COPY_READ(from->least);
        words->most = PE__COPY_READ(from->most);
        words->cpu_ns = PE__COPY_READ(from->cpu_ns);
        words->waited = PE__COPY_READ(from->waited);
        words->unfinished = PE__COPY_READ(from->unfinished);
        atomic_thread_fence(memory_order_acquire);
        if (PE__COPY_READ(from->start) == words->start)
            return;
    }
}

static void read_node(const struct pe__region_node *from, struct words *words)
{
    uint32_t ready = PE__COPY_ACQUIRE(from->ready);

    words->label = ready - 1;
    if (ready == 0)
        return;
    words->parent = PE__COPY_PLAIN(from->parent);
    words->track = PE__COPY_PLAIN(from->track);
    read_numbers(from, words);
}

/* The last first: children before their parents. */
static struct words *read_nodes(struct pe__copy *copy)
{
    struct words *words;

    copy->node_count = pe__copy_at_most(PE__COPY_ACQUIRE(copy->table.head->nodes), copy->table.geometry.nodes);
    words = malloc((copy->node_count + 1) * sizeof *words);
    for (uint32_t i = copy->node_count; words && i-- > 0;)
        read_node(&copy->table.nodes[i], &words[i]);
    return words;
}

/* The builder's number of the node, made if it is new. */
static uint32_t place_node(struct pe__copy *copy, const struct words *words, uint32_t number)
{
    uint32_t parent = PE__REGION_NOTHING;

    if (words->label == PE__REGION_NOTHING || words->track >= PE__REGION_TRACKS)
        return PE__REGION_NOTHING;
    if (words->parent != PE__REGION_NOTHING) {
        parent = words->parent < number ? copy->nodes[words->parent] : PE__REGION_NOTHING;
        if (parent == PE__REGION_NOTHING)
            return PE__REGION_NOTHING;
    }
    return pe__builder_node(copy->builder, copy->tracks[words->track], parent, pe__copy_label_of(copy, words->label));
}

static void add_counter(struct pe__profile_node *node, const struct words *words)
{
    int64_t least = (int64_t)words->least, most = (int64_t)words->most;

    if (words->calls == 0)
        return;
    if (node->calls == 0 || least < node->least)
        node->least = least;
    if (node->calls == 0 || most > node->most)
        node->most = most;
    pe__add_count(&node->calls, words->calls);
    node->sum = pe__sum_of_ns(node->sum, (int64_t)words->total);
}

static void add_buckets(struct pe__copy *copy, const struct pe__region_node *from, uint32_t number)
{
    uint64_t *buckets = pe__builder_buckets(copy->builder, number);

    for (uint32_t i = 0; buckets && i < PE__REGION_BUCKETS; i++)
        pe__add_count(&buckets[i], PE__COPY_READ(from->buckets[i]));
    if (buckets)
        pe__add_count(&buckets[pe__region_bucket((uint64_t)pe__region_clock_to_ns(PE__COPY_READ(from->recent)))], 1);
}

/* The time of all calls, where only some were timed. */
static int64_t scaled(int64_t ns, uint64_t calls, uint64_t timed)
{
    double all = (double)ns * ((double)calls / (double)timed);

    return calls == timed ? ns : all < 9e18 ? (int64_t)all : INT64_MAX;
}

static void add_timed(struct pe__profile_node *node, const struct words *words)
{
    int64_t least = pe__region_clock_to_ns(words->least), most = pe__region_clock_to_ns(words->most);
    int64_t total = pe__region_clock_to_ns(words->total);
    uint64_t timed = words->timed < words->calls ? words->timed : words->calls;

    if (timed == 0)
        return;
    if (most < least)
        most = least;
    if (node->timed == 0 || least < node->least_ns)
        node->least_ns = least;
    if (most > node->most_ns)
        node->most_ns = most;
    node->total_ns = pe__sum_of_ns(node->total_ns, scaled(total, words->calls, timed));
    pe__add_count(&node->timed, timed);
}

/* Its process has ended, and no other has taken over what it had open. */
static void add_cut(struct pe__copy *copy, const struct pe__profile_node *node, uint64_t start)
{
    struct pe__profile_event event = {
        .kind = PE__EVENT_CUT,
        .track = node->track,
        .label = node->label,
        .start_ns = pe__copy_ns(copy, start),
        .end_ns = pe__copy_ns(copy, copy->now),
    };

    if (copy->table.geometry.segments == 0 || start < copy->times.begin_ticks || start > copy->now)
        return;
    if (!pe__builder_event(copy->builder, &event))
        pe__add_count(&copy->builder->profile.tracks[event.track].dropped_events, 1);
}

/* A call that has begun and not ended: until now, or cut short. Where it is not timed, or the time is none, it counts
 * as begun now. */
static void add_open(struct pe__copy *copy, struct pe__profile_node *node, const struct words *words)
{
    uint64_t start = words->start;

    if (start == 0)
        return;
    if (copy->times.over) {
        pe__add_count(&node->unfinished, 1);
        add_cut(copy, node, start);
        return;
    }
    if (start < copy->times.begin_ticks || start > copy->now)
        start = copy->now;
    pe__add_count(&node->calls, 1);
    node->open_ns = pe__copy_ns(copy, start) + 1;
    node->total_ns = pe__sum_of_ns(node->total_ns, pe__region_clock_to_ns(copy->now - start));
}

/* Its calls are lost; the thread, if there is one, says so. */
static void drop_node(const struct pe__copy *copy, const struct words *words)
{
    uint32_t track = words->label != PE__REGION_NOTHING && words->track < PE__REGION_TRACKS ? copy->tracks[words->track]
                                                                                            : PE__REGION_NOTHING;

    if (track != PE__REGION_NOTHING)
        pe__add_count(&copy->builder->profile.tracks[track].dropped_calls, words->calls);
}

static void add_node(struct pe__copy *copy, const struct words *words, uint32_t number)
{
    uint32_t place = copy->nodes[number] = place_node(copy, words, number);
    struct pe__profile_node *node;
    uint32_t kind;

    if (place == PE__REGION_NOTHING) {
        drop_node(copy, words);
        return;
    }
    node = &copy->builder->profile.nodes[place];
    kind = copy->builder->profile.labels[node->label].kind;
    if (kind == PE_SITE_COUNTER) {
        add_counter(node, words);
        return;
    }
    add_timed(node, words);
    pe__add_count(&node->calls, words->calls);
    pe__add_count(&node->unfinished, words->unfinished);
    node->waited_ns = pe__sum_of_ns(node->waited_ns, pe__region_clock_to_ns(words->waited));
    node->cpu_ns = pe__sum_of_ns(node->cpu_ns, words->cpu_ns <= INT64_MAX ? (int64_t)words->cpu_ns : 0);
    if (kind != PE__KIND_ROOT)
        add_open(copy, node, words);
    if (words->timed > 0)
        add_buckets(copy, &copy->table.nodes[number], place);
}

void pe__copy_nodes(struct pe__copy *copy)
{
    struct words *words = read_nodes(copy);

    copy->now = pe__copy_clock();
    copy->nodes = malloc((copy->node_count + 1) * sizeof *copy->nodes);
    if (!words || !copy->nodes)
        copy->builder->error = PE_ENOMEM;
    for (uint32_t i = 0; words && copy->nodes && i < copy->node_count; i++)
        add_node(copy, &words[i], i);
    free(words);
}
