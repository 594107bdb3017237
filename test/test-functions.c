/*
 * Functions as regions: what -finstrument-functions calls, in all the ways in which functions begin and end. The
 * functions are those of functions-sample.c; nothing in here is instrumented itself.
 */
#include "harness/harness.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec.h>

#include "base/clock.h"
#include "functions-sample.h"
#include "harness/pool.h"
#include "harness/process.h"
#include "region/function_filter.h"
#include "region/function_names.h"
#include "report/profile.h"

/* ---- what was measured ---- */

struct result {
    struct pe__profile profile;
    struct pe__profile_sums tree;
};

static void result_take(struct result *result)
{
    struct pe__profile_part all = { PE__REGION_NOTHING, PE__REGION_NOTHING };

    ck_assert_int_eq(pe__profile_take(&result->profile), 0);
    ck_assert_int_eq(pe__profile_tree(&result->profile, all, &result->tree), 0);
}

static void result_free(struct result *result)
{
    pe__profile_sums_free(&result->tree);
    pe__profile_free(&result->profile);
}

static const struct pe__profile_sum *find_child(const struct result *result, uint32_t parent, const char *name,
                                                size_t bytes)
{
    for (uint32_t i = 0; i < result->tree.count; i++) {
        const struct pe__profile_sum *row = &result->tree.rows[i];
        const char *its = result->profile.labels[row->label].name;

        if (row->parent == parent && strlen(its) == bytes && memcmp(its, name, bytes) == 0)
            return row;
    }
    return NULL;
}

/* The row of a path, "outer/inner"; NULL: there is none. */
static const struct pe__profile_sum *find(const struct result *result, const char *path)
{
    const struct pe__profile_sum *row = NULL;
    uint32_t parent = PE__REGION_NOTHING;

    for (;;) {
        size_t bytes = strcspn(path, "/");

        row = find_child(result, parent, path, bytes);
        if (row == NULL || path[bytes] == '\0')
            return row;
        parent = (uint32_t)(row - result->tree.rows);
        path += bytes + 1;
    }
}

static uint64_t calls(const struct result *result, const char *path)
{
    const struct pe__profile_sum *row = find(result, path);

    return row != NULL ? row->calls : 0;
}

/* Wrong use, everywhere. */
static uint64_t wrong_uses(const struct result *result)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < result->profile.track_count; i++)
        sum += result->profile.tracks[i].unmatched + result->profile.tracks[i].crossed +
               result->profile.tracks[i].unfinished;
    return sum;
}

static void begin(void)
{
    ck_assert_int_eq(pe_region_enable(1), 0);
}

static void end(struct result *result)
{
    ck_assert_int_eq(pe_region_enable(0), 0);
    result_take(result);
}

/* ---- one thread ---- */

PE_TEST(functions_nest_with_their_names)
{
    struct result result;

    begin();
    sample_nest(3);
    sample_nest(1);
    end(&result);
    ck_assert_uint_eq(calls(&result, "sample_nest"), 2);
    ck_assert_uint_eq(calls(&result, "sample_nest/outer_helper"), 4);
    ck_assert_uint_eq(calls(&result, "sample_nest/outer_helper/inner_helper"), 8);
    const struct pe__profile_sum *row = find(&result, "sample_nest");
    ck_assert_uint_eq(result.profile.labels[row->label].kind, PE__KIND_FUNCTION);
    ck_assert_str_eq(result.profile.labels[row->label].file, "");
    ck_assert_int_gt(row->total_ns, row->own_ns);
    ck_assert_uint_eq(wrong_uses(&result), 0);
    result_free(&result);
}

/* Those that are not timed add nothing to the time. */
PE_TEST(sampled)
{
    pe_region_options options = { PE_SIZED(pe_region_options), .clock = PE_CLOCK_SAMPLED };
    struct result result;
    int64_t start = pe_now();

    ck_assert_int_eq(pe_region_setup(&options), 0);
    begin();
    for (int i = 0; i < 1000; i++)
        sample_nest(1);
    end(&result);
    const struct pe__profile_sum *row = find(&result, "sample_nest");
    ck_assert_uint_eq(calls(&result, "sample_nest"), 1000);
    ck_assert_uint_lt(row->timed, 1000);
    ck_assert_int_le(row->most_ns, pe_now() - start);
    result_free(&result);
}
END_TEST

