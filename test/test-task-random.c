/*
 * Tasks that do at random what tasks can do, to each other too, on loops that are left to run out or closed in the
 * middle. After each wait a task looks whether what it got is what it had to get: every wait ends once, with what was
 * waited for, or for a request or a limit that was there and is then answered; no request goes unseen. Afterwards no
 * task, timer, value or block is left.
 */
#include "harness/harness.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <parexec.h>

#include "async/limit.h"
#include "async/task.h"
#include "async/wait.h"
#include "harness/async.h"

/* Check's assertions write to a file each time, also when they hold. */
#define CHECK(condition) \
    do { \
        if (!(condition)) \
            ck_abort_msg("not so in world %llu: %s", (unsigned long long)world->seed, #condition); \
    } while (0)
#define GIVES(call, wanted) CHECK((call) == (wanted))

enum { TASKS = 400, LEVELS = 5, STEPS = 20000 };
enum kind { YIELD, SLEEP, AWAIT, SHIELD, TIMEOUT, EXTERNAL, KINDS };

struct level {
    pe_limit limit;
    int64_t deadline_ns;
    int shield;
    bool is_answered;
};

/* What the test knows of a task. */
struct shadow {
    pe_task *t; /* a handle; NULL: given back */
    struct level levels[LEVELS + 1];
    struct shadow *target;
    int depth;    /* of limits */
    int shield;
    int calls;    /* of its function, by the loop or by pe_call */
    bool is_waiting;
    bool has_ended;
    int value;
    enum kind kind;
    int cancels;    /* when the wait began, as the rest */
    bool is_pending;
    bool is_there;  /* the other had ended */
    int64_t until_ns;
    pe_task *waiting; /* in an operation */
    bool is_operating;
    bool is_stopped;
    int asked;
    int stops_how;  /* 0: at once, 1: later, 2: never */
};

struct body {
    struct shadow *me;
    struct body *inner;
    pe_call_link link;
    int steps;
    int depth; /* of me when it began, as the next */
    int shield;
    bool in_call;
    int64_t time_ns;
};

struct world {
    pe_loop *loop;
    uint64_t seed;
    uint64_t state;
    int steps; /* left */
    int count;
    struct shadow shadows[TASKS];
    struct body inner[TASKS];
    int inners;
    int values, destroyed;
};

static struct world *world;
static uint64_t steps_done, ends_seen[KINDS], cancels_seen, limits_seen;

static int draw(int below)
{
    world->state = world->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int)((world->state >> 33) % (uint64_t)below);
}

static void destroy(void *value)
{
    CHECK(value == world);
    world->destroyed++;
}

static const pe_local_key keys[2] = { { destroy }, { destroy } };

static struct pe__task *inside(const struct shadow *s)
{
    return pe__task_of(s->t);
}

static bool is_pending(const pe_task *t)
{
    return (pe__task_of(t)->stop & PE__STOP_CANCEL) != 0;
}

/* One that has a handle; NULL where the draw hits none. */
static struct shadow *draw_other(void)
{
    struct shadow *s = &world->shadows[draw(world->count)];

    return s->t != NULL ? s : NULL;
}

static const struct pe__limit *inner_of(const struct level *level)
{
    return (const struct pe__limit *)&level->limit;
}

/* ---- what a wait gave ---- */

static void wait_begins(struct shadow *s, pe_task *t, enum kind kind)
{
    s->kind = kind;
    s->cancels = pe_task_cancels(t);
    s->is_pending = is_pending(t);
    s->asked = 0;
    s->is_stopped = false;
    s->is_there = s->target != NULL && s->target->t != NULL && pe_task_has_ended(s->target->t);
}

static int value_of(const struct shadow *other)
{
    CHECK(other->has_ended || other->calls == 0);
    return other->has_ended ? other->value : PE_ECANCELED;
}

/* Limits whose time is over, which no wait has answered, and which are not held back. */
static bool is_due(const struct shadow *s, const struct level *level, int64_t now_ns)
{
    return !level->is_answered && level->deadline_ns <= now_ns && level->shield >= s->shield;
}

