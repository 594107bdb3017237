/* Replies of all kinds, failures, and deaths where they are wanted. */

#include "harness/load.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <parexec/error.h>

#include "harness/gate.h"
#include "harness/harness.h"
#include "harness/items.h"
#include "harness/process.h"

struct order {
    struct load_book *book;
    uint32_t number;
    int dies;
};

/* The last one stays in its block until the handle is freed. */
static const size_t reply_sizes[] = { 8, 40, 3000, 20000, 400000 };
#define SIZES (sizeof reply_sizes / sizeof *reply_sizes)

static int job_code(uint32_t number)
{
    return number % 6 == 5 ? 5 : 0;
}

static int item_code(uint64_t item)
{
    return item % 16 == 15 ? 7 : 0;
}

static void spin(uint32_t turns)
{
    for (volatile uint32_t i = 0; i < turns; i++)
        ;
}

static int job_of_load(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct order order;
    uint64_t word;

    if (arg_bytes < sizeof order)
        return -1;
    memcpy(&order, arg, sizeof order);
    uint32_t attempt = atomic_fetch_add(&order.book->begun[order.number], 1);
    spin(order.number % 5 * 4000);
    word = 2 * (uint64_t)order.number + 1;
    for (size_t at = 0; at < reply_sizes[order.number % SIZES]; at += sizeof word)
        if (pe_reply_write(reply, &word, sizeof word) < 0)
            return -2;
    if (order.dies && attempt == 0)
        raise(SIGKILL);
    atomic_fetch_add(&order.book->ended[order.number], 1);
    word_add(&order.book->all_ended);
    return job_code(order.number) != 0 ? pe_worker_fail(job_code(order.number), "job %u", order.number) : 0;
}

static int item_of_load(const void *in, void *out, const void *context)
{
    struct order order; /* number: of the map */
    uint64_t item = pe_worker_item();

    memcpy(&order, context, sizeof order);
    uint32_t attempt = atomic_fetch_add(&order.book->item_begun[order.number][item], 1);
    spin(item < LOAD_ITEMS / 3 ? 6000 : 300);
    if (order.dies && item % 16 == 6 && attempt == 0)
        raise(SIGKILL);
    *(uint64_t *)out = 3 * *(const uint64_t *)in + 1;
    atomic_fetch_add(&order.book->item_ended[order.number][item], 1);
    word_add(&order.book->all_ended);
    return item_code(item) != 0 ? pe_worker_fail(item_code(item), "item %u", (unsigned)item) : 0;
}

struct load *load_new(void)
{
    struct load *load = calloc(1, sizeof *load);

    ck_assert_ptr_nonnull(load);
    load->book = process_shared(sizeof *load->book);
    for (uint64_t i = 0; i < LOAD_ITEMS; i++)
        load->in[i] = i;
    return load;
}

void load_free(struct load *load)
{
    munmap(load->book, sizeof *load->book);
    free(load);
}

static void count_done(pe_job *job, void *context)
{
    (void)job;
    ++*(uint32_t *)context;
}

static void accept(struct load *load, int result, pe_job *job, uint32_t number)
{
    if (!load->starved)
        ck_assert_int_eq(result, 0);
    ck_assert((result == 0) == (job != NULL));
    load->registered[number] = job != NULL && pe_job_on_done(job, count_done, &load->done[number]) == 0;
}

static void begin_map(struct load *load, uint32_t number)
{
    struct order order = { load->book, number, load->with_deaths };
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    for (uint64_t i = 0; i < LOAD_ITEMS; i++)
        load->out[number][i] = UNTOUCHED;
    load->summaries[number] = (pe_map_summary)PE_MAP_SUMMARY_INIT;
    options.chunk = number;
    options.retries = 1;
    options.context = &order;
    options.context_bytes = sizeof order;
    options.statuses = load->statuses[number];
    options.summary = &load->summaries[number];
    int result = pe_pool_start_map(load->pool, item_of_load, load->in, 8, load->out[number], 8, LOAD_ITEMS,
                                   &options, &load->maps[number]);
    accept(load, result, load->maps[number], LOAD_JOBS + number);
}

static void begin_job(struct load *load, uint32_t number)
{
    struct {
        struct order order;
        unsigned char more[200];
    } arg = { .order = { load->book, number, load->with_deaths && number % 8 == 3 } };
    pe_job_options options = PE_JOB_OPTIONS_INIT;

    options.retries = 1;
    int result = pe_pool_submit(load->pool, job_of_load, &arg, number % 3 ? sizeof arg.order : sizeof arg, &options,
                                &load->jobs[number]);
    accept(load, result, load->jobs[number], number);
}

void load_begin(struct load *load, pe_pool *pool)
{
    load->pool = pool;
    memset(load->book, 0, sizeof *load->book);
    memset(load->jobs, 0, sizeof load->jobs);
    memset(load->maps, 0, sizeof load->maps);
    memset(load->done, 0, sizeof load->done);
    for (uint32_t i = 0; i < LOAD_JOBS; i++) {
        if (i % (LOAD_JOBS / LOAD_MAPS) == 5)
            begin_map(load, i / (LOAD_JOBS / LOAD_MAPS));
        begin_job(load, i);
    }
}

