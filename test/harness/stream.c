#include "harness/stream.h"

#include <parexec.h>

#include "harness/harness.h"
#include "harness/items.h"

#define GUARD_NS PE_SECONDS(20)

int next_number(void *item, void *context)
{
    struct numbers_source *numbers = context;

    if (numbers->made == numbers->end)
        return numbers->ends_with;
    if (numbers->pause_at != 0 && numbers->made == numbers->pause_at) {
        numbers->pause_at = 0;
        return PE_EAGAIN;
    }
    if (item != NULL)
        memcpy(item, &numbers->made, sizeof numbers->made);
    numbers->made++;
    return 1;
}

pe_stream *stream_of(pe_pool *pool, pe_map_fn *fn, struct numbers_source *source, pe_map_options options)
{
    pe_stream *stream = NULL;

    options.size = sizeof options;
    ck_assert_int_eq(pe_pool_stream(pool, fn, next_number, source, 8, 8, &options, &stream), 0);
    return stream;
}

struct stream_outcome stream_take(pe_stream *stream, uint64_t most)
{
    struct stream_outcome outcome = { .in_order = 1 };
    uint64_t index;
    pe_status status;
    const void *data;
    size_t bytes;

    while (outcome.count + outcome.failed < most &&
           (outcome.result = pe_stream_next(stream, pe_after(GUARD_NS), &index, &status, &data, &bytes)) == 1) {
        int good = status.kind == PE_RETURNED && status.code == 0;

        ck_assert_uint_eq(status.item, index);
        ck_assert((data != NULL) == good);
        ck_assert_uint_eq(bytes, good ? 8 : 0);
        if (index < sizeof outcome.seen)
            ck_assert_uint_eq(outcome.seen[index]++, 0);
        if (good) {
            ck_assert_uint_eq(*(const uint64_t *)data, index * index);
            ck_assert_uint_eq(status.attempts, 1);
            ck_assert_int_ge(status.worker, 0);
        }
        outcome.in_order = outcome.in_order && (outcome.last_index <= index);
        outcome.last_index = index;
        *(good ? &outcome.count : &outcome.failed) += 1;
    }
    return outcome;
}

void stream_assert_ends_with(pe_stream *stream, int result)
{
    uint64_t index = 77;
    pe_status status = { .kind = 99 };
    const void *data = &status;
    size_t bytes = 77;
    const char *text;

    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pe_stream_next(stream, i == 0 ? PE_FOREVER : 0, &index, &status, &data, &bytes), result);
    ck_assert(index == 77 && status.kind == 99 && data == &status && bytes == 77);
    ck_assert_int_eq(pe_stream_text(stream, PE_TEXT_MESSAGE, &text, NULL), PE_ENODATA);
}

void stream_pull_until(pe_stream *stream, const struct numbers_source *source, uint64_t made)
{
    while (source->made < made)
        ck_assert_int_eq(pe_stream_next(stream, 0, NULL, NULL, NULL, NULL), PE_ETIMEDOUT);
    ck_assert_uint_eq(source->made, made);
}

int item_square_at_gate(const void *in, void *out, const void *context)
{
    uint64_t number = *(const uint64_t *)in;
    struct gate *gate = *(struct gate *const *)context + number;

    word_add(&gate->arrived);
    word_await(&gate->open, 1);
    ck_assert_uint_eq(pe_worker_item(), number);
    return item_square(in, out, NULL);
}

pe_map_options stream_at_gates(struct gate *const *gates)
{
    return (pe_map_options){ .context = gates, .context_bytes = sizeof *gates };
}
