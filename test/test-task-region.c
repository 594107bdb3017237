/*
 * Regions of tasks: what is counted as active and what as waiting, and where they end by themselves.
 */
#include "harness/async.h"
#include "harness/harness.h"

#include <parexec.h>

#include "report/profile.h"

static struct pe__profile profile;

static const struct pe__profile_node *get(const char *name)
{
    pe__profile_free(&profile);
    MUST(pe__profile_take(&profile), 0);
    for (uint32_t i = 0; i < profile.node_count; i++) {
        if (strcmp(profile.labels[profile.nodes[i].label].name, name) == 0)
            return &profile.nodes[i];
    }
    ck_abort_msg("no region %s", name);
    return NULL;
}

static uint64_t wrong_uses(void)
{
    uint64_t unmatched = 0;

    for (uint32_t i = 0; i < profile.track_count; i++)
        unmatched += profile.tracks[i].unmatched;
    return unmatched;
}

static void spend(int64_t ns)
{
    int64_t end_ns = pe_now() + ns;

    while (pe_now() < end_ns)
        ;
}

/* So many calls, at least so long active and waiting, and not longer than the run took as a whole. */
static void check_times(const char *name, uint64_t calls, int64_t active_ns, int64_t waited_ns, int64_t begin_ns)
{
    const struct pe__profile_node *node = get(name);

    ck_assert_uint_eq(node->calls, calls);
    ck_assert_int_ge(node->waited_ns, waited_ns);
    ck_assert_int_ge(node->total_ns - node->waited_ns, active_ns);
    ck_assert_int_le(node->total_ns, pe_now() - begin_ns);
    ck_assert_uint_eq(wrong_uses(), 0);
}

/* ---- active and waiting ---- */

struct fetch {
    pe_task_region outer, inner;
    int rounds;
};

static int fetch(pe_task *t, void *frame)
{
    struct fetch *f = frame;

    PE_BEGIN(t);
    PE_TASK_REGION(t, &f->outer, "outer") {
        spend(PE_MS(2));
        for (f->rounds = 0; f->rounds < 3; f->rounds++) {
            PE_TASK_REGION(t, &f->inner, "inner") {
                PE_TRY(t, pe_sleep(t, PE_MS(5)));
                spend(PE_MS(3));
            }
        }
        PE_TRY(t, pe_sleep(t, PE_MS(10)));
    }
    PE_TRY(t, pe_sleep(t, PE_MS(200)));
    PE_END(t);
}

PE_TEST(i23_waiting_is_shown_apart)
{
    struct fetch f = { 0 };
    int64_t begin_ns = pe_now();

    MUST(pe_region_enable(1), 0);
    MUST(pe_run(fetch, &f, NULL), 0);
    check_times("outer", 1, PE_MS(11), PE_MS(25), begin_ns);
    check_times("inner", 3, PE_MS(9), PE_MS(15), begin_ns);
    ck_assert_int_le(get("inner")->total_ns, get("outer")->total_ns);
    ck_assert_int_le(get("outer")->total_ns, pe_now() - begin_ns - PE_MS(200));
}
END_TEST

/* One works while the other is in a region and waits for its turn. */
static int work(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    spend(PE_MS(20));
    PE_END(t);
}

static int stand_by(pe_task *t, void *frame)
{
    struct fetch *f = frame;

    PE_BEGIN(t);
    PE_TASK_REGION(t, &f->outer, "stand by") {
        MUST(pe_spawn(pe_task_loop(t), work, NULL, 0, NULL), 0);
        PE_YIELD(t);
    }
    PE_END(t);
}

PE_TEST(i23_what_others_do_meanwhile_is_waiting)
{
    struct fetch f = { 0 };
    int64_t begin_ns = pe_now();

    MUST(pe_region_enable(1), 0);
    MUST(pe_run(stand_by, &f, NULL), 0);
    check_times("stand by", 1, 0, PE_MS(20), begin_ns);
}
END_TEST

/* ---- where they end ---- */

struct leaver {
    pe_task_region region, other;
    pe_call_link call;
    struct fetch callee;
    int at;
};

static int return_inside(pe_task *t, void *frame)
{
    struct fetch *f = frame;

    PE_BEGIN(t);
    PE_TASK_REGION(t, &f->outer, "callee") {
        PE_TASK_REGION(t, &f->inner, "callee, inner") {
            PE_TRY(t, pe_sleep(t, PE_MS(5)));
            PE_RETURN(t, 6);
        }
    }
    PE_END(t);
}

static int call_twice(pe_task *t, void *frame)
{
    struct leaver *f = frame;

    PE_BEGIN(t);
    PE_TASK_REGION(t, &f->region, "caller") {
        for (f->at = 0; f->at < 2; f->at++) {
            PE_AWAIT(t, pe_call(t, &f->call, return_inside, &f->callee));
            MUST(t->result, 6);
            memset(&f->callee, 0x5a, sizeof f->callee);
            PE_TRY(t, pe_sleep(t, PE_MS(20)));
        }
    }
    PE_END(t);
}

