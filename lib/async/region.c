/*
 * region.c - regions of tasks, by spans of the region room: a task that ends its turn with a wait puts all of its spans
 * to waiting, and its next turn resumes them.
 *
 * A region that is entered while measuring is off is in no chain. `unmeasured` then holds a word made of its address,
 * which tells it from one that has not been entered.
 */
#include "async/region.h"

#include "async/wait.h"

static struct pe__task_region *region_of(pe_task_region *memory)
{
    return (struct pe__task_region *)memory;
}

static uint64_t unmeasured(const struct pe__task_region *region)
{
    return UINT64_C(0x756e6d6561730000) ^ (uint64_t)(uintptr_t)region;
}

void pe__task_regions_resume(struct pe__task *task)
{
    for (struct pe__task_region *region = task->more->regions; region != NULL; region = region->outer)
        pe_region_span_resume(&region->span);
}

void pe__task_regions_wait(struct pe__task *task)
{
    for (struct pe__task_region *region = task->more->regions; region != NULL; region = region->outer)
        pe_region_span_wait(&region->span);
}

static void leave_innermost(struct pe__task *task)
{
    struct pe__task_region *region = task->more->regions;

    pe_region_span_end(&region->span);
    task->more->regions = region->outer;
}

void pe__task_regions_leave_call(struct pe__task *task)
{
    while (task->more->regions != NULL && task->more->regions->call == task->call)
        leave_innermost(task);
}

void pe__task_regions_leave_all(struct pe__task *task)
{
    while (task->more->regions != NULL)
        leave_innermost(task);
}

static bool is_entered(const struct pe__task *task, const struct pe__task_region *region)
{
    const struct pe__task_region *at = task->more != NULL ? task->more->regions : NULL;

    while (at != NULL && at != region)
        at = at->outer;
    return at != NULL;
}

int pe_task_region_enter(pe_task *t, pe_task_region *memory, pe_region_site *site)
{
    struct pe__task *task = pe__task_of(t);
    struct pe__task_region *region = region_of(memory);
    int result = pe__wait_check_running(t);

    if (result == 0 && (memory == NULL || site == NULL || is_entered(task, region)))
        result = PE_EINVAL;
    if (result < 0)
        return result;
    region->unmeasured = pe_region_on ? 0 : unmeasured(region);
    if (!pe_region_on)
        return 0;
    if (pe__task_more(task) == NULL)
        return PE_ENOMEM;
    region->outer = task->more->regions;
    region->call = task->call;
    pe_region_span_begin(&region->span, site);
    task->more->regions = region;
    return 0;
}

int pe_task_region_leave(pe_task *t, pe_task_region *memory)
{
    struct pe__task *task = pe__task_of(t);
    struct pe__task_region *region = region_of(memory);
    int result = pe__wait_check_running(t);

    if (result == 0 && memory == NULL)
        result = PE_EINVAL;
    if (result < 0)
        return result;
    if (is_entered(task, region)) {
        while (task->more->regions != region)
            leave_innermost(task);
        leave_innermost(task);
        return 0;
    }
    if (region->unmeasured != unmeasured(region))
        return PE_EINVAL;
    region->unmeasured = 0;
    return 0;
}
