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
#include "report/sink.h"

#define MS(n) ((int64_t)(n) * 1000000)
#define US(n) ((int64_t)(n) * 1000)

/* ---- many ---- */

enum { WORKERS = 64, STEPS = 4096, CALLS_OF_A_STEP = 15, SECONDS = 12 };

/* The same numbers in each run. */
static uint32_t draw(void)
{
    static uint32_t state = 1;

    state = state * 1664525 + 1013904223;
    return state >> 8;
}

struct worker {
    struct draft *draft;
    uint32_t host, track, number;
    uint32_t run, step, inner[4]; /* nodes */
    uint32_t rows;                /* label of a counter */
    int64_t at, count;
};

static uint32_t new_node(const struct worker *worker, uint32_t parent, const char *name, uint64_t calls)
{
    return draft_node(worker->draft, worker->track, parent, draft_label(worker->draft, PE_SITE_REGION, name), calls, 0);
}

/* A call of that node. */
static void call(const struct worker *worker, uint32_t node, int64_t from, int64_t until)
{
    struct pe__profile *profile = &worker->draft->profile;

    draft_event(worker->draft, worker->track, PE__EVENT_CALL, profile->nodes[node].label, from, until, 0);
    profile->nodes[node].calls++;
    profile->nodes[node].total_ns += until - from;
}

static void crash(struct worker *worker)
{
    struct draft *draft = worker->draft;
    struct pe__profile_track *track = &draft->profile.tracks[worker->track];
    int64_t end = worker->at + MS(30);

    draft_event(draft, worker->track, PE__EVENT_CUT, draft->profile.nodes[worker->run].label, worker->at, end, 0);
    draft_event(draft, worker->track, PE__EVENT_CUT, draft->profile.nodes[worker->step].label, worker->at + US(10), end,
                0);
    draft_event(draft, worker->track, PE__EVENT_MARK, draft_label(draft, PE_SITE_MARK, "pe.crash: crashed"), end, 0, 0);
    draft->profile.nodes[worker->run].unfinished++;
    draft->profile.nodes[worker->step].unfinished++;
    draft->profile.processes[track->process].lives++;
    worker->at += MS(40);
}

static void run_job(struct worker *worker, int64_t job, int64_t length)
{
    int64_t begin = worker->at, at = begin + US(1), count = CALLS_OF_A_STEP - 2;

    for (int64_t i = 0; i < count; i++) {
        int64_t end = begin + length * (i + 1) / count - US(1);

        call(worker, worker->inner[(i + job / 512) % 4], at, end);
        at = end;
    }
    worker->at = begin + length + US(2);
    call(worker, worker->run, begin, worker->at);
    call(worker, worker->step, begin + 500, worker->at - 500);
}

static void submit_job(const struct worker *worker, int64_t job)
{
    uint32_t submit = draft_label(worker->draft, PE_SITE_REGION, "pe.submit");
    int64_t number = job * WORKERS + worker->number, submitted = worker->at > US(900) ? worker->at - US(900) : 0;

    draft_event(worker->draft, worker->host, PE__EVENT_FLOW_OUT, submit, submitted, 0, number);
    draft_event(worker->draft, worker->track, PE__EVENT_FLOW_IN, submit, worker->at, 0, number);
}

static void run_jobs(struct worker *worker)
{
    int64_t longest = MS(SECONDS * 1000) / STEPS, faster = worker->number % 7 == 3 ? longest / 3 : 0;

    for (int64_t job = 0; job < STEPS; job++) {
        if (job % 1024 == 100 * worker->number % 1024 && worker->number % 9 == 4) {
            crash(worker);
            continue;
        }
        if (job % 13 == 0)
            submit_job(worker, job);
        run_job(worker, job, longest / 2 + (int64_t)draw() % (longest / 3) - faster);
        if (job % 64 == 0) {
            draft_event(worker->draft, worker->track, PE__EVENT_COUNTER, worker->rows, worker->at, 0, job);
            worker->count += job;
        }
        worker->at += (int64_t)draw() % (longest / 6);
    }
}