PE_TEST(off_is_off)
{
    struct result result;

    begin();
    end(&result);
    result_free(&result);
    sample_nest(3);
    result_take(&result);
    ck_assert_uint_eq(result.tree.count, 0);
    ck_assert_ptr_null(atomic_load(&pe__functions)); /* nobody has asked for a name */
    result_free(&result);
}

static void switch_on(void)
{
    begin();
}

static void switch_off(void)
{
    pe_region_enable(0);
}

/* The ends of what had begun before are no wrong use. */
PE_TEST(switched_on_in_the_depth)
{
    struct result result;

    sample_recurse(10, switch_on);
    sample_nest(1);
    end(&result);
    ck_assert_uint_eq(calls(&result, "sample_nest"), 1);
    ck_assert_uint_eq(calls(&result, "sample_recurse"), 0);
    ck_assert_uint_eq(wrong_uses(&result), 0);
    result_free(&result);
}

static void switch_on_and_open(void)
{
    begin();
    pe_region_enter("around");
    sample_nest(1);
}

/* Not even while another region is open. */
PE_TEST(switched_on_in_the_depth_of_a_region_that_stays_open)
{
    struct result result;

    sample_call(switch_on_and_open);
    pe_region_leave("around");
    end(&result);
    ck_assert_uint_eq(calls(&result, "around"), 1);
    ck_assert_uint_eq(calls(&result, "around/sample_nest"), 1);
    ck_assert_uint_eq(wrong_uses(&result), 0);
    result_free(&result);
}

PE_TEST(switched_off_in_the_depth)
{
    struct result result;

    begin();
    sample_recurse(3, switch_off);
    begin();
    sample_nest(1);
    end(&result);
    ck_assert_uint_eq(calls(&result, "sample_recurse/sample_recurse/sample_recurse/sample_recurse"), 1);
    ck_assert_uint_eq(calls(&result, "sample_nest/outer_helper"), 1);
    ck_assert_uint_eq(find(&result, "sample_recurse")->unfinished, 0);
    ck_assert_uint_eq(wrong_uses(&result), 0);
    result_free(&result);
}

static void nest_once(void)
{
    sample_nest(1);
}

PE_TEST(recursion)
{
    struct result result;
    struct pe__profile_sums flat;
    struct pe__profile_part all = { PE__REGION_NOTHING, PE__REGION_NOTHING };

    begin();
    sample_recurse(19, nest_once);
    end(&result);
    ck_assert_int_eq(pe__profile_flat(&result.profile, all, &flat), 0);
    for (uint32_t i = 0; i < flat.count; i++) {
        if (strcmp(result.profile.labels[flat.rows[i].label].name, "sample_recurse") != 0)
            continue;
        ck_assert_uint_eq(flat.rows[i].calls, 20);
        ck_assert_uint_eq(flat.rows[i].first_calls, 1);
    }
    pe__profile_sums_free(&flat);
    ck_assert_uint_eq(wrong_uses(&result), 0);
    result_free(&result);
}

/* What finds no place is counted, and what follows is right. */
PE_TEST(recursion_of_a_hundred_thousand)
{
    enum { DEEP = 100000 };
    struct result result;
    uint64_t dropped = 0, counted = 0;

    begin();
    ck_assert_int_eq(sample_recurse(DEEP, nest_once), DEEP);
    sample_nest(5);
    end(&result);
    ck_assert_uint_eq(calls(&result, "sample_nest/outer_helper"), 5);
    for (uint32_t i = 0; i < result.profile.track_count; i++)
        dropped += result.profile.tracks[i].dropped_calls;
    for (uint32_t i = 0; i < result.tree.count; i++)
        counted += result.tree.rows[i].calls;
    /* In the depth: the recursion and nest, outer, twice inner; later 1 + 5 + 10. */
    ck_assert_uint_eq(dropped + counted, DEEP + 1 + 4 + 16);
    ck_assert_uint_eq(wrong_uses(&result), 0);
    result_free(&result);
}