static void wait_for(pe_job *job)
{
    int64_t guard = pe_after((int64_t)(harness_slowness() * (double)PE_SECONDS(20)));
    int result;

    while ((result = pe_job_wait(job, guard)) == PE_EINTR)
        ;
    ck_assert_int_eq(result, 0);
}

static void look_at_end(const pe_status *status, uint32_t begun, uint32_t ended, struct load_ends *ends)
{
    ck_assert_uint_ge(status->kind, PE_RETURNED);
    ck_assert_uint_le(status->kind, PE_OUT_OF_MEMORY);
    ends->by_kind[status->kind]++;
    if (status->kind == PE_RETURNED)
        ck_assert_uint_ge(ended, 1);
    if (status->kind == PE_RETURNED || status->kind == PE_CRASHED)
        ck_assert_uint_le(begun, status->attempts);
    ck_assert_uint_le(begun, 2);
}

static void look_at_reply(const struct load *load, uint32_t number, const pe_status *status)
{
    const void *data = NULL;
    size_t bytes = 0;
    uint64_t word;
    int result = pe_job_result(load->jobs[number], &data, &bytes);

    if (status->kind != PE_RETURNED || (load->starved && status->code == PE_ENOMEM)) {
        ck_assert_int_eq(result, PE_ENODATA);
        return;
    }
    ck_assert_int_eq(status->code, job_code(number));
    ck_assert_int_eq(result, 0);
    ck_assert_uint_eq(bytes, reply_sizes[number % SIZES]);
    for (size_t at = 0; at < bytes; at += sizeof word) {
        memcpy(&word, (const char *)data + at, sizeof word);
        if (word != 2 * (uint64_t)number + 1) /* an assertion that holds takes time too */
            ck_abort_msg("job %u: byte %zu is another's", number, at);
    }
}

static void end_job(struct load *load, uint32_t number, struct load_ends *ends)
{
    pe_status status;

    if (load->jobs[number] == NULL) {
        ck_assert_uint_eq(load->book->begun[number], 0);
        ends->refused++;
        return;
    }
    ck_assert_int_eq(pe_job_status(load->jobs[number], &status), 0);
    look_at_end(&status, load->book->begun[number], load->book->ended[number], ends);
    look_at_reply(load, number, &status);
    ck_assert_uint_eq(load->done[number], load->registered[number]);
    pe_job_free(load->jobs[number]);
}

static void end_map(struct load *load, uint32_t number, struct load_ends *ends)
{
    const pe_map_summary *summary = &load->summaries[number];
    uint64_t good = 0;

    if (load->maps[number] == NULL) {
        for (uint64_t i = 0; i < LOAD_ITEMS; i++)
            ck_assert_uint_eq(load->book->item_begun[number][i], 0);
        ends->refused++;
        return;
    }
    for (uint64_t i = 0; i < LOAD_ITEMS; i++) {
        const pe_status *status = &load->statuses[number][i];
        int is_good = status->kind == PE_RETURNED && status->code == 0;
        look_at_end(status, load->book->item_begun[number][i], load->book->item_ended[number][i], ends);
        ck_assert_uint_eq(status->item, i);
        if (status->kind == PE_RETURNED)
            ck_assert_int_eq(status->code, item_code(i));
        ck_assert_uint_eq(load->out[number][i], is_good ? 3 * i + 1 : UNTOUCHED);
        good += is_good;
    }
    ck_assert_uint_eq(summary->returned, good);
    ck_assert_uint_eq(summary->returned + summary->failed + summary->cancelled + summary->lost, LOAD_ITEMS);
    ck_assert_uint_eq(load->done[LOAD_JOBS + number], load->registered[LOAD_JOBS + number]);
    pe_job_free(load->maps[number]);
}

struct load_ends load_end(struct load *load)
{
    struct load_ends ends = { .refused = 0 };
    int result;

    for (uint32_t i = 0; i < LOAD_JOBS; i++)
        if (load->jobs[i] != NULL)
            wait_for(load->jobs[i]);
    for (uint32_t i = 0; i < LOAD_MAPS; i++)
        if (load->maps[i] != NULL)
            wait_for(load->maps[i]);
    while ((result = pe_pool_wait(load->pool, PE_FOREVER)) == PE_EINTR)
        ; /* the callbacks that another wait has left */
    ck_assert_int_eq(result, 0);
    for (uint32_t i = 0; i < LOAD_JOBS; i++)
        end_job(load, i, &ends);
    for (uint32_t i = 0; i < LOAD_MAPS; i++)
        end_map(load, i, &ends);
    return ends;
}

void load_run(struct load *load, pe_pool *pool)
{
    struct load_ends ends;

    load_begin(load, pool);
    ends = load_end(load);
    ck_assert_uint_eq(ends.by_kind[PE_RETURNED], LOAD_JOBS + LOAD_MAPS * LOAD_ITEMS);
    ck_assert_uint_eq(ends.refused, 0);
}
