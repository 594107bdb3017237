/*
 * copy.c - from a table that somebody may be writing to, right or wrong, into a profile.
 *
 * Believed are this process's own words: where a table lies and how large it is (struct pe__region_table). Nothing that
 * lies in the table is: its writer may be a worker that scribbles. So each word is read once, into private memory, and
 * checked there before it is used:
 *
 *     counts        no more than there are places
 *     kinds         known ones; else the place is passed over
 *     texts         end at their last byte at the latest
 *     indices       below their count, and of a place that was found good; else the place is passed over
 *     parents       lie before their children and are of the same track: no cycles; paths are no
 *                   longer than any may be
 *     times         from the beginning until now; sums stop at the largest number
 *     events        of a chain of as many segments as there are at most, each index in it checked: no cycle is followed
 *
 * A wrong number makes a wrong report; it cannot make it read outside, go on for ever or take more memory than the
 * table has places for.
 *
 * Right writers go on while this reads. A place's `ready`, `state` and the counts of the head are read with
 * acquire, which shows all that was stored before; the numbers of nodes, without any order, one call later or
 * earlier. They are made to fit each other where that matters: `start` is read again after the rest, and the node
 * again when a call has ended or begun meanwhile (a few times); children are read before their parents, so that a
 * child's time is not ahead of its parent's. Events are read, then the count of those written is read again, and
 * what may have been overwritten meanwhile is dropped.
 */
#include "report/copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <parexec/error.h>
#include <parexec/region.h>

#include "base/symbol.h"
#include "region/clock.h"

#define TRIES 4

/* One call of pe__copy_source for one table. */
struct copy {
    struct pe__builder *builder;
    struct pe__region_table table;
    struct pe__copy_times times;
    uint64_t now; /* ticks, after what is being converted was read */
    uint32_t process;
    uint32_t label_count, node_count;
    uint32_t *labels; /* the builder's numbers of the table's places, or PE__REGION_NOTHING */
    uint32_t *nodes;
    uint32_t tracks[PE__REGION_TRACKS];
    uint64_t events_left; /* as many as have room in the table, whatever its chains say */
};

#define READ(word) atomic_load_explicit(&(word), memory_order_relaxed)
#define READ_ACQUIRE(word) atomic_load_explicit(&(word), memory_order_acquire)
#define READ_PLAIN(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)

/* After all reads before it. */
static uint64_t read_clock(void)
{
    atomic_thread_fence(memory_order_seq_cst);
    return pe__region_clock_now();
}

static int64_t ns_since_begin(const struct copy *copy, uint64_t ticks)
{
    return ticks > copy->times.begin_ticks ? pe__region_clock_to_ns(ticks - copy->times.begin_ticks) : 0;
}

static uint32_t at_most(uint32_t count, uint32_t most)
{
    return count < most ? count : most;
}

/* ---- labels ---- */

static bool is_kind(uint32_t kind)
{
    return kind <= PE_SITE_MARK || (kind >= PE__KIND_SPAN && kind <= PE__KIND_ROOT);
}

/* A function's symbol goes on where others have their file. */
static uint32_t add_function(struct copy *copy, struct pe__profile_label label)
{
    char symbol[PE__REGION_NAME_BYTES + PE__REGION_FILE_BYTES];
    char *readable;
    uint32_t number;

    snprintf(symbol, sizeof symbol, "%s%s", label.name, label.file);
    readable = pe__symbol_demangle(symbol);
    label.name = readable ? readable : symbol;
    label.file = "";
    number = pe__builder_label(copy->builder, &label);
    free(readable);
    return number;
}

/* Both texts are taken whole, so a writer that changes them meanwhile changes nothing here any more. */
static uint32_t copy_label(struct copy *copy, const struct pe__region_label *from)
{
    char name[PE__REGION_NAME_BYTES], file[PE__REGION_FILE_BYTES];
    uint32_t ready = READ_ACQUIRE(from->ready);
    struct pe__profile_label label = { .kind = ready - 1, .line = READ_PLAIN(from->line), .name = name, .file = file };

    if (ready == 0 || !is_kind(label.kind))
        return PE__REGION_NOTHING;
    memcpy(name, from->name, sizeof name);
    memcpy(file, from->file, sizeof file);
    name[sizeof name - 1] = '\0';
    file[sizeof file - 1] = '\0';
    if (label.kind == PE_SITE_LINE)
        name[0] = '\0';
    if (label.kind == PE__KIND_FUNCTION)
        return add_function(copy, label);
    return pe__builder_label(copy->builder, &label);
}

static bool copy_labels(struct copy *copy)
{
    copy->label_count = at_most(READ_ACQUIRE(copy->table.head->labels), copy->table.geometry.labels);
    copy->labels = malloc((copy->label_count + 1) * sizeof *copy->labels);
    if (!copy->labels)
        return false;
    for (uint32_t i = 0; i < copy->label_count; i++)
        copy->labels[i] = copy_label(copy, &copy->table.labels[i]);
    return true;
}

