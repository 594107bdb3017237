/*
 * Pools for a long time: several threads use all that a pool offers at once, with crashes, hangs, cancels and limits,
 * while workers are killed at random and their number changes. Every ending is the right one, and after each round no
 * job, process, descriptor and byte is left. Some seconds; with long modes ten minutes; with PAREXEC_TEST_SOAK so many
 * seconds as that says.
 */
#include "harness/harness.h"

#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <parexec.h>

#include "harness/pool.h"
#include "harness/process.h"
#include "harness/soak_pool.h"

#define PLAYERS 3
#define ACTS_MOST 64
#define WORKERS_MOST 6
#define ROUND_NS PE_SECONDS(60)
#define BYTES_MOST 65536 /* that the host may have come to need since the first rounds */

static const struct soak_pool_act *acts[ACTS_MOST];
static size_t act_count;

struct round {
    pe_pool *pool;
    uint64_t seed;
    int64_t end_ns;
    _Atomic bool is_over;
    uint64_t kills, resizes;
};

struct part {
    struct round *round;
    struct soak_player player;
    uint64_t played[ACTS_MOST];
};

/* Of all rounds. */
static struct {
    uint64_t played[ACTS_MOST], endings[SOAK_KINDS];
    uint64_t kills, restarts, recycled, resizes, rounds;
} total;

static void add_acts(const struct soak_pool_act *table)
{
    for (; table->name != NULL; table++) {
        for (uint32_t i = 0; i < table->share; i++) {
            ck_assert_uint_lt(act_count, ACTS_MOST);
            acts[act_count++] = table;
        }
    }
}

/* ---- players ---- */

static void *play(void *context)
{
    struct part *part = context;

    while (!atomic_load(&part->round->is_over)) {
        size_t act = (size_t)soak_below(&part->player, act_count);

        acts[act]->play(&part->player);
        part->played[act]++;
    }
    return NULL;
}

/* ---- who disturbs them ---- */

static void kill_one(struct round *round, pe_rng *rng)
{
    pe_worker_stats stats = PE_WORKER_STATS_INIT;

    if (pe_pool_worker_stats(round->pool, (uint32_t)pe_rng_below(rng, WORKERS_MOST), &stats) == 0 && stats.pid > 0 &&
        stats.state == PE_WORKER_RUNNING)
        round->kills += kill(stats.pid, SIGKILL) == 0;
}

static void resize(struct round *round, pe_rng *rng)
{
    int result = pe_pool_resize(round->pool, 1 + (uint32_t)pe_rng_below(rng, WORKERS_MOST),
                                pe_after(PE_US((int64_t)pe_rng_below(rng, 3000))));

    ck_assert_msg(result == 0 || result == PE_ETIMEDOUT, "%s", pe_strerror(result));
    round->resizes++;
}

static void disturb(struct round *round)
{
    pe_rng rng;

    pe_rng_init(&rng, round->seed, PLAYERS);
    while (pe_now() < round->end_ns) {
        struct timespec pause = { 0, (long)pe_rng_below(&rng, 20000000) };

        nanosleep(&pause, NULL);
        if (pe_rng_below(&rng, 20) == 0)
            resize(round, &rng);
        else
            kill_one(round, &rng);
    }
    atomic_store(&round->is_over, true);
}

/* ---- rounds ---- */

static pe_pool *some_pool(pe_rng *rng)
{
    pe_pool_options options = { .grace_ns = PE_MS(5), .max_deaths = UINT32_MAX };

    options.workers = 1 + (uint32_t)pe_rng_below(rng, WORKERS_MOST);
    options.queue_jobs = pe_rng_below(rng, 2) == 0 ? 0 : 1 + pe_rng_below(rng, 200);
    options.flags = pe_rng_below(rng, 2) == 0 ? PE_POOL_BACKTRACE : 0;
    options.output_bytes = pe_rng_below(rng, 2) == 0 ? 4096 : 0;
    options.jobs_per_worker = pe_rng_below(rng, 2) == 0 ? 500 : 0;
    options.idle_ns = pe_rng_below(rng, 2) == 0 ? PE_MS(2) : 0;
    return pool_with(options);
}