static void check_request(struct shadow *s, pe_task *t, int result)
{
    bool came = s->is_pending || pe_task_cancels(t) > s->cancels || s->cancels == 255;
    bool is_others = s->target != NULL && s->kind != YIELD && s->kind != SLEEP && s->kind != EXTERNAL && !s->target->t;

    if (s->kind == AWAIT || s->kind == SHIELD || s->kind == TIMEOUT)
        is_others = (s->target->has_ended || s->target->calls == 0) && value_of(s->target) == PE_ECANCELED;
    if (result != PE_ECANCELED) {
        CHECK(is_pending(t) == (s->is_pending || pe_task_cancels(t) > s->cancels) || s->cancels == 255);
        return;
    }
    CHECK(came || is_others);
    CHECK(!is_pending(t) || is_others);
    if (came && !is_pending(t)) {
        CHECK(s->shield == 0);
        cancels_seen++;
        for (int i = 0; i < s->depth; i++) /* what was over is answered with it, whatever has become over since */
            s->levels[i].is_answered |= inner_of(&s->levels[i])->is_answered;
    }
}

static void check_limits(struct shadow *s, pe_task *t, int result, int depth)
{
    int64_t now_ns = pe_now();
    int blamed = -1;

    for (int i = 0; i < depth; i++) {
        struct level *level = &s->levels[i];

        if (!level->is_answered && pe_limit_is_to_blame(t, &level->limit) == 1) {
            CHECK(blamed == -1);
            CHECK(is_due(s, level, now_ns));
            blamed = i;
        }
    }
    CHECK((blamed >= 0) == (result == PE_ETIMEDOUT));
    for (int i = 0; i < blamed; i++)
        CHECK(!is_due(s, &s->levels[i], s->levels[blamed].deadline_ns));
    for (int i = 0; i < depth && blamed >= 0; i++)
        s->levels[i].is_answered |= inner_of(&s->levels[i])->is_answered;
    limits_seen += blamed >= 0;
}

/* Whether a limit without any time was there when the wait began. */
static bool was_over(const struct shadow *s)
{
    for (int i = 0; i < s->depth; i++) {
        if (is_due(s, &s->levels[i], 0))
            return true;
    }
    return false;
}

static void check_value(struct shadow *s, int result)
{
    bool is_stopped = result == PE_ECANCELED || result == PE_ETIMEDOUT;

    switch (s->kind) {
    case YIELD:
    case SLEEP:
        CHECK(is_stopped || result == 0);
        CHECK(result != 0 || s->kind == YIELD || pe_now() >= s->until_ns);
        CHECK(is_stopped || !s->is_pending || s->shield > 0);
        CHECK(is_stopped || !was_over(s));
        break;
    case SHIELD:
        CHECK(is_stopped || !s->is_pending || s->shield > 0);
        CHECK(is_stopped || result == value_of(s->target));
        CHECK(is_stopped || s->is_there || !was_over(s));
        break;
    case AWAIT:
    case TIMEOUT:
        CHECK(is_stopped || result == value_of(s->target));
        CHECK(result != PE_ETIMEDOUT || value_of(s->target) == PE_ECANCELED);
        CHECK(result != PE_ECANCELED || s->is_there || value_of(s->target) == PE_ECANCELED);
        break;
    default:
        CHECK(!s->is_operating);
        CHECK(s->asked <= 1);
        CHECK(is_stopped || result == 5);
        CHECK(!is_stopped || s->is_stopped);
    }
}

static void wait_ended(struct shadow *s, pe_task *t, int depth)
{
    int result = t->result;

    ends_seen[s->kind]++;
    if (world->loop->phase == PE__LOOP_FINAL || (inside(s) != NULL && (pe__task_of(t)->stop & PE__STOP_FINAL)))
        return;
    if (result == PE_EDEADLK) {
        CHECK(s->kind == AWAIT || s->kind == SHIELD || s->kind == TIMEOUT);
        return;
    }
    check_value(s, result);
    check_limits(s, t, result, depth);
    check_request(s, t, result);
}