static uint32_t label_of(const struct copy *copy, uint32_t label)
{
    return label < copy->label_count ? copy->labels[label] : PE__REGION_NOTHING;
}

/* A label + 1, 0: none. */
static uint32_t first_of(const struct copy *copy, uint32_t kept, uint32_t label)
{
    return kept != PE__REGION_NOTHING || label == 0 ? kept : label_of(copy, label - 1);
}

/* ---- tracks ---- */

static void copy_track(struct copy *copy, const struct pe__region_track *from, uint32_t number)
{
    uint32_t state = READ_ACQUIRE(from->state);
    char name[PE__REGION_THREAD_BYTES];
    struct pe__profile_track *track;

    copy->tracks[number] = PE__REGION_NOTHING;
    if (state != PE__TRACK_LIVE && state != PE__TRACK_FREE)
        return;
    memcpy(name, from->name, sizeof name);
    name[sizeof name - 1] = '\0';
    copy->tracks[number] = pe__builder_track(copy->builder, copy->process, number, name);
    if (copy->tracks[number] == PE__REGION_NOTHING) {
        pe__add_count(&copy->builder->profile.processes[copy->process].dropped_threads, 1);
        return;
    }
    track = &copy->builder->profile.tracks[copy->tracks[number]];
    track->tid = READ(from->tid);
    track->ended = state == PE__TRACK_FREE || copy->times.over;
    pe__add_count32(&track->lives, READ(from->lives));
    pe__add_count(&track->unmatched, READ(from->unmatched));
    pe__add_count(&track->crossed, READ(from->crossed));
    pe__add_count(&track->unfinished, READ(from->unfinished));
    pe__add_count(&track->dropped_calls, READ(from->dropped_calls));
    track->first_unmatched = first_of(copy, track->first_unmatched, READ(from->first_unmatched));
    track->first_crossed = first_of(copy, track->first_crossed, READ(from->first_crossed));
    track->first_unfinished = first_of(copy, track->first_unfinished, READ(from->first_unfinished));
}

static void copy_tracks(struct copy *copy)
{
    uint32_t count = at_most(READ_ACQUIRE(copy->table.head->tracks), PE__REGION_TRACKS);

    for (uint32_t i = 0; i < PE__REGION_TRACKS; i++)
        copy->tracks[i] = PE__REGION_NOTHING;
    for (uint32_t i = 0; i < count; i++)
        copy_track(copy, &copy->table.tracks[i], i);
}

/* ---- nodes ---- */

/* What a node says of itself, in one piece. */
struct words {
    uint64_t start, calls, timed, total, least, most, cpu_ns, waited, unfinished;
    uint32_t label, parent, track; /* label PE__REGION_NOTHING: the place is not ready */
};

static void read_numbers(const struct pe__region_node *from, struct words *words)
{
    for (int i = 0; i < TRIES; i++) {
        words->start = READ_ACQUIRE(from->start);
        words->calls = READ(from->calls);
        words->timed = READ(from->timed);
        words->total = READ(from->total);
        words->least = READ(from->least);
        words->most = READ(from->most);
        words->cpu_ns = READ(from->cpu_ns);
        words->waited = READ(from->waited);
        words->unfinished = READ(from->unfinished);
        atomic_thread_fence(memory_order_acquire);
        if (READ(from->start) == words->start)
            return;
    }
}

static void read_node(const struct pe__region_node *from, struct words *words)
{
    uint32_t ready = READ_ACQUIRE(from->ready);

    words->label = ready - 1;
    if (ready == 0)
        return;
    words->parent = READ_PLAIN(from->parent);
    words->track = READ_PLAIN(from->track);
    read_numbers(from, words);
}

/* The last first: children before their parents. */
static struct words *read_nodes(struct copy *copy)
{
    struct words *words;

    copy->node_count = at_most(READ_ACQUIRE(copy->table.head->nodes), copy->table.geometry.nodes);
    words = malloc((copy->node_count + 1) * sizeof *words);
    for (uint32_t i = copy->node_count; words && i-- > 0;)
        read_node(&copy->table.nodes[i], &words[i]);
    return words;
}

