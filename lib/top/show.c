/* show.c - the table. */
#include <inttypes.h>

#include "base/clock.h"
#include "base/resident.h"
#include "top/look.h"

#define KIB 1024.0

static double seconds(uint64_t ticks)
{
    return (double)pe__base_ticks_to_ns(ticks) * 1e-9;
}

static double rate(uint64_t before, uint64_t now, double passed)
{
    return passed > 0 && now > before ? (double)(now - before) / passed : 0;
}

static bool is_in_use(const struct pe__top_worker *worker)
{
    return worker->lives > 0;
}

static const char *state_of(const struct pe__top_worker *worker)
{
    switch (worker->life) {
    case PE__SLOT_EMPTY: return "absent";
    case PE__SLOT_STARTING: return "starting";
    case PE__SLOT_SERVING: return worker->account.runs ? "running" : "idle";
    default: return "leaving";
    }
}

static void show_number(FILE *out, int width, bool there, uint64_t number)
{
    if (there)
        fprintf(out, " %*" PRIu64, width, number);
    else
        fprintf(out, " %*s", width, "-");
}

static void show_memory(FILE *out, int32_t pid)
{
    uint64_t bytes;
    if (pid > 0 && pe__base_resident(pid, &bytes))
        fprintf(out, " %7.1f MiB", (double)bytes / KIB / KIB);
    else
        fprintf(out, " %11s", "-");
}

static void show_worker(FILE *out, uint32_t index, const struct pe__top_worker *before,
                        const struct pe__top_worker *now)
{
    double passed = seconds(now->ticks - before->ticks);
    bool serves = now->life == PE__SLOT_SERVING;
    bool ran = passed > 0 && now->account.run > before->account.run;
    double busy = ran ? seconds(now->account.run - before->account.run) / passed : 0;
    fprintf(out, "%6" PRIu32, index);
    show_number(out, 8, now->pid > 0, (uint64_t)now->pid);
    fprintf(out, "  %-8s", state_of(now));
    if (serves)
        fprintf(out, " %9.2f s", seconds(now->account.state));
    else
        fprintf(out, " %11s", "-");
    show_number(out, 10, now->item != UINT64_MAX, now->item);
    fprintf(out, " %12" PRIu64 " %11.1f %4.0f %%", now->ended, rate(before->ended, now->ended, passed),
            busy > 1 ? 100 : 100 * busy);
    show_memory(out, now->pid);
    fprintf(out, " %6" PRIu32 "\n", now->lives);
}

static void show_head(FILE *out, const struct pe__top_pool *pool, const struct pe__top_look *before,
                      const struct pe__top_look *now, double passed)
{
    uint64_t ended_before = 0, ended = 0;
    uint32_t workers = 0, running = 0;
    for (uint32_t i = 0; i < now->count; i++) {
        workers += now->workers[i].life != PE__SLOT_EMPTY;
        running += now->workers[i].account.runs;
        ended_before += before->workers[i].ended;
        ended += now->workers[i].ended;
    }
    fprintf(out, "process %d, pool at %#" PRIxPTR ", %.1f s old: %" PRIu32 " workers, %" PRIu32 " running, %.1f/s\n",
            (int)pool->pid, pool->base, seconds(now->ticks > pool->born ? now->ticks - pool->born : 0), workers,
            running, rate(ended_before, ended, passed));
    fprintf(out, "waiting, about: %" PRIu64 " high, %" PRIu64 " normal, %" PRIu64 " low\n",
            now->waiting[PE_PRIORITY_HIGH], now->waiting[PE_PRIORITY_NORMAL], now->waiting[PE_PRIORITY_LOW]);
}

void pe__top_show(FILE *out, const struct pe__top_pool *pool, const struct pe__top_look *before,
                  const struct pe__top_look *now)
{
    double passed = seconds(now->ticks > before->ticks ? now->ticks - before->ticks : 0);
    show_head(out, pool, before, now, passed);
    fprintf(out, "%6s %8s  %-8s %11s %10s %12s %11s %6s %11s %6s\n", "worker", "pid", "state", "for", "item",
            "ended", "ended/s", "busy", "memory", "lives");
    for (uint32_t i = 0; i < now->count; i++)
        if (is_in_use(&now->workers[i]))
            show_worker(out, i, &before->workers[i], &now->workers[i]);
}
