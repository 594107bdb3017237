/*
 * pages.c - writes pages of profiles made by hand for test-picture.py: pages NAME >FILE
 *
 *     few      the example of profile.h with 2 workers
 *     many     64 workers with 65,536 calls each, crashes, counters, marks, 20,000 jobs
 *     names    a region for each kind of name that a worker could have written to do harm
 *     bare     no timeline, as after a merge
 *     nothing  not a single region
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <parexec/region.h>
#include <parexec/report.h>

#include "harness/profile.h"
#include "region/sink.h"

#define MS(n) ((int64_t)(n) * 1000000)
#define US(n) ((int64_t)(n) * 1000)

static uint32_t root_of(struct draft *draft, uint32_t track)
{
    return draft_node(draft, track, PE__REGION_NOTHING, draft_label(draft, PE__KIND_ROOT, ""), 0, 0);
}

/* ---- many ---- */

enum { WORKERS = 64, STEPS = 4096, CALLS_OF_A_STEP = 15, SECONDS = 12 };

/* The same numbers in each run. */
static uint32_t draw(void)
{
    static uint32_t state = 1;

    state = state * 1664525 + 1013904223;
    return state >> 8;
}

static void draw_jobs(struct draft *draft, uint32_t host, uint32_t track, uint32_t worker)
{
    static const char *const names[] = { "assemble matrix", "factorise", "solve triangular", "write result" };
    uint32_t run = draft_label(draft, PE_SITE_REGION, "pe.run"), queue = draft_label(draft, PE_SITE_REGION, "pe.queue");
    uint32_t submit = draft_label(draft, PE_SITE_REGION, "pe.submit"), step = draft_label(draft, PE_SITE_REGION, "time step");
    uint32_t rows = draft_label_at(draft, PE_SITE_COUNTER, "rows", "rows.c", 9);
    uint32_t crash = draft_label(draft, PE_SITE_MARK, "pe.crash"), root = root_of(draft, track);
    uint32_t node = draft_node(draft, track, root, run, STEPS, 0), step_node = draft_node(draft, track, node, step, STEPS, 0);
    uint32_t inner[4];
    int64_t at = US(draw() % 4000), longest = MS(SECONDS * 1000) / STEPS, count = 0;

    for (uint32_t i = 0; i < 4; i++)
        inner[i] = draft_node(draft, track, step_node, draft_label(draft, PE_SITE_REGION, names[i]), 0, 0);
    draft_node(draft, track, root, queue, STEPS, MS(40));
    for (int64_t i = 0; i < STEPS; i++) {
        int64_t begin = at, length = longest / 2 + (int64_t)draw() % (longest / 3) + (worker % 7 == 3 ? -longest / 3 : 0);

        if (i % 1024 == 100 * worker % 1024 && worker % 9 == 4) {
            draft_event(draft, track, PE__EVENT_CUT, run, at, at + MS(30), 0);
            draft_event(draft, track, PE__EVENT_CUT, step, at + US(10), at + MS(30), 0);
            draft_event(draft, track, PE__EVENT_MARK, crash, at + MS(30), 0, 0);
            draft->profile.nodes[node].unfinished++;
            draft->profile.tracks[track].unfinished += 2;
            draft->profile.processes[draft->profile.tracks[track].process].lives++;
            at += MS(40);
            continue;
        }
        for (int64_t call = 0; call < CALLS_OF_A_STEP - 2; call++) {
            int64_t end = begin + length * (call + 1) / (CALLS_OF_A_STEP - 2) - US(1);
            uint32_t which = inner[(uint32_t)(call + i / 512) % 4];

            draft_event(draft, track, PE__EVENT_CALL, draft->profile.nodes[which].label, at + US(1), end, 0);
            draft->profile.nodes[which].calls++;
            draft->profile.nodes[which].total_ns += end - at - US(1);
            at = end;
        }
        at = begin + length + US(2);
        draft_event(draft, track, PE__EVENT_CALL, run, begin, at, 0);
        draft_event(draft, track, PE__EVENT_CALL, step, begin + 500, at - 500, 0);
        draft->profile.nodes[node].total_ns += at - begin;
        draft->profile.nodes[step_node].total_ns += at - begin - 1000;
        if (i % 13 == 0) {
            draft_event(draft, host, PE__EVENT_FLOW_OUT, submit, begin > US(900) ? begin - US(900) : 0, 0, i * WORKERS + worker);
            draft_event(draft, track, PE__EVENT_FLOW_IN, run, begin, 0, i * WORKERS + worker);
        }
        if (i % 64 == 0) {
            draft_event(draft, track, PE__EVENT_COUNTER, rows, at, 0, 1 + i % 512);
            count += 1 + i % 512;
        }
        at += (int64_t)draw() % (longest / 6);
    }
    draft_counter(draft, track, node, rows, STEPS / 64, count);
}

