/*
 * Loops for which there is no memory or no descriptor: at whatever place that is found out, the call says so, nothing
 * is left behind, and the next one works.
 */
#include "harness/harness.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <uv.h>

#include <parexec.h>

#include "harness/async.h"

static int return_nine(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_TRY(t, pe_sleep(t, PE_US(10)));
    PE_RETURN(t, 9);
    PE_END(t);
}

static void assert_works(void)
{
    int value = 0;

    MUST(pe_run(return_nine, NULL, &value), 0);
    MUST(value, 9);
}

/* ---- descriptors ---- */

static rlim_t lowest_free_descriptor(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    close(fd);
    return (rlim_t)fd;
}

/* So many more descriptors may be opened. */
static struct rlimit allow_descriptors(rlim_t more)
{
    struct rlimit before, limit;

    MUST(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = lowest_free_descriptor() + more;
    MUST(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return before;
}

PE_TEST(too_few_descriptors_at_each_place)
{
    int failed = 0, result = PE_EMFILE;

    assert_works();
    for (rlim_t more = 0; result != 0; more++) {
        pe_loop *loop = NULL;
        int value = 7;
        struct rlimit before = allow_descriptors(more);

        result = pe_loop_new(NULL, &loop);
        int run_result = pe_run(return_nine, NULL, &value);
        setrlimit(RLIMIT_NOFILE, &before);
        ck_assert((result == 0) == (loop != NULL));
        if (result < 0) {
            MUST(result, PE_EMFILE);
            MUST(run_result, PE_EMFILE);
            MUST(value, 7);
            failed++;
        }
        pe_loop_free(loop);
        assert_works();
    }
    ck_assert_int_ge(failed, 3);
}

/* The host's loop keeps what it has, and may be closed. */
PE_TEST(too_few_descriptors_for_an_attached_loop)
{
    uv_loop_t uv;
    int result = PE_EMFILE;

    for (rlim_t more = 0; result != 0; more++) {
        pe_loop *loop = NULL;

        MUST(uv_loop_init(&uv), 0);
        struct rlimit before = allow_descriptors(more);
        result = pe_loop_new(&uv, &loop);
        setrlimit(RLIMIT_NOFILE, &before);
        if (result < 0)
            MUST(result, PE_EMFILE);
        else
            MUST(pe_loop_close(loop, NULL), 0);
        pe_loop_free(loop);
        MUST(uv_loop_close(&uv), 0);
    }
}

/* ---- memory ---- */

PE_TEST(no_memory_of_the_library)
{
    uint64_t calls = 1;

    for (uint64_t nth = 1; nth <= calls; nth++) {
        pe_loop *loop = NULL;

        harness_fail_nth(HARNESS_MALLOC, nth, ENOMEM);
        int result = pe_loop_new(NULL, &loop);
        uint64_t seen = harness_fail_count(HARNESS_MALLOC);
        harness_fail_reset();
        if (seen >= nth)
            MUST(result, PE_ENOMEM);
        else
            MUST(result, 0);
        calls = seen > calls ? seen : calls;
        pe_loop_free(loop);
        assert_works();
    }
}

PE_TEST(no_memory_for_the_task_of_run)
{
    int value = 7, failed = 0;

    for (uint64_t nth = 1;; nth++) {
        harness_fail_nth(HARNESS_MALLOC, nth, ENOMEM);
        int result = pe_run(return_nine, NULL, &value);
        uint64_t seen = harness_fail_count(HARNESS_MALLOC);
        harness_fail_reset();
        if (seen < nth) {
            MUST(result, 0);
            break;
        }
        if (result == PE_ENOMEM)
            MUST(value, 7);
        failed += result == PE_ENOMEM;
        value = 7;
    }
    ck_assert_int_ge(failed, 2);
}

/* libuv's own memory, which it asks for by functions that programs may choose. The first of it: for what comes later
 * libuv ends the program by itself before 1.51. */
static int left_to_succeed;

static int fails_now(void)
{
    return left_to_succeed-- <= 0;
}

static void *uv_malloc(size_t bytes)
{
    return fails_now() ? NULL : malloc(bytes);
}

static void *uv_realloc(void *memory, size_t bytes)
{
    return fails_now() ? NULL : realloc(memory, bytes);
}

static void *uv_calloc(size_t count, size_t bytes)
{
    return fails_now() ? NULL : calloc(count, bytes);
}

PE_TEST(no_memory_of_libuv)
{
    pe_loop *loop = NULL;

    MUST(uv_replace_allocator(uv_malloc, uv_realloc, uv_calloc, free), 0);
    left_to_succeed = 0;
    MUST(pe_loop_new(NULL, &loop), PE_ENOMEM);
    left_to_succeed = 1000000;
    ck_assert_ptr_null(loop);
    assert_works();
    MUST(uv_replace_allocator(malloc, realloc, calloc, free), 0);
}

/* ---- what a program opened by itself ---- */

static void open_another(uv_timer_t *timer)
{
    uv_timer_start(timer, open_another, 1, 0);
}

static void work(uv_work_t *request)
{
    (void)request;
}

static uv_timer_t late_timer;

/* Opens one while the loop is closed already. */
static void after_work(uv_work_t *request, int status)
{
    (void)status;
    uv_timer_init(request->loop, &late_timer);
    open_another(&late_timer);
}

PE_TEST(handles_of_the_program_are_closed_with_its_loop)
{
    static uv_timer_t timer;
    static uv_work_t request;
    pe_loop *loop;

    MUST(pe_loop_new(NULL, &loop), 0);
    uv_timer_init(pe_loop_uv(loop), &timer);
    open_another(&timer);
    MUST(uv_queue_work(pe_loop_uv(loop), &request, work, after_work), 0);
    MUST(pe_loop_close(loop, NULL), 0);
    ck_assert_ptr_null(pe_loop_uv(loop));
    ck_assert_int_ne(uv_is_closing((uv_handle_t *)&timer), 0);
    ck_assert_int_ne(uv_is_closing((uv_handle_t *)&late_timer), 0);
    pe_loop_free(loop);
}

HARNESS_MAIN("loop-new")
