/*
 * Queues between tasks.
 */
#include "harness/harness.h"

#include <parexec.h>

#include "harness/async.h"
#include "harness/told.h"

static pe_loop *loop;
static pe_queue *queue;

static void begin(size_t capacity)
{
    MUST(pe_loop_new(NULL, &loop), 0);
    MUST(pe_queue_new(loop, sizeof(int), capacity, &queue), 0);
}

static void end(void)
{
    pe_queue_free(queue);
    pe_loop_free(loop);
}

/* A task that puts, or gets, one item. */
struct one {
    int item;
    int yielded; /* how a yield afterwards ended */
};

static int put_one(pe_task *t, void *frame)
{
    struct one *one = frame;

    PE_BEGIN(t);
    PE_TRY(t, pe_queue_put(t, queue, &one->item));
    PE_YIELD(t);
    one->yielded = t->result;
    PE_END(t);
}

static int get_one(pe_task *t, void *frame)
{
    struct one *one = frame;

    PE_BEGIN(t);
    PE_TRY(t, pe_queue_get(t, queue, &one->item));
    PE_YIELD(t);
    one->yielded = t->result;
    PE_END(t);
}

static pe_task *put(struct one *one, int item)
{
    *one = (struct one){ .item = item };
    pe_task *task = told_start(loop, put_one, one);
    told_settle(loop);
    return task;
}

static pe_task *get(struct one *one)
{
    *one = (struct one){ .item = -1 };
    pe_task *task = told_start(loop, get_one, one);
    told_settle(loop);
    return task;
}

/* One gets it at once. */
static void assert_got(int item)
{
    struct one one;

    async_assert_ended(get(&one), 0);
    MUST(one.item, item);
}

PE_TEST(items_come_in_their_order)
{
    struct one one;

    begin(3);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3; i++)
            async_assert_ended(put(&one, i), 0);
        MUST(pe_queue_count(queue), 3);
        assert_got(0);
        async_assert_ended(put(&one, 3), 0);
        for (int i = 1; i < 4; i++)
            assert_got(i);
        MUST(pe_queue_count(queue), 0);
    }
    end();
}

PE_TEST(who_puts_waits_for_room_and_is_not_overtaken)
{
    struct one ones[4];
    pe_task *tasks[4];
    int item = 9;

    begin(1);
    for (int i = 0; i < 4; i++)
        tasks[i] = put(&ones[i], i);
    MUST(pe_queue_try_put(queue, &item), PE_EAGAIN);
    async_assert_ended(tasks[0], 0);
    MUST(pe_task_has_ended(tasks[1]), 0);
    MUST(pe_task_cancel(tasks[2]), 0);
    MUST(pe_queue_try_get(queue, &item), 0);
    MUST(item, 0);
    MUST(pe_queue_try_put(queue, &item), PE_EAGAIN); /* the room went to the first that waited */
    told_settle(loop);
    async_assert_ended(tasks[1], 0);
    async_assert_ended(tasks[2], PE_ECANCELED);
    MUST(pe_task_has_ended(tasks[3]), 0);
    assert_got(1);
    assert_got(3);
    told_settle(loop);
    async_assert_ended(tasks[3], 0);
    MUST(pe_queue_try_get(queue, &item), PE_EAGAIN);
    end();
}

PE_TEST(who_gets_waits_for_an_item_and_is_not_overtaken)
{
    struct one ones[3], one;
    pe_task *tasks[3];
    int item = 5;

    begin(2);
    for (int i = 0; i < 3; i++)
        tasks[i] = get(&ones[i]);
    MUST(pe_task_cancel(tasks[1]), 0);
    MUST(pe_queue_try_put(queue, &item), 0);
    MUST(pe_queue_count(queue), 0); /* it was handed over */
    MUST(pe_queue_try_get(queue, &item), PE_EAGAIN);
    async_assert_ended(put(&one, 6), 0);
    told_settle(loop);
    async_assert_ended(tasks[0], 0);
    async_assert_ended(tasks[1], PE_ECANCELED);
    async_assert_ended(tasks[2], 0);
    MUST(ones[0].item, 5);
    MUST(ones[1].item, -1);
    MUST(ones[2].item, 6);
    end();
}