/* The builder's number of the node, made if it is new. */
static uint32_t place_node(struct copy *copy, const struct words *words, uint32_t number)
{
    uint32_t parent = PE__REGION_NOTHING;

    if (words->label == PE__REGION_NOTHING || words->track >= PE__REGION_TRACKS)
        return PE__REGION_NOTHING;
    if (words->parent != PE__REGION_NOTHING) {
        parent = words->parent < number ? copy->nodes[words->parent] : PE__REGION_NOTHING;
        if (parent == PE__REGION_NOTHING)
            return PE__REGION_NOTHING;
    }
    return pe__builder_node(copy->builder, copy->tracks[words->track], parent, label_of(copy, words->label));
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

static void add_buckets(struct copy *copy, const struct pe__region_node *from, uint32_t number)
{
    uint64_t *buckets = pe__builder_buckets(copy->builder, number);

    for (uint32_t i = 0; buckets && i < PE__REGION_BUCKETS; i++)
        pe__add_count(&buckets[i], READ(from->buckets[i]));
    if (buckets)
        pe__add_count(&buckets[pe__region_bucket((uint64_t)pe__region_clock_to_ns(READ(from->recent)))], 1);
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
static void add_cut(struct copy *copy, const struct pe__profile_node *node, uint64_t start)
{
    struct pe__profile_event event = {
        .kind = PE__EVENT_CUT,
        .track = node->track,
        .label = node->label,
        .start_ns = ns_since_begin(copy, start),
        .end_ns = ns_since_begin(copy, copy->now),
    };

    if (copy->table.geometry.segments == 0 || start < copy->times.begin_ticks || start > copy->now)
        return;
    if (!pe__builder_event(copy->builder, &event))
        pe__add_count(&copy->builder->profile.tracks[event.track].dropped_events, 1);
}

/* A call that has begun and not ended: until now, or cut short. Where it is not timed, or the time is none, it counts
 * as begun now. */
static void add_open(struct copy *copy, struct pe__profile_node *node, const struct words *words)
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
    node->open_ns = ns_since_begin(copy, start) + 1;
    node->total_ns = pe__sum_of_ns(node->total_ns, pe__region_clock_to_ns(copy->now - start));
}

/* Its calls are lost; the thread, if there is one, says so. */
static void drop_node(const struct copy *copy, const struct words *words)
{
    uint32_t track = words->label != PE__REGION_NOTHING && words->track < PE__REGION_TRACKS ? copy->tracks[words->track]
                                                                                            : PE__REGION_NOTHING;

    if (track != PE__REGION_NOTHING)
        pe__add_count(&copy->builder->profile.tracks[track].dropped_calls, words->calls);
}

static void add_node(struct copy *copy, const struct words *words, uint32_t number)
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

static void copy_nodes(struct copy *copy)
{
    struct words *words = read_nodes(copy);

    copy->now = read_clock();
    copy->nodes = malloc((copy->node_count + 1) * sizeof *copy->nodes);
    if (!words || !copy->nodes)
        copy->builder->error = PE_ENOMEM;
    for (uint32_t i = 0; words && copy->nodes && i < copy->node_count; i++)
        add_node(copy, &words[i], i);
    free(words);
}

/* ---- events ---- */

static bool convert_event(const struct copy *copy, uint32_t track, const struct pe__region_event *from,
                          struct pe__profile_event *ret)
{
    *ret = (struct pe__profile_event){
        .kind = from->kind,
        .track = track,
        /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): read_events has read all from `first` on */
        .label = label_of(copy, from->label),
        .value = (int64_t)from->value,
    };
    if (from->kind < PE__EVENT_CALL || from->kind > PE__EVENT_CUT || ret->label == PE__REGION_NOTHING ||
        from->start < copy->times.begin_ticks || from->start > copy->now)
        return false;
    ret->start_ns = ns_since_begin(copy, from->start);
    ret->end_ns = ret->start_ns;
    if (from->kind != PE__EVENT_CALL && from->kind != PE__EVENT_CUT)
        return true;
    ret->end_ns = ns_since_begin(copy, from->end);
    return from->end >= from->start && from->end <= copy->now;
}

/* The track's segments in their order, no more than there are. A chain that leads out of them ends. */
static uint32_t list_segments(const struct copy *copy, uint32_t number, uint32_t *segments)
{
    uint32_t most = copy->table.geometry.segments, count = 0;
    uint32_t first = READ_ACQUIRE(copy->table.tracks[number].first_segment), next = first;

    while (next != 0 && next <= most && count < most && (count == 0 || next != first)) {
        const struct pe__region_segment *segment = &copy->table.segments[next - 1];

        if (READ_PLAIN(segment->track) != number)
            break;
        segments[count++] = next - 1;
        next = READ_ACQUIRE(segment->next);
    }
    return count;
}

static void read_event(const struct pe__region_event *from, struct pe__region_event *event)
{
    event->start = READ_PLAIN(from->start);
    event->end = READ_PLAIN(from->end);
    event->value = READ_PLAIN(from->value);
    event->label = READ_PLAIN(from->label);
    event->kind = READ_PLAIN(from->kind);
}