PE_TEST(longjmp_out_of_functions)
{
    struct result result;

    begin();
    for (int i = 0; i < 10; i++)
        sample_jump(3);
    sample_nest(1);
    end(&result);
    ck_assert_uint_eq(calls(&result, "sample_jump"), 10);
    ck_assert_uint_eq(calls(&result, "sample_nest/outer_helper/inner_helper"), 2);
    ck_assert_uint_eq(wrong_uses(&result), 0);
    result_free(&result);
}

/* Wherever it was called. */
static uint64_t all_calls(const struct result *result, const char *name)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < result->tree.count; i++)
        if (strcmp(result->profile.labels[result->tree.rows[i].label].name, name) == 0)
            sum += result->tree.rows[i].calls;
    return sum;
}

static uint64_t dropped_calls(const struct result *result)
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
    struct result result;

    begin();
    sample_jump(JUMPS);
    end(&result);
    ck_assert_uint_eq(calls(&result, "sample_jump"), 1);
    ck_assert_uint_eq(calls(&result, "sample_jump/calls_one_that_jumps"), JUMPS);
    ck_assert_uint_eq(calls(&result, "sample_jump/calls_one_that_jumps/jumps"), JUMPS);
    ck_assert_uint_eq(all_calls(&result, "inner_helper"), 1);
    ck_assert_uint_eq(result.tree.count, 4);
    ck_assert_uint_eq(dropped_calls(&result), 0);
    ck_assert_uint_eq(wrong_uses(&result), 0);
    result_free(&result);
}

/* Nor does what jumped count as what calls the next one, which has the same frame. */
PE_TEST(longjmp_out_of_one_and_another)
{
    struct result result;

    begin();
    sample_jump_by_turns(JUMPS);
    end(&result);
    ck_assert_uint_eq(calls(&result, "sample_jump_by_turns/calls_one_that_jumps"), JUMPS / 2);
    ck_assert_uint_eq(calls(&result, "sample_jump_by_turns/calls_one_that_jumps/jumps"), JUMPS / 2);
    ck_assert_uint_eq(calls(&result, "sample_jump_by_turns/jumps_at_once"), JUMPS / 2);
    ck_assert_uint_eq(all_calls(&result, "inner_helper"), 1);
    ck_assert_uint_eq(result.tree.count, 5);
    ck_assert_uint_eq(wrong_uses(&result), 0);
    result_free(&result);
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
    struct result result;

    begin();
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
    end(&result);
    ck_assert_uint_eq(calls(&result, "sample_nest"), 1);
    ck_assert_uint_gt(dropped_calls(&result), 4);
    ck_assert_uint_eq(wrong_uses(&result), (unsigned)_i);
    result_free(&result);
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
    struct result result;
    pthread_t thread;
    void (*function)(void) = jump_from_the_depth;

    begin();
    if (_i == 0) {
        jump_from_the_depth();
    } else {
        ck_assert_int_eq(pthread_create(&thread, NULL, run_function, &function), 0);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
    }
    end(&result);
    ck_assert_uint_eq(calls(&result, "sample_jump_from/sample_recurse"), 20);
    ck_assert_uint_eq(calls(&result, "sample_jump_from/inner_helper"), 20);
    ck_assert_uint_gt(dropped_calls(&result), 20 * 150);
    ck_assert_uint_eq(wrong_uses(&result), 0);
    result_free(&result);
}

PE_TEST(inlined_functions)
{
    struct result result;

    begin();
    sample_inline(2);
    sample_inline(2);
    end(&result);
    ck_assert_uint_eq(calls(&result, "sample_inline/take_many"), 4);
    ck_assert_uint_eq(calls(&result, "sample_inline/inlined_outer"), 2);
    ck_assert_uint_eq(calls(&result, "sample_inline/inlined_outer/outer_helper/inner_helper"), 8);
    ck_assert_uint_eq(calls(&result, "sample_inline/inlined_outer/inlined_inner"), 4);
    ck_assert_uint_eq(calls(&result, "sample_inline/inlined_outer/inlined_inner/inner_helper"), 10);
    ck_assert_uint_eq(calls(&result, "sample_inline/inlined_inner/inner_helper"), 4);
    ck_assert_uint_eq(result.tree.count, 9);
    ck_assert_uint_eq(wrong_uses(&result), 0);
    result_free(&result);
}

