/*
 * trace_flows.c - arrows from where a job was handed over to where it ran.
 *
 * The two ends of an arrow find each other by an id that no other arrow has, and the first must not be later than the
 * second. A job that ran again after a crash has an arrow for each run, all from the same place. What was handed over
 * before the timeline's oldest event, or has not begun, has none.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "report/trace.h"

/* By job; handing over before running; then by time. */
static int in_order(const void *a, const void *b)
{
    const struct pe__trace_flow *left = a, *right = b;

    if (left->job != right->job)
        return left->job < right->job ? -1 : 1;
    if (left->kind != right->kind)
        return left->kind == PE__EVENT_FLOW_OUT ? -1 : 1;
    return (left->at_ns > right->at_ns) - (left->at_ns < right->at_ns);
}

static void put_end(struct pe__trace *trace, char phase, const struct pe__trace_flow *flow, uint64_t id)
{
    pe__trace_place(trace, phase, flow->track, flow->at_ns);
    pe__sink_print(trace->sink, ",\"name\":\"job\",\"cat\":\"flow\",\"id\":\"0x%" PRIx64 "\"%s}", id,
                   phase == 'f' ? ",\"bp\":\"e\"" : "");
}

/* Of one job: `outs` hand-overs, then runs. */
static void put_job(struct pe__trace *trace, const struct pe__trace_flow *flows, size_t outs, size_t count,
                    uint64_t *id)
{
    size_t last = 0; /* the latest one that is no later than the run */

    for (size_t run = outs; run < count && outs > 0; run++) {
        while (last + 1 < outs && flows[last + 1].at_ns <= flows[run].at_ns)
            last++;
        if (flows[last].at_ns > flows[run].at_ns)
            continue;
        ++*id;
        put_end(trace, 's', &flows[last], *id);
        put_end(trace, 'f', &flows[run], *id);
    }
}

void pe__trace_flows(struct pe__trace *trace)
{
    uint64_t id = 0;

    if (trace->flow_count > 0)
        qsort(trace->flows, trace->flow_count, sizeof *trace->flows, in_order);
    for (size_t first = 0, end; first < trace->flow_count && !trace->sink->error; first = end) {
        const struct pe__trace_flow *flows = trace->flows + first;
        size_t outs = 0;

        for (end = first; end < trace->flow_count && trace->flows[end].job == flows->job; end++)
            outs += trace->flows[end].kind == PE__EVENT_FLOW_OUT;
        put_job(trace, flows, outs, end - first, &id);
    }
}
