/*
 * group.c - groups of tasks.
 *
 * Each task of a group has a member, which watches it and lies in the loop's slab. It is given back when the task has
 * ended, or with PE_GROUP_COLLECT when pe_group_next has taken it. The group itself lives until it has been freed and
 * its last task has ended. Its first failure is held by a handle, so that it counts as looked at only when a wait has
 * returned it.
 *
 * Cancelling runs the cancel functions of operations, which are the program's and may call anything here but end no
 * task; so lists are walked to their ends, and nothing is touched afterwards that a call of pe_group_free may have
 * given back.
 */
#include <parexec/group.h>

#include "async/waiters.h"
#include "async/watch.h"

struct pe_group {
    pe_loop *loop;
    uint32_t flags;
    bool is_cancelled; /* takes no more till it has been waited for */
    bool is_freed;
    int error;         /* of the first failure since the last wait; 0: none */
    size_t live;
    pe_task *failed;   /* NULL: none, or it has too many handles */
    struct pe__base_list members; /* whose tasks live */
    struct pe__base_list ended;   /* to be taken by pe_group_next */
    struct pe__waiters waiters;   /* for all */
    struct pe__waiters nexters;   /* for the next; only while none has ended */
};

struct member {
    struct pe__task_watch watch;
    struct pe__base_list link;
    struct pe_group *group;
    pe_task *task; /* with PE_GROUP_COLLECT a handle */
};

static struct member *member_of(struct pe__base_list *link)
{
    return PE__BASE_LIST_ENTRY(link, struct member, link);
}

static void free_member(struct member *member)
{
    pe__slab_free(&member->group->loop->slab, member, sizeof *member);
}

/* ---- ends of tasks ---- */

static void forget_failure(struct pe_group *group)
{
    pe_task *failed = group->failed;

    group->error = 0;
    group->failed = NULL;
    pe_task_free(failed);
}

/* A wait has ended: what it gives, and the group is as new. */
static int left(struct pe_group *group)
{
    int error = group->error;

    group->is_cancelled = false;
    if (group->failed != NULL)
        pe__task_seen(pe__task_of(group->failed));
    forget_failure(group);
    return error;
}

static void end_waiters(struct pe_group *group)
{
    int error = group->error;
    bool is_told = false;
    struct pe__task *waiter;

    while ((waiter = pe__waiters_take(&group->waiters)) != NULL) {
        bool is_asked = waiter->stop & PE__STOP_ASKED;

        pe__wait_end(waiter, is_asked ? PE_ECANCELED : error);
        group->is_cancelled = false;
        is_told |= !is_asked;
    }
    if (is_told)
        (void)left(group);
}

/* Once, so that nobody's clean-up is disturbed: those that are there then are all that there will be. */
static void cancel_members(struct pe_group *group)
{
    if (group->is_cancelled)
        return;
    group->is_cancelled = true;
    PE__BASE_LIST_EACH_SAFE(link, after, &group->members)
        (void)pe_task_cancel(member_of(link)->task);
}

static void destroy(struct pe_group *group)
{
    struct pe__base_list *link;

    while ((link = pe__base_list_pop_front(&group->ended)) != NULL) {
        pe_task_free(member_of(link)->task);
        free_member(member_of(link));
    }
    forget_failure(group);
    pe__loop_dealloc(group->loop, group, sizeof *group);
}

static void hand_over(struct pe_group *group, struct member *member)
{
    struct pe__task *nexter = pe__waiters_take(&group->nexters);

    if (nexter == NULL) {
        pe__base_list_push_back(&group->ended, &member->link);
        return;
    }
    *(pe_task **)nexter->in.waiter.place = member->task;
    free_member(member);
    pe__wait_end(nexter, 0);
}

static void note_failure(struct pe_group *group, struct pe__task *task)
{
    if (task->head.result >= 0 || task->head.result == PE_ECANCELED || group->error != 0)
        return;
    group->error = task->head.result;
    group->failed = pe_task_ref(&task->head);
    if (!(group->flags & PE_GROUP_KEEP))
        cancel_members(group);
}

static void ended(struct pe__task_watch *watch, struct pe__task *task)
{
    struct member *member = PE__BASE_LIST_ENTRY(watch, struct member, watch);
    struct pe_group *group = member->group;

    pe__base_list_remove(&member->link);
    if (group->flags & PE_GROUP_COLLECT)
        hand_over(group, member);
    else
        free_member(member);
    note_failure(group, task);
    if (--group->live > 0)
        return;
    pe__waiters_end_all(&group->nexters, PE_ENODATA);
    end_waiters(group);
    if (group->is_freed)
        destroy(group);
}

/* ---- groups ---- */

int pe_group_new(pe_loop *loop, uint32_t flags, pe_group **ret_group)
{
    int result = pe__loop_check(loop);

    if (result == 0 && (ret_group == NULL || (flags & ~(PE_GROUP_KEEP | PE_GROUP_COLLECT)) != 0))
        result = PE_EINVAL;
    if (result < 0)
        return result;
    struct pe_group *group = pe__loop_alloc(loop, sizeof *group);
    if (group == NULL)
        return PE_ENOMEM;
    *group = (struct pe_group){ .loop = loop, .flags = flags };
    pe__base_list_init(&group->members);
    pe__base_list_init(&group->ended);
    pe__waiters_init(&group->waiters);
    pe__waiters_init(&group->nexters);
    *ret_group = group;
    return 0;
}

