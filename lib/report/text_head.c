/* text_head.c - the head of the text report: what was measured and how, and what is missing or wrong in it. */
#include <string.h>
#include <time.h>

#include <parexec/region.h>

#include "report/report_text.h"
#include "report/text.h"

/* Lines about single processes or threads, of each kind; there may be hundreds. */
#define LINES_MAX 16

static void print_measured(struct pe__sink *sink, const struct pe__profile *profile)
{
    time_t seconds = (time_t)(profile->begin_unix_ns / 1000000000);
    char date[32] = "";
    struct tm parts;
    pe__text_cell wall;

    if (gmtime_r(&seconds, &parts))
        strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &parts);
    pe__text_time(wall, (double)profile->wall_ns);
    pe__sink_text(sink, "program   ");
    pe__sink_plain(sink, profile->program);
    if (profile->begin_unix_ns)
        pe__sink_print(sink, "\nmeasured  %s from %s UTC on", wall, date);
    else
        pe__sink_text(sink, "\nmeasured  nothing yet");
    if (profile->runs > 1)
        pe__sink_print(sink, ", the sum of %u runs", (unsigned)profile->runs);
}

static void print_clock(struct pe__sink *sink, const struct pe__profile *profile, const pe_report_options *options)
{
    bool is_counter = strcmp(profile->clock, "time-stamp counter") == 0;
    pe__text_cell cost;

    pe__text_time(cost, profile->pair_cost_ns);
    pe__sink_text(sink, "\nclock     ");
    pe__sink_plain(sink, profile->clock);
    if (is_counter)
        pe__sink_print(sink, ", %.3f GHz: steady, and the kernel keeps time by it", profile->ticks_per_ns);
    else
        pe__sink_text(sink, ": the time-stamp counter is missing, not steady or not the same on all CPUs");
    pe__sink_text(sink, "\nmode      ");
    pe__sink_plain(sink, profile->mode);
    if (profile->sample_every > 1)
        pe__sink_print(sink, ", 1 call in %u timed and scaled up", (unsigned)profile->sample_every);
    pe__sink_print(sink, "; enter and leave cost %s here%s\n", cost,
                   options->flags & PE_REPORT_SUBTRACT_COST ? ", taken off below" : "");
}

static void print_recorded(struct pe__sink *sink, const struct pe__profile *profile)
{
    uint32_t workers = 0, pools = 0, tracks_of_workers = 0;
    uint64_t threads_of_host = 0;

    for (uint32_t i = 0; i < profile->track_count; i++) {
        bool of_worker = profile->processes[profile->tracks[i].process].worker >= 0;
        tracks_of_workers += of_worker;
        threads_of_host += of_worker ? 0 : profile->tracks[i].lives;
    }
    for (uint32_t i = 0; i < profile->process_count; i++) {
        bool is_worker = profile->processes[i].worker >= 0;
        workers += is_worker;
        pools += is_worker && (i == 0 || profile->processes[i].pool != profile->processes[i - 1].pool);
    }
    pe__sink_text(sink, "recorded  ");
    pe__text_count(sink, threads_of_host, "thread");
    pe__sink_text(sink, " of the host");
    if (workers) {
        pe__sink_text(sink, " and ");
        pe__text_count(sink, workers, "worker");
        pe__sink_text(sink, " of ");
        pe__text_count(sink, pools, "pool");
        if (tracks_of_workers > workers)
            pe__sink_print(sink, " with %u threads", (unsigned)tracks_of_workers);
    }
    pe__sink_text(sink, "\n");
}

/* One of several losses in a line: ", 3 names". */
static void print_loss(struct pe__sink *sink, const char **between, uint64_t count, const char *noun)
{
    if (count == 0)
        return;
    pe__sink_text(sink, *between);
    pe__text_count(sink, count, noun);
    *between = ", ";
}

static void print_process_losses(struct pe__sink *sink, const struct pe__profile_process *process)
{
    const char *between = ": ";

    pe__text_process(sink, process);
    print_loss(sink, &between, process->dropped_labels, "name");
    print_loss(sink, &between, process->dropped_nodes, "path");
    print_loss(sink, &between, process->dropped_threads, "thread");
    if (process->dropped_in_handler)
        pe__sink_print(sink, "%s%llu first used in handlers", between, (unsigned long long)process->dropped_in_handler);
}

static void print_track_losses(struct pe__sink *sink, const struct pe__profile *profile, uint32_t track)
{
    const char *between = ": ";

    pe__text_track(sink, profile, track);
    print_loss(sink, &between, profile->tracks[track].dropped_calls, "call");
    print_loss(sink, &between, profile->tracks[track].dropped_events, "event");
}

