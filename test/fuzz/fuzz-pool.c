/*
 * fuzz-pool.c - all that a host reads from its keeper's socket and from memory that workers write to.
 *
 * The input says what the program calls, and what keeper and workers do in between and whenever the host would sleep:
 * they end records rightly and wrongly, write over any word, say anything, and leave. Whatever they do, calls give
 * results that are documented, everything that was accepted ends once, and no descriptor is left.
 */
#include "fuzz.h"

#include <parexec/error.h>
#include <parexec/pool.h>
#include <parexec/stream.h>

#include "expect.h"
#include "input.h"
#include "keeper/message.h"
#include "pool/pool.h"
#include "stand-in.h"
#include "work.h"
#include "workers.h"

#define JOBS  8
#define LIMIT 100000

struct arrays {
    struct arrays *next;
    uint64_t in[ITEMS], out[ITEMS];
    pe_status statuses[ITEMS];
    pe_map_summary summary;
};

static struct input input;
static pe_pool *pool;
static pe_job *jobs[JOBS];
static pe_stream *stream;
static struct arrays *all_arrays;
static uint32_t promised, done; /* callbacks */

/* ---- what keeper and workers do ---- */

static uint64_t take(int bytes)
{
    return input_take(&input, bytes);
}

static void say_message(void)
{
    struct pe__message message = { .type = (uint32_t)take(1) };

    message.value = (int32_t)take(4);
    message.record = (uint32_t)take(1);
    stand_in_say(&message, sizeof message);
}

static void say_bytes(void)
{
    unsigned char bytes[80];
    size_t count = take(1) % sizeof bytes;

    for (size_t i = 0; i < count; i++)
        bytes[i] = (unsigned char)take(1);
    stand_in_say(bytes, count);
}

static void keeper_turn(void)
{
    if (input_is_over(&input)) {
        stand_in_leave();
        return;
    }
    switch (take(1) % 10) {
    case 0: say_message(); break;
    case 1: say_bytes(); break;
    case 2: workers_forge_word(&input, pool); break;
    case 3: workers_write_anywhere(&input, true); break;
    case 4: workers_write_into_record(&input, pool); break;
    case 5: workers_close_item(&input, pool); break;
    case 6: pool->doubt.due_ns = 0; break; /* a second has passed */
    case 7: stand_in_leave(); break;
    default: workers_end_record(&input, pool);
    }
}

/* ---- what the program does ---- */

/* Of any call here. */
static int check(int result)
{
    static const int errors[] = { PE_EINVAL,  PE_EAGAIN, PE_ETIMEDOUT, PE_ECANCELED, PE_EBROKEN, PE_ECLOSED,
                                  PE_EITEMS,  PE_ENODATA, PE_EBUSY,    PE_ENOMEM,    PE_EINTR,   PE_EALREADY };

    for (size_t i = 0; result < 0 && i < sizeof errors / sizeof *errors; i++)
        if (result == errors[i])
            return result;
    demand(result >= 0);
    return result;
}

static void note_done(pe_job *job, void *context)
{
    (void)job;
    (void)context;
    done++;
}

static void read_all(const void *data, size_t bytes)
{
    volatile unsigned char sum = 0;

    for (size_t i = 0; i < bytes; i++)
        sum = (unsigned char)(sum + ((const unsigned char *)data)[i]);
}

/* In the past, in a little while, or never. */
static int64_t take_deadline(void)
{
    switch (take(1) % 3) {
    case 0: return 0;
    case 1: return pe_after(PE_US(20));
    default: return PE_FOREVER;
    }
}

static pe_job **free_place(void)
{
    for (int i = 0; i < JOBS; i++)
        if (jobs[i] == NULL)
            return &jobs[i];
    return NULL;
}

static void submit(void)
{
    static const unsigned char arg[3000];
    static const size_t sizes[] = { 0, 8, 60, 3000 };
    pe_job_options options = PE_JOB_OPTIONS_INIT;
    uint64_t how = take(1);
    pe_job **place = (how & 1) != 0 ? free_place() : NULL;

    options.priority = (uint32_t)(how >> 1) % PE__QUEUE_LEVELS;
    options.retries = how >> 3 & 1;
    options.timeout_ns = (how & 16) != 0 ? PE_SECONDS(9) : 0;
    options.deadline_ns = (how & 32) != 0 ? pe_after(PE_SECONDS(9)) : 0;
    check(pe_pool_try_submit(pool, work_job, arg, sizes[how >> 6], &options, place));
}