static void finish(struct round *round)
{
    ck_assert_int_eq(pe_pool_wait(round->pool, pe_after(SOAK_GUARD_NS)), 0);
    pe_stats stats = pool_stats(round->pool);
    ck_assert_uint_eq(stats.queued + stats.running + stats.lost, 0);
    ck_assert_uint_eq(stats.submitted,
                      stats.returned + stats.crashed + stats.cancelled + stats.timed_out + stats.out_of_memory);
    ck_assert_uint_eq(stats.shared_bytes_used, 0);
    total.kills += round->kills;
    total.resizes += round->resizes;
    total.restarts += stats.restarts;
    total.recycled += stats.recycled;
    total.rounds++;
    ck_assert_int_eq(pe_pool_join(round->pool, pe_after(SOAK_GUARD_NS)), 0);
    pe_pool_free(round->pool);
}

static void add_up(const struct part *part)
{
    ck_assert_uint_eq(part->player.callbacks, part->player.callbacks_due);
    for (size_t i = 0; i < act_count; i++)
        total.played[i] += part->played[i];
    for (int i = 0; i < SOAK_KINDS; i++)
        total.endings[i] += part->player.endings[i];
}

static void run_round(uint64_t seed, int64_t duration_ns)
{
    struct round round = { .seed = seed, .end_ns = pe_after(duration_ns) };
    struct part parts[PLAYERS];
    pthread_t threads[PLAYERS];
    pe_rng rng;

    pe_rng_init(&rng, seed, PLAYERS + 1);
    round.pool = some_pool(&rng);
    for (uint64_t i = 0; i < PLAYERS; i++) {
        parts[i] = (struct part){ .round = &round, .player.pool = round.pool };
        pe_rng_init(&parts[i].player.rng, seed, i);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, play, &parts[i]), 0);
    }
    disturb(&round);
    for (int i = 0; i < PLAYERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    finish(&round);
    for (int i = 0; i < PLAYERS; i++)
        add_up(&parts[i]);
}

/* ---- the whole ---- */

static void print_total(void)
{
    static const char *const kinds[SOAK_KINDS] = { "pending", "returned", "crashed", "exited", "timed out", "cancelled",
                                                   "lost", "out of memory" };

    for (size_t i = 0; i < act_count; i++) {
        if (i + 1 < act_count && acts[i + 1] == acts[i]) {
            total.played[i + 1] += total.played[i];
            continue;
        }
        printf("# %-12s %10" PRIu64 "\n", acts[i]->name, total.played[i]);
        ck_assert_msg(total.played[i] > 0, "%s has not been played", acts[i]->name);
    }
    for (int i = 0; i < SOAK_KINDS; i++)
        if (total.endings[i] > 0)
            printf("# jobs and items %-13s %12" PRIu64 "\n", kinds[i], total.endings[i]);
    printf("# %" PRIu64 " rounds, %" PRIu64 " workers killed, %" PRIu64 " replaced, %" PRIu64 " recycled, %" PRIu64
           " resizes\n", total.rounds, total.kills, total.restarts, total.recycled, total.resizes);
}

PE_TEST_SLOW(all_that_a_pool_offers_at_once_leaves_nothing, 2 * 3600)
{
    int64_t duration_ns = harness_soak_ns(PE_MS(2400)), end_ns = pe_after(duration_ns);
    int64_t round_ns = duration_ns / 4 < ROUND_NS ? duration_ns / 4 : ROUND_NS;
    int64_t first_resident = 0;
    uint64_t first_bytes = 0;

#ifdef M_ARENA_MAX
    (void)mallopt(M_ARENA_MAX, 1);
#endif
    add_acts(soak_pool_jobs);
    add_acts(soak_pool_maps);
    for (uint64_t round = 0; pe_now() < end_ns; round++) {
        run_round(round, round_ns);
        if (round == 1) {
            first_bytes = process_allocated_bytes();
            first_resident = process_resident_bytes();
        }
        ck_assert_uint_le(round < 2 ? 0 : process_allocated_bytes(), first_bytes + BYTES_MOST);
    }
    print_total();
    printf("# resident %" PRId64 " KiB after two rounds, %" PRId64 " at the end\n", first_resident / 1024,
           process_resident_bytes() / 1024);
    ck_assert_uint_gt(total.kills, 0);
}

HARNESS_MAIN("soak-pool")