PE_TEST(i23_a_function_that_returns_leaves_its_regions)
{
    struct leaver f = { 0 };
    int64_t begin_ns = pe_now();

    MUST(pe_region_enable(1), 0);
    MUST(pe_run(call_twice, &f, NULL), 0);
    check_times("callee", 2, 0, PE_MS(10), begin_ns);
    check_times("callee, inner", 2, 0, PE_MS(10), begin_ns);
    check_times("caller", 1, 0, PE_MS(50), begin_ns);
    ck_assert_int_le(get("callee")->total_ns, pe_now() - begin_ns - PE_MS(40));
}
END_TEST

static int sleep_on(pe_task *t, void *frame)
{
    struct fetch *f = frame;

    PE_BEGIN(t);
    PE_TASK_REGION(t, &f->outer, "cancelled") {
        PE_TRY(t, pe_sleep(t, PE_FOREVER));
    }
    PE_END(t);
}

static int cancel_one(pe_task *t, void *frame)
{
    pe_task **child = frame;

    PE_BEGIN(t);
    MUST(pe_spawn(pe_task_loop(t), sleep_on, NULL, sizeof(struct fetch), child), 0);
    PE_YIELD(t); /* it waits by then */
    PE_TRY(t, pe_sleep(t, PE_MS(5)));
    MUST(pe_task_cancel(*child), 0);
    PE_AWAIT(t, pe_await(t, *child));
    MUST(t->result, PE_ECANCELED);
    pe_task_free(*child);
    PE_END(t);
}

PE_TEST(i23_the_end_of_the_task_ends_what_is_open)
{
    pe_task *child = NULL;
    int64_t begin_ns = pe_now();

    MUST(pe_region_enable(1), 0);
    MUST(pe_run(cancel_one, &child, NULL), 0);
    check_times("cancelled", 1, 0, PE_MS(5), begin_ns);
}
END_TEST

static int wait_on(pe_task *t, void *frame)
{
    struct fetch *f = frame;

    PE_BEGIN(t);
    PE_TASK_REGION(t, &f->outer, "dropped") {
        for (;;)
            PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    }
    PE_END(t);
}

/* A task that never gives up is ended without being called again. */
PE_TEST(i23_a_task_that_is_dropped_ends_its_regions)
{
    pe_loop *loop;
    int64_t begin_ns = pe_now();

    MUST(pe_region_enable(1), 0);
    MUST(pe_loop_new(NULL, &loop), 0);
    MUST(pe_loop_set_grace(loop, PE_MS(5)), 0);
    MUST(pe_spawn(loop, wait_on, NULL, sizeof(struct fetch), NULL), 0);
    while (pe_loop_poll(loop) > 0)
        ;
    MUST(pe_loop_close(loop, NULL), 0);
    pe_loop_free(loop);
    check_times("dropped", 1, 0, PE_MS(5), begin_ns);
}
END_TEST

static int break_out(pe_task *t, void *frame)
{
    struct fetch *f = frame;

    PE_BEGIN(t);
    for (f->rounds = 0; f->rounds < 4; f->rounds++) {
        PE_TASK_REGION(t, &f->outer, "block") {
            if (f->rounds == 0)
                break;
            PE_TRY(t, pe_sleep(t, PE_MS(1)));
            if (f->rounds == 1)
                continue;
            PE_TRY(t, pe_sleep(t, PE_MS(1)));
        }
        PE_TRY(t, pe_sleep(t, PE_MS(20)));
    }
    PE_RETURN(t, f->rounds);
    PE_END(t);
}

PE_TEST(i23_break_and_continue_end_the_block)
{
    struct fetch f = { 0 };
    int64_t begin_ns = pe_now();
    int value = 0;

    MUST(pe_region_enable(1), 0);
    MUST(pe_run(break_out, &f, &value), 0);
    MUST(value, 4);
    check_times("block", 4, 0, PE_MS(5), begin_ns);
    ck_assert_int_le(get("block")->total_ns, pe_now() - begin_ns - PE_MS(80));
}
END_TEST

/* ---- by calls ---- */

static pe_region_site first_site = PE_REGION_SITE("first"), second_site = PE_REGION_SITE("second");

static int wrong_calls(pe_task *t, void *frame)
{
    struct leaver *f = frame;

    PE_BEGIN(t);
    MUST(pe_task_region_enter(t, NULL, &first_site), PE_EINVAL);
    MUST(pe_task_region_enter(t, &f->region, NULL), PE_EINVAL);
    MUST(pe_task_region_leave(t, NULL), PE_EINVAL);
    MUST(pe_task_region_leave(t, &f->region), PE_EINVAL);
    MUST(pe_task_region_enter(t, &f->region, &first_site), 0);
    MUST(pe_task_region_enter(t, &f->region, &second_site), PE_EINVAL);
    PE_TRY(t, pe_sleep(t, PE_MS(5)));
    MUST(pe_task_region_enter(t, &f->other, &second_site), 0);
    PE_TRY(t, pe_sleep(t, PE_MS(5)));
    MUST(pe_task_region_leave(t, &f->region), 0); /* and the other with it */
    MUST(pe_task_region_leave(t, &f->other), PE_EINVAL);
    PE_TRY(t, pe_sleep(t, PE_MS(50)));
    PE_END(t);
}