static void draw_worker(struct draft *draft, uint32_t host, uint32_t track, uint32_t number)
{
    static const char *const names[] = { "assemble matrix", "factorise", "solve triangular", "write result" };
    struct worker worker = { .draft = draft, .host = host, .track = track, .number = number, .at = US(draw() % 4000) };
    uint32_t root = draft_root(draft, track);

    worker.run = new_node(&worker, root, "pe.run", 0);
    worker.step = new_node(&worker, worker.run, "time step", 0);
    for (uint32_t i = 0; i < 4; i++)
        worker.inner[i] = new_node(&worker, worker.step, names[i], 0);
    draft_node(draft, track, root, draft_label(draft, PE_SITE_REGION, "pe.queue"), STEPS, MS(40));
    worker.rows = draft_label_at(draft, PE_SITE_COUNTER, "rows", "rows.c", 9);
    run_jobs(&worker);
    draft_counter(draft, track, worker.run, worker.rows, STEPS / 64, worker.count);
}

static void many(struct draft *draft)
{
    static char names[WORKERS][16];
    uint32_t host = draft_process(draft, 4000, 0, -1), tracks[WORKERS];
    uint32_t main_track = draft_track(draft, host, 4000, "main"), root, top;
    uint32_t simulate = draft_label_at(draft, PE_SITE_REGION, "simulate", "main.c", 12);

    for (int32_t worker = 0; worker < WORKERS; worker++) {
        snprintf(names[worker], sizeof names[worker], "worker %d", worker);
        tracks[worker] = draft_track(draft, draft_process(draft, 4001 + worker, 1, worker), 4001 + worker,
                                     names[worker]);
    }
    root = draft_root(draft, main_track);
    top = draft_node(draft, main_track, root, simulate, 1, MS(SECONDS * 1000));
    draft_node(draft, main_track, top, draft_label_at(draft, PE_SITE_REGION, "collect", "main.c", 40), 100, MS(2300));
    draft_event(draft, main_track, PE__EVENT_CALL, simulate, 0, MS(SECONDS * 1000), 0);
    for (uint32_t worker = 0; worker < WORKERS; worker++)
        draw_worker(draft, main_track, tracks[worker], worker);
    draft->profile.wall_ns = MS(SECONDS * 1000);
}

/* ---- names ---- */

static void names(struct draft *draft)
{
    static const char *const harmful[] = {
        "</script><script>document.title='taken'</script>", "<img src=x onerror=\"document.title='taken'\">",
        "\"' onclick='x'", "a\x01\x1f\x7f bell\x07", "\xff\xfe\xc0\x80 not UTF-8", "${name} `x` \\u003c",
        "]]> --> <!--", "&lt;b&gt; &amp;", "",
        "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "two\nlines\tand a tab",
        ("long_long_long_long_long_long_long_long_long_long_long_long_"
         "long_long_long_long_long_long_long_long_long_long_long_long_name_12"),
    };
    uint32_t host = draft_process(draft, 100, 0, -1), worker = draft_process(draft, 101, 1, 0);
    uint32_t first = draft_track(draft, host, 100, "<b>main</b>"), second = draft_track(draft, worker, 101, "worker 0");
    uint32_t node = draft_root(draft, first), other = draft_root(draft, second);
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
    } pages[] = {
        { "few", draft_example }, { "many", many }, { "names", names }, { "bare", bare }, { "nothing", nothing },
    };
    pe_report_options options = PE_REPORT_OPTIONS_INIT;
    struct pe__sink sink = { stdout, 0 };
    struct draft draft = { 0 };

    for (size_t i = 0; argc == 2 && i < sizeof pages / sizeof pages[0]; i++)
        if (!strcmp(argv[1], pages[i].name)) {
            pages[i].make(&draft);
            if (!draft.profile.program) /* not finished yet */
                draft_finish(&draft);
            pe__report_html(&sink, &draft.profile, &options);
            draft_free(&draft);
            return sink.error || fflush(stdout) ? 1 : 0;
        }
    fprintf(stderr, "usage: pages few|many|names|bare|nothing >FILE\n");
    return 2;
}
