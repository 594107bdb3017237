/*
 * Waits for several tasks, and groups, against a model of plain arrays: children that are told to end or are cancelled,
 * and waiters that come, are cancelled and get their results. Several things happen before the tasks have their turns.
 * The model knows the order of turns and of watches, and so every result.
 */
#include "harness/harness.h"

#include <parexec.h>

#include "harness/async.h"
#include "harness/told.h"

#define CHILDREN 10
#define WAITERS 8
#define ARRAY_MOST 6

enum op { GATHER, GATHER_ALL, FIRST, NEXT, GROUP_WAIT, OPS };

/* ---- the tasks ---- */

struct waiter {
    enum op op;
    pe_task *array[ARRAY_MOST];
    size_t count;
    size_t index;
    pe_task *task;
};

static pe_loop *loop;
static pe_group *group;
static pe_completed *completed;
static pe_task *children[CHILDREN];
static struct waiter waiters[WAITERS];

static int start_op(pe_task *t, struct waiter *w)
{
    switch (w->op) {
    case GATHER: return pe_gather(t, w->array, w->count, 0);
    case GATHER_ALL: return pe_gather(t, w->array, w->count, PE_GATHER_ALL);
    case FIRST: return pe_wait_first(t, w->array, w->count, &w->index);
    case NEXT: return pe_completed_next(t, completed, &w->index);
    default: return pe_group_wait(t, group);
    }
}

static int run_waiter(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    PE_AWAIT(t, start_op(t, frame));
    PE_RETURN(t, t->result);
    PE_END(t);
}

/* ---- the model ---- */

enum state { WAITS, CLEANS_UP, READY, ENDED };

#define BY_COMPLETED 100 /* watches, where others have the numbers of waiters */
#define BY_GROUP 101

static struct model_child {
    enum state state;
    int cleans_up;
    int in_group;
    int result;
    int watch_count;
    struct {
        int by, place;
    } watches[WAITERS * ARRAY_MOST + ARRAY_MOST + 1];
} model_children[CHILDREN];

static struct model_waiter {
    enum state state; /* READY: with its result, or for its first turn */
    int is_new, is_asked, result;
    int left, error, error_place;
    int array[ARRAY_MOST]; /* children */
    size_t index;
} model_waiters[WAITERS];

static struct {
    int live, error, is_cancelled;
} model_group;

static struct {
    int count, ended, given, order[ARRAY_MOST];
} model_completed;

/* Waiters of the group and of completed, in their order; tasks that are ready, waiters behind the children. */
struct list {
    int count, at[CHILDREN + 2 * WAITERS];
};
static struct list group_waiters, nexters, ready;

static void push(struct list *list, int value)
{
    list->at[list->count++] = value;
}

static int take_out(struct list *list, int value)
{
    for (int i = 0; i < list->count; i++) {
        if (list->at[i] != value)
            continue;
        memmove(list->at + i, list->at + i + 1, (size_t)(--list->count - i) * sizeof(int));
        return 1;
    }
    return 0;
}

static int pop(struct list *list)
{
    int value = list->count > 0 ? list->at[0] : -1;

    if (value >= 0)
        take_out(list, value);
    return value;
}

static void child_ready(int c, int result)
{
    model_children[c].state = READY;
    model_children[c].result = result;
    push(&ready, c);
}

static void waiter_ready(int w, int result)
{
    model_waiters[w].state = READY;
    model_waiters[w].result = result;
    push(&ready, CHILDREN + w);
}

static void model_cancel_child(int c)
{
    if (model_children[c].state == WAITS)
        child_ready(c, PE_ECANCELED);
}

static void watch(int c, int by, int place)
{
    struct model_child *child = &model_children[c];

    child->watches[child->watch_count].by = by;
    child->watches[child->watch_count++].place = place;
}

static void unwatch(int by)
{
    for (int c = 0; c < CHILDREN; c++) {
        struct model_child *child = &model_children[c];
        int kept = 0;

        for (int i = 0; i < child->watch_count; i++)
            if (child->watches[i].by != by)
                child->watches[kept++] = child->watches[i];
        child->watch_count = kept;
    }
}

