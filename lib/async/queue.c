/*
 * queue.c - queues. The items are a ring behind the queue, in one block with it. Who gets waits only while the ring is
 * empty and nobody who puts waits; who puts waits only while the ring is full and nobody who gets waits.
 */
#include <parexec/sync.h>

#include <stdalign.h>
#include <string.h>

#include "async/waiters.h"

struct pe_queue {
    pe_loop *loop;
    size_t item_bytes;
    size_t capacity;
    size_t first; /* place of the first item */
    size_t count;
    bool is_closed;
    struct pe__waiters getters; /* place: where to put the item */
    struct pe__waiters putters; /* place: where it is */
    alignas(max_align_t) unsigned char items[];
};

static const struct pe__wait_kind get_kind = { .name = "an item of a queue", .cancel = pe__waiters_cancel };
static const struct pe__wait_kind put_kind = { .name = "room in a queue", .cancel = pe__waiters_cancel };

static size_t bytes_of(size_t item_bytes, size_t capacity)
{
    return sizeof(struct pe_queue) + item_bytes * capacity;
}

static bool is_too_large(size_t item_bytes, size_t capacity)
{
    return capacity > INT32_MAX || (capacity > 0 && item_bytes > SIZE_MAX / 2 / capacity);
}

static int check(const pe_queue *queue, const void *item)
{
    return queue == NULL || item == NULL ? PE_EINVAL : pe__loop_check(queue->loop);
}

/* ---- items ---- */

static void push(struct pe_queue *queue, const void *item)
{
    size_t end = queue->first + queue->count++;

    if (end >= queue->capacity)
        end -= queue->capacity;
    memcpy(queue->items + end * queue->item_bytes, item, queue->item_bytes);
}

static void pop(struct pe_queue *queue, void *ret_item)
{
    memcpy(ret_item, queue->items + queue->first * queue->item_bytes, queue->item_bytes);
    queue->count--;
    if (++queue->first == queue->capacity)
        queue->first = 0;
}

/* 0; PE_EAGAIN, PE_ECLOSED. */
static int put_now(struct pe_queue *queue, const void *item)
{
    if (queue->is_closed)
        return PE_ECLOSED;
    struct pe__task *getter = pe__waiters_take(&queue->getters);
    if (getter != NULL) {
        memcpy(getter->in.waiter.place, item, queue->item_bytes);
        pe__wait_end(getter, 0);
        return 0;
    }
    if (queue->count == queue->capacity)
        return PE_EAGAIN;
    push(queue, item);
    return 0;
}

static int get_now(struct pe_queue *queue, void *ret_item)
{
    struct pe__task *putter = pe__waiters_take(&queue->putters);

    if (queue->count > 0)
        pop(queue, ret_item);
    else if (putter != NULL)
        memcpy(ret_item, putter->in.waiter.place, queue->item_bytes);
    else
        return queue->is_closed ? PE_ECLOSED : PE_EAGAIN;
    if (putter != NULL && queue->capacity > 0)
        push(queue, putter->in.waiter.place);
    if (putter != NULL)
        pe__wait_end(putter, 0);
    return 0;
}

/* ---- queues ---- */

int pe_queue_new(pe_loop *loop, size_t item_bytes, size_t capacity, pe_queue **ret_queue)
{
    int result = pe__loop_check(loop);

    if (result == 0 && (ret_queue == NULL || item_bytes == 0 || is_too_large(item_bytes, capacity)))
        result = PE_EINVAL;
    if (result < 0)
        return result;
    struct pe_queue *queue = pe__loop_alloc(loop, bytes_of(item_bytes, capacity));
    if (queue == NULL)
        return PE_ENOMEM;
    *queue = (struct pe_queue){ .loop = loop, .item_bytes = item_bytes, .capacity = capacity };
    pe__waiters_init(&queue->getters);
    pe__waiters_init(&queue->putters);
    *ret_queue = queue;
    return 0;
}

int pe_queue_put(pe_task *t, pe_queue *queue, const void *item)
{
    int result = pe__waiters_check(t, queue == NULL ? NULL : queue->loop);

    if (result == 0 && item == NULL)
        result = PE_EINVAL;
    if (result != 0)
        return result;
    result = put_now(queue, item);
    if (result != PE_EAGAIN)
        return result;
    return pe__waiters_wait(&queue->putters, t, &put_kind, queue, (void *)(uintptr_t)item);
}

int pe_queue_get(pe_task *t, pe_queue *queue, void *ret_item)
{
    int result = pe__waiters_check(t, queue == NULL ? NULL : queue->loop);

    if (result == 0 && ret_item == NULL)
        result = PE_EINVAL;
    if (result != 0)
        return result;
    result = get_now(queue, ret_item);
    if (result != PE_EAGAIN)
        return result;
    return pe__waiters_wait(&queue->getters, t, &get_kind, queue, ret_item);
}

int pe_queue_try_put(pe_queue *queue, const void *item)
{
    int result = check(queue, item);

    return result < 0 ? result : put_now(queue, item);
}

int pe_queue_try_get(pe_queue *queue, void *ret_item)
{
    int result = check(queue, ret_item);

    return result < 0 ? result : get_now(queue, ret_item);
}

static void close_queue(struct pe_queue *queue)
{
    queue->is_closed = true;
    pe__waiters_end_all(&queue->getters, PE_ECLOSED);
    pe__waiters_end_all(&queue->putters, PE_ECLOSED);
}

int pe_queue_close(pe_queue *queue)
{
    int result = check(queue, queue);

    if (result == 0)
        close_queue(queue);
    return result;
}

int pe_queue_count(const pe_queue *queue)
{
    int result = check(queue, queue);

    return result < 0 ? result : (int)queue->count;
}

void pe_queue_free(pe_queue *queue)
{
    if (queue == NULL || pe__base_forked(queue->loop->token))
        return;
    close_queue(queue);
    pe__loop_dealloc(queue->loop, queue, bytes_of(queue->item_bytes, queue->capacity));
}