PE_TEST(sampled_functions)
{
    struct result result;
    pe_region_options options = PE_REGION_OPTIONS_INIT;

    options.clock = PE_CLOCK_SAMPLED;
    ck_assert_int_eq(pe_region_setup(&options), 0);
    int64_t start_ns = pe__base_now_ns();
    begin();
    for (int i = 0; i < 1000; i++)
        sample_nest(3);
    sample_jump(1000);
    end(&result);
    int64_t took_ns = pe__base_now_ns() - start_ns;
    ck_assert_uint_eq(calls(&result, "sample_nest/outer_helper/inner_helper"), 6000);
    ck_assert_uint_eq(calls(&result, "sample_jump/calls_one_that_jumps/jumps"), 1000);
    for (uint32_t i = 0; i < result.tree.count; i++)
        ck_assert_int_le(result.tree.rows[i].most_ns, took_ns);
    result_free(&result);
}

PE_TEST(with_regions_by_hand)
{
    struct result result;

    begin();
    sample_region();
    end(&result);
    ck_assert_uint_eq(calls(&result, "sample_region/by hand/inner_helper"), 1);
    ck_assert_uint_eq(calls(&result, "sample_region/inner_helper"), 1);
    ck_assert_uint_eq(wrong_uses(&result), 0);
    result_free(&result);
}

PE_TEST(many_functions)
{
    struct result result;

    begin();
    for (int i = 0; i < 3; i++)
        sample_call_many();
    end(&result);
    ck_assert_uint_eq(result.tree.count, SAMPLE_MANY + 1);
    for (uint32_t i = 0; i < result.tree.count; i++)
        ck_assert_uint_eq(result.tree.rows[i].calls, 3);
    result_free(&result);
}

/* More than there is room for: of a table, and of functions at all. */
PE_TEST(too_many_functions)
{
    struct result result;
    pe_region_options options = PE_REGION_OPTIONS_INIT;

    options.names = 100;
    ck_assert_int_eq(pe_region_setup(&options), 0);
    begin();
    sample_call_many();
    sample_call_many();
    end(&result);
    ck_assert_uint_gt(result.tree.count, 90);
    ck_assert_uint_le(result.tree.count, 100);
    ck_assert_uint_eq(calls(&result, "sample_call_many"), 2);
    ck_assert_uint_eq(wrong_uses(&result), 0);
    result_free(&result);
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
    struct result result;

    pe__function_filter("nothing,outer_*", NULL);
    begin();
    sample_nest(3);
    end(&result);
    ck_assert_uint_eq(calls(&result, "sample_nest"), 1);
    ck_assert_uint_eq(calls(&result, "sample_nest/inner_helper"), 6);
    ck_assert_uint_eq(result.tree.count, 2);
    ck_assert_uint_eq(wrong_uses(&result), 0);
    result_free(&result);
}

PE_TEST(only_some_functions)
{
    struct result result;

    pe__function_filter("sample_[a-m]*", "inner_helper,sample_*");
    begin();
    sample_nest(3);
    sample_jump(0);
    sample_call(nest_once);
    end(&result);
    ck_assert_uint_eq(calls(&result, "sample_nest"), 2);
    ck_assert_uint_eq(calls(&result, "sample_nest/inner_helper"), 8);
    ck_assert_uint_eq(calls(&result, "inner_helper"), 1);
    ck_assert_uint_eq(result.tree.count, 3);
    ck_assert_uint_eq(wrong_uses(&result), 0);
    result_free(&result);
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

/* ---- more than one thread, process ---- */

enum { THREADS = 4, ROUNDS = 2000 };

static void *call_often(void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS; i++)
        sample_nest(2);
    return NULL;
}

PE_TEST(several_threads)
{
    struct result result;
    pthread_t threads[THREADS];

    begin();
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, call_often, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    end(&result);
    ck_assert_uint_eq(calls(&result, "sample_nest"), THREADS * ROUNDS);
    ck_assert_uint_eq(calls(&result, "sample_nest/outer_helper/inner_helper"), THREADS * ROUNDS * 4);
    ck_assert_uint_eq(wrong_uses(&result), 0);
    result_free(&result);
}

