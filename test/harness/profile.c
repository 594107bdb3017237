#include "harness/profile.h"

#include <stdlib.h>
#include <string.h>

#include <parexec/region.h>

/* Room for one more; the place is zeroed. */
static void grow(void **array, size_t *room, size_t count, size_t bytes)
{
    if (count == *room) {
        *room = count ? 2 * count : 16;
        *array = realloc(*array, *room * bytes);
        if (!*array)
            abort();
    }
    memset((char *)*array + count * bytes, 0, bytes);
}

#define PLACE(draft, noun, nouns) \
    (grow((void **)&(draft)->profile.nouns, &(draft)->noun##_room, (draft)->profile.noun##_count, \
          sizeof *(draft)->profile.nouns), \
     &(draft)->profile.nouns[(draft)->profile.noun##_count++])

uint32_t draft_process(struct draft *draft, int32_t pid, uint32_t pool, int32_t worker)
{
    struct pe__profile_process *process = PLACE(draft, process, processes);

    *process = (struct pe__profile_process){ .pid = pid, .pool = pool, .worker = worker, .lives = 1 };
    return draft->profile.process_count - 1;
}

uint32_t draft_track(struct draft *draft, uint32_t process, int32_t tid, const char *name)
{
    uint32_t number = 0;

    for (uint32_t i = 0; i < draft->profile.track_count; i++)
        number += draft->profile.tracks[i].process == process;
    *PLACE(draft, track, tracks) = (struct pe__profile_track){
        .process = process,
        .number = number,
        .tid = tid,
        .name = name,
        .lives = 1,
        .first_unmatched = PE__REGION_NOTHING,
        .first_crossed = PE__REGION_NOTHING,
        .first_unfinished = PE__REGION_NOTHING,
    };
    return draft->profile.track_count - 1;
}

uint32_t draft_label_at(struct draft *draft, uint32_t kind, const char *name, const char *file, uint32_t line)
{
    for (uint32_t i = 0; i < draft->profile.label_count; i++) {
        const struct pe__profile_label *label = &draft->profile.labels[i];

        if (label->kind == kind && label->line == line && !strcmp(label->name, name) && !strcmp(label->file, file))
            return i;
    }
    *PLACE(draft, label, labels) = (struct pe__profile_label){ .kind = kind, .line = line, .name = name, .file = file };
    return draft->profile.label_count - 1;
}

uint32_t draft_label(struct draft *draft, uint32_t kind, const char *name)
{
    return draft_label_at(draft, kind, name, kind == PE__KIND_ROOT ? "" : "example.c", kind == PE__KIND_ROOT ? 0 : 1);
}

uint32_t draft_node(struct draft *draft, uint32_t track, uint32_t parent, uint32_t label, uint64_t calls,
                    int64_t total_ns)
{
    struct pe__profile_node *node = PLACE(draft, node, nodes);
    int64_t each = calls ? total_ns / (int64_t)calls : 0;
    uint64_t *buckets = calloc(PE__REGION_BUCKETS, sizeof *buckets);

    if (!buckets)
        abort();
    buckets[pe__region_bucket((uint64_t)each)] = calls;
    *node = (struct pe__profile_node){
        .track = track,
        .parent = parent,
        .label = label,
        .calls = calls,
        .timed = calls,
        .total_ns = total_ns,
        .least_ns = each,
        .most_ns = each,
        .buckets = buckets,
    };
    return draft->profile.node_count - 1;
}

uint32_t draft_root(struct draft *draft, uint32_t track)
{
    return draft_node(draft, track, PE__REGION_NOTHING, draft_label(draft, PE__KIND_ROOT, ""), 0, 0);
}

uint32_t draft_counter(struct draft *draft, uint32_t track, uint32_t parent, uint32_t label, uint64_t times,
                       int64_t sum)
{
    struct pe__profile_node *node = PLACE(draft, node, nodes);

    *node = (struct pe__profile_node){
        .track = track,
        .parent = parent,
        .label = label,
        .calls = times,
        .sum = sum,
        .least = times ? sum / (int64_t)times : 0,
        .most = times ? sum / (int64_t)times : 0,
    };
    return draft->profile.node_count - 1;
}

void draft_event(struct draft *draft, uint32_t track, uint32_t kind, uint32_t label, int64_t start_ns, int64_t end_ns,
                 int64_t value)
{
    *PLACE(draft, event, events) = (struct pe__profile_event){
        .kind = kind,
        .track = track,
        .label = label,
        .start_ns = start_ns,
        .end_ns = kind == PE__EVENT_CALL || kind == PE__EVENT_CUT ? end_ns : start_ns,
        .value = value,
    };
}

static int in_order(const void *a, const void *b)
{
    const struct pe__profile_event *left = a, *right = b;

    if (left->track != right->track)
        return left->track < right->track ? -1 : 1;
    if (left->start_ns != right->start_ns)
        return left->start_ns < right->start_ns ? -1 : 1;
    return (left->end_ns < right->end_ns) - (left->end_ns > right->end_ns);
}

static void finish_nodes(struct pe__profile *profile)
{
    for (uint32_t i = 0; i < profile->node_count; i++) {
        struct pe__profile_node *node = &profile->nodes[i];

        for (uint32_t up = node->parent; up != PE__REGION_NOTHING; up = profile->nodes[up].parent)
            node->recursive |= profile->nodes[up].label == node->label;
    }
    pe__profile_own_times(profile);
}

static void finish_events(struct pe__profile *profile)
{
    if (profile->event_count)
        qsort(profile->events, profile->event_count, sizeof *profile->events, in_order);
    for (size_t i = profile->event_count; i-- > 0;) {
        struct pe__profile_track *track = &profile->tracks[profile->events[i].track];

        track->first_event = (uint32_t)i;
        track->event_count++;
    }
}

const struct pe__profile *draft_finish(struct draft *draft)
{
    struct pe__profile *profile = &draft->profile;

    finish_nodes(profile);
    finish_events(profile);
    profile->has_timeline = profile->event_count > 0;
    if (!profile->program)
        profile->program = "example";
    if (!profile->clock) {
        profile->clock = "time-stamp counter";
        profile->mode = "exact";
        profile->sample_every = 1;
        profile->ticks_per_ns = 2.5;
        profile->pair_cost_ns = 30;
        profile->begin_ns = 1000000000;
        profile->begin_unix_ns = INT64_C(1700000000000000000);
        profile->runs = 1;
    }
    if (!profile->wall_ns)
        for (size_t i = 0; i < profile->event_count; i++)
            if (profile->events[i].end_ns > profile->wall_ns)
                profile->wall_ns = profile->events[i].end_ns;
    return profile;
}

void draft_free(struct draft *draft)
{
    for (uint32_t i = 0; i < draft->profile.node_count; i++)
        free((void *)draft->profile.nodes[i].buckets);
    free(draft->profile.labels);
    free(draft->profile.processes);
    free(draft->profile.tracks);
    free(draft->profile.nodes);
    free(draft->profile.events);
    memset(draft, 0, sizeof *draft);
}

/* ---- the example ---- */

#define US(n) ((int64_t)(n) * 1000)

static void call(struct draft *draft, uint32_t track, uint32_t label, int64_t from_us, int64_t until_us)
{
    draft_event(draft, track, PE__EVENT_CALL, label, US(from_us), US(until_us), 0);
}

static void example_main(struct draft *draft, uint32_t track)
{
    uint32_t root = draft_root(draft, track);
    uint32_t solve = draft_label_at(draft, PE_SITE_REGION, "solve", "grid.c", 30);
    uint32_t relax = draft_label_at(draft, PE_SITE_REGION, "relax", "grid.c", 40);
    uint32_t line[2] = { draft_label_at(draft, PE_SITE_LINE, "", "grid.c", 41),
                         draft_label_at(draft, PE_SITE_LINE, "", "grid.c", 42) };
    uint32_t cells = draft_label_at(draft, PE_SITE_COUNTER, "cells", "grid.c", 45);
    uint32_t submit = draft_label(draft, PE_SITE_REGION, "pe.submit");
    uint32_t top = draft_node(draft, track, root, solve, 1, US(1000));
    uint32_t below = draft_node(draft, track, top, relax, 2, US(600));

    draft_node(draft, track, below, line[0], 2, US(400));
    draft_node(draft, track, below, line[1], 2, US(200));
    draft_node(draft, track, top, submit, 3, US(30));
    draft_counter(draft, track, top, cells, 2, 500);
    call(draft, track, solve, 0, 1000);
    for (int64_t job = 0; job < 3; job++) {
        call(draft, track, submit, 10 + 20 * job, 20 + 20 * job);
        draft_event(draft, track, PE__EVENT_FLOW_OUT, submit, US(15 + 20 * job), 0, job);
    }
    for (int64_t i = 0; i < 2; i++) {
        call(draft, track, relax, 100 + 400 * i, 400 + 400 * i);
        call(draft, track, line[0], 100 + 400 * i, 300 + 400 * i);
        call(draft, track, line[1], 300 + 400 * i, 400 + 400 * i);
        draft_event(draft, track, PE__EVENT_COUNTER, cells, US(450 + 400 * i), 0, 250);
    }
}

static void example_io(struct draft *draft, uint32_t track)
{
    uint32_t label = draft_label_at(draft, PE_SITE_REGION, "write", "io.c", 7);
    uint32_t node = draft_node(draft, track, draft_root(draft, track), label, 4, US(200));

    draft->profile.nodes[node].open_ns = US(980);
    for (int64_t i = 0; i < 4; i++)
        call(draft, track, label, 100 * i, 100 * i + 50);
}

static void example_worker(struct draft *draft, uint32_t track, uint32_t jobs, bool crashed)
{
    uint32_t run = draft_label(draft, PE_SITE_REGION, "pe.run");
    uint32_t item = draft_label_at(draft, PE_SITE_REGION, "item", "job.c", 12);
    uint32_t runs = draft_node(draft, track, draft_root(draft, track), run, jobs, US(200 * jobs));
    uint32_t items = draft_node(draft, track, runs, item, jobs, US(150 * jobs));
    uint32_t inner = crashed ? items : draft_node(draft, track, items, item, jobs, US(50 * jobs));

    for (int64_t job = 0; job < (int64_t)jobs; job++) {
        int64_t at = (crashed ? 70 : 20) + 250 * job;

        call(draft, track, run, at, at + 200);
        draft_event(draft, track, PE__EVENT_FLOW_IN, run, US(at), 0, crashed ? 2 - job : job);
        call(draft, track, item, at + 20, at + 170);
        if (!crashed)
            call(draft, track, item, at + 40, at + 90);
    }
    if (!crashed)
        return;
    draft_event(draft, track, PE__EVENT_CUT, run, US(500), US(600), 0);
    draft_event(draft, track, PE__EVENT_CUT, item, US(520), US(600), 0);
    draft_event(draft, track, PE__EVENT_MARK, draft_label(draft, PE_SITE_MARK, "pe.crash"), US(600), 0, 0);
    draft->profile.nodes[runs].unfinished = 1;
    draft->profile.nodes[inner].unfinished = 1;
    draft->profile.tracks[track].lives = 2;
    draft->profile.processes[draft->profile.tracks[track].process].lives = 2;
}

void draft_example(struct draft *draft)
{
    uint32_t host = draft_process(draft, 100, 0, -1);
    uint32_t worker[2] = { draft_process(draft, 200, 1, 0), draft_process(draft, 201, 1, 1) };
    uint32_t tracks[4] = { draft_track(draft, host, 100, "main"), draft_track(draft, host, 101, "io"),
                           draft_track(draft, worker[0], 200, "worker 0"),
                           draft_track(draft, worker[1], 201, "worker 1") };

    example_main(draft, tracks[0]);
    example_io(draft, tracks[1]);
    example_worker(draft, tracks[2], 2, false);
    example_worker(draft, tracks[3], 1, true);
}
