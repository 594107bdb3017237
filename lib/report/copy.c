/*
 * copy.c - from a table that somebody may be writing to, right or wrong, into a profile.
 *
 * Believed are this process's own words: where a table lies and how large it is (struct pe__region_table). Nothing that
 * lies in the table is: its writer may be a worker that scribbles. So each word is read once, into private memory, and
 * checked there before it is used, here, in copy_nodes.c and in copy_events.c:
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
#include "report/copy_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <parexec/error.h>
#include <parexec/region.h>

#include "base/symbol.h"
#include "region/clock.h"

uint64_t pe__copy_clock(void)
{
    atomic_thread_fence(memory_order_seq_cst);
    return pe__region_clock_now();
}

int64_t pe__copy_ns(const struct pe__copy *copy, uint64_t ticks)
{
    return ticks > copy->times.begin_ticks ? pe__region_clock_to_ns(ticks - copy->times.begin_ticks) : 0;
}

/* ---- labels ---- */

static bool is_kind(uint32_t kind)
{
    return kind <= PE_SITE_MARK || (kind >= PE__KIND_SPAN && kind <= PE__KIND_ROOT);
}

/* A function's symbol goes on where others have their file. */
static uint32_t add_function(struct pe__copy *copy, struct pe__profile_label label)
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
static uint32_t copy_label(struct pe__copy *copy, const struct pe__region_label *from)
{
    char name[PE__REGION_NAME_BYTES], file[PE__REGION_FILE_BYTES];
    uint32_t ready = PE__COPY_ACQUIRE(from->ready);
    uint32_t line = PE__COPY_PLAIN(from->line);
    struct pe__profile_label label = { .kind = ready - 1, .line = line, .name = name, .file = file };

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

static bool copy_labels(struct pe__copy *copy)
{
    copy->label_count = pe__copy_at_most(PE__COPY_ACQUIRE(copy->table.head->labels), copy->table.geometry.labels);
    copy->labels = malloc((copy->label_count + 1) * sizeof *copy->labels);
    if (!copy->labels)
        return false;
    for (uint32_t i = 0; i < copy->label_count; i++)
        copy->labels[i] = copy_label(copy, &copy->table.labels[i]);
    return true;
}

uint32_t pe__copy_label_of(const struct pe__copy *copy, uint32_t label)
{
    return label < copy->label_count ? copy->labels[label] : PE__REGION_NOTHING;
}

/* A label + 1, 0: none. */
static uint32_t first_of(const struct pe__copy *copy, uint32_t kept, uint32_t label)
{
    return kept != PE__REGION_NOTHING || label == 0 ? kept : pe__copy_label_of(copy, label - 1);
}

/* ---- tracks ---- */

static void copy_track(struct pe__copy *copy, const struct pe__region_track *from, uint32_t number)
{
    uint32_t state = PE__COPY_ACQUIRE(from->state);
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
    track->tid = PE__COPY_READ(from->tid);
    track->ended = state == PE__TRACK_FREE || copy->times.over;
    pe__add_count32(&track->lives, PE__COPY_READ(from->lives));
    pe__add_count(&track->unmatched, PE__COPY_READ(from->unmatched));
    pe__add_count(&track->crossed, PE__COPY_READ(from->crossed));
    pe__add_count(&track->unfinished, PE__COPY_READ(from->unfinished));
    pe__add_count(&track->dropped_calls, PE__COPY_READ(from->dropped_calls));
    track->first_unmatched = first_of(copy, track->first_unmatched, PE__COPY_READ(from->first_unmatched));
    track->first_crossed = first_of(copy, track->first_crossed, PE__COPY_READ(from->first_crossed));
    track->first_unfinished = first_of(copy, track->first_unfinished, PE__COPY_READ(from->first_unfinished));
}

static void copy_tracks(struct pe__copy *copy)
{
    uint32_t count = pe__copy_at_most(PE__COPY_ACQUIRE(copy->table.head->tracks), PE__REGION_TRACKS);

    for (uint32_t i = 0; i < PE__REGION_TRACKS; i++)
        copy->tracks[i] = PE__REGION_NOTHING;
    for (uint32_t i = 0; i < count; i++)
        copy_track(copy, &copy->table.tracks[i], i);
}

/* ---- all of it ---- */

static bool copy_process(struct pe__copy *copy, uint32_t pool, int32_t worker)
{
    const struct pe__region_head *head = copy->table.head;
    struct pe__profile_process *process;

    copy->process = pe__builder_process(copy->builder, pool, worker);
    if (copy->process == PE__REGION_NOTHING)
        return false;
    process = &copy->builder->profile.processes[copy->process];
    process->pid = (int32_t)(PE__COPY_READ(head->pid) & INT32_MAX);
    pe__add_count32(&process->lives, PE__COPY_READ(head->lives));
    pe__add_count(&process->dropped_labels, PE__COPY_READ(head->dropped_labels));
    pe__add_count(&process->dropped_nodes, PE__COPY_READ(head->dropped_nodes));
    pe__add_count(&process->dropped_threads, PE__COPY_READ(head->dropped_threads));
    pe__add_count(&process->dropped_in_handler, PE__COPY_READ(head->dropped_in_handler));
    return true;
}

static void copy_table(struct pe__copy *copy)
{
    if (!copy_labels(copy)) {
        copy->builder->error = PE_ENOMEM;
        return;
    }
    copy_tracks(copy);
    pe__copy_nodes(copy);
    if (copy->nodes)
        pe__copy_events(copy);
}

/* A number that nobody has recorded under has no process in the profile. */
static bool is_used(const struct pe__region_table *table)
{
    return PE__COPY_READ(table->head->lives) != 0 || PE__COPY_READ(table->head->tracks) != 0;
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
        struct pe__copy copy = { .builder = builder, .times = times };

        table_at(source, number, &copy.table);
        if (is_used(&copy.table) && copy_process(&copy, pool, source->pool == 0 ? -1 : (int32_t)number))
            copy_table(&copy);
        free(copy.labels);
        free(copy.nodes);
    }
}
