/*
 * Functions as regions: what -finstrument-functions calls, in all the ways in which functions begin and end, in one
 * thread. The functions are those of functions-sample.c; nothing in here is instrumented itself.
 */
#include "harness/harness.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>

#include <parexec.h>

#include "base/clock.h"
#include "functions-sample.h"
#include "harness/recorded.h"
#include "region/function_filter.h"
#include "region/function_names.h"

/* ---- one thread ---- */

PE_TEST(functions_nest_with_their_names)
{
    struct recorded result;

    recorded_begin();
    sample_nest(3);
    sample_nest(1);
    recorded_end(&result);
    ck_assert_uint_eq(recorded_calls(&result, "sample_nest"), 2);
    ck_assert_uint_eq(recorded_calls(&result, "sample_nest/outer_helper"), 4);
    ck_assert_uint_eq(recorded_calls(&result, "sample_nest/outer_helper/inner_helper"), 8);
    const struct pe__profile_sum *row = recorded_find(&result, "sample_nest");
    ck_assert_uint_eq(result.profile.labels[row->label].kind, PE__KIND_FUNCTION);
    ck_assert_str_eq(result.profile.labels[row->label].file, "");
    ck_assert_int_gt(row->total_ns, row->own_ns);
    ck_assert_uint_eq(recorded_wrong_uses(&result), 0);
    recorded_free(&result);
}

/* Those that are not timed add nothing to the time. */
PE_TEST(sampled)
{
    pe_region_options options = { PE_SIZED(pe_region_options), .clock = PE_CLOCK_SAMPLED };
    struct recorded result;
    int64_t start = pe_now();

    ck_assert_int_eq(pe_region_setup(&options), 0);
    recorded_begin();
    for (int i = 0; i < 1000; i++)
        sample_nest(1);
    recorded_end(&result);
    const struct pe__profile_sum *row = recorded_find(&result, "sample_nest");
    ck_assert_uint_eq(recorded_calls(&result, "sample_nest"), 1000);
    ck_assert_uint_lt(row->timed, 1000);
    ck_assert_int_le(row->most_ns, pe_now() - start);
    recorded_free(&result);
}
END_TEST

PE_TEST(off_is_off)
{
    struct recorded result;

    recorded_begin();
    recorded_end(&result);
    recorded_free(&result);
    sample_nest(3);
    recorded_take(&result);
    ck_assert_uint_eq(result.tree.count, 0);
    ck_assert_ptr_null(atomic_load(&pe__functions)); /* nobody has asked for a name */
    recorded_free(&result);
}

static void switch_on(void)
{
    recorded_begin();
}

static void switch_off(void)
{
    pe_region_enable(0);
}

/* The ends of what had begun before are no wrong use. */
PE_TEST(switched_on_in_the_depth)
{
    struct recorded result;

    sample_recurse(10, switch_on);
    sample_nest(1);
    recorded_end(&result);
    ck_assert_uint_eq(recorded_calls(&result, "sample_nest"), 1);
    ck_assert_uint_eq(recorded_calls(&result, "sample_recurse"), 0);
    ck_assert_uint_eq(recorded_wrong_uses(&result), 0);
    recorded_free(&result);
}

static void switch_on_and_open(void)
{
    recorded_begin();
    pe_region_enter("around");
    sample_nest(1);
}

/* Not even while another region is open. */
PE_TEST(switched_on_in_the_depth_of_a_region_that_stays_open)
{
    struct recorded result;

    sample_call(switch_on_and_open);
    pe_region_leave("around");
    recorded_end(&result);
    ck_assert_uint_eq(recorded_calls(&result, "around"), 1);
    ck_assert_uint_eq(recorded_calls(&result, "around/sample_nest"), 1);
    ck_assert_uint_eq(recorded_wrong_uses(&result), 0);
    recorded_free(&result);
}

PE_TEST(switched_off_in_the_depth)
{
    struct recorded result;

    recorded_begin();
    sample_recurse(3, switch_off);
    recorded_begin();
    sample_nest(1);
    recorded_end(&result);
    ck_assert_uint_eq(recorded_calls(&result, "sample_recurse/sample_recurse/sample_recurse/sample_recurse"), 1);
    ck_assert_uint_eq(recorded_calls(&result, "sample_nest/outer_helper"), 1);
    ck_assert_uint_eq(recorded_find(&result, "sample_recurse")->unfinished, 0);
    ck_assert_uint_eq(recorded_wrong_uses(&result), 0);
    recorded_free(&result);
}

static void nest_once(void)
{
    sample_nest(1);
}