static int check(const pe_group *group)
{
    return group == NULL ? PE_EINVAL : pe__loop_check(group->loop);
}

static void add(struct pe_group *group, struct member *member, pe_task *task, pe_task **ret_task)
{
    *member = (struct member){ .group = group, .task = task };
    pe__watch_start(pe__task_of(task), &member->watch, ended);
    pe__base_list_push_back(&group->members, &member->link);
    group->live++;
    if (ret_task != NULL)
        *ret_task = task;
    if (ret_task != NULL && (group->flags & PE_GROUP_COLLECT))
        (void)pe_task_ref(task);
    if (ret_task == NULL && !(group->flags & PE_GROUP_COLLECT))
        pe_task_free(task);
}

int pe_group_spawn(pe_group *group, pe_task_fn *fn, const void *frame, size_t frame_bytes, pe_task **ret_task)
{
    pe_task *task;
    int result = check(group);

    if (result == 0 && group->is_cancelled)
        result = PE_ECANCELED;
    if (result < 0)
        return result;
    struct member *member = pe__slab_new(&group->loop->slab, sizeof *member);
    if (member == NULL)
        return PE_ENOMEM;
    result = pe_spawn(group->loop, fn, frame, frame_bytes, &task);
    if (result == 0)
        add(group, member, task, ret_task);
    else
        pe__slab_free(&group->loop->slab, member, sizeof *member);
    return result;
}

int pe_group_cancel(pe_group *group)
{
    int result = check(group);

    if (result == 0)
        cancel_members(group);
    return result;
}

void pe_group_free(pe_group *group)
{
    if (group == NULL || pe__base_forked(group->loop->token))
        return;
    pe__waiters_end_all(&group->nexters, PE_ECLOSED);
    group->is_freed = true;
    if (group->live == 0)
        destroy(group);
    else
        cancel_members(group);
}

/* ---- waits ---- */

static void cancel_wait(struct pe__task *task)
{
    cancel_members(task->object);
}

static void abandon_wait(struct pe__task *task)
{
    pe__waiters_remove(task);
    pe__wait_end(task, PE_ECANCELED);
}

static bool is_member(const struct pe__task *task, const struct pe_group *group)
{
    const struct pe__base_list *link = task->watches;

    if (link == NULL)
        return false;
    do {
        const struct member *member = PE__BASE_LIST_ENTRY(link, struct member, watch.link);

        if (member->watch.ended == ended && member->group == group)
            return true;
        link = link->next;
    } while (link != task->watches);
    return false;
}

/* Members are found among all tasks, since a group does not know theirs. The place is the last one that was found. */
static struct pe__task *next_target(const struct pe__task *task, uintptr_t *place)
{
    const struct pe__base_list *all = &task->loop->tasks;
    const struct pe__base_list *link = *place == 0 ? all : (const struct pe__base_list *)*place;

    while ((link = link->next) != all) {
        struct pe__task *other = PE__BASE_LIST_ENTRY(link, struct pe__task, all);

        if (is_member(other, task->object)) {
            *place = (uintptr_t)link;
            return other;
        }
    }
    *place = (uintptr_t)all->previous;
    return NULL;
}

static const struct pe__wait_kind wait_kind = {
    .name = "a group",
    .cancel = cancel_wait,
    .abandon = abandon_wait,
    .next_target = next_target,
};
static const struct pe__wait_kind next_kind = {
    .name = "the next of a group",
    .cancel = pe__waiters_cancel,
    .next_target = next_target,
};

static int check_other(const pe_task *t, const pe_group *group)
{
    if (group == NULL || group->loop != pe__task_of(t)->loop)
        return PE_EINVAL;
    return is_member(pe__task_of(t), group) ? PE_EDEADLK : 0;
}

/* Nothing may be left behind: a request to stop ends this wait only with the tasks. */
int pe_group_wait(pe_task *t, pe_group *group)
{
    struct pe__task *task = pe__task_of(t);
    int result = pe__wait_check_running(t);

    if (result == 0)
        result = check_other(t, group);
    if (result == 0 && (group->live == 0 || (task->stop & PE__STOP_FINAL))) {
        result = pe__wait_check(t);
        return result != 0 ? result : left(group);
    }
    if (result != 0)
        return result;
    pe__waiters_add(&group->waiters, task, NULL);
    return pe__wait_begin_anyway(t, &wait_kind, group);
}

int pe_group_next(pe_task *t, pe_group *group, pe_task **ret_task)
{
    int result = pe__wait_check(t);

    if (result == 0)
        result = check_other(t, group);
    if (result == 0 && (ret_task == NULL || !(group->flags & PE_GROUP_COLLECT)))
        result = PE_EINVAL;
    if (result != 0)
        return result;
    struct pe__base_list *link = pe__base_list_pop_front(&group->ended);
    if (link != NULL) {
        *ret_task = member_of(link)->task;
        free_member(member_of(link));
        return 0;
    }
    if (group->live == 0)
        return PE_ENODATA;
    return pe__waiters_wait(&group->nexters, t, &next_kind, group, ret_task);
}
