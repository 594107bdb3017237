/*
 * dump.c - the tasks of a loop as a text.
 *
 * They are numbered in the order of their start. Those that nobody waits for stand at the margin, each with what it
 * waits for below it. One that several wait for is shown below the first of them, and named below the others. Chains
 * that are longer than a page is wide go on at the margin.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "async/name.h"
#include "async/task.h"
#include "async/wait.h"
#include "base/clock.h"

#define DEPTH_MOST 30

struct shown {
    const struct pe__task *task;
    uint64_t number;
    bool is_target; /* somebody waits for it */
    bool is_shown;
    struct shown *next_cut;
};

struct dump {
    FILE *file;
    struct shown *tasks; /* by address */
    struct shown **order; /* by number */
    size_t count;
    struct shown *cut;   /* those that a chain goes on with at the margin, in order */
    struct shown **cut_end;
    int64_t now_ns;
};

static int compare(const void *a, const void *b)
{
    uintptr_t one = (uintptr_t)((const struct shown *)a)->task, other = (uintptr_t)((const struct shown *)b)->task;

    return (one > other) - (one < other);
}

static struct shown *find(const struct dump *dump, const struct pe__task *task)
{
    struct shown key = { .task = task };

    return bsearch(&key, dump->tasks, dump->count, sizeof key, compare);
}

/* One after the other of those that a task waits for; NULL: no more. */
static struct shown *next_target(const struct dump *dump, const struct pe__task *task, uintptr_t *place)
{
    const struct pe__wait_kind *kind = task->wait;
    const struct pe__task *target = NULL;

    if (kind != NULL && kind->next_target != NULL) {
        target = kind->next_target(task, place);
    } else if (kind != NULL && kind->target != NULL && *place == 0) {
        target = kind->target(task);
        *place = 1;
    }
    return target == NULL ? NULL : find(dump, target);
}

/* ---- a line ---- */

static void write_time(const struct dump *dump, const struct pe__task *task)
{
    int64_t left_ns = task->in.timer.deadline_ns - dump->now_ns;

    if (pe__timer_is_started(&task->in.timer))
        fprintf(dump->file, ", %" PRId64 " ms", left_ns > 0 ? left_ns / 1000000 : 0);
}

static void write_state(const struct dump *dump, const struct pe__task *task)
{
    if (task->wait == NULL)
        fputs(" runs", dump->file);
    else if (task->wait == &pe__wait_ready)
        fputs(" is ready", dump->file);
    else if (task->wait == &pe__wait_new)
        fputs(" has not begun", dump->file);
    else
        fprintf(dump->file, " waits for %s", task->wait->name);
    if (task->wait != NULL && task->wait->has_timer)
        write_time(dump, task);
    if (task->stop & PE__STOP_CANCEL)
        fputs(", to be cancelled", dump->file);
}

static void write_line(const struct dump *dump, const struct shown *shown, int depth)
{
    const struct pe__task *task = shown->task;

    fprintf(dump->file, "%*s#%" PRIu64 " %s", 2 * depth, "", shown->number, pe_task_name(&task->head));
    if (shown->is_shown) {
        fputs(", see there\n", dump->file);
        return;
    }
    if (task->call != NULL)
        fprintf(dump->file, " in %s", pe__name_of_function((uintptr_t)task->fn, "a function"));
    write_state(dump, task);
    putc('\n', dump->file);
}

static void cut(struct dump *dump, struct shown *shown)
{
    if (shown->next_cut != NULL || dump->cut_end == &shown->next_cut)
        return;
    *dump->cut_end = shown;
    dump->cut_end = &shown->next_cut;
}

static void write_tree(struct dump *dump, struct shown *shown, int depth)
{
    uintptr_t place = 0;
    struct shown *target;
    bool was_shown = shown->is_shown;

    write_line(dump, shown, depth);
    shown->is_shown = true;
    while (!was_shown && (target = next_target(dump, shown->task, &place)) != NULL) {
        if (depth < DEPTH_MOST)
            write_tree(dump, target, depth + 1);
        else
            cut(dump, target);
    }
}