static struct arrays *new_arrays(void)
{
    struct arrays *arrays = calloc(1, sizeof *arrays);

    demand(arrays != NULL);
    arrays->next = all_arrays;
    all_arrays = arrays;
    return arrays;
}

static void check_map(const struct arrays *arrays, const pe_map_options *options)
{
    const pe_map_summary *summary = &arrays->summary;

    for (int i = 0; options->statuses != NULL && i < ITEMS; i++)
        demand(arrays->statuses[i].kind <= PE_OUT_OF_MEMORY && arrays->statuses[i].run_ns >= 0);
    if (options->summary != NULL)
        demand(summary->returned + summary->failed + summary->cancelled + summary->lost <= ITEMS);
}

static void map(bool waits)
{
    struct arrays *arrays = new_arrays();
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    uint64_t how = take(1);
    pe_job **place = free_place(), *job = NULL;

    arrays->summary = (pe_map_summary)PE_MAP_SUMMARY_INIT;
    options.statuses = (how & 1) != 0 ? arrays->statuses : NULL;
    options.summary = (how & 2) != 0 ? &arrays->summary : NULL;
    options.retries = how >> 2 & 1;
    options.on_error = how >> 3 & 1;
    options.timeout_ns = (how & 16) != 0 ? PE_SECONDS(9) : 0;
    options.deadline_ns = (how & 32) != 0 ? take_deadline() : 0;
    options.progress = (how & 64) != 0 ? work_progress : NULL;
    options.chunk = how >> 7;
    if (waits) {
        if (check(pe_pool_map(pool, work_item, arrays->in, 8, arrays->out, 8, ITEMS, &options)) == 0)
            check_map(arrays, &options);
    } else if (place != NULL && check(pe_pool_start_map(pool, work_item, arrays->in, 8, arrays->out, 8, ITEMS, &options,
                                                        &job)) == 0) {
        *place = job;
    }
}

static void look_at_texts(const pe_job *job, uint64_t item)
{
    const char *text;
    size_t bytes;

    for (uint32_t which = PE_TEXT_MESSAGE; which <= PE_TEXT_BACKTRACE; which++)
        if (check(pe_job_item_text(job, item, which, &text, &bytes)) == 0) {
            read_all(text, bytes + 1);
            demand(text[bytes] == '\0');
        }
}

static void look_at_job(const pe_job *job)
{
    pe_status status;
    const void *data;
    size_t bytes;

    demand(pe_job_status(job, &status) == 0);
    demand(status.kind <= PE_OUT_OF_MEMORY && status.worker < WORKERS + 2 && status.run_ns >= 0);
    if (check(pe_job_result(job, &data, &bytes)) == 0) {
        demand(bytes <= LIMIT);
        read_all(data, bytes);
    }
    for (uint64_t item = 0; item < ITEMS; item++) {
        if (check(pe_job_item_status(job, item, &status)) == 0)
            demand(status.kind <= PE_OUT_OF_MEMORY && status.run_ns >= 0);
        look_at_texts(job, item);
    }
}

static void use_job(void)
{
    pe_job **place = &jobs[take(1) % JOBS];

    if (*place == NULL)
        return;
    switch (take(1) % 5) {
    case 0: look_at_job(*place); break;
    case 1: check(pe_job_wait(*place, take_deadline())); break;
    case 2: check(pe_job_cancel(*place)); break;
    case 3:
        if (check(pe_job_on_done(*place, note_done, NULL)) == 0)
            promised++;
        break;
    default:
        pe_job_free(*place);
        *place = NULL;
    }
}

static void look_at_figures(void)
{
    pe_stats stats = PE_STATS_INIT;

    demand(pe_pool_stats(pool, &stats) == 0);
    demand(stats.run_ns >= 0 && stats.idle_ns >= 0 && stats.queue_ns >= 0);
    demand(stats.workers_alive <= pool->numbers && stats.last_death.kind <= PE_OUT_OF_MEMORY);
    for (uint32_t i = 0; i < pool->numbers; i++) {
        pe_worker_stats worker = PE_WORKER_STATS_INIT;
        demand(pe_pool_worker_stats(pool, i, &worker) == 0);
        demand(worker.run_ns >= 0 && worker.idle_ns >= 0 && worker.state_ns >= 0 && worker.pid >= 0);
        demand(worker.state <= PE_WORKER_LEAVING);
    }
}