/* ---- what a task does between waits ---- */

static int run(pe_task *t, void *frame);

static void start(void)
{
    struct shadow *s;
    struct body body = { .steps = 1 + draw(100) };

    if (world->count == TASKS)
        return;
    s = body.me = &world->shadows[world->count];
    int result = pe_spawn(world->loop, run, &body, sizeof body, &s->t);
    CHECK(result == 0 || (result == PE_ECLOSED && world->loop->phase != PE__LOOP_OPEN));
    world->count += result == 0;
}

static void cancel_any(void)
{
    struct shadow *s = draw_other();

    if (s == NULL)
        return;
    bool has_ended = pe_task_has_ended(s->t) == 1;
    GIVES(pe_task_cancel(s->t), has_ended ? PE_EALREADY : 0);
}

/* Of a task that has ended, or that nobody is going to wait for. */
static void free_any(void)
{
    struct shadow *s = draw_other();

    if (s == NULL || draw(8) > 0)
        return;
    pe_task_free(s->t);
    s->t = NULL;
}

static void end_operation(struct shadow *s)
{
    bool is_stopped = s->is_stopped && s->stops_how == 1;

    s->is_operating = false;
    s->is_stopped = is_stopped;
    GIVES(pe_wait_end(s->waiting, is_stopped ? PE_ECANCELED : 5), 0);
}

static void end_any_operation(void)
{
    struct shadow *s = &world->shadows[draw(world->count)];

    if (s->is_operating)
        end_operation(s);
}

/* Those that have been asked to stop, or all. */
static void end_operations(bool all)
{
    for (int i = 0; i < world->count; i++) {
        struct shadow *s = &world->shadows[i];

        if (s->is_operating && (all || s->is_stopped))
            end_operation(s);
    }
}

static void stop_operation(pe_task *t, void *object)
{
    struct shadow *s = object;

    s->asked++;
    s->is_stopped = true;
    if (s->stops_how > 0 && world->loop->phase == PE__LOOP_OPEN)
        return;
    s->is_operating = false;
    GIVES(pe_wait_end(t, PE_ECANCELED), 0);
}

static int64_t draw_deadline(void)
{
    switch (draw(5)) {
    case 0:
        return 0;
    case 1:
        return PE_FOREVER;
    default:
        return pe_after(draw(150) * 1000);
    }
}

static void enter_limit(struct shadow *s, pe_task *t)
{
    struct level *level = &s->levels[s->depth];

    if (s->depth == LEVELS)
        return;
    *level = (struct level){ .deadline_ns = draw_deadline(), .shield = s->shield };
    GIVES(pe_limit_enter(t, &level->limit, level->deadline_ns), 0);
    s->depth++;
}

/* Those of the function that calls this one stay. */
static void leave_limit(struct body *f, pe_task *t)
{
    struct shadow *s = f->me;
    int at = f->depth + draw(s->depth - f->depth + 1);

    if (at == s->depth)
        return;
    int was_to_blame = pe_limit_is_to_blame(t, &s->levels[at].limit);
    GIVES(pe_limit_leave(t, &s->levels[at].limit), was_to_blame);
    s->depth = at;
}

static void move_limit(struct shadow *s, pe_task *t)
{
    if (s->depth == 0)
        return;
    struct level *level = &s->levels[draw(s->depth)];
    int64_t deadline_ns = draw_deadline();
    bool has_fired = inner_of(level)->has_fired;
    GIVES(pe_limit_move(t, &level->limit, deadline_ns), has_fired ? PE_EALREADY : 0);
    if (!has_fired)
        level->deadline_ns = deadline_ns;
}

static void shield(struct body *f, pe_task *t)
{
    struct shadow *s = f->me;

    if (pe__task_of(t)->stop & PE__STOP_FINAL)
        return;
    if (draw(2) && s->shield < 3) {
        GIVES(pe_shield_enter(t), 0);
        s->shield++;
    } else if (s->shield > f->shield) {
        GIVES(pe_shield_leave(t), 0);
        s->shield--;
    }
}

