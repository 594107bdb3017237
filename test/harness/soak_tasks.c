/* soak_tasks.c - acts with tasks alone: sleeping, calling, children, limits, sections, values, regions. */
#include "harness/soak.h"

#define CHILDREN_MOST 6
#define CHILD_ERROR SOAK_ERROR

/* ---- a child: sleeps, and returns what it was told to ---- */

struct child {
    int64_t sleep_ns, clean_up_ns;
    int value;
};

static int child(pe_task *t, void *frame)
{
    struct child *f = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep(t, f->sleep_ns));
    SOAK_MUST(t, 0);
    if (t->result == 0)
        PE_RETURN(t, f->value);
    PE_AWAIT(t, pe_sleep(t, f->clean_up_ns));
    PE_RETURN(t, PE_ECANCELED);
    PE_END(t);
}

/* Children that are cancelled before their first turn never run. */
static struct child some_child(const struct soak_head *head)
{
    bool fails = soak_random(head, 5) == 0;

    return (struct child){ soak_time(head, 2000), soak_random(head, 4) == 0 ? soak_time(head, 1000) : 0,
                           fails ? CHILD_ERROR : (int)soak_random(head, 1000) };
}

/* What a child of this frame may have returned. */
static void check_child(pe_task *task)
{
    const struct child *f = pe_task_frame(task);
    int result = pe_task_result(task);

    ck_assert_int_eq(pe_task_has_ended(task), 1);
    ck_assert_msg(result == f->value || result == PE_ECANCELED, "a child returned %d, was to return %d", result,
                  f->value);
}

/* ---- children together ---- */

struct together {
    struct soak_head head;
    pe_task *children[CHILDREN_MOST];
    size_t count, index, seen;
    uint32_t flags;
    pe_completed *completed;
};

static void spawn_children(struct together *f)
{
    f->count = 1 + (size_t)soak_random(&f->head, CHILDREN_MOST);
    for (size_t i = 0; i < f->count; i++) {
        struct child one = some_child(&f->head);
        ck_assert_int_eq(pe_spawn(f->head.soak->loop, child, &one, sizeof one, &f->children[i]), 0);
    }
}

/* Some go on without anybody who holds them. */
static void free_children(struct together *f)
{
    for (size_t i = 0; i < f->count; i++)
        pe_task_free(f->children[i]);
}

static int gather(pe_task *t, void *frame)
{
    struct together *f = frame;

    PE_BEGIN(t);
    spawn_children(f);
    f->flags = soak_random(&f->head, 2) ? PE_GATHER_ALL : 0;
    PE_AWAIT(t, pe_gather(t, f->children, f->count, f->flags));
    ck_assert(t->result == 0 || t->result == CHILD_ERROR || soak_is_stopped(t->result));
    for (size_t i = 0; i < f->count && (t->result == 0 || f->flags); i++)
        check_child(f->children[i]);
    free_children(f);
    PE_RETURN(t, soak_is_stopped(t->result) ? t->result : 0);
    PE_END(t);
}

static int first(pe_task *t, void *frame)
{
    struct together *f = frame;

    PE_BEGIN(t);
    spawn_children(f);
    PE_AWAIT(t, pe_wait_first(t, f->children, f->count, &f->index));
    SOAK_MUST(t, 0);
    if (t->result == 0)
        check_child(f->children[f->index]);
    for (size_t i = 0; i < f->count && soak_random(&f->head, 2); i++)
        (void)pe_task_cancel(f->children[i]);
    free_children(f);
    PE_RETURN(t, t->result);
    PE_END(t);
}

static int completed(pe_task *t, void *frame)
{
    struct together *f = frame;

    PE_BEGIN(t);
    spawn_children(f);
    ck_assert_int_eq(pe_completed_new(f->head.soak->loop, f->children, f->count, &f->completed), 0);
    for (;;) {
        PE_AWAIT(t, pe_completed_next(t, f->completed, &f->index));
        if (t->result < 0)
            break;
        check_child(f->children[f->index]);
        f->seen++;
    }
    ck_assert(soak_is_stopped(t->result) || (t->result == PE_ENODATA && f->seen == f->count));
    pe_completed_free(f->completed);
    free_children(f);
    PE_RETURN(t, soak_is_stopped(t->result) ? t->result : 0);
    PE_END(t);
}

/* ---- one child ---- */

struct one_child {
    struct soak_head head;
    pe_task *child;
    pe_limit limit;
    uint64_t how;
};

static int await_one(pe_task *t, struct one_child *f)
{
    switch (f->how) {
    case 0: return pe_await(t, f->child);
    case 1: return pe_shield(t, f->child);
    default: return pe_timeout(t, &f->limit, pe_after(soak_time(&f->head, 2000)), f->child);
    }
}

static int one(pe_task *t, void *frame)
{
    struct one_child *f = frame;

    PE_BEGIN(t);
    struct child first_child = some_child(&f->head);
    ck_assert_int_eq(pe_spawn(f->head.soak->loop, child, &first_child, sizeof first_child, &f->child), 0);
    if (soak_random(&f->head, 3) == 0)
        (void)pe_task_cancel(f->child);
    f->how = soak_random(&f->head, 3);
    PE_AWAIT(t, await_one(t, f));
    ck_assert(f->how == 1 || pe_task_has_ended(f->child) == 1);
    if (pe_task_has_ended(f->child) == 1)
        check_child(f->child);
    pe_task_free(f->child);
    PE_RETURN(t, t->result == PE_ECANCELED ? t->result : 0);
    PE_END(t);
}