/* ---- all ---- */

static void note_tasks(struct dump *dump, const pe_loop *loop)
{
    size_t i = 0;

    PE__BASE_LIST_EACH(link, &loop->tasks) {
        dump->tasks[i] = (struct shown){ PE__BASE_LIST_ENTRY(link, struct pe__task, all), i + 1, false, false, NULL };
        i++;
    }
    qsort(dump->tasks, dump->count, sizeof *dump->tasks, compare);
    for (i = 0; i < dump->count; i++) {
        uintptr_t place = 0;
        struct shown *target;

        dump->order[dump->tasks[i].number - 1] = &dump->tasks[i];
        while ((target = next_target(dump, dump->tasks[i].task, &place)) != NULL)
            target->is_target = true;
    }
}

/* A program that waits in a circle, which only waits for several tasks can make, has no root for it. */
static void write_tasks(struct dump *dump)
{
    for (size_t i = 0; i < dump->count; i++) {
        if (!dump->order[i]->is_target)
            write_tree(dump, dump->order[i], 1);
    }
    for (struct shown *shown = dump->cut; shown != NULL; shown = shown->next_cut) {
        if (!shown->is_shown)
            write_tree(dump, shown, 1);
    }
    for (size_t i = 0; i < dump->count; i++) {
        if (!dump->order[i]->is_shown)
            write_tree(dump, dump->order[i], 1);
    }
}

#define KINDS_MOST 16

struct kinds {
    const char *names[KINDS_MOST];
    size_t counts[KINDS_MOST];
    size_t kinds, objects;
};

static void count_object(struct kinds *kinds, const char *name)
{
    size_t i = 0;

    while (i < kinds->kinds && kinds->names[i] != name)
        i++;
    if (i == KINDS_MOST)
        i--;
    if (i == kinds->kinds) {
        kinds->names[i] = name;
        kinds->counts[i] = 0;
        kinds->kinds++;
    }
    kinds->counts[i]++;
    kinds->objects++;
}

static struct kinds count_objects(const pe_loop *loop)
{
    struct kinds kinds = { .kinds = 0 };

    PE__BASE_LIST_EACH(link, &loop->objects)
        count_object(&kinds, PE__BASE_LIST_ENTRY(link, struct pe__object, link)->name);
    return kinds;
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static int write_all(struct dump *dump, const pe_loop *loop)
{
    struct kinds kinds = count_objects(loop);

    note_tasks(dump, loop);
    fprintf(dump->file, "loop: %zu task%s, %zu object%s\n", dump->count, plural(dump->count), kinds.objects,
            plural(kinds.objects));
    write_tasks(dump);
    for (size_t i = 0; i < kinds.kinds; i++)
        fprintf(dump->file, "  %zu %s%s\n", kinds.counts[i], kinds.names[i], plural(kinds.counts[i]));
    return fflush(dump->file) != 0 || ferror(dump->file) ? -EIO : 0;
}

static size_t count_tasks(const pe_loop *loop)
{
    size_t count = 0;

    PE__BASE_LIST_EACH(link, &loop->tasks)
        count++;
    return count;
}

int pe_loop_dump(const pe_loop *loop, FILE *file)
{
    int result = pe__loop_check(loop);

    if (result == 0 && file == NULL)
        result = PE_EINVAL;
    if (result < 0)
        return result;
    struct dump dump = { .file = file, .count = count_tasks(loop), .now_ns = pe__base_now_ns() };
    dump.cut_end = &dump.cut;
    dump.tasks = malloc((dump.count + 1) * sizeof *dump.tasks);
    dump.order = malloc((dump.count + 1) * sizeof *dump.order);
    result = dump.tasks == NULL || dump.order == NULL ? PE_ENOMEM : write_all(&dump, loop);
    free(dump.order);
    free(dump.tasks);
    return result;
}