/* Those that it watches, in the order of its array. */
static void cancel_watched(int w)
{
    for (size_t i = 0; i < waiters[w].count; i++) {
        int c = model_waiters[w].array[i], is_watched = 0;

        for (int k = 0; k < model_children[c].watch_count; k++)
            is_watched |= model_children[c].watches[k].by == w;
        if (is_watched)
            model_cancel_child(c);
    }
}

static void note_error(struct model_waiter *m, int place, int result)
{
    if (result < 0 && (m->error == 0 || place < m->error_place)) {
        m->error = result;
        m->error_place = place;
    }
}

static int is_gather_over(int w)
{
    const struct model_waiter *m = &model_waiters[w];

    return m->left == 0 || (m->error < 0 && waiters[w].op == GATHER);
}

static void tell_waiter(int w, int place, int result)
{
    struct model_waiter *m = &model_waiters[w];

    if (waiters[w].op == FIRST) {
        m->index = (size_t)place;
        unwatch(w);
        waiter_ready(w, 0);
        return;
    }
    note_error(m, place, result);
    m->left--;
    if (m->is_asked ? m->left > 0 : !is_gather_over(w))
        return;
    waiter_ready(w, m->is_asked ? PE_ECANCELED : m->error);
    cancel_watched(w);
    unwatch(w);
}

static void tell_completed(int place)
{
    int w = pop(&nexters);

    model_completed.order[model_completed.ended++] = place;
    if (w >= 0) {
        model_waiters[w].index = (size_t)model_completed.order[model_completed.given++];
        waiter_ready(w, 0);
    }
    while (model_completed.ended == model_completed.count && (w = pop(&nexters)) >= 0)
        waiter_ready(w, PE_ENODATA);
}

static int group_order[CHILDREN], group_count; /* its children that live, in the order of their starts */

static void cancel_group(void)
{
    if (model_group.is_cancelled)
        return;
    model_group.is_cancelled = 1;
    for (int i = 0; i < group_count; i++)
        model_cancel_child(group_order[i]);
}

static void tell_group(int c)
{
    int result = model_children[c].result, error, w, is_told = 0, i = 0;

    while (group_order[i] != c)
        i++;
    memmove(group_order + i, group_order + i + 1, (size_t)(--group_count - i) * sizeof(int));
    if (result < 0 && result != PE_ECANCELED && model_group.error == 0) {
        model_group.error = result;
        cancel_group();
    }
    if (--model_group.live > 0)
        return;
    for (error = model_group.error; (w = pop(&group_waiters)) >= 0; is_told |= !model_waiters[w].is_asked) {
        waiter_ready(w, model_waiters[w].is_asked ? PE_ECANCELED : error);
        model_group.is_cancelled = 0;
    }
    if (is_told)
        model_group.error = 0;
}

static void end_child(int c)
{
    struct model_child *child = &model_children[c];

    child->state = ENDED;
    while (child->watch_count > 0) {
        int by = child->watches[0].by, place = child->watches[0].place;

        memmove(child->watches, child->watches + 1, (size_t)--child->watch_count * sizeof child->watches[0]);
        if (by == BY_GROUP)
            tell_group(c);
        else if (by == BY_COMPLETED)
            tell_completed(place);
        else
            tell_waiter(by, place, child->result);
    }
}

static int watch_all(int w)
{
    struct model_waiter *m = &model_waiters[w];

    for (size_t i = 0; i < waiters[w].count; i++) {
        struct model_child *child = &model_children[m->array[i]];

        if (child->state != ENDED) {
            watch(m->array[i], w, (int)i);
            m->left++;
        } else {
            note_error(m, (int)i, child->result);
        }
    }
    return PE_WAIT;
}

static int begin_gather(int w)
{
    struct model_waiter *m = &model_waiters[w];

    watch_all(w);
    if (!is_gather_over(w))
        return PE_WAIT;
    cancel_watched(w);
    unwatch(w);
    return m->error;
}

static int begin_first(int w)
{
    struct model_waiter *m = &model_waiters[w];

    for (size_t i = 0; i < waiters[w].count; i++) {
        if (model_children[m->array[i]].state == ENDED) {
            m->index = i;
            return 0;
        }
    }
    return watch_all(w);
}

static int begin_next(int w)
{
    if (model_completed.given == model_completed.count)
        return PE_ENODATA;
    if (model_completed.given == model_completed.ended) {
        push(&nexters, w);
        return PE_WAIT;
    }
    model_waiters[w].index = (size_t)model_completed.order[model_completed.given++];
    return 0;
}

