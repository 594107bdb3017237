/*
 * write-report.c - made-up profiles as reports, for tests that read them with other programs.
 *
 *     write-report FORMAT CASE      FORMAT: trace, folded; to standard output
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <parexec/region.h>
#include <parexec/report.h>

#include "harness/profile.h"
#include "report/report.h"

static uint32_t one_track(struct draft *draft)
{
    return draft_track(draft, draft_process(draft, 100, 0, -1), 100, "main");
}

static void make_nothing(struct draft *draft)
{
    one_track(draft);
}

/* What programs call their regions, with what each format might trip over. */
static void make_names(struct draft *draft)
{
    static const char *const names[] = {
        "",           " ",          "a;b",           "two\nlines",    "tab\there",   "quote\"d",  "back\\slash",
        "<b>&amp;",   "ends in 12", "\x01\x02\x7f",  "caf\xc3\xa9",   "\xff\xfe",    "\xc3",      "\xed\xa0\x80",
        "std::map<int, long>::find", "\xf0\x9f\x8e\x84", "\xe2\x80\xa8", "{\"a\":1}", "</script>", "%s%n",
    };
    uint32_t track = one_track(draft), root = draft_root(draft, track);

    draft->profile.program = "na\"me\n\xff";
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint32_t label = draft_label_at(draft, PE_SITE_REGION, names[i], names[i], (uint32_t)i);

        draft_node(draft, track, root, label, 1, 1000);
        draft_event(draft, track, PE__EVENT_CALL, label, (int64_t)i * 2000, (int64_t)i * 2000 + 1000, 0);
    }
}

/* Children that stick out of parents, and neighbours that overlap, by little and by much; calls of no length. */
static void make_jitter(struct draft *draft)
{
    static const struct {
        const char *name;
        int64_t start_ns, end_ns;
    } calls[] = {
        { "a", 1000, 2000 }, { "b", 1000, 2003 },   { "c", 1500, 2004 },   { "d", 1998, 3000 },  { "e", 1999, 2500 },
        { "f", 2500, 2500 }, { "g", 2999, 4000 },   { "h", 2999, 2999 },   { "i", 3500, 9000 },  { "j", 3999, 4001 },
        { "k", 9000, 9000 }, { "l", 10000, 20000 }, { "l", 10000, 20000 }, { "m", 19999, 20001 },
    };
    uint32_t track = one_track(draft);

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        draft_event(draft, track, PE__EVENT_CALL, draft_label(draft, PE_SITE_REGION, calls[i].name), calls[i].start_ns,
                    calls[i].end_ns, 0);
}

/* Numbers of processes and threads that the system has used again. */
static void make_numbers(struct draft *draft)
{
    uint32_t label = draft_label(draft, PE_SITE_REGION, "work");

    for (int32_t process = 0; process < 4; process++) {
        uint32_t index = draft_process(draft, process == 3 ? 0 : 100, process > 0, process - 1);

        for (int32_t thread = 0; thread < 3; thread++) {
            uint32_t track = draft_track(draft, index, process == 3 ? 0 : 100 + thread / 2, thread == 2 ? "" : "twin");

            draft_node(draft, track, draft_root(draft, track), label, 1, 1000);
            draft_event(draft, track, PE__EVENT_CALL, label, 0, 1000, 0);
        }
    }
}

/* Jobs that ran twice, never, elsewhere before they were handed over, without anything around them. */
static void make_flows(struct draft *draft)
{
    uint32_t host = one_track(draft), worker = draft_track(draft, draft_process(draft, 200, 1, 0), 200, "worker 0");
    uint32_t submit = draft_label(draft, PE_SITE_REGION, "pe.submit");
    uint32_t run = draft_label(draft, PE_SITE_REGION, "pe.run");

    draft_event(draft, host, PE__EVENT_CALL, submit, 1000, 2000, 0);
    draft_event(draft, host, PE__EVENT_FLOW_OUT, submit, 1500, 0, 1);
    draft_event(draft, host, PE__EVENT_FLOW_OUT, submit, 3000, 0, 2);
    draft_event(draft, host, PE__EVENT_FLOW_OUT, submit, 4000, 0, 3);
    draft_event(draft, host, PE__EVENT_FLOW_OUT, submit, 9000, 0, 4);
    for (int64_t i = 0; i < 2; i++) {
        draft_event(draft, worker, PE__EVENT_CALL, run, 5000 + 1000 * i, 5500 + 1000 * i, 0);
        draft_event(draft, worker, PE__EVENT_FLOW_IN, run, 5001 + 1000 * i, 0, 1);
    }
    draft_event(draft, worker, PE__EVENT_FLOW_IN, run, 7000, 0, 2);
    draft_event(draft, worker, PE__EVENT_FLOW_IN, run, 8000, 0, 4);
    draft_event(draft, worker, PE__EVENT_FLOW_IN, run, 8500, 0, 5);
}