/* ---- limits and sections ---- */

struct limits {
    struct soak_head head;
    pe_limit outer, inner;
    int64_t begin_ns, deadline_ns;
};

static int limits(pe_task *t, void *frame)
{
    struct limits *f = frame;

    PE_BEGIN(t);
    f->begin_ns = pe_now();
    f->deadline_ns = pe_after(soak_time(&f->head, 1500));
    ck_assert_int_eq(pe_limit_enter(t, &f->outer, f->deadline_ns), 0);
    PE_AWAIT_UNTIL(t, &f->inner, pe_after(soak_time(&f->head, 1500)), pe_sleep(t, soak_time(&f->head, 1500)));
    SOAK_MUST(t, 0);
    if (t->result == PE_ETIMEDOUT && pe_limit_is_to_blame(t, &f->outer))
        ck_assert_int_ge(pe_now(), f->deadline_ns);
    PE_AWAIT(t, pe_sleep(t, soak_time(&f->head, 500)));
    SOAK_MUST(t, 0);
    ck_assert_int_ge(pe_limit_leave(t, &f->outer), 0);
    PE_RETURN(t, t->result == PE_ECANCELED ? t->result : 0);
    PE_END(t);
}

static int section(pe_task *t, void *frame)
{
    struct limits *f = frame;

    PE_BEGIN(t);
    ck_assert_int_eq(pe_shield_enter(t), 0);
    f->begin_ns = soak_time(&f->head, 1500);
    f->deadline_ns = pe_after(f->begin_ns);
    PE_AWAIT(t, pe_sleep(t, f->begin_ns));
    ck_assert_int_eq(t->result, 0);
    ck_assert_int_ge(pe_now(), f->deadline_ns);
    ck_assert_int_eq(pe_shield_leave(t), 0);
    PE_YIELD(t);
    SOAK_MUST(t, 0);
    PE_RETURN(t, t->result);
    PE_END(t);
}

/* ---- calls, deep in each other; values and regions on the way ---- */

#define DEPTH 8

static void destroy(void *value)
{
    --*(uint64_t *)value;
}

static const pe_local_key local_key = { destroy };

struct level {
    const struct soak_head *head;
    struct level *below; /* NULL: it goes no deeper */
    pe_call_link call;
    pe_task_region region;
};

struct deep {
    struct soak_head head;
    uint64_t *count;
    pe_call_link call;
    struct level levels[DEPTH];
};

static int deep(pe_task *t, void *frame)
{
    struct level *f = frame;

    PE_BEGIN(t);
    PE_TASK_REGION(t, &f->region, "soak") {
        PE_TRY(t, pe_sleep(t, soak_time(f->head, 200)));
        if (f->below != NULL)
            PE_TRY(t, pe_call(t, &f->call, deep, f->below));
    }
    PE_END(t);
}

/* A task of its own, so that its values go with it. */
static int carry(pe_task *t, void *frame)
{
    struct deep *f = frame;

    PE_BEGIN(t);
    ck_assert_int_eq(pe_task_set_local(t, &local_key, f->count), 0);
    ++*f->count;
    ck_assert_int_eq(pe_task_set_name(t, "carrier"), 0);
    for (size_t i = 0; i < DEPTH; i++)
        f->levels[i] = (struct level){ .head = &f->head, .below = i + 1 < DEPTH ? &f->levels[i + 1] : NULL };
    f->levels[soak_random(&f->head, DEPTH)].below = NULL;
    PE_TRY(t, pe_call(t, &f->call, deep, &f->levels[0]));
    ck_assert_ptr_eq(pe_task_local(t, &local_key), f->count);
    PE_END(t);
}

static uint64_t values; /* that are carried now */

static int call(pe_task *t, void *frame)
{
    struct one_child *f = frame;

    PE_BEGIN(t);
    struct deep below = { .head = f->head, .count = &values };
    ck_assert_int_eq(pe_spawn(f->head.soak->loop, carry, &below, sizeof below, &f->child), 0);
    PE_AWAIT(t, pe_await(t, f->child));
    SOAK_MUST(t, 0);
    pe_task_free(f->child);
    PE_RETURN(t, t->result);
    PE_END(t);
}

static int rest(pe_task *t, void *frame)
{
    struct limits *f = frame;

    PE_BEGIN(t);
    f->begin_ns = soak_time(&f->head, 1000);
    f->deadline_ns = pe_after(f->begin_ns);
    PE_AWAIT(t, f->begin_ns / 1000 % 2 ? pe_sleep(t, f->begin_ns) : pe_sleep_until(t, f->deadline_ns));
    SOAK_MUST(t, 0);
    ck_assert(t->result < 0 || pe_now() >= f->deadline_ns);
    PE_RETURN(t, t->result);
    PE_END(t);
}

_Static_assert(sizeof(struct deep) <= SOAK_FRAME_BYTES, "frames of acts are as large as that");

const struct soak_act soak_tasks_acts[] = {
    { "rest", rest, 4 },     { "gather", gather, 2 }, { "first", first, 2 }, { "completed", completed, 2 },
    { "one child", one, 4 }, { "limits", limits, 3 }, { "section", section, 1 }, { "call", call, 2 },
    { NULL, NULL, 0 },
};

uint64_t soak_tasks_left(void)
{
    return values;
}