static int begin_group_wait(int w)
{
    int error = model_group.error;

    if (model_group.live > 0) {
        push(&group_waiters, w);
        return PE_WAIT;
    }
    model_group.error = model_group.is_cancelled = 0;
    return error;
}

static void turn_waiter(int w)
{
    struct model_waiter *m = &model_waiters[w];
    int result = m->result;

    if (m->is_new) {
        m->is_new = 0;
        switch (waiters[w].op) {
        case FIRST: result = begin_first(w); break;
        case NEXT: result = begin_next(w); break;
        case GROUP_WAIT: result = begin_group_wait(w); break;
        default: result = begin_gather(w);
        }
    }
    m->state = result == PE_WAIT ? WAITS : ENDED;
    m->result = result;
}

static void turn_child(int c)
{
    struct model_child *child = &model_children[c];

    if (child->result == PE_ECANCELED && child->cleans_up) {
        child->state = CLEANS_UP;
        child->cleans_up = 0;
    } else {
        end_child(c);
    }
}

static void model_cancel_waiter(int w)
{
    struct model_waiter *m = &model_waiters[w];

    if (m->is_new) {
        m->is_new = 0;
        m->result = PE_ECANCELED; /* it never begins */
    } else if (m->state == WAITS && !m->is_asked) {
        m->is_asked = 1;
        if (waiters[w].op == GATHER || waiters[w].op == GATHER_ALL) {
            cancel_watched(w);
        } else if (waiters[w].op == GROUP_WAIT) {
            cancel_group();
        } else {
            unwatch(w);
            (void)take_out(&nexters, w);
            waiter_ready(w, PE_ECANCELED);
        }
    }
}

/* ---- both ---- */

static unsigned seed;

static int random_below(int limit)
{
    seed = seed * 1664525 + 1013904223;
    return (int)((seed >> 8) % (unsigned)limit);
}

/* Begins to wait in a turn of its own. */
static void start_child(int c)
{
    struct model_child *child = &model_children[c];
    int in_group = random_below(2), result = 0;
    pe_task *task = NULL;

    if (in_group)
        result = pe_group_spawn(group, told_run, NULL, sizeof(struct told), &task);
    else
        MUST(pe_spawn(loop, told_run, NULL, sizeof(struct told), &task), 0);
    MUST(result, in_group && model_group.is_cancelled ? PE_ECANCELED : 0);
    if (result < 0)
        return;
    pe_task_free(children[c]);
    children[c] = task;
    *child = (struct model_child){ .in_group = in_group, .cleans_up = random_below(3) == 0 };
    told_frame(task)->cleans_up = child->cleans_up;
    if (in_group) {
        watch(c, BY_GROUP, 0);
        group_order[group_count++] = c;
        model_group.live++;
    }
}

static void use_child(int c)
{
    struct model_child *child = &model_children[c];

    if (random_below(3) == 0) {
        MUST(pe_task_cancel(children[c]), child->state == ENDED ? PE_EALREADY : 0);
        model_cancel_child(c);
    } else if (child->state == WAITS || child->state == CLEANS_UP) {
        int value = random_below(4) == 0 ? -1 - random_below(9) : random_below(9);

        told_end(children[c], value);
        child_ready(c, value);
    }
}

static void use_waiter(int w)
{
    struct model_waiter *m = &model_waiters[w];

    if (m->state != ENDED) {
        if (random_below(2) == 0) {
            MUST(pe_task_cancel(waiters[w].task), 0);
            model_cancel_waiter(w);
        }
        return;
    }
    pe_task_free(waiters[w].task);
    waiters[w].op = (enum op)random_below(OPS);
    waiters[w].count = (size_t)random_below(ARRAY_MOST) + 1;
    waiters[w].index = 77;
    *m = (struct model_waiter){ .state = READY, .is_new = 1, .index = 77 };
    for (size_t i = 0; i < waiters[w].count; i++) {
        m->array[i] = random_below(CHILDREN);
        waiters[w].array[i] = children[m->array[i]];
    }
    waiters[w].task = told_start(loop, run_waiter, &waiters[w]);
    push(&ready, CHILDREN + w);
}