PE_TEST(who_is_cancelled_when_it_was_served_has_its_item)
{
    struct one getter, putter;
    int item = 5;

    begin(1);
    pe_task *task = get(&getter);
    MUST(pe_queue_try_put(queue, &item), 0);
    MUST(pe_task_cancel(task), 0);
    told_settle(loop);
    async_assert_ended(task, 0);
    MUST(getter.item, 5);
    MUST(getter.yielded, PE_ECANCELED);
    MUST(pe_queue_try_put(queue, &item), 0);
    task = put(&putter, 6);
    MUST(pe_queue_try_get(queue, &item), 0);
    MUST(pe_task_cancel(task), 0);
    told_settle(loop);
    async_assert_ended(task, 0);
    MUST(putter.yielded, PE_ECANCELED);
    assert_got(6);
    end();
}

PE_TEST(without_capacity_each_item_is_handed_over)
{
    struct one ones[3];
    int item = 5;

    begin(0);
    MUST(pe_queue_try_put(queue, &item), PE_EAGAIN);
    MUST(pe_queue_try_get(queue, &item), PE_EAGAIN);
    pe_task *getter = get(&ones[0]);
    MUST(pe_queue_try_put(queue, &item), 0);
    told_settle(loop);
    async_assert_ended(getter, 0);
    MUST(ones[0].item, 5);
    pe_task *first = put(&ones[1], 6), *second = put(&ones[2], 7);
    MUST(pe_queue_count(queue), 0);
    assert_got(6);
    async_assert_ended(first, 0);
    MUST(pe_queue_try_get(queue, &item), 0);
    MUST(item, 7);
    told_settle(loop);
    async_assert_ended(second, 0);
    end();
}

PE_TEST(a_queue_that_is_closed_is_emptied_and_takes_no_more)
{
    struct one ones[3];
    int item = 9;

    begin(2);
    for (int i = 0; i < 2; i++)
        async_assert_ended(put(&ones[i], i), 0);
    pe_task *putter = put(&ones[2], 2);
    MUST(pe_queue_close(queue), 0);
    MUST(pe_queue_close(queue), 0);
    told_settle(loop);
    async_assert_ended(putter, PE_ECLOSED); /* it has not been put */
    MUST(pe_queue_try_put(queue, &item), PE_ECLOSED);
    async_assert_ended(put(&ones[2], 3), PE_ECLOSED);
    MUST(pe_queue_count(queue), 2);
    assert_got(0);
    MUST(pe_queue_try_get(queue, &item), 0);
    MUST(item, 1);
    MUST(pe_queue_try_get(queue, &item), PE_ECLOSED);
    async_assert_ended(get(&ones[0]), PE_ECLOSED);
    end();
}

PE_TEST(closing_and_freeing_end_all_waits)
{
    struct one ones[2];

    begin(1);
    pe_task *tasks[2] = { get(&ones[0]), get(&ones[1]) };
    MUST(pe_queue_close(queue), 0);
    told_settle(loop);
    async_assert_ended(tasks[0], PE_ECLOSED);
    async_assert_ended(tasks[1], PE_ECLOSED);
    pe_queue_free(queue);
    MUST(pe_queue_new(loop, sizeof(int), 1, &queue), 0);
    async_assert_ended(put(&ones[0], 0), 0);
    tasks[0] = put(&ones[0], 0);
    pe_queue_free(queue);
    queue = NULL;
    told_settle(loop);
    async_assert_ended(tasks[0], PE_ECLOSED);
    end();
}

static void post_item(void *context)
{
    MUST(pe_queue_try_put(queue, context), 0);
}

PE_TEST(a_post_puts_an_item)
{
    struct one one;
    int item = 3;

    begin(1);
    pe_task *getter = get(&one);
    MUST(pe_loop_post(loop, post_item, &item), 0);
    MUST(pe_loop_run(loop), 0);
    async_assert_ended(getter, 0);
    MUST(one.item, 3);
    end();
}