/* Events first <= i < written, into `events`; the first one that was not overwritten meanwhile. */
static uint64_t read_events(const struct copy *copy, const struct pe__region_track *from, const uint32_t *segments,
                            uint32_t count, uint64_t first, uint64_t written, struct pe__region_event *events)
{
    uint64_t room = (uint64_t)count * PE__REGION_SEGMENT_EVENTS, now;

    for (uint64_t i = first; i < written; i++) {
        uint32_t segment = segments[i / PE__REGION_SEGMENT_EVENTS % count];

        read_event(&copy->table.segments[segment].events[i % PE__REGION_SEGMENT_EVENTS], &events[i - first]);
    }
    atomic_thread_fence(memory_order_acquire);
    now = READ(from->events);
    /* The one after those written may be half there. */
    return count != 0 && now >= room && now - room + 1 > first && !copy->times.over ? now - room + 1 : first;
}

static void copy_track_events(struct copy *copy, uint32_t number, uint32_t *segments)
{
    const struct pe__region_track *from = &copy->table.tracks[number];
    uint64_t written = READ_ACQUIRE(from->events);
    uint32_t count = list_segments(copy, number, segments);
    uint64_t room = (uint64_t)count * PE__REGION_SEGMENT_EVENTS;
    uint64_t most = room < copy->events_left ? room : copy->events_left;
    uint64_t first = written > most ? written - most : 0, good, dropped;
    struct pe__region_event *events = malloc((size_t)(written - first + 1) * sizeof *events);
    struct pe__profile_event event;

    if (!events) {
        copy->builder->error = PE_ENOMEM;
        return;
    }
    good = read_events(copy, from, segments, count, first, written, events);
    dropped = good;
    copy->events_left -= written - first;
    copy->now = read_clock();
    for (uint64_t i = good; i < written; i++)
        if (!convert_event(copy, copy->tracks[number], &events[i - first], &event) ||
            !pe__builder_event(copy->builder, &event))
            dropped++;
    pe__add_count(&copy->builder->profile.tracks[copy->tracks[number]].dropped_events, dropped);
    free(events);
}

static void copy_events(struct copy *copy)
{
    uint32_t *segments = malloc((copy->table.geometry.segments + (size_t)1) * sizeof *segments);

    copy->events_left = (uint64_t)copy->table.geometry.segments * PE__REGION_SEGMENT_EVENTS;
    if (!segments)
        copy->builder->error = PE_ENOMEM;
    for (uint32_t i = 0; segments && i < PE__REGION_TRACKS; i++)
        if (copy->tracks[i] != PE__REGION_NOTHING)
            copy_track_events(copy, i, segments);
    free(segments);
}

/* ---- all of it ---- */

static bool copy_process(struct copy *copy, uint32_t pool, int32_t worker)
{
    const struct pe__region_head *head = copy->table.head;
    struct pe__profile_process *process;

    copy->process = pe__builder_process(copy->builder, pool, worker);
    if (copy->process == PE__REGION_NOTHING)
        return false;
    process = &copy->builder->profile.processes[copy->process];
    process->pid = (int32_t)(READ(head->pid) & INT32_MAX);
    pe__add_count32(&process->lives, READ(head->lives));
    pe__add_count(&process->dropped_labels, READ(head->dropped_labels));
    pe__add_count(&process->dropped_nodes, READ(head->dropped_nodes));
    pe__add_count(&process->dropped_threads, READ(head->dropped_threads));
    pe__add_count(&process->dropped_in_handler, READ(head->dropped_in_handler));
    return true;
}

static void copy_table(struct copy *copy)
{
    if (!copy_labels(copy)) {
        copy->builder->error = PE_ENOMEM;
        return;
    }
    copy_tracks(copy);
    copy_nodes(copy);
    if (copy->nodes)
        copy_events(copy);
}

/* A number that nobody has recorded under has no process in the profile. */
static bool is_used(const struct pe__region_table *table)
{
    return READ(table->head->lives) != 0 || READ(table->head->tracks) != 0;
}

static void table_at(const struct pe__region_source *source, uint32_t number, struct pe__region_table *ret)
{
    pe__region_table_at(ret, source->tables + number * source->stride, &source->geometry);
}

bool pe__copy_is_used(const struct pe__region_source *source)
{
    struct pe__region_table table;

    for (uint32_t number = 0; number < source->count; number++) {
        table_at(source, number, &table);
        if (is_used(&table))
            return true;
    }
    return false;
}

void pe__copy_source(struct pe__builder *builder, const struct pe__region_source *source, uint32_t pool,
                     struct pe__copy_times times)
{
    for (uint32_t number = 0; number < source->count && !builder->error; number++) {
        struct copy copy = { .builder = builder, .times = times };

        table_at(source, number, &copy.table);
        if (is_used(&copy.table) && copy_process(&copy, pool, source->pool == 0 ? -1 : (int32_t)number))
            copy_table(&copy);
        free(copy.labels);
        free(copy.nodes);
    }
}