static void carry(pe_task *t)
{
    if (pe_task_set_local(t, &keys[draw(2)], world) == 0)
        world->values++;
    GIVES(pe_task_set_name(t, "random"), 0);
}

static void do_something(struct body *f, pe_task *t)
{
    switch (draw(12)) {
    case 0:
        start();
        break;
    case 1:
        cancel_any();
        break;
    case 2:
        free_any();
        break;
    case 3:
        end_any_operation();
        break;
    case 4:
    case 5:
        enter_limit(f->me, t);
        break;
    case 6:
    case 7:
        leave_limit(f, t);
        break;
    case 8:
        move_limit(f->me, t);
        break;
    case 9:
    case 10:
        shield(f, t);
        break;
    default:
        carry(t);
    }
}

/* ---- tasks ---- */

/* Another level for a time-out, above those that have been entered. */
static struct level *spare_level(struct shadow *s)
{
    struct level *level = &s->levels[s->depth];

    *level = (struct level){ .deadline_ns = draw_deadline(), .shield = s->shield };
    return level;
}

static struct body *inner_body(struct body *f)
{
    struct body *inner = &world->inner[world->inners++ % TASKS];

    *inner = (struct body){ .me = f->me, .steps = 1 + draw(5), .depth = f->me->depth, .shield = f->me->shield };
    return inner;
}

static enum kind draw_kind(struct body *f)
{
    static const enum kind kinds[] = { YIELD, YIELD, YIELD, YIELD, SLEEP, AWAIT, SHIELD, TIMEOUT, EXTERNAL };
    enum kind kind = kinds[draw(9)];

    f->me->target = kind == AWAIT || kind == SHIELD || kind == TIMEOUT ? draw_other() : NULL;
    f->time_ns = draw(4) ? draw(40) * 1000 : 0;
    if (kind == SLEEP)
        f->me->until_ns = pe_after(f->time_ns);
    if (f->me->target == NULL && kind != SLEEP && kind != EXTERNAL)
        kind = YIELD;
    return kind;
}

static int operate(struct shadow *s, pe_task *t)
{
    s->is_operating = true;
    s->waiting = t;
    s->stops_how = draw(3);
    return pe_wait_external(t, 0, stop_operation, s);
}

static int body(pe_task *t, struct body *f)
{
    struct shadow *s = f->me;

    PE_BEGIN(t);
    while (f->steps-- > 0 && world->steps > 0) {
        world->steps--;
        steps_done++;
        for (int i = draw(4); i > 0; i--)
            do_something(f, t);
        if (f->inner == NULL && draw(10) == 0 && world->inners < TASKS) {
            f->inner = inner_body(f);
            f->in_call = true;
            PE_AWAIT(t, pe_call(t, &f->link, run, f->inner));
            f->in_call = false;
            CHECK(t->result == f->inner->steps);
            s->depth = f->inner->depth; /* what it left open has ended with it */
            s->shield = f->inner->shield;
            f->inner = NULL;
        }
        s->kind = draw_kind(f);
        wait_begins(s, t, s->kind);
        switch (s->kind) {
        case YIELD:
            PE_YIELD(t);
            break;
        case SLEEP:
            PE_AWAIT(t, pe_sleep(t, f->time_ns));
            break;
        case AWAIT:
            PE_AWAIT(t, pe_await(t, s->target->t));
            break;
        case SHIELD:
            PE_AWAIT(t, pe_shield(t, s->target->t));
            break;
        case TIMEOUT:
            (void)spare_level(s);
            PE_AWAIT(t, pe_timeout(t, &s->levels[s->depth].limit, s->levels[s->depth].deadline_ns, s->target->t));
            break;
        default:
            PE_AWAIT(t, operate(s, t));
        }
        wait_ended(s, t, s->depth + (s->kind == TIMEOUT));
    }
    PE_RETURN(t, f->steps);
    PE_END(t);
}

/* The functions of tasks, and those that they call: each call of one goes on after exactly one wait, or is its first,
 * or follows the end of what it called. */