PE_TEST(i23_wrong_calls_change_nothing)
{
    struct leaver f = { 0 };
    int64_t begin_ns = pe_now();

    MUST(pe_region_enable(1), 0);
    MUST(pe_task_region_enter(NULL, &f.region, &first_site), PE_EINVAL);
    MUST(pe_task_region_leave(NULL, &f.region), PE_EINVAL);
    MUST(pe_run(wrong_calls, &f, NULL), 0);
    check_times("first", 1, 0, PE_MS(10), begin_ns);
    check_times("second", 1, 0, PE_MS(5), begin_ns);
    ck_assert_int_le(get("first")->total_ns, pe_now() - begin_ns - PE_MS(50));
}
END_TEST

static pe_region_site unmeasured_site = PE_REGION_SITE("unmeasured"), measured_site = PE_REGION_SITE("measured");

static int switch_meanwhile(pe_task *t, void *frame)
{
    struct leaver *f = frame;

    PE_BEGIN(t);
    MUST(pe_task_region_enter(t, &f->region, &unmeasured_site), 0);
    MUST(pe_region_enable(1), 0);
    PE_TRY(t, pe_sleep(t, PE_MS(5)));
    MUST(pe_task_region_leave(t, &f->region), 0);
    MUST(pe_task_region_leave(t, &f->region), PE_EINVAL);
    MUST(pe_task_region_enter(t, &f->region, &measured_site), 0);
    MUST(pe_region_enable(0), 0);
    PE_TRY(t, pe_sleep(t, PE_MS(5)));
    MUST(pe_task_region_leave(t, &f->region), 0);
    PE_TASK_REGION(t, &f->other, "off") {
        f->at++;
        PE_TRY(t, pe_sleep(t, PE_MS(1)));
        f->at++;
    }
    PE_RETURN(t, f->at);
    PE_END(t);
}

PE_TEST(i23_what_was_entered_while_it_was_on_is_ended_when_it_is_off)
{
    struct leaver f = { 0 };
    int64_t begin_ns = pe_now();
    int value = 0;

    MUST(pe_region_enable(0), 0);
    MUST(pe_run(switch_meanwhile, &f, &value), 0);
    MUST(value, 2);
    check_times("measured", 1, 0, PE_MS(5), begin_ns);
    for (uint32_t i = 0; i < profile.node_count; i++)
        ck_assert_str_ne(profile.labels[profile.nodes[i].label].name, "off");
}
END_TEST

/* ---- without memory ---- */

#define CHILDREN 12

static int refused;
static pe_region_site scarce_site = PE_REGION_SITE("scarce");

static int enter_without_memory(pe_task *t, void *frame)
{
    struct leaver *f = frame;

    PE_BEGIN(t);
    f->at = pe_task_region_enter(t, &f->region, &scarce_site);
    if (f->at < 0) {
        MUST(f->at, PE_ENOMEM);
        MUST(pe_task_region_leave(t, &f->region), PE_EINVAL);
        refused++;
        PE_TASK_REGION(t, &f->other, "refused") {
            PE_YIELD(t);
            f->at = 1;
        }
        MUST(f->at, 1);
    } else {
        PE_YIELD(t); /* keeps what it has got from the others */
    }
    PE_END(t);
}

static int do_nothing(pe_task *t, void *frame)
{
    (void)t, (void)frame;
    return 0;
}

static int use_up_memory(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    for (int i = 0; i < CHILDREN; i++)
        MUST(pe_spawn(pe_task_loop(t), enter_without_memory, NULL, sizeof(struct leaver), NULL), 0);
    harness_fail_from(HARNESS_MALLOC, 1, ENOMEM);
    while (pe_spawn(pe_task_loop(t), do_nothing, NULL, 0, NULL) == 0)
        ;
    PE_YIELD(t);
    PE_YIELD(t);
    harness_fail_reset();
    PE_END(t);
}

PE_TEST(i23_without_memory_it_is_not_entered)
{
    MUST(pe_region_enable(1), 0);
    MUST(pe_run(use_up_memory, NULL, NULL), 0);
    ck_assert_int_gt(refused, 0);
    ck_assert_uint_eq(refused < CHILDREN ? get("scarce")->calls : 0, CHILDREN - refused);
    for (uint32_t i = 0; i < profile.node_count; i++)
        ck_assert_str_ne(profile.labels[profile.nodes[i].label].name, "refused");
}
END_TEST

HARNESS_MAIN("task-region")