/* In the pool's workers, of whose start this program knows nothing but by their tables. */
PE_TEST(workers)
{
    enum { ITEMS = 16 };
    struct result result;
    uint64_t out[ITEMS];
    pe_pool *pool;

    begin();
    pool = pool_of(2);
    ck_assert_int_eq(pe_pool_map(pool, sample_item, NULL, 0, out, sizeof *out, ITEMS, NULL), 0);
    pool_end(pool);
    end(&result);
    ck_assert_uint_eq(calls(&result, "pe.run/sample_item"), ITEMS);
    ck_assert_uint_eq(calls(&result, "pe.run/sample_item/sample_nest/outer_helper"), 2 * ITEMS);
    ck_assert_uint_eq(calls(&result, "pe.run/sample_item/sample_nest/outer_helper/inner_helper"), 4 * ITEMS);
    ck_assert_uint_eq(wrong_uses(&result), 0);
    result_free(&result);
}

static int item_crashes_inside(const void *in, void *out, const void *context)
{
    (void)in, (void)out, (void)context;
    sample_nest(1);
    sample_call((void (*)(void))abort);
    return 0;
}

PE_TEST(a_worker_crashes_in_a_function)
{
    struct result result;
    pe_pool *pool;

    begin();
    pool = pool_of(1);
    ck_assert_int_eq(pe_pool_map(pool, item_crashes_inside, NULL, 0, NULL, 0, 1, NULL), PE_EITEMS);
    pool_end(pool);
    end(&result);
    ck_assert_uint_eq(calls(&result, "pe.run/sample_nest/outer_helper"), 1);
    ck_assert_uint_eq(find(&result, "pe.run/sample_call")->unfinished, 1);
    result_free(&result);
}

static volatile sig_atomic_t handled;

static void handle(int signal)
{
    (void)signal;
    sample_nest(1);
    handled++;
}

static void raise_one(void)
{
    raise(SIGUSR1);
}

PE_TEST(handlers)
{
    struct sigaction action = { .sa_handler = handle }, before;
    struct result result;

    sigaction(SIGUSR1, &action, &before);
    begin();
    sample_call(raise_one);
    sample_call(raise_one);
    end(&result);
    sigaction(SIGUSR1, &before, NULL);
    ck_assert_int_eq(handled, 2);
    ck_assert_uint_eq(calls(&result, "sample_call/sample_nest/outer_helper"), 2);
    ck_assert_uint_eq(wrong_uses(&result), 0);
    result_free(&result);
}

/* Whose alternate stack lies anywhere. */
PE_TEST_LOOP(handlers_on_another_stack, 0, 2)
{
    enum { STACK_BYTES = 65536 };
    char *heap = malloc(STACK_BYTES), own[STACK_BYTES];
    stack_t stack = { .ss_sp = _i ? own : heap, .ss_size = STACK_BYTES }, stack_before;
    struct sigaction action = { .sa_handler = handle, .sa_flags = SA_ONSTACK }, before;
    struct result result;

    ck_assert_int_eq(sigaltstack(&stack, &stack_before), 0);
    sigaction(SIGUSR1, &action, &before);
    begin();
    sample_call(raise_one);
    sample_nest(1);
    end(&result);
    sigaction(SIGUSR1, &before, NULL);
    sigaltstack(&stack_before, NULL);
    free(heap);
    ck_assert_uint_eq(calls(&result, "sample_call/sample_nest/outer_helper"), 1);
    ck_assert_uint_eq(calls(&result, "sample_nest/outer_helper"), 1);
    ck_assert_uint_eq(wrong_uses(&result), 0);
    result_free(&result);
}

static sigjmp_buf back_out;

static void jump_out(void)
{
    siglongjmp(back_out, 1);
}

static void handle_and_jump(int signal)
{
    (void)signal;
    sample_call(jump_out);
}

