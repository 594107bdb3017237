/*
 * Everything at once, for a while: actors that use all that tasks can wait for, with random cancels, time limits and
 * crashes. In the end no task, no handle and no byte is left. Some seconds; with long modes ten minutes; with
 * PAREXEC_TEST_SOAK so many seconds as that says.
 */
#include "harness/async.h"
#include "harness/harness.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include <uv.h>

#include "harness/process.h"
#include "harness/soak.h"

#define ACTORS 48
#define ACTS_MOST 64
#define ROUNDS 4
#define BYTES_MOST 4096 /* that the pool may have come to need since the first round */

enum { DONE, CANCELLED, LATE, ENDINGS };

struct actor {
    struct soak *soak;
    pe_rng rng;
    pe_call_link call;
    pe_limit limit;
    size_t act;
    union {
        struct soak_head head;
        char bytes[SOAK_FRAME_BYTES];
        max_align_t align;
    } frame;
};

static const struct soak_act *acts[ACTS_MOST];
static size_t act_count;
static uint64_t endings[ACTS_MOST][ENDINGS];
static uint64_t failures;

/* An act is in the table as often as its share says. */
static void add_acts(const struct soak_act *table)
{
    for (; table->name != NULL; table++) {
        for (uint32_t i = 0; i < table->share; i++) {
            ck_assert_uint_lt(act_count, ACTS_MOST);
            acts[act_count++] = table;
        }
    }
}

/* ---- actors ---- */

static void note_ending(const struct actor *f, int result)
{
    ck_assert_msg(result == 0 || soak_is_stopped(result), "%s: %s", acts[f->act]->name, pe_strerror(result));
    endings[f->act][result == 0 ? DONE : result == PE_ECANCELED ? CANCELLED : LATE]++;
}

static void choose(struct actor *f)
{
    f->act = (size_t)pe_rng_below(&f->rng, act_count);
    memset(&f->frame, 0, sizeof f->frame);
    f->frame.head = (struct soak_head){ f->soak, &f->rng };
}

static int play(pe_task *t, void *frame)
{
    struct actor *f = frame;

    PE_BEGIN(t);
    while (!f->soak->is_over) {
        choose(f);
        if (pe_rng_below(&f->rng, 8) != 0) {
            PE_AWAIT(t, pe_call(t, &f->call, acts[f->act]->fn, &f->frame));
        } else {
            PE_AWAIT_UNTIL(t, &f->limit, pe_after(PE_US((int64_t)pe_rng_below(&f->rng, 2000))),
                           pe_call(t, &f->call, acts[f->act]->fn, &f->frame));
        }
        note_ending(f, t->result);
        PE_AWAIT(t, pe_yield(t)); /* takes a request that came too late for the act */
    }
    PE_END(t);
}

/* ---- who directs them ---- */

struct director {
    struct soak *soak;
    pe_rng rng;
    int64_t end_ns;
    pe_task *actors[ACTORS];
};

static void spawn_actors(struct director *f, uint64_t seed)
{
    for (uint64_t i = 0; i < ACTORS; i++) {
        struct actor actor = { .soak = f->soak };

        pe_rng_init(&actor.rng, seed, i);
        MUST(pe_spawn(f->soak->loop, play, &actor, sizeof actor, &f->actors[i]), 0);
    }
    pe_rng_init(&f->rng, seed, ACTORS);
}

static int direct(pe_task *t, void *frame)
{
    struct director *f = frame;

    PE_BEGIN(t);
    spawn_actors(f, (uint64_t)f->end_ns);
    while (pe_now() < f->end_ns) {
        PE_TRY(t, pe_sleep(t, PE_US((int64_t)pe_rng_below(&f->rng, 500))));
        for (uint64_t i = pe_rng_below(&f->rng, 4); i > 0; i--)
            MUST(pe_task_cancel(f->actors[pe_rng_below(&f->rng, ACTORS)]), 0);
    }
    f->soak->is_over = true;
    PE_TRY(t, pe_gather(t, f->actors, ACTORS, PE_GATHER_ALL));
    for (size_t i = 0; i < ACTORS; i++)
        pe_task_free(f->actors[i]);
    soak_world_close(f->soak);
    PE_END(t);
}

