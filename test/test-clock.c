/* The clock, deadlines, and the ticks that stand for it. */
#include <time.h>

#include <parexec/error.h>
#include <parexec/options.h>

#include "base/clock.h"
#include "base/cpu_relax.h"
#include "harness/harness.h"

PE_TEST(clock_now_is_the_monotonic_clock_and_never_goes_back)
{
    struct timespec direct;
    int64_t before = pe_now(), direct_ns, after;

    clock_gettime(CLOCK_MONOTONIC, &direct);
    after = pe_now();
    direct_ns = PE_SECONDS(direct.tv_sec) + direct.tv_nsec;
    ck_assert_int_ge(direct_ns, before);
    ck_assert_int_ge(after, direct_ns);
    for (int i = 0; i < 100000; i++) {
        int64_t now = pe_now();

        ck_assert(now >= after);
        after = now;
    }
}
END_TEST

PE_TEST(clock_after_saturates_and_takes_negative_durations_as_now)
{
    int64_t before = pe_now(), deadline = pe_after(PE_SECONDS(1)), after = pe_now();

    ck_assert_int_ge(deadline, before + PE_SECONDS(1));
    ck_assert_int_le(deadline, after + PE_SECONDS(1));
    ck_assert_int_eq(pe_after(PE_FOREVER), PE_FOREVER);
    ck_assert_int_eq(pe_after(PE_FOREVER - 1), PE_FOREVER);
    deadline = pe_after(INT64_MIN);
    ck_assert(deadline >= after && deadline <= pe_now());
    deadline = pe_after(0);
    ck_assert(deadline >= after && deadline <= pe_now());
}
END_TEST

PE_TEST(deadline_check_knows_durations_passed_by_mistake)
{
    ck_assert_int_eq(pe__base_deadline_check(0), 0);
    ck_assert_int_eq(pe__base_deadline_check(PE_FOREVER), 0);
    ck_assert_int_eq(pe__base_deadline_check(pe_now()), 0);
    ck_assert_int_eq(pe__base_deadline_check(pe_after(PE_SECONDS(5))), 0);
    ck_assert_int_eq(pe__base_deadline_check(-1), PE_EINVAL);
    ck_assert_int_eq(pe__base_deadline_check(INT64_MIN), PE_EINVAL);
    ck_assert_int_eq(pe__base_deadline_check(1), PE_EINVAL);
    ck_assert_int_eq(pe__base_deadline_check(PE_MS(1)), PE_EINVAL);
}
END_TEST

PE_TEST(deadline_passed_and_left)
{
    struct timespec left = { 7, 7 };

    ck_assert(pe__base_deadline_passed(0));
    ck_assert(pe__base_deadline_passed(pe_now()));
    ck_assert(!pe__base_deadline_passed(PE_FOREVER));
    ck_assert(!pe__base_deadline_passed(pe_after(PE_SECONDS(1000))));

    ck_assert(!pe__base_deadline_left(PE_FOREVER, &left));
    ck_assert(left.tv_sec == 7 && left.tv_nsec == 7);
    ck_assert(pe__base_deadline_left(0, &left));
    ck_assert(left.tv_sec == 0 && left.tv_nsec == 0);
    left.tv_sec = 7;
    ck_assert(pe__base_deadline_left(pe_now() - 1, &left));
    ck_assert(left.tv_sec == 0 && left.tv_nsec == 0);
    ck_assert(pe__base_deadline_left(pe_after(PE_SECONDS(1000)), &left));
    ck_assert(left.tv_sec >= 900 && left.tv_sec <= 1000);
    ck_assert(left.tv_nsec >= 0 && left.tv_nsec < 1000000000);
}
END_TEST

/* Both clocks read around each other bound the truth; the bound has a thousandth of slack for the rate. */
static void compare_ticks(int64_t span_ns)
{
    int64_t outer_start = pe__base_now_ns();
    uint64_t start = pe__base_ticks();
    int64_t inner_start = pe__base_now_ns(), inner_end, outer_end, measured;
    uint64_t end;

    do {
        pe__base_cpu_relax();
        inner_end = pe__base_now_ns();
    } while (inner_end - inner_start < span_ns);
    end = pe__base_ticks();
    outer_end = pe__base_now_ns();
    measured = pe__base_ticks_to_ns(end - start);
    ck_assert_int_ge(measured, (inner_end - inner_start) - span_ns / 1000 - 100);
    ck_assert_int_le(measured, (outer_end - outer_start) + span_ns / 1000 + 100);
}

PE_TEST(ticks_agree_with_the_clock)
{
    compare_ticks(PE_US(100));
    compare_ticks(PE_MS(20));
    compare_ticks(PE_MS(20));
}
END_TEST

PE_TEST(ticks_absurd_differences_give_0)
{
    ck_assert_int_eq(pe__base_ticks_to_ns(0), 0);
    ck_assert_int_eq(pe__base_ticks_to_ns(UINT64_MAX), 0);
    ck_assert_int_eq(pe__base_ticks_to_ns((uint64_t)-1000), 0);
    ck_assert_int_eq(pe__base_ticks_to_ns(UINT64_C(1) << 63), 0);
}
END_TEST

PE_TEST(ticks_fall_back_to_the_clock_when_the_counter_is_not_usable)
{
    int usable = pe__base_clock_tsc;
    int64_t before, ticks, after;

    pe__base_clock_tsc = 0;
    before = pe_now();
    ticks = (int64_t)pe__base_ticks();
    after = pe_now();
    ck_assert(before <= ticks && ticks <= after);
    ck_assert_int_eq(pe__base_ticks_to_ns(12345), 12345);
    ck_assert_int_eq(pe__base_ticks_to_ns(UINT64_MAX), 0);
    pe__base_clock_tsc = usable;
    pe__base_clock_init();
    ck_assert_int_eq(pe__base_clock_tsc, usable);
}
END_TEST

HARNESS_MAIN("clock")