PE_TEST(a_loop_is_closed_with_waits_of_both_kinds)
{
    struct one ones[2];
    pe_queue *full;
    int item = 1;

    begin(1);
    pe_task *getter = get(&ones[0]);
    full = queue;
    MUST(pe_queue_new(loop, sizeof(int), 1, &queue), 0);
    MUST(pe_queue_try_put(queue, &item), 0);
    pe_task *putter = put(&ones[1], 1);
    MUST(pe_loop_close(loop, NULL), 0);
    async_assert_ended(getter, PE_ECANCELED);
    async_assert_ended(putter, PE_ECANCELED);
    MUST(pe_queue_try_put(queue, &item), PE_ECLOSED);
    pe_queue_free(full);
    end();
}

struct large {
    char bytes[10007];
};

PE_TEST(items_of_any_size)
{
    static struct large large;
    pe_queue *other;
    char small;

    begin(1);
    MUST(pe_queue_new(loop, 1, 100, &other), 0);
    for (int i = 0; i < 100; i++) {
        small = (char)i;
        MUST(pe_queue_try_put(other, &small), 0);
    }
    for (int i = 0; i < 100; i++) {
        MUST(pe_queue_try_get(other, &small), 0);
        MUST(small, i);
    }
    pe_queue_free(other);
    MUST(pe_queue_new(loop, sizeof large, 3, &other), 0);
    for (int i = 0; i < 3; i++) {
        memset(large.bytes, i, sizeof large);
        MUST(pe_queue_try_put(other, &large), 0);
    }
    for (int i = 0; i < 3; i++) {
        MUST(pe_queue_try_get(other, &large), 0);
        MUST(large.bytes[0], i);
        MUST(large.bytes[sizeof large - 1], i);
    }
    pe_queue_free(other);
    end();
}

static int misuse(pe_task *t, void *frame)
{
    pe_queue *far;
    int item = 0;

    MUST(pe_queue_new(frame, sizeof item, 1, &far), 0);
    MUST(pe_queue_put(t, far, &item), PE_EINVAL);
    MUST(pe_queue_get(t, far, &item), PE_EINVAL);
    MUST(pe_queue_put(t, NULL, &item), PE_EINVAL);
    MUST(pe_queue_get(t, NULL, &item), PE_EINVAL);
    MUST(pe_queue_put(t, queue, NULL), PE_EINVAL);
    MUST(pe_queue_get(t, queue, NULL), PE_EINVAL);
    pe_queue_free(far);
    return 0;
}

PE_TEST(wrong_use_is_refused)
{
    pe_loop *other_loop;
    pe_queue *none = NULL;

    begin(1);
    MUST(pe_loop_new(NULL, &other_loop), 0);
    pe_task *task = told_start(loop, misuse, other_loop);
    told_settle(loop);
    async_assert_ended(task, 0);
    MUST(pe_queue_new(loop, 0, 1, &none), PE_EINVAL);
    MUST(pe_queue_new(loop, 1, 1, NULL), PE_EINVAL);
    MUST(pe_queue_new(NULL, 1, 1, &none), PE_EINVAL);
    MUST(pe_queue_new(loop, 1, UINT32_C(1) << 31, &none), PE_EINVAL);
    MUST(pe_queue_new(loop, SIZE_MAX / 2, 3, &none), PE_EINVAL);
    MUST(pe_queue_try_put(queue, NULL), PE_EINVAL);
    MUST(pe_queue_try_get(queue, NULL), PE_EINVAL);
    MUST(pe_queue_count(queue), 0);
    harness_fail_from(HARNESS_MALLOC, 1, ENOMEM);
    MUST(pe_queue_new(loop, 100, 100, &none), PE_ENOMEM);
    harness_fail_reset();
    ck_assert_ptr_null(none);
    pe_queue_free(NULL);
    pe_loop_free(other_loop);
    end();
}

HARNESS_MAIN("queue")