static int run(pe_task *t, void *frame)
{
    struct body *f = frame;
    struct shadow *s = f->me;

    CHECK(s->is_waiting || t->resume == 0 || f->in_call);
    s->is_waiting = false;
    s->calls++;
    int value = body(t, f);
    CHECK(!s->has_ended);
    if (value == PE_WAIT) {
        s->is_waiting = true;
        return value;
    }
    if (pe__task_of(t)->call == NULL) {
        s->has_ended = true;
        s->value = value;
    }
    return value;
}

/* ---- the world ---- */

static void begin(uint64_t seed)
{
    world = calloc(1, sizeof *world);
    ck_assert_ptr_nonnull(world);
    world->seed = seed;
    world->state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    world->steps = STEPS / (1 + draw(4));
    world->loop = async_loop();
    for (int i = 1 + draw(300); i > 0; i--)
        start();
}

/* What comes from outside the tasks. libuv would look at timers once a millisecond. */
static void disturb(void)
{
    pe__timers_run(&world->loop->timers, pe_now());
    for (int i = draw(20); i > 0; i--)
        end_any_operation();
    if (draw(20) == 0)
        cancel_any();
    if (draw(50) == 0)
        free_any();
    if (draw(50) == 0 && world->steps > 0)
        start();
}

/* When there are no steps left, all that is waited for is seen to. */
static void run_out(void)
{
    while (world->loop->live > 0) {
        disturb();
        if (world->steps <= 0)
            end_operations(true);
        (void)pe_loop_poll(world->loop);
    }
}

static void end(void)
{
    pe_loop *loop = world->loop;

    end_operations(false);
    GIVES(pe_loop_close(loop, NULL), 0);
    ck_assert_uint_eq(loop->live, 0);
    CHECK(pe__base_list_empty(&loop->tasks));
    CHECK(pe__timers_next(&loop->timers) == PE_FOREVER);
    CHECK(world->values == world->destroyed);
    uint64_t kept = 0;
    for (int i = 0; i < world->count; i++) {
        struct shadow *s = &world->shadows[i];

        kept += s->t != NULL;
        CHECK(s->t == NULL || pe_task_has_ended(s->t) == 1);
        CHECK(s->t == NULL || !s->has_ended || pe_task_result(s->t) == s->value);
    }
    ck_assert_uint_eq(loop->kept, kept);
    for (int i = 0; i < world->count; i++)
        pe_task_free(world->shadows[i].t);
    ck_assert_uint_eq(loop->kept, 0);
    pe_loop_free(loop);
    free(world);
}

static void live(uint64_t seed, bool runs_out)
{
    begin(seed);
    if (runs_out)
        run_out();
    for (int i = draw(30); i > 0; i--) {
        disturb();
        (void)pe_loop_poll(world->loop);
    }
    GIVES(pe_loop_set_grace(world->loop, draw(2) ? PE_NOW : PE_MS(2)), 0);
    end();
}

/* PAREXEC_TEST_SEED=N repeats one that has failed. */
static void live_many(bool runs_out)
{
    const char *only = getenv("PAREXEC_TEST_SEED");
    int64_t until_ns = pe_after(harness_long() ? PE_SECONDS(60) : PE_MS(700));
    uint64_t seed = only != NULL ? strtoull(only, NULL, 10) : 1;

    do {
        mark_point();
        live(seed, runs_out);
        seed++;
    } while (only == NULL && pe_now() < until_ns);
    for (int kind = 0; kind < KINDS; kind++)
        ck_assert_uint_gt(ends_seen[kind], 0);
    ck_assert_uint_gt(cancels_seen, 0);
    ck_assert_uint_gt(limits_seen, 0);
    if (harness_long())
        fprintf(stderr, "%llu steps, %llu requests, %llu limits\n", (unsigned long long)steps_done,
                (unsigned long long)cancels_seen, (unsigned long long)limits_seen);
}

PE_TEST_SLOW(a10_anything_that_tasks_can_do_to_each_other, 120)
{
    live_many(true);
}

PE_TEST_SLOW(a09_loops_that_are_closed_in_the_middle_of_it, 120)
{
    live_many(false);
}

HARNESS_MAIN("task-random")
