/*
 * What a program sees of its regions, from the macros to the sums of a report: scenarios of group J of the list.
 */
#include "harness/harness.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <parexec.h>

#include "report/profile.h"

static struct pe__profile profile;
static struct pe__profile_sums sums;

static void take_sums(void)
{
    const struct pe__profile_part all = { PE__REGION_NOTHING, PE__REGION_NOTHING };

    ck_assert_int_eq(pe__profile_take(&profile), 0);
    ck_assert_int_eq(pe__profile_flat(&profile, all, &sums), 0);
}

static void free_sums(void)
{
    pe__profile_sums_free(&sums);
    pe__profile_free(&profile);
}

/* NULL: there is none. */
static const struct pe__profile_sum *find(const char *name)
{
    for (uint32_t i = 0; i < sums.count; i++)
        if (strcmp(profile.labels[sums.rows[i].label].name, name) == 0)
            return &sums.rows[i];
    return NULL;
}

static const struct pe__profile_sum *get(const char *name)
{
    const struct pe__profile_sum *sum = find(name);

    ck_assert_msg(sum != NULL, "no region %s", name);
    return sum;
}

static void work(int64_t ns)
{
    for (int64_t end = pe_now() + ns; pe_now() < end;)
        ;
}

/* Own times add up to the whole, and the whole is what the clock says. */
PE_TEST(j01_own_time_is_what_is_not_inside_another)
{
    ck_assert_int_eq(pe_region_enable(1), 0);
    int64_t outer_ns = pe_now(), inner_ns;
    PE_REGION("a")
    {
        inner_ns = pe_now();
        work(PE_MS(3));
        for (int i = 0; i < 2; i++)
            PE_REGION("b")
                work(PE_MS(5));
        inner_ns = pe_now() - inner_ns;
    }
    outer_ns = pe_now() - outer_ns;
    take_sums();
    const struct pe__profile_sum *a = get("a"), *b = get("b");
    ck_assert_uint_eq(a->calls, 1);
    ck_assert_uint_eq(b->calls, 2);
    ck_assert_int_eq(a->own_ns, a->total_ns - b->total_ns);
    ck_assert_int_eq(b->own_ns, b->total_ns);
    ck_assert_int_ge(b->total_ns, PE_MS(10) / 100 * 99); /* two clocks */
    ck_assert_int_ge(a->total_ns, inner_ns / 100 * 99);
    ck_assert_int_le(a->total_ns, outer_ns / 100 * 101);
    free_sums();
}

static void descend(int depth)
{
    PE_REGION_SCOPE("descend");
    work(PE_US(50));
    if (depth > 1)
        descend(depth - 1);
}

PE_TEST(j02_recursion_is_counted_once)
{
    ck_assert_int_eq(pe_region_enable(1), 0);
    PE_REGION("around")
        descend(20);
    take_sums();
    const struct pe__profile_sum *around = get("around"), *inside = get("descend");
    ck_assert_uint_eq(inside->calls, 20);
    ck_assert_uint_eq(inside->first_calls, 1);
    ck_assert_int_le(inside->total_ns, around->total_ns);
    ck_assert_int_ge(inside->total_ns, 20 * PE_US(50) / 100 * 99);
    ck_assert_int_eq(inside->own_ns, inside->total_ns);
    ck_assert_uint_eq(around->calls, 1);
    free_sums();
}

struct pairs {
    uint64_t count;
    pthread_barrier_t start;
};

static void *count_pairs(void *context)
{
    struct pairs *pairs = context;

    pthread_barrier_wait(&pairs->start);
    for (uint64_t i = 0; i < pairs->count; i++)
        PE_REGION("pair")
            ;
    return NULL;
}

/* What a pair costs beside seven other threads is measured in bench/regions. */
PE_TEST_SLOW(j04_eight_threads_lose_no_call, 60)
{
    enum { THREADS = 8 };
    struct pairs pairs = { .count = harness_slowness() > 1 ? 50000 : 1000000 };
    pthread_t threads[THREADS];

    ck_assert_int_eq(pe_region_enable(1), 0);
    pthread_barrier_init(&pairs.start, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count_pairs, &pairs), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    take_sums();
    ck_assert_uint_eq(get("pair")->calls, THREADS * pairs.count);
    ck_assert_uint_eq(get("pair")->first_calls, THREADS * pairs.count);
    free_sums();
}

PE_TEST(j06_nothing_is_counted_while_it_is_off)
{
    int evaluated = 0;

    ck_assert_int_eq(pe_region_enable(0), 0);
    for (int i = 0; i < 3; i++)
        PE_REGION("never") {
            PE_COUNT("never either", ++evaluated);
            PE_MARK("nor this");
        }
    take_sums();
    ck_assert(find("never") == NULL && find("never either") == NULL && find("nor this") == NULL);
    ck_assert_int_eq(evaluated, 0);
    free_sums();
    ck_assert_int_eq(pe_region_enable(1), 0);
    PE_REGION("never")
        ;
    take_sums();
    ck_assert_uint_eq(get("never")->calls, 1);
    free_sums();
}

/* Of an object file, by nm: what it wants from the library, one in a line. */
static int count_symbols(const char *object)
{
    char command[512], line[256];
    int count = 0;
    FILE *names;

    snprintf(command, sizeof command, "nm '%s'", object);
    names = popen(command, "re");
    ck_assert_ptr_nonnull(names);
    while (fgets(line, sizeof line, names))
        count += strstr(line, "pe_") != NULL;
    ck_assert_int_eq(pclose(names), 0);
    return count;
}

PE_TEST(j06_compiled_out_it_leaves_no_symbol)
{
    ck_assert_int_gt(count_symbols(REGIONS_IN), 0);
    ck_assert_int_eq(count_symbols(REGIONS_OUT), 0);
}

HARNESS_MAIN("stopwatch")