PE_TEST(recursion)
{
    struct recorded result;
    struct pe__profile_sums flat;
    struct pe__profile_part all = { PE__REGION_NOTHING, PE__REGION_NOTHING };

    recorded_begin();
    sample_recurse(19, nest_once);
    recorded_end(&result);
    ck_assert_int_eq(pe__profile_flat(&result.profile, all, &flat), 0);
    for (uint32_t i = 0; i < flat.count; i++) {
        if (strcmp(result.profile.labels[flat.rows[i].label].name, "sample_recurse") != 0)
            continue;
        ck_assert_uint_eq(flat.rows[i].calls, 20);
        ck_assert_uint_eq(flat.rows[i].first_calls, 1);
    }
    pe__profile_sums_free(&flat);
    ck_assert_uint_eq(recorded_wrong_uses(&result), 0);
    recorded_free(&result);
}

/* What finds no place is counted, and what follows is right. */
PE_TEST(recursion_of_a_hundred_thousand)
{
    enum { DEEP = 100000 };
    struct recorded result;
    uint64_t dropped = 0, counted = 0;

    recorded_begin();
    ck_assert_int_eq(sample_recurse(DEEP, nest_once), DEEP);
    sample_nest(5);
    recorded_end(&result);
    ck_assert_uint_eq(recorded_calls(&result, "sample_nest/outer_helper"), 5);
    for (uint32_t i = 0; i < result.profile.track_count; i++)
        dropped += result.profile.tracks[i].dropped_calls;
    for (uint32_t i = 0; i < result.tree.count; i++)
        counted += result.tree.rows[i].calls;
    /* In the depth: the recursion and nest, outer, twice inner; later 1 + 5 + 10. */
    ck_assert_uint_eq(dropped + counted, DEEP + 1 + 4 + 16);
    ck_assert_uint_eq(recorded_wrong_uses(&result), 0);
    recorded_free(&result);
}

PE_TEST(longjmp_out_of_functions)
{
    struct recorded result;

    recorded_begin();
    for (int i = 0; i < 10; i++)
        sample_jump(3);
    sample_nest(1);
    recorded_end(&result);
    ck_assert_uint_eq(recorded_calls(&result, "sample_jump"), 10);
    ck_assert_uint_eq(recorded_calls(&result, "sample_nest/outer_helper/inner_helper"), 2);
    ck_assert_uint_eq(recorded_wrong_uses(&result), 0);
    recorded_free(&result);
}

static uint64_t dropped_calls(const struct recorded *result)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < result->profile.track_count; i++)
        sum += result->profile.tracks[i].dropped_calls;
    return sum;
}

enum { JUMPS = 10000 };

/* Jumping in a loop leads no deeper. */
PE_TEST(longjmp_in_a_loop)
{
    struct recorded result;

    recorded_begin();
    sample_jump(JUMPS);
    recorded_end(&result);
    ck_assert_uint_eq(recorded_calls(&result, "sample_jump"), 1);
    ck_assert_uint_eq(recorded_calls(&result, "sample_jump/calls_one_that_jumps"), JUMPS);
    ck_assert_uint_eq(recorded_calls(&result, "sample_jump/calls_one_that_jumps/jumps"), JUMPS);
    ck_assert_uint_eq(recorded_all_calls(&result, "inner_helper"), 1);
    ck_assert_uint_eq(result.tree.count, 4);
    ck_assert_uint_eq(dropped_calls(&result), 0);
    ck_assert_uint_eq(recorded_wrong_uses(&result), 0);
    recorded_free(&result);
}

/* Nor does what jumped count as what calls the next one, which has the same frame. */
PE_TEST(longjmp_out_of_one_and_another)
{
    struct recorded result;

    recorded_begin();
    sample_jump_by_turns(JUMPS);
    recorded_end(&result);
    ck_assert_uint_eq(recorded_calls(&result, "sample_jump_by_turns/calls_one_that_jumps"), JUMPS / 2);
    ck_assert_uint_eq(recorded_calls(&result, "sample_jump_by_turns/calls_one_that_jumps/jumps"), JUMPS / 2);
    ck_assert_uint_eq(recorded_calls(&result, "sample_jump_by_turns/jumps_at_once"), JUMPS / 2);
    ck_assert_uint_eq(recorded_all_calls(&result, "inner_helper"), 1);
    ck_assert_uint_eq(result.tree.count, 5);
    ck_assert_uint_eq(recorded_wrong_uses(&result), 0);
    recorded_free(&result);
}

static void jump_from_the_depth(void)
{
    sample_jump_from(300, 20);
}

typedef int sample(int);

