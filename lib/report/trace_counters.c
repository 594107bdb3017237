/*
 * trace_counters.c - counters as the sums that a process has come to.
 *
 * Viewers show a counter for each process and name. Its threads, several paths of one thread and several places in the
 * source may all add to it, so their amounts are put in the order of time and added up here, from the timeline's oldest
 * event on.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <parexec/error.h>

#include "report/trace.h"

struct amount {
    uint32_t process;
    const struct pe__profile_event *event;
};

/* By process, then by time. */
static int in_order(const void *a, const void *b)
{
    const struct amount *left = a, *right = b;

    if (left->process != right->process)
        return left->process < right->process ? -1 : 1;
    if (left->event->start_ns != right->event->start_ns)
        return left->event->start_ns < right->event->start_ns ? -1 : 1;
    return (left->event > right->event) - (left->event < right->event);
}

static size_t collect(const struct pe__profile *profile, struct amount *amounts)
{
    size_t count = 0;

    for (size_t i = 0; i < profile->event_count; i++) {
        if (profile->events[i].kind != PE__EVENT_COUNTER)
            continue;
        if (amounts)
            amounts[count] = (struct amount){ profile->tracks[profile->events[i].track].process, &profile->events[i] };
        count++;
    }
    return count;
}

static int by_name(const void *a, const void *b, void *labels)
{
    const struct pe__profile_label *all = labels;

    return strcmp(all[*(const uint32_t *)a].name, all[*(const uint32_t *)b].name);
}

/* For each label the one whose sum it adds to: all of one name share one. `order` has as many places. */
static void share_by_name(const struct pe__profile *profile, uint32_t *order, uint32_t *ret_shared)
{
    for (uint32_t i = 0; i < profile->label_count; i++)
        order[i] = i;
    if (profile->label_count > 0)
        qsort_r(order, profile->label_count, sizeof *order, by_name, profile->labels);
    for (uint32_t i = 0; i < profile->label_count; i++) {
        bool same = i > 0 && by_name(&order[i - 1], &order[i], profile->labels) == 0;

        ret_shared[order[i]] = same ? ret_shared[order[i - 1]] : order[i];
    }
}

static void put_sums(struct pe__trace *trace, const struct amount *amounts, size_t count, const uint32_t *shared,
                     uint64_t *sums)
{
    for (size_t i = 0; i < count && !trace->sink->error; i++) {
        const struct pe__profile_event *event = amounts[i].event;

        if (i > 0 && amounts[i].process != amounts[i - 1].process)
            memset(sums, 0, trace->profile->label_count * sizeof *sums);
        sums[shared[event->label]] += (uint64_t)event->value;
        pe__trace_begin(trace, 'C', event->label, event->track, event->start_ns);
        pe__sink_print(trace->sink, ",\"args\":{\"value\":%" PRId64 "}}", (int64_t)sums[shared[event->label]]);
    }
}

void pe__trace_counters(struct pe__trace *trace)
{
    size_t count = collect(trace->profile, NULL), labels = (size_t)trace->profile->label_count + 1;
    struct amount *amounts = calloc(count + 1, sizeof *amounts);
    uint32_t *shared = calloc(2 * labels, sizeof *shared);
    uint64_t *sums = calloc(labels, sizeof *sums);

    if (amounts && shared && sums) {
        collect(trace->profile, amounts);
        qsort(amounts, count, sizeof *amounts, in_order);
        share_by_name(trace->profile, shared + labels, shared);
        put_sums(trace, amounts, count, shared, sums);
    } else {
        trace->sink->error = PE_ENOMEM;
    }
    free(amounts);
    free(shared);
    free(sums);
}
