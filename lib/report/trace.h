/*
 * trace.h - what the parts of the Chrome trace (report_trace.c) have in common.
 */
#ifndef PE__REPORT_TRACE_H
#define PE__REPORT_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "report/sink.h"

/* A job was handed over, or begun, within a slice that has been written. */
struct pe__trace_flow {
    uint64_t job;
    uint32_t track, label;
    uint32_t kind; /* PE__EVENT_FLOW_OUT, PE__EVENT_FLOW_IN */
    int64_t at_ns;
};

struct pe__trace {
    struct pe__sink *sink;
    const struct pe__profile *profile;
    int64_t *pids;       /* of processes; each once */
    int64_t *tids;       /* of tracks; each once in its process */
    char *members;       /* of all labels: "name":"...","cat":"...", with a 0 behind */
    size_t *members_at;  /* of a label */
    uint32_t *open;      /* nodes that are open now, by track, then by start */
    uint32_t open_count;
    uint32_t next_open;  /* of the track that comes next, or of a later one */
    struct pe__trace_flow *flows;
    size_t flow_count;
    uint64_t span_count; /* written so far */
    bool begun;          /* the list of events has its first */
};

/* What is made from the profile; the sink and the profile must stay. 0, or PE_ENOMEM; fini in any case. */
int pe__trace_init(struct pe__trace *ret, struct pe__sink *sink, const struct pe__profile *profile);
void pe__trace_fini(struct pe__trace *trace);

/*
 * The beginning of an event: its kind, place and time. What only its kind has, and a }, is written behind it. An event
 * of a label has that one's name and category too.
 */
void pe__trace_place(struct pe__trace *trace, char phase, uint32_t track, int64_t at_ns);
void pe__trace_begin(struct pe__trace *trace, char phase, uint32_t label, uint32_t track, int64_t at_ns);

/* trace_slices.c: calls, spans and marks of a track, after those of all tracks before it; notes its flows. */
void pe__trace_slices(struct pe__trace *trace, uint32_t track);

/* trace_flows.c: arrows, once all slices are written. */
void pe__trace_flows(struct pe__trace *trace);

/* trace_counters.c: all counters. */
void pe__trace_counters(struct pe__trace *trace);

#endif