static void renew_completed(void)
{
    pe_task *array[ARRAY_MOST];
    int w;

    pe_completed_free(completed);
    unwatch(BY_COMPLETED);
    while ((w = pop(&nexters)) >= 0)
        waiter_ready(w, PE_ECLOSED);
    model_completed.count = random_below(ARRAY_MOST + 1);
    model_completed.ended = model_completed.given = 0;
    for (int i = 0; i < model_completed.count; i++) {
        int c = random_below(CHILDREN);

        array[i] = children[c];
        if (model_children[c].state == ENDED)
            model_completed.order[model_completed.ended++] = i;
        else
            watch(c, BY_COMPLETED, i);
    }
    MUST(pe_completed_new(loop, array, (size_t)model_completed.count, &completed), 0);
}

static void do_one_thing(void)
{
    switch (random_below(24)) {
    case 0: renew_completed(); break;
    case 1:
        MUST(pe_group_cancel(group), 0);
        cancel_group();
        break;
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
    case 9: use_waiter(random_below(WAITERS)); break;
    default: use_child(random_below(CHILDREN));
    }
}

static void settle_both(void)
{
    told_settle(loop);
    for (int i; (i = pop(&ready)) >= 0;) {
        if (i < CHILDREN)
            turn_child(i);
        else
            turn_waiter(i - CHILDREN);
    }
}

static void compare(int step)
{
    for (int w = 0; w < WAITERS; w++) {
        const struct model_waiter *m = &model_waiters[w];
        int result = pe_task_result(waiters[w].task);

        if (pe_task_has_ended(waiters[w].task) != (m->state == ENDED) || waiters[w].index != m->index ||
            (m->state == ENDED && result != m->result))
            ck_abort_msg("step %d, waiter %d, operation %d: %d (%d)", step, w, waiters[w].op, result, m->result);
    }
    for (int c = 0; c < CHILDREN; c++) {
        const struct model_child *child = &model_children[c];

        if (pe_task_has_ended(children[c]) != (child->state == ENDED) ||
            (child->state == ENDED && pe_task_result(children[c]) != child->result))
            ck_abort_msg("step %d, child %d: %d (%d)", step, c, pe_task_result(children[c]), child->result);
    }
}

static void begin(void)
{
    MUST(pe_loop_new(NULL, &loop), 0);
    MUST(pe_group_new(loop, 0, &group), 0);
    memset(&model_group, 0, sizeof model_group);
    memset(&model_completed, 0, sizeof model_completed);
    memset(model_children, 0, sizeof model_children);
    group_waiters.count = nexters.count = ready.count = group_count = 0;
    completed = NULL;
    for (int c = 0; c < CHILDREN; c++) {
        children[c] = NULL;
        start_child(c);
    }
    for (int w = 0; w < WAITERS; w++) {
        waiters[w] = (struct waiter){ .task = NULL };
        model_waiters[w].state = ENDED;
        use_waiter(w);
    }
    renew_completed();
    settle_both();
}

static void end(void)
{
    if (random_below(2))
        pe_group_free(group), group = NULL;
    if (random_below(2))
        pe_completed_free(completed), completed = NULL;
    MUST(pe_loop_set_grace(loop, PE_NOW), 0);
    for (int c = 0; c < CHILDREN; c++) { /* a clean-up that waits to be told has no end by itself */
        if (model_children[c].state != ENDED && told_frame(children[c])->cleans_up)
            told_frame(children[c])->cleans_up = 0;
        if (model_children[c].state == CLEANS_UP)
            told_end(children[c], 0);
    }
    pe_loop_free(loop);
    pe_group_free(group);
    pe_completed_free(completed);
    for (int c = 0; c < CHILDREN; c++)
        pe_task_free(children[c]);
    for (int w = 0; w < WAITERS; w++)
        pe_task_free(waiters[w].task);
}

PE_TEST_LOOP(random_waits_give_what_the_model_says, 0, 8)
{
    int steps = harness_long() ? 1000000 : 6000;

    seed = (unsigned)_i * 7919 + 3;
    begin();
    for (int step = 0; step < steps; step++) {
        for (int i = random_below(6); i >= 0; i--)
            do_one_thing();
        settle_both();
        compare(step);
        for (int c = random_below(CHILDREN); c < CHILDREN; c++)
            if (model_children[c].state == ENDED)
                start_child(c);
        told_settle(loop);
    }
    end();
}

HARNESS_MAIN("gather-model")