static void reduce(void)
{
    unsigned char acc[24] = { 0 };
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    options.chunk = take(1) % 3;
    options.deadline_ns = take_deadline();
    check(pe_pool_reduce(pool, work_range, work_combine, 0, 1 + take(1) % 4, acc, sizeof acc, &options));
}

static void use_stream(void)
{
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_status status;
    const void *data;
    const char *text;
    size_t bytes;

    options.flags = take(1) % 2 ? PE_MAP_ORDERED : 0;
    options.max_inflight = 4;
    if (stream == NULL) {
        check(pe_pool_stream(pool, work_item, work_source, NULL, 8, 16, &options, &stream));
    } else if (options.flags != 0) {
        if (check(pe_stream_next(stream, take_deadline(), NULL, &status, &data, &bytes)) == 0 && data != NULL)
            read_all(data, bytes);
        if (check(pe_stream_text(stream, PE_TEXT_MESSAGE, &text, &bytes)) == 0)
            read_all(text, bytes + 1);
    } else {
        pe_stream_free(stream);
        stream = NULL;
    }
}

static void run_broadcast(void)
{
    pe_status statuses[WORKERS] = { { .kind = PE_PENDING } };

    check(pe_pool_broadcast(pool, work_job, NULL, 0, statuses, WORKERS, take_deadline()));
    for (int i = 0; i < WORKERS; i++)
        demand(statuses[i].kind <= PE_OUT_OF_MEMORY);
}

static void call(void)
{
    switch (take(1) % 16) {
    case 0:
    case 1:
    case 2: submit(); break;
    case 3: map(false); break;
    case 4: map(true); break;
    case 5:
    case 6: use_job(); break;
    case 7: check(pe_pool_poll(pool)); break;
    case 8: check(pe_pool_wait(pool, take_deadline())); break;
    case 9: look_at_figures(); break;
    case 10: check(pe_pool_resize(pool, 1 + take(1) % (WORKERS + 2), take_deadline())); break;
    case 11: run_broadcast(); break;
    case 12: reduce(); break;
    case 13: use_stream(); break;
    case 14: check(pe_pool_cancel_queued(pool)); break;
    default:
        if (take(1) % 4 == 0)
            check(pe_pool_join(pool, take_deadline()));
        else
            pe_pool_interrupt(pool);
    }
}

/* ---- one input ---- */

static void begin(uint64_t how)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;

    options.workers = WORKERS;
    options.queue_jobs = 16;
    options.shared_bytes = UINT64_C(4) << 20;
    options.max_reply_bytes = LIMIT;
    options.flags = PE_POOL_BACKTRACE;
    options.output_bytes = (how & 1) != 0 ? 4096 : 0;
    options.idle_ns = (how & 2) != 0 ? PE_MS(1) : 0;
    options.queue_bytes = (how & 4) != 0 ? 4000 : 0;
    options.grace_ns = PE_NOW;
    demand(pe_pool_new(&options, &pool) == 0);
}

/* Everything that was accepted has an end, and was told once. */
static void end(void)
{
    pe_status status;

    demand(pe_pool_kill(pool, PE_NOW) == 0);
    for (int i = 0; i < JOBS; i++) {
        if (jobs[i] == NULL)
            continue;
        look_at_job(jobs[i]);
        demand(pe_job_status(jobs[i], &status) == 0 && status.kind != PE_PENDING);
        pe_job_free(jobs[i]);
        jobs[i] = NULL;
    }
    demand(done == promised);
    pe_stream_free(stream);
    stream = NULL;
    pe_pool_free(pool);
    stand_in_leave();
    for (struct arrays *arrays = all_arrays; arrays != NULL; arrays = all_arrays) {
        all_arrays = arrays->next;
        free(arrays);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    int fds = open_fds();

    input = (struct input){ bytes, bytes + count };
    promised = done = 0;
    stand_in.turn = keeper_turn;
    begin(take(1));
    while (!input_is_over(&input)) {
        uint64_t turns = take(1) % 4;
        call();
        while (turns-- > 0)
            keeper_turn();
    }
    end();
    demand(open_fds() == fds);
    return 0;
}