static void make_spans(struct draft *draft)
{
    uint32_t track = one_track(draft), span = draft_label(draft, PE__KIND_SPAN, "request");

    draft_node(draft, track, draft_root(draft, track), span, 3, 9000);
    for (int64_t i = 0; i < 3; i++)
        draft_event(draft, track, PE__EVENT_CALL, span, 1000 * i, 1000 * i + 3000, 0);
}

/* Two jobs that are handed over at about the same time and run one after the other. */
static void make_waits(struct draft *draft)
{
    static const struct {
        const char *name;
        int64_t start_ns, end_ns;
    } calls[] = { { "pe.queue", 10000, 20000 },
                  { "pe.queue", 11000, 60000 },
                  { "pe.run", 20000, 50000 },
                  { "pe.idle", 50000, 60000 },
                  { "pe.run", 60000, 90000 } };
    uint32_t track = one_track(draft), root = draft_root(draft, track);

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        uint32_t label = draft_label(draft, PE_SITE_REGION, calls[i].name);

        draft_event(draft, track, PE__EVENT_CALL, label, calls[i].start_ns, calls[i].end_ns, 0);
        draft_node(draft, track, root, label, 1, calls[i].end_ns - calls[i].start_ns);
    }
}

/* Two threads and two processes that add to one counter; a ring that has lost events. */
static void make_counters(struct draft *draft)
{
    uint32_t labels[2] = { draft_label_at(draft, PE_SITE_COUNTER, "cells", "a.c", 1),
                           draft_label_at(draft, PE_SITE_COUNTER, "cells", "b.c", 2) };
    uint32_t tracks[3] = { one_track(draft) };

    tracks[1] = draft_track(draft, 0, 101, "io");
    tracks[2] = draft_track(draft, draft_process(draft, 200, 1, 0), 200, "worker 0");
    for (int64_t i = 0; i < 30; i++)
        draft_event(draft, tracks[i % 3], PE__EVENT_COUNTER, labels[i % 2], 1000 * i, 0, i % 3 == 2 ? 100 : 1);
    draft->profile.tracks[0].dropped_events = 7;
}

/* 64 workers with so many events each, of which the host has a part. */
static void make_many(struct draft *draft, int64_t events)
{
    uint32_t run = draft_label(draft, PE_SITE_REGION, "pe.run"), item = draft_label(draft, PE_SITE_REGION, "item");
    uint32_t host = one_track(draft), submit = draft_label(draft, PE_SITE_REGION, "pe.submit");

    for (int32_t worker = 0; worker < 64; worker++) {
        uint32_t track = draft_track(draft, draft_process(draft, 200 + worker, 1, worker), 200 + worker, "worker");

        for (int64_t i = 0; i < events / 16; i++) {
            draft_event(draft, host, PE__EVENT_FLOW_OUT, submit, 100000 * i, 0, i * 64 + worker);
            draft_event(draft, track, PE__EVENT_CALL, run, 100000 * i, 100000 * i + 90000, 0);
            draft_event(draft, track, PE__EVENT_FLOW_IN, run, 100000 * i, 0, i * 64 + worker);
            for (int64_t k = 1; k < 15; k++)
                draft_event(draft, track, PE__EVENT_CALL, item, 100000 * i + 5000 * k, 100000 * i + 5000 * k + 4000, 0);
        }
    }
}

static void make_large(struct draft *draft)
{
    make_many(draft, 16384);
}

/* As much as is kept by default. */
static void make_largest(struct draft *draft)
{
    make_many(draft, 65536);
}

static const struct {
    const char *name;
    void (*make)(struct draft *draft);
} cases[] = {
    { "example", draft_example },
    { "nothing", make_nothing },
    { "names", make_names },
    { "jitter", make_jitter },
    { "numbers", make_numbers },
    { "flows", make_flows },
    { "spans", make_spans },
    { "waits", make_waits },
    { "counters", make_counters },
    { "large", make_large },
    { "largest", make_largest },
};

static const struct {
    const char *name;
    uint32_t format;
} formats[] = { { "trace", PE_REPORT_TRACE }, { "folded", PE_REPORT_FOLDED } };

static int write_report(uint32_t format, void (*make)(struct draft *draft))
{
    pe_report_options options = PE_REPORT_OPTIONS_INIT;
    struct draft draft = { 0 };
    int error;

    make(&draft);
    options.format = format;
    error = pe__report_profile(stdout, draft_finish(&draft), &options);
    draft_free(&draft);
    if (!error && fflush(stdout) == 0)
        return 0;
    fprintf(stderr, "write-report: error %d\n", error);
    return 1;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 3 && i < sizeof formats / sizeof formats[0]; i++)
        for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++)
            if (!strcmp(argv[1], formats[i].name) && !strcmp(argv[2], cases[k].name))
                return write_report(formats[i].format, cases[k].make);
    fputs("usage: write-report trace|folded CASE\n", stderr);
    return 2;
}
