#ifndef PE__TEST_PROFILE_H
#define PE__TEST_PROFILE_H

/*
 * Profiles made by hand, for tests of reports. Numbers are indices, as in the profile; texts are kept as pointers.
 *
 *     struct draft draft = { 0 };
 *     uint32_t host = draft_process(&draft, 100, 0, -1);
 *     uint32_t track = draft_track(&draft, host, 100, "main");
 *     uint32_t root = draft_node(&draft, track, PE__REGION_NOTHING, draft_label(&draft, PE__KIND_ROOT, ""), 0, 0);
 *     draft_node(&draft, track, root, draft_label(&draft, PE_SITE_REGION, "solve"), 3, 4000);
 *     const struct pe__profile *profile = draft_finish(&draft);
 *     ...
 *     draft_free(&draft);
 *
 * Fields that have no parameter are set in draft.profile before draft_finish.
 */

#include <stddef.h>
#include <stdint.h>

#include "report/profile.h"

struct draft {
    struct pe__profile profile;
    size_t label_room, process_room, track_room, node_room, event_room;
};

uint32_t draft_process(struct draft *draft, int32_t pid, uint32_t pool, int32_t worker);
uint32_t draft_track(struct draft *draft, uint32_t process, int32_t tid, const char *name);
/* The one with that kind, name, file and line; a new one if there is none. */
uint32_t draft_label(struct draft *draft, uint32_t kind, const char *name);
uint32_t draft_label_at(struct draft *draft, uint32_t kind, const char *name, const char *file, uint32_t line);
uint32_t draft_root(struct draft *draft, uint32_t track);
/* The smallest and the largest call, and its buckets, are as if all calls took equally long. */
uint32_t draft_node(struct draft *draft, uint32_t track, uint32_t parent, uint32_t label, uint64_t calls,
                    int64_t total_ns);
uint32_t draft_counter(struct draft *draft, uint32_t track, uint32_t parent, uint32_t label, uint64_t times,
                       int64_t sum);
/* The label takes part by its number alone; of a mark, counter or flow the end is the start. */
void draft_event(struct draft *draft, uint32_t track, uint32_t kind, uint32_t label, int64_t start_ns,
                 int64_t end_ns, int64_t value);

/* Own times, recursion, the order of events and all counts; the clock and the program are made up where not set. */
const struct pe__profile *draft_finish(struct draft *draft);
void draft_free(struct draft *draft);

/*
 * What most tests need: a host with two threads, a pool of two workers of which worker 1 crashed once. Calls x us:
 *
 *     host, main      solve 1x1000 { relax 2x300 { lines grid.c:41 2x200, :42 2x100 }, pe.submit 3x10, cells 2x250 }
 *     host, io        write 4x50; one more is open
 *     pool 1 worker 0 pe.run 2x200 { item 2x150 { item 2x50: recursion } }
 *     pool 1 worker 1 pe.run 1x200, one unfinished { item 1x150, one unfinished }, the mark "pe.crash"
 *
 * with the timeline of these, and flows of three jobs from solve to pe.run.
 */
void draft_example(struct draft *draft);

#endif
