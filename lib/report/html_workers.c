/* html_workers.c - how busy each worker was, and how long jobs waited for one. */
#include "report/html_workers.h"

#include <string.h>

#include "report/html.h"

/* Time in regions of that name, which do not nest; and how often they were entered. */
static int64_t sum_of(const struct pe__profile *profile, uint32_t process, const char *name, uint64_t *ret_calls)
{
    int64_t ns = 0;

    *ret_calls = 0;
    for (uint32_t i = 0; i < profile->node_count; i++) {
        const struct pe__profile_node *node = &profile->nodes[i];

        if (profile->tracks[node->track].process != process || strcmp(profile->labels[node->label].name, name) != 0)
            continue;
        ns += node->total_ns;
        *ret_calls += node->calls;
    }
    return ns;
}

void pe__html_use_of(const struct pe__profile *profile, uint32_t process, struct pe__html_use *ret)
{
    uint64_t waits;
    int64_t run_ns = sum_of(profile, process, "pe.run", &ret->jobs);
    int64_t idle_ns = sum_of(profile, process, "pe.idle", &waits);
    double whole = (double)run_ns + (double)idle_ns;

    if (waits == 0)
        whole = (double)profile->wall_ns * profile->runs;
    ret->run_ns = run_ns;
    ret->busy = whole > 0 ? (double)run_ns / whole : 0;
    ret->busy = ret->busy < 1 ? ret->busy : 1;
    ret->idle = whole > 0 ? 1 - ret->busy : 0;
    ret->unfinished = pe__profile_cut_short(profile, process);
}

static void write_worker(const struct pe__html *page, uint32_t index)
{
    const struct pe__profile_process *process = &page->profile->processes[index];
    struct pe__sink *sink = page->sink;
    char name[PE__PROFILE_PROCESS_BYTES];
    struct pe__html_use use;

    pe__html_use_of(page->profile, index, &use);
    pe__profile_process_name(process, name);
    pe__sink_print(sink, "<tr><td data-v=%u>%s</td><td class=bar data-v=%.4f><span class=track>"
                         "<i style=\"width:%.1f%%\"></i></span></td><td class=n data-v=%.4f>%.1f %%</td>"
                         "<td class=\"n wide\" data-v=%.4f>%.1f %%</td><td class=n data-v=%llu>",
                   index, name, use.busy, 100 * use.busy, use.busy, 100 * use.busy, use.idle, 100 * use.idle,
                   (unsigned long long)use.jobs);
    pe__html_count(sink, use.jobs);
    pe__sink_print(sink, "</td><td class=n data-v=%lld>", (long long)use.run_ns);
    pe__html_time(sink, use.run_ns);
    pe__sink_print(sink, "</td><td class=\"n%s\">%u</td><td class=\"n%s\">%llu</td><td class=\"n wide\">%d</td></tr>\n",
                   process->lives > 1 ? " warn" : "", process->lives, use.unfinished ? " warn" : "",
                   (unsigned long long)use.unfinished, process->pid);
}

void pe__html_workers(const struct pe__html *page)
{
    bool any = false;

    for (uint32_t i = 0; i < page->profile->process_count; i++)
        any |= page->profile->processes[i].pool > 0;
    if (!any)
        return;
    pe__sink_text(page->sink,
                  "<section id=workers>\n<h2>Workers</h2>\n<p class=lead>Busy is time in jobs. A number whose process "
                  "ended, by a crash or a time limit or because it had served its time, has had more than one; what it "
                  "was inside of then is unfinished.</p>\n<div class=\"scroll tall\"><table class=sortable>\n"
                  "<thead><tr><th>Worker</th><th class=bar>Busy</th><th class=n>Busy</th><th class=\"n wide\">Idle</th>"
                  "<th class=n>Jobs</th><th class=n>Time in jobs</th><th class=n>Processes</th>"
                  "<th class=n>Unfinished</th><th class=\"n wide\">Last pid</th></tr></thead>\n<tbody>\n");
    for (uint32_t i = 0; i < page->profile->process_count; i++)
        if (page->profile->processes[i].pool > 0)
            write_worker(page, i);
    pe__sink_text(page->sink, "</tbody></table></div>\n</section>\n");
}

/* ---- the queue ---- */

#define DECADES 9u

static uint32_t decade_of(uint64_t ns)
{
    uint32_t decade = 0;

    for (uint64_t limit = 1000; ns >= limit && decade + 1 < DECADES; limit *= 10)
        decade++;
    return decade;
}

static uint64_t add_waits(const struct pe__profile *profile, uint64_t *decades)
{
    uint64_t all = 0;

    for (uint32_t i = 0; i < profile->node_count; i++) {
        const struct pe__profile_node *node = &profile->nodes[i];

        if (!node->buckets || strcmp(profile->labels[node->label].name, "pe.queue") != 0)
            continue;
        for (uint32_t bucket = 0; bucket < PE__REGION_BUCKETS; bucket++) {
            decades[decade_of(pe__region_bucket_from(bucket))] += node->buckets[bucket];
            all += node->buckets[bucket];
        }
    }
    return all;
}

void pe__html_queue(const struct pe__html *page)
{
    static const char *const names[DECADES] = {
        "below 1 \xc2\xb5s", "1 to 10 \xc2\xb5s", "10 to 100 \xc2\xb5s", "0.1 to 1 ms", "1 to 10 ms", "10 to 100 ms",
        "0.1 to 1 s", "1 to 10 s", "10 s and more",
    };
    uint64_t decades[DECADES] = { 0 }, all = add_waits(page->profile, decades);
    uint32_t first = 0, last = DECADES - 1;

    if (all == 0)
        return;
    while (first < last && decades[first] == 0)
        first++;
    while (last > first && decades[last] == 0)
        last--;
    pe__sink_text(page->sink, "<section id=queue>\n<h2>Waiting in the queue</h2>\n<p class=lead>From a job's "
                              "submission until a worker began it.</p>\n<div class=scroll><table>\n<thead><tr>"
                              "<th>Waited</th><th class=bar></th><th class=n>Jobs</th><th class=n>Share</th>"
                              "</tr></thead>\n<tbody>\n");
    for (uint32_t i = first; i <= last; i++) {
        double share = (double)decades[i] / (double)all;

        pe__sink_print(page->sink, "<tr><td>%s</td><td class=bar><span class=track>"
                                   "<i style=\"width:%.1f%%\"></i></span></td><td class=n>", names[i], 100 * share);
        pe__html_count(page->sink, decades[i]);
        pe__sink_print(page->sink, "</td><td class=n>%.1f %%</td></tr>\n", 100 * share);
    }
    pe__sink_text(page->sink, "</tbody></table></div>\n</section>\n");
}
