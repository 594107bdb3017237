/* Arguments and replies: any size, none, too much of it, written in pieces, kept beyond the pool, and not wanted any
 * more. */

#include "harness/harness.h"

#include <parexec.h>
#include <stdlib.h>

#include "harness/gate.h"
#include "harness/pool.h"
#include "harness/process.h"

PE_TEST_SLOW(h01_echo_of_all_sizes_up_to_300_mib, 60)
{
    static const size_t sizes[] = { 0, 1, 65535, 65536, 65537, HARNESS_MIB(300), 65537, 65536, 1, 0 };
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    pe_pool *pool = pool_of(4);
    unsigned char *bytes[COUNT];
    pe_job *jobs[COUNT], *silent = pool_submit(pool, job_nothing, NULL, 0);
    const void *data;

    for (size_t i = 0; i < COUNT; i++) {
        bytes[i] = pattern(sizes[i], i);
        jobs[i] = pool_submit(pool, job_echo, bytes[i], sizes[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        job_assert_reply(jobs[i], bytes[i], sizes[i]);
        free(bytes[i]);
    }
    job_assert_ended(silent, PE_RETURNED, 0);
    ck_assert_int_eq(pe_job_result(silent, &data, NULL), PE_ENODATA);
    pe_job_free(silent);
    pool_end(pool);
}

PE_TEST(echo_every_size_around_the_borders)
{
    pe_pool *pool = pool_of(2);
    size_t most = ((size_t)4 << 20) + 1;
    unsigned char *bytes = pattern(most, 7);

    for (size_t size = 0; size <= 200; size++)
        job_assert_reply(pool_submit(pool, job_echo, bytes, size), bytes, size);
    for (size_t power = 256; power <= most; power *= 2)
        for (size_t size = power - 1; size <= power + 1; size++)
            job_assert_reply(pool_submit(pool, job_echo, bytes, size), bytes, size);
    free(bytes);
    ck_assert_uint_eq(pool_stats(pool).shared_bytes_used, 0);
    pool_end(pool);
}

#define GROWN_BYTES 3000001

static int write_in_small_pieces(const void *arg, size_t bytes, pe_reply *reply)
{
    const unsigned char *from;
    int error = 0;

    (void)bytes;
    memcpy(&from, arg, sizeof from);
    for (size_t at = 0, piece; at < GROWN_BYTES && error == 0; at += piece) {
        piece = at % 13 + 1;
        if (piece > GROWN_BYTES - at)
            piece = GROWN_BYTES - at;
        if (at % 2 == 0) {
            error = pe_reply_write(reply, from + at, piece);
        } else {
            void *place = pe_reply_reserve(reply, piece);

            if (place == NULL)
                return 1;
            memcpy(place, from + at, piece);
        }
    }
    return error;
}

PE_TEST(reply_grows_while_it_is_written)
{
    pe_pool *pool = pool_of(1);
    unsigned char *from = pool_shared(pool, GROWN_BYTES);

    for (size_t at = 0; at < GROWN_BYTES; at++)
        from[at] = (unsigned char)(at * 31 + at / 251);
    for (int round = 0; round < 3; round++)
        job_assert_reply(pool_submit(pool, write_in_small_pieces, &from, sizeof from), from, GROWN_BYTES);
    pe_pool_dealloc(pool, from);
    pool_end(pool);
}

/* arg: how a reply of no bytes is made. */
static int reply_no_bytes(const void *arg, size_t bytes, pe_reply *reply)
{
    char how;

    (void)bytes;
    memcpy(&how, arg, 1);
    if (how == 'w')
        return pe_reply_write(reply, NULL, 0);
    return pe_reply_reserve(reply, 0) != NULL ? 0 : 1;
}

PE_TEST(reply_of_no_bytes_is_not_no_reply)
{
    pe_pool *pool = pool_of(1);
    pe_job *jobs[3] = { pool_submit(pool, reply_no_bytes, "w", 1), pool_submit(pool, reply_no_bytes, "r", 1),
                        pool_submit(pool, job_nothing, NULL, 0) };
    const void *data = NULL;
    size_t bytes = 99;

    job_assert_reply(jobs[0], "", 0);
    job_assert_reply(jobs[1], "", 0);
    job_assert_ended(jobs[2], PE_RETURNED, 0);
    ck_assert_int_eq(pe_job_result(jobs[2], &data, &bytes), PE_ENODATA);
    ck_assert_ptr_null(data);
    ck_assert_uint_eq(bytes, 99);
    pe_job_free(jobs[2]);
    pool_end(pool);
}

static int fail_with_reply(const void *arg, size_t bytes, pe_reply *reply)
{
    pe_reply_write(reply, arg, bytes);
    return 5;
}

PE_TEST(reply_of_a_job_that_returns_a_code)
{
    pe_pool *pool = pool_of(1);
    pe_job *job = pool_submit(pool, fail_with_reply, "why", 4);
    const void *data = NULL;
    size_t bytes = 0;

    job_assert_ended(job, PE_RETURNED, 5);
    ck_assert_int_eq(pe_job_result(job, &data, &bytes), 0);
    ck_assert_uint_eq(bytes, 4);
    ck_assert_str_eq(data, "why");
    pe_job_free(job);
    pool_end(pool);
}

static int ask_too_much(const void *arg, size_t bytes, pe_reply *reply)
{
    size_t much;

    memcpy(&much, arg, sizeof much);
    if (pe_reply_write(reply, "x", 1) != 0 || pe_reply_reserve(reply, much) != NULL)
        return 1;
    return pe_reply_write(reply, arg, bytes) == PE_ENOMEM ? 0 : 2; /* the first failure sticks */
}

PE_TEST(reply_larger_than_memory)
{
    pe_pool *pool = pool_of(1);
    size_t sizes[] = { SIZE_MAX - 1, SIZE_MAX / 2, HARNESS_HUGE(62) };
    const void *data;

    for (int i = 0; i < 3; i++) {
        pe_job *job = pool_submit(pool, ask_too_much, &sizes[i], sizeof sizes[i]);

        job_assert_ended(job, PE_RETURNED, PE_ENOMEM);
        ck_assert_int_eq(pe_job_result(job, &data, NULL), PE_ENODATA);
        pe_job_free(job);
    }
    job_assert_reply(pool_submit(pool, job_echo, "abc", 3), "abc", 3);
    ck_assert_uint_eq(pool_stats(pool).restarts, 0);
    pool_end(pool);
}

PE_TEST_LOOP(results_outlive_the_pool, 0, 3)
{
    static const size_t sizes[] = { 10, 100000, 1000000 }; /* in the handle, copied, in a shared block */
    pe_pool *pool = pool_of(1);
    size_t size = sizes[_i];
    unsigned char *bytes = pattern(size, 3);
    pe_job *job = pool_submit(pool, job_echo, bytes, size);
    pe_status status;

    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    pe_pool_free(pool);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_eq(pe_job_cancel(job), PE_EALREADY);
    job_assert_reply(job, bytes, size);
    free(bytes);
}

PE_TEST(arguments_are_copied_at_submit)
{
    pe_pool *pool = pool_of(1);
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_job *first = gate_submit(pool, gate_pass, gate), *small, *large;
    char text[16] = "given at submit";
    unsigned char *bytes = pattern(100000, 1), *wanted = pattern(100000, 1);

    small = pool_submit(pool, job_echo, text, sizeof text);
    large = pool_submit(pool, job_echo, bytes, 100000);
    memset(text, 'x', sizeof text);
    memset(bytes, 'x', 100000);
    word_set(&gate->open, 1);
    job_assert_reply(small, "given at submit", sizeof text);
    job_assert_reply(large, wanted, 100000);
    pe_job_free(first);
    free(bytes);
    free(wanted);
    pool_end(pool);
}

#define LARGE ((size_t)(sizeof(size_t) > 4 ? 100 : 4) << 20)

static int replies_much(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    unsigned char *place = pe_reply_reserve(reply, LARGE);
    if (place == NULL)
        return 1;
    memset(place, 5, LARGE);
    return 0;
}

PE_TEST(d07_large_replies_are_cancelled)
{
    int64_t before = process_resident_bytes();
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2 });
    pe_job *jobs[10];
    const void *data = NULL;
    size_t bytes = 0, first = 0;

    for (int i = 0; i < 10; i++)
        jobs[i] = pool_submit(pool, replies_much, NULL, 0);
    ck_assert_int_eq(pe_job_wait_any(jobs, 10, pe_after(PE_SECONDS(25)), &first), 0);
    for (int i = 0; i < 10; i++) {
        int result = pe_job_cancel(jobs[i]);
        ck_assert(result == 0 || result == PE_EALREADY);
    }
    ck_assert_int_eq(pe_job_result(jobs[first], &data, &bytes), 0);
    ck_assert_uint_eq(bytes, LARGE);
    ck_assert_uint_eq(((const unsigned char *)data)[LARGE - 1], 5);
    for (int i = 0; i < 10; i++) {
        uint32_t kind = job_finish(jobs[i]).kind;
        ck_assert(kind == PE_CANCELLED || kind == PE_RETURNED);
    }
    pool_assert_usable(pool);
    ck_assert_int_eq(pe_pool_kill(pool, 0), 0);
    pe_pool_free(pool);
    ck_assert_int_lt(process_resident_bytes() - before, (int64_t)LARGE / 2);
}

HARNESS_MAIN("replies")