/* As one that is called by the one before. */
static void enter_at(sample *function, int depth)
{
    uintptr_t frame = 0x10000000 - (uintptr_t)depth * 64, place = (uintptr_t)function + 1;

    pe_region_enter_function((const void *)function, NULL, (const void *)frame, (const void *)place);
}

/* Of those without a place an outer one ends, as when longjmp has left the inner ones. Regions by hand do count. */
PE_TEST_LOOP(functions_too_deep_end_with_one_around_them, 0, 2)
{
    struct recorded result;

    recorded_begin();
    for (int depth = 0; depth < PE__REGION_DEPTH_MOST + 1; depth++)
        enter_at(sample_nest, depth);
    enter_at(sample_jump, PE__REGION_DEPTH_MOST + 1);
    if (_i == 1)
        pe_region_enter("by hand");
    enter_at(sample_inline, PE__REGION_DEPTH_MOST + 2);
    enter_at(sample_jump_by_turns, PE__REGION_DEPTH_MOST + 3);
    pe_region_leave_function((const void *)sample_jump);
    for (int depth = 0; depth < PE__REGION_DEPTH_MOST + 1; depth++)
        pe_region_leave_function((const void *)sample_nest);
    recorded_end(&result);
    ck_assert_uint_eq(recorded_calls(&result, "sample_nest"), 1);
    ck_assert_uint_gt(dropped_calls(&result), 4);
    ck_assert_uint_eq(recorded_wrong_uses(&result), (unsigned)_i);
    recorded_free(&result);
}
END_TEST

/* Deeper than paths are kept, on both kinds of stacks. */
static void *run_function(void *function)
{
    (*(void (**)(void))function)();
    return NULL;
}

PE_TEST_LOOP(longjmp_from_the_depth, 0, 2)
{
    struct recorded result;
    pthread_t thread;
    void (*function)(void) = jump_from_the_depth;

    recorded_begin();
    if (_i == 0) {
        jump_from_the_depth();
    } else {
        ck_assert_int_eq(pthread_create(&thread, NULL, run_function, &function), 0);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
    }
    recorded_end(&result);
    ck_assert_uint_eq(recorded_calls(&result, "sample_jump_from/sample_recurse"), 20);
    ck_assert_uint_eq(recorded_calls(&result, "sample_jump_from/inner_helper"), 20);
    ck_assert_uint_gt(dropped_calls(&result), 20 * 150);
    ck_assert_uint_eq(recorded_wrong_uses(&result), 0);
    recorded_free(&result);
}

PE_TEST(inlined_functions)
{
    struct recorded result;

    recorded_begin();
    sample_inline(2);
    sample_inline(2);
    recorded_end(&result);
    ck_assert_uint_eq(recorded_calls(&result, "sample_inline/take_many"), 4);
    ck_assert_uint_eq(recorded_calls(&result, "sample_inline/inlined_outer"), 2);
    ck_assert_uint_eq(recorded_calls(&result, "sample_inline/inlined_outer/outer_helper/inner_helper"), 8);
    ck_assert_uint_eq(recorded_calls(&result, "sample_inline/inlined_outer/inlined_inner"), 4);
    ck_assert_uint_eq(recorded_calls(&result, "sample_inline/inlined_outer/inlined_inner/inner_helper"), 10);
    ck_assert_uint_eq(recorded_calls(&result, "sample_inline/inlined_inner/inner_helper"), 4);
    ck_assert_uint_eq(result.tree.count, 9);
    ck_assert_uint_eq(recorded_wrong_uses(&result), 0);
    recorded_free(&result);
}

PE_TEST(sampled_functions)
{
    struct recorded result;
    pe_region_options options = PE_REGION_OPTIONS_INIT;

    options.clock = PE_CLOCK_SAMPLED;
    ck_assert_int_eq(pe_region_setup(&options), 0);
    int64_t start_ns = pe__base_now_ns();
    recorded_begin();
    for (int i = 0; i < 1000; i++)
        sample_nest(3);
    sample_jump(1000);
    recorded_end(&result);
    int64_t took_ns = pe__base_now_ns() - start_ns;
    ck_assert_uint_eq(recorded_calls(&result, "sample_nest/outer_helper/inner_helper"), 6000);
    ck_assert_uint_eq(recorded_calls(&result, "sample_jump/calls_one_that_jumps/jumps"), 1000);
    for (uint32_t i = 0; i < result.tree.count; i++)
        ck_assert_int_le(result.tree.rows[i].most_ns, took_ns);
    recorded_free(&result);
}