/* Out of handlers, whose stack lies anywhere, into functions. */
PE_TEST_LOOP(longjmp_out_of_handlers, 0, 3)
{
    enum { STACK_BYTES = 65536, TIMES = 1000 };
    char *heap = malloc(STACK_BYTES), own[STACK_BYTES];
    stack_t stack = { .ss_sp = _i == 1 ? own : heap, .ss_size = STACK_BYTES }, stack_before;
    struct sigaction action = { .sa_handler = handle_and_jump, .sa_flags = _i < 2 ? SA_ONSTACK : 0 }, before;
    struct result result;

    ck_assert_int_eq(sigaltstack(&stack, &stack_before), 0);
    sigaction(SIGUSR1, &action, &before);
    begin();
    for (volatile int i = 0; i < TIMES; i++)
        if (sigsetjmp(back_out, 1) == 0)
            sample_call(raise_one);
    sample_nest(1);
    end(&result);
    sigaction(SIGUSR1, &before, NULL);
    sigaltstack(&stack_before, NULL);
    free(heap);
    ck_assert_uint_eq(calls(&result, "sample_call"), TIMES);
    ck_assert_uint_eq(calls(&result, "sample_call/sample_call"), TIMES);
    ck_assert_uint_eq(all_calls(&result, "sample_nest"), 1);
    ck_assert_uint_eq(all_calls(&result, "inner_helper"), 2);
    ck_assert_uint_eq(result.tree.count, 5);
    ck_assert_uint_eq(wrong_uses(&result), 0);
    result_free(&result);
}

#ifdef HAVE_UCONTEXT
#include <ucontext.h>

/* What is open on another stack stays open, wherever that lies. */
static ucontext_t main_context, other_context;

static void go_back(void)
{
    swapcontext(&other_context, &main_context);
}

static void begin_there(void)
{
    sample_call(go_back);
    swapcontext(&other_context, &main_context);
}

static void go_there_and_back(void)
{
    swapcontext(&main_context, &other_context);
    sample_nest(1);
    swapcontext(&main_context, &other_context);
}

PE_TEST_LOOP(coroutines, 0, 2)
{
    enum { STACK_BYTES = 65536 };
    char *heap = malloc(STACK_BYTES);
    struct result result;
    pthread_t thread;
    void (*function)(void) = go_there_and_back;

    getcontext(&other_context);
    other_context.uc_stack = (stack_t){ .ss_sp = heap, .ss_size = STACK_BYTES };
    makecontext(&other_context, begin_there, 0);
    begin();
    if (_i == 0) {
        sample_call(go_there_and_back);
    } else {
        ck_assert_int_eq(pthread_create(&thread, NULL, run_function, &function), 0);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
    }
    end(&result);
    free(heap);
    ck_assert_uint_eq(calls(&result, _i == 0 ? "sample_call/sample_call/sample_nest" : "sample_call/sample_nest"), 1);
    ck_assert_uint_eq(wrong_uses(&result), 0);
    result_free(&result);
}
#endif

static void fork_and_look(void)
{
    pid_t pid = fork();
    int status = -1;

    if (pid == 0) {
        struct result result;

        sample_nest(1);
        result_take(&result);
        _exit(calls(&result, "sample_nest/outer_helper") == 1 && calls(&result, "sample_call") == 0 ? 7 : 8);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

PE_TEST(forked_in_a_function)
{
    struct result result;

    begin();
    sample_nest(1);
    sample_call(fork_and_look);
    end(&result);
    ck_assert_uint_eq(calls(&result, "sample_call"), 1);
    ck_assert_uint_eq(calls(&result, "sample_nest/outer_helper"), 1);
    ck_assert_uint_eq(wrong_uses(&result), 0);
    result_free(&result);
}

static void *exit_in_function(void *unused)
{
    (void)unused;
    sample_call((void (*)(void))pthread_exit);
    return NULL;
}

/* A thread that ends in the depth leaves its functions unfinished. */
PE_TEST(a_thread_ends_in_a_function)
{
    struct result result;
    pthread_t thread;

    begin();
    ck_assert_int_eq(pthread_create(&thread, NULL, exit_in_function, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    end(&result);
    ck_assert_uint_eq(find(&result, "sample_call")->unfinished, 1);
    ck_assert_uint_eq(wrong_uses(&result), 0);
    result_free(&result);
}

HARNESS_MAIN("functions")