static void print_misuse(struct pe__sink *sink, const struct pe__profile *profile, const char **between,
                         const char *what, uint64_t count, uint32_t first)
{
    if (count == 0)
        return;
    pe__sink_print(sink, "%s%llu %s", *between, (unsigned long long)count, what);
    *between = "; ";
    if (first >= profile->label_count)
        return;
    pe__sink_text(sink, ", first ");
    pe__text_label(sink, &profile->labels[first]);
}

static void print_track_misuse(struct pe__sink *sink, const struct pe__profile *profile, uint32_t track)
{
    const struct pe__profile_track *at = &profile->tracks[track];
    const char *between = ": ";

    pe__text_track(sink, profile, track);
    print_misuse(sink, profile, &between, "left but not entered", at->unmatched, at->first_unmatched);
    print_misuse(sink, profile, &between, "closed by an end further out", at->crossed, at->first_crossed);
    print_misuse(sink, profile, &between, "entered but not left", at->unfinished, at->first_unfinished);
}

static bool has_losses(const struct pe__profile_process *process)
{
    return process->dropped_labels || process->dropped_nodes || process->dropped_threads || process->dropped_in_handler;
}

static bool track_has_losses(const struct pe__profile_track *track)
{
    return track->dropped_calls || track->dropped_events;
}

static bool track_has_misuse(const struct pe__profile_track *track)
{
    return track->unmatched || track->crossed || track->unfinished;
}

/* Whether the next line may be written; the first one has the title in front. */
static bool begin_line(struct pe__sink *sink, const char *title, uint32_t *lines)
{
    if ((*lines)++ >= LINES_MAX)
        return false;
    pe__sink_print(sink, "%-10s", *lines == 1 ? title : "");
    return true;
}

static void end_lines(struct pe__sink *sink, uint32_t lines)
{
    if (lines > LINES_MAX)
        pe__sink_print(sink, "%-10sand %u more\n", "", (unsigned)(lines - LINES_MAX));
}

static void print_word(struct pe__sink *sink, const char **between, bool helps, const char *word)
{
    if (!helps)
        return;
    pe__sink_print(sink, "%s%s", *between, word);
    *between = ", ";
}

/* What a user can do about it. */
static void print_room_words(struct pe__sink *sink, const struct pe__profile *profile)
{
    bool names = false, paths = false, events = false;
    const char *between = "          room for more: ";

    for (uint32_t i = 0; i < profile->process_count; i++) {
        names |= profile->processes[i].dropped_labels > 0;
        paths |= profile->processes[i].dropped_nodes > 0;
    }
    for (uint32_t i = 0; i < profile->track_count; i++)
        events |= profile->tracks[i].dropped_events > 0;
    print_word(sink, &between, names, "names=N");
    print_word(sink, &between, paths, "paths=N");
    print_word(sink, &between, events, "events=N");
    if (names || paths || events)
        pe__sink_text(sink, " in PAREXEC_PROFILE, or pe_region_setup\n");
}

static void print_losses(struct pe__sink *sink, const struct pe__profile *profile)
{
    uint32_t lines = 0;

    for (uint32_t i = 0; i < profile->process_count; i++)
        if (has_losses(&profile->processes[i]) && begin_line(sink, "dropped", &lines)) {
            print_process_losses(sink, &profile->processes[i]);
            pe__sink_text(sink, "\n");
        }
    for (uint32_t i = 0; i < profile->track_count; i++)
        if (track_has_losses(&profile->tracks[i]) && begin_line(sink, "dropped", &lines)) {
            print_track_losses(sink, profile, i);
            pe__sink_text(sink, "\n");
        }
    end_lines(sink, lines);
    print_room_words(sink, profile);
}

static void print_misuses(struct pe__sink *sink, const struct pe__profile *profile)
{
    uint32_t lines = 0;

    for (uint32_t i = 0; i < profile->track_count; i++)
        if (track_has_misuse(&profile->tracks[i]) && begin_line(sink, "wrong use", &lines)) {
            print_track_misuse(sink, profile, i);
            pe__sink_text(sink, "\n");
        }
    end_lines(sink, lines);
}

void pe__text_head(struct pe__sink *sink, const struct pe__profile *profile, const pe_report_options *options)
{
    print_measured(sink, profile);
    print_clock(sink, profile, options);
    print_recorded(sink, profile);
    print_losses(sink, profile);
    print_misuses(sink, profile);
}
