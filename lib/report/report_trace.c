/*
 * report_trace.c - the timeline in the Chrome trace format, the object form of it.
 *
 * What is written is what Perfetto, chrome://tracing and speedscope all understand in the same way:
 *
 *     M        names and order of processes and threads
 *     X        calls, strictly nested in each thread (trace_slices.c)
 *     b, e     spans, and how long jobs have waited in the queue, and workers for jobs
 *     i        marks; of a whole process where that is about its end
 *     C        counters (trace_counters.c)
 *     s, f     an arrow from the call that hands a job over to the call that runs it (trace_flows.c)
 *
 * Times are in microseconds since measuring began, with three decimals. Processes and threads have their own numbers;
 * one that occurs twice, because the system has used it again, is raised by a multiple of what no system's numbers
 * reach, for viewers know processes by nothing else. Slices have no arguments: speedscope takes those for a part of the
 * name. Where a region lies in the source is its second category.
 */
#include <inttypes.h>
#include <stdio.h>

#include <parexec/version.h>

#include "report/title.h"
#include "report/trace.h"

/* Metadata comes first, and so does not know whether anything is before it; events have a comma in front. */
static void put_meta(struct pe__trace *trace, uint32_t track, const char *what)
{
    uint32_t process = trace->profile->tracks[track].process;

    pe__sink_print(trace->sink, "%s\n{\"ph\":\"M\",\"pid\":%" PRId64 ",\"tid\":%" PRId64 ",\"name\":\"%s\",",
                   trace->begun ? "," : "", trace->pids[process], trace->tids[track], what);
    trace->begun = true;
}

static void put_name(struct pe__trace *trace, uint32_t track, const char *what, const char *name)
{
    put_meta(trace, track, what);
    pe__sink_text(trace->sink, "\"args\":{\"name\":");
    pe__sink_json(trace->sink, name);
    pe__sink_text(trace->sink, "}}");
}

static void put_order(struct pe__trace *trace, uint32_t track, const char *what, uint32_t place)
{
    put_meta(trace, track, what);
    pe__sink_print(trace->sink, "\"args\":{\"sort_index\":%" PRIu32 "}}", place);
}

/* A worker number has the process that had it last, and its title says how many there were. */
static void put_process(struct pe__trace *trace, uint32_t track)
{
    const struct pe__profile *profile = trace->profile;
    const struct pe__profile_process *process = &profile->processes[profile->tracks[track].process];
    char title[PE__PROFILE_PROCESS_BYTES], name[PE__TITLE_BYTES];

    pe__profile_process_name(process, title);
    if (process->pool == 0)
        snprintf(name, sizeof name, "%s: %.100s", title, profile->program);
    else if (process->lives > 1)
        snprintf(name, sizeof name, "%s, %" PRIu32 " processes", title, process->lives);
    else
        snprintf(name, sizeof name, "%s", title);
    put_name(trace, track, "process_name", name);
    put_order(trace, track, "process_sort_index", profile->tracks[track].process);
}

static void put_metadata(struct pe__trace *trace)
{
    const struct pe__profile *profile = trace->profile;
    char title[PE__TITLE_BYTES];

    for (uint32_t track = 0; track < profile->track_count; track++) {
        if (track == 0 || profile->tracks[track].process != profile->tracks[track - 1].process)
            put_process(trace, track);
        pe__title_track(title, &profile->tracks[track]);
        put_name(trace, track, "thread_name", title);
        put_order(trace, track, "thread_sort_index", track);
    }
}

/* ---- behind the events ---- */

static void put_number(struct pe__sink *sink, const char *name, uint64_t number)
{
    pe__sink_print(sink, ",\n\"%s\":%" PRIu64, name, number);
}

/* What is missing in the timeline, and why. */
static void put_losses(struct pe__sink *sink, const struct pe__profile *profile)
{
    uint64_t events = 0, calls = 0, unmatched = 0, crossed = 0, labels = 0, nodes = 0, threads = 0,
             in_handler = 0;

    for (uint32_t i = 0; i < profile->track_count; i++) {
        events += profile->tracks[i].dropped_events;
        calls += profile->tracks[i].dropped_calls;
        unmatched += profile->tracks[i].unmatched;
        crossed += profile->tracks[i].crossed;
    }
    for (uint32_t i = 0; i < profile->process_count; i++) {
        labels += profile->processes[i].dropped_labels;
        nodes += profile->processes[i].dropped_nodes;
        threads += profile->processes[i].dropped_threads;
        in_handler += profile->processes[i].dropped_in_handler;
    }
    put_number(sink, "dropped_events", events);
    put_number(sink, "dropped_calls", calls);
    put_number(sink, "dropped_names", labels);
    put_number(sink, "dropped_paths", nodes);
    put_number(sink, "dropped_threads", threads);
    put_number(sink, "dropped_in_handlers", in_handler);
    put_number(sink, "left_without_enter", unmatched);
    put_number(sink, "left_out_of_order", crossed);
    put_number(sink, "unfinished", pe__profile_cut_short(profile, PE__REGION_NOTHING));
}

static void put_other(struct pe__sink *sink, const struct pe__profile *profile)
{
    pe__sink_text(sink, "\"writer\":\"libparexec " PE_VERSION_STRING "\",\n\"program\":");
    pe__sink_json(sink, profile->program);
    pe__sink_text(sink, ",\n\"clock\":");
    pe__sink_json(sink, profile->clock);
    pe__sink_text(sink, ",\n\"mode\":");
    pe__sink_json(sink, profile->mode);
    put_number(sink, "sample_every", profile->sample_every);
    put_number(sink, "begin_unix_ns", (uint64_t)profile->begin_unix_ns);
    put_number(sink, "wall_ns", (uint64_t)profile->wall_ns);
    put_number(sink, "timeline", profile->has_timeline);
    pe__sink_print(sink, ",\n\"pair_cost_ns\":%.1f", profile->pair_cost_ns);
    put_losses(sink, profile);
}

void pe__report_trace(struct pe__sink *sink, const struct pe__profile *profile, const pe_report_options *options)
{
    struct pe__trace trace;
    int error = pe__trace_init(&trace, sink, profile);

    (void)options;
    if (error)
        sink->error = error;
    pe__sink_text(sink, "{\"displayTimeUnit\":\"ns\",\n\"otherData\":{\n");
    put_other(sink, profile);
    pe__sink_text(sink, "\n},\n\"traceEvents\":[");
    if (!error) {
        put_metadata(&trace);
        for (uint32_t track = 0; track < profile->track_count; track++)
            pe__trace_slices(&trace, track);
        pe__trace_counters(&trace);
        pe__trace_flows(&trace);
    }
    pe__sink_text(sink, "\n]}\n");
    pe__trace_fini(&trace);
}