/* ---- rounds ---- */

static void count_failure(pe_loop *loop, const char *name, int error, void *context)
{
    (void)loop, (void)name, (void)context;
    MUST(error, SOAK_ERROR);
    failures++;
}

struct round {
    pe_pool *pool;
    int64_t duration_ns;
};

/* On a loop of the host's, so that libuv itself says whether a handle is left. */
static void *run_round(void *context)
{
    const struct round *round = context;
    uv_loop_t uv;
    struct soak soak = { .pool = round->pool };
    struct director director = { .soak = &soak, .end_ns = pe_after(round->duration_ns) };
    pe_task *task;
    uint64_t cancelled;
    sigset_t signals;

    sigemptyset(&signals);
    pthread_sigmask(SIG_SETMASK, &signals, NULL);
    MUST(uv_loop_init(&uv), 0);
    MUST(pe_loop_new(&uv, &soak.loop), 0);
    MUST(pe_loop_on_failure(soak.loop, count_failure, NULL), 0);
    soak_world_open(&soak);
    soak_sync_open(&soak);
    MUST(pe_spawn(soak.loop, direct, &director, 0, &task), 0);
    MUST(pe_loop_run(soak.loop), 0);
    MUST(pe_task_result(task), 0);
    pe_task_free(task);
    soak_world_free(&soak);
    soak_sync_free(&soak);
    MUST(pe_loop_close(soak.loop, &cancelled), 0);
    ck_assert_uint_eq(cancelled, 0);
    pe_loop_free(soak.loop);
    MUST(uv_loop_close(&uv), 0);
    ck_assert_uint_eq(soak_tasks_left(), 0);
    return NULL;
}

/* Blocks that libc keeps at hand for a thread count as in use, so each round has a thread of its own, and all threads
 * have their memory from the same place. */
static void run_in_thread(struct round *round)
{
    pthread_t thread;
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1); /* for the round's thread alone, see signal.h on several threads */
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    MUST(pthread_create(&thread, NULL, run_round, round), 0);
    MUST(pthread_join(thread, NULL), 0);
}

static void print_endings(void)
{
    for (size_t i = 0; i < act_count; i++) {
        if (i + 1 < act_count && acts[i + 1] == acts[i]) {
            for (int ending = 0; ending < ENDINGS; ending++)
                endings[i + 1][ending] += endings[i][ending];
            continue;
        }
        printf("# %-12s done %8" PRIu64 ", cancelled %8" PRIu64 ", too late %8" PRIu64 "\n", acts[i]->name,
               endings[i][DONE], endings[i][CANCELLED], endings[i][LATE]);
        ck_assert_msg(endings[i][DONE] > 0, "%s has not been done", acts[i]->name);
        ck_assert_msg(endings[i][CANCELLED] > 0 || !harness_long(), "%s has not been cancelled", acts[i]->name);
    }
}

PE_TEST_SLOW(everything_at_once_leaves_nothing, 2 * 3600)
{
    struct round one = { soak_bridge_open(), harness_soak_ns(PE_MS(2400)) / ROUNDS };
    uint64_t first_bytes = 0;

#ifdef M_ARENA_MAX
    (void)mallopt(M_ARENA_MAX, 1);
#endif
    add_acts(soak_tasks_acts);
    add_acts(soak_sync_acts);
    add_acts(soak_world_acts);
    add_acts(soak_bridge_acts);
    MUST(pe_region_enable(1), 0);
    for (int round = 0; round < ROUNDS; round++) {
        run_in_thread(&one);
        if (round == 0)
            first_bytes = process_allocated_bytes();
        ck_assert_uint_le(process_allocated_bytes(), first_bytes + BYTES_MOST);
    }
    soak_bridge_close(one.pool);
    print_endings();
    ck_assert_uint_gt(failures, 0);
}
END_TEST

HARNESS_MAIN("soak")