PE_TEST(with_regions_by_hand)
{
    struct recorded result;

    recorded_begin();
    sample_region();
    recorded_end(&result);
    ck_assert_uint_eq(recorded_calls(&result, "sample_region/by hand/inner_helper"), 1);
    ck_assert_uint_eq(recorded_calls(&result, "sample_region/inner_helper"), 1);
    ck_assert_uint_eq(recorded_wrong_uses(&result), 0);
    recorded_free(&result);
}

PE_TEST(many_functions)
{
    struct recorded result;

    recorded_begin();
    for (int i = 0; i < 3; i++)
        sample_call_many();
    recorded_end(&result);
    ck_assert_uint_eq(result.tree.count, SAMPLE_MANY + 1);
    for (uint32_t i = 0; i < result.tree.count; i++)
        ck_assert_uint_eq(result.tree.rows[i].calls, 3);
    recorded_free(&result);
}

/* More than there is room for: of a table, and of functions at all. */
PE_TEST(too_many_functions)
{
    struct recorded result;
    pe_region_options options = PE_REGION_OPTIONS_INIT;

    options.names = 100;
    ck_assert_int_eq(pe_region_setup(&options), 0);
    recorded_begin();
    sample_call_many();
    sample_call_many();
    recorded_end(&result);
    ck_assert_uint_gt(result.tree.count, 90);
    ck_assert_uint_le(result.tree.count, 100);
    ck_assert_uint_eq(recorded_calls(&result, "sample_call_many"), 2);
    ck_assert_uint_eq(recorded_wrong_uses(&result), 0);
    recorded_free(&result);
}

PE_TEST(more_functions_than_any_program_has)
{
    struct pe__function *last = NULL;

    for (uintptr_t i = 1; i <= PE__FUNCTIONS_MOST; i++)
        ck_assert_ptr_nonnull(pe__function_at(i * 16));
    for (uintptr_t i = 1; i <= PE__FUNCTIONS_MOST; i++)
        ck_assert_uint_eq(pe__function_at(i * 16)->address, i * 16);
    ck_assert_str_eq(pe__function_at(16)->site.name, "0x10");
    for (uintptr_t i = PE__FUNCTIONS_MOST + 1; i < PE__FUNCTIONS_MOST + 10; i++) {
        ck_assert(last == NULL || pe__function_at(i * 16) == last);
        last = pe__function_at(i * 16);
        ck_assert_str_eq(last->site.name, "(other functions)");
    }
}

/* ---- which functions ---- */

PE_TEST(excluded_functions_belong_to_their_caller)
{
    struct recorded result;

    pe__function_filter("nothing,outer_*", NULL);
    recorded_begin();
    sample_nest(3);
    recorded_end(&result);
    ck_assert_uint_eq(recorded_calls(&result, "sample_nest"), 1);
    ck_assert_uint_eq(recorded_calls(&result, "sample_nest/inner_helper"), 6);
    ck_assert_uint_eq(result.tree.count, 2);
    ck_assert_uint_eq(recorded_wrong_uses(&result), 0);
    recorded_free(&result);
}

PE_TEST(only_some_functions)
{
    struct recorded result;

    pe__function_filter("sample_[a-m]*", "inner_helper,sample_*");
    recorded_begin();
    sample_nest(3);
    sample_jump(0);
    sample_call(nest_once);
    recorded_end(&result);
    ck_assert_uint_eq(recorded_calls(&result, "sample_nest"), 2);
    ck_assert_uint_eq(recorded_calls(&result, "sample_nest/inner_helper"), 8);
    ck_assert_uint_eq(recorded_calls(&result, "inner_helper"), 1);
    ck_assert_uint_eq(result.tree.count, 3);
    ck_assert_uint_eq(recorded_wrong_uses(&result), 0);
    recorded_free(&result);
}

PE_TEST(patterns_of_all_kinds)
{
    char longs[10000];

    pe__function_filter(",,a,,b?,", "");
    ck_assert(!pe__function_is_wanted("a"));
    ck_assert(!pe__function_is_wanted("bc"));
    ck_assert(pe__function_is_wanted("b"));
    ck_assert(pe__function_is_wanted(""));
    memset(longs, 'x', sizeof longs);
    memcpy(longs, "first,", 6);
    strcpy(longs + sizeof longs - 6, ",last");
    pe__function_filter(NULL, longs);
    ck_assert(pe__function_is_wanted("first"));
    ck_assert(pe__function_is_wanted("last"));
    ck_assert(!pe__function_is_wanted("middle"));
    pe__function_filter(NULL, NULL);
    ck_assert(pe__function_is_wanted("middle"));
}

HARNESS_MAIN("functions")