static void many(struct draft *draft)
{
    uint32_t host = draft_process(draft, 4000, 0, -1), tracks[WORKERS];
    uint32_t main_track = draft_track(draft, host, 4000, "main"), root, top;
    uint32_t simulate = draft_label_at(draft, PE_SITE_REGION, "simulate", "main.c", 12);

    for (int32_t worker = 0; worker < WORKERS; worker++) {
        char *name = malloc(16);

        snprintf(name, 16, "worker %d", worker);
        tracks[worker] = draft_track(draft, draft_process(draft, 4001 + worker, 1, worker), 4001 + worker, name);
    }
    root = root_of(draft, main_track);
    top = draft_node(draft, main_track, root, simulate, 1, MS(SECONDS * 1000));
    draft_node(draft, main_track, top, draft_label_at(draft, PE_SITE_REGION, "collect", "main.c", 40), 100, MS(2300));
    draft_event(draft, main_track, PE__EVENT_CALL, simulate, 0, MS(SECONDS * 1000), 0);
    for (uint32_t worker = 0; worker < WORKERS; worker++)
        draw_jobs(draft, main_track, tracks[worker], worker);
    draft->profile.wall_ns = MS(SECONDS * 1000);
}

/* ---- names ---- */

static void names(struct draft *draft)
{
    static const char *const harmful[] = {
        "</script><script>document.title='taken'</script>", "<img src=x onerror=\"document.title='taken'\">", "\"' onclick='x'",
        "a\x01\x1f\x7f bell\x07", "\xff\xfe\xc0\x80 not UTF-8", "${name} `x` \\u003c", "]]> --> <!--", "&lt;b&gt; &amp;", "",
        "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "two\nlines\tand a tab",
        "long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_name_12",
    };
    uint32_t host = draft_process(draft, 100, 0, -1), worker = draft_process(draft, 101, 1, 0);
    uint32_t first = draft_track(draft, host, 100, "<b>main</b>"), second = draft_track(draft, worker, 101, "worker 0");
    uint32_t node = root_of(draft, first), other = root_of(draft, second);
    uint32_t count = sizeof harmful / sizeof harmful[0];

    for (uint32_t i = 0; i < count; i++) {
        uint32_t label = draft_label_at(draft, PE_SITE_REGION, harmful[i], harmful[i], i);
        uint32_t counter = draft_label_at(draft, PE_SITE_COUNTER, harmful[i], "x.c", i);
        uint32_t mark = draft_label_at(draft, PE_SITE_MARK, harmful[i], "x.c", i);
        uint32_t line = draft_label_at(draft, PE_SITE_LINE, "", harmful[i], i);

        draft_node(draft, first, node, label, 1, US(100));
        draft_node(draft, second, other, line, 1, US(100));
        draft_counter(draft, second, other, counter, 1, INT64_MIN);
        draft_event(draft, first, PE__EVENT_CALL, label, US(100 * i), US(100 * i + 90), 0);
        draft_event(draft, second, PE__EVENT_MARK, mark, US(100 * i), 0, 0);
        draft_event(draft, second, PE__EVENT_COUNTER, counter, US(100 * i), 0, INT64_MIN);
        draft->profile.tracks[first].unmatched = 1;
        draft->profile.tracks[first].first_unmatched = label;
    }
    draft_finish(draft);
    draft->profile.program = harmful[0];
}

/* ---- which one ---- */

static void bare(struct draft *draft)
{
    draft_example(draft);
    draft_finish(draft);
    draft->profile.has_timeline = false;
    draft->profile.event_count = 0;
    draft->profile.runs = 3;
}

static void nothing(struct draft *draft)
{
    draft_track(draft, draft_process(draft, 100, 0, -1), 100, "main");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*make)(struct draft *draft);
    } pages[] = { { "few", draft_example }, { "many", many }, { "names", names }, { "bare", bare }, { "nothing", nothing } };
    pe_report_options options = PE_REPORT_OPTIONS_INIT;
    struct pe__sink sink = { stdout, 0 };
    struct draft draft = { 0 };

    for (size_t i = 0; argc == 2 && i < sizeof pages / sizeof pages[0]; i++)
        if (!strcmp(argv[1], pages[i].name)) {
            pages[i].make(&draft);
            if (!draft.profile.program)
                draft_finish(&draft);
            pe__report_html(&sink, &draft.profile, &options);
            draft_free(&draft);
            return sink.error || fflush(stdout) ? 1 : 0;
        }
    fprintf(stderr, "usage: pages few|many|names|bare|nothing >FILE\n");
    return 2;
}
