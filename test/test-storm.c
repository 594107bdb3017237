/*
 * Workers killed at random moments during maps, steals and jobs: what holds at every moment is checked. The
 * same seeds give the same choices, not the same moments.
 */

#include "harness/harness.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "harness/death.h"
#include "harness/items.h"
#include "harness/pool.h"

#define GUARD_NS PE_SECONDS(25)

struct killer {
    struct lives *lives;
    uint32_t workers;
    int32_t killed[LIVES_MOST]; /* the last of each number, so that none is killed twice */
    uint64_t kills;
    uint64_t random;
};

static uint64_t next_random(struct killer *killer, uint64_t below)
{
    killer->random ^= killer->random << 13;
    killer->random ^= killer->random >> 7;
    killer->random ^= killer->random << 17;
    return killer->random % below;
}

static void kill_one(struct killer *killer)
{
    uint32_t index = (uint32_t)next_random(killer, killer->workers);
    int32_t pid = atomic_load(&killer->lives->pid[index]);

    if (pid == 0 || pid == killer->killed[index] || kill(pid, SIGKILL) < 0)
        return;
    killer->killed[index] = pid;
    killer->kills++;
}

static void tell(const char *what, const struct killer *killer)
{
    if (harness_long())
        printf("# %s: %ju deaths\n", what, (uintmax_t)killer->kills);
}

struct spin_plan {
    struct entry *ledger;
    uint32_t turns;
};

static int item_spins(const void *in, void *out, const void *context)
{
    const struct spin_plan *plan = context;
    struct entry *entry = &plan->ledger[pe_worker_item()];
    volatile uint32_t turn = 0;

    atomic_fetch_add(&entry->begun, 1);
    while (turn < plan->turns)
        turn++;
    *(uint64_t *)out = 3 * *(const uint64_t *)in + 1;
    atomic_fetch_add(&entry->ended, 1);
    return 0;
}

struct killed_map {
    uint32_t workers, retries;
    uint64_t chunk, count;
    int statuses;
};

/* Every item has ended once, ran no more often than it was blamed for, and has its own value. */
static void assert_killed_map(const struct killed_map *test, const struct spin_plan *plan, pe_job *job,
                              const pe_status *statuses, const uint64_t *out, uint64_t kills)
{
    uint64_t crashed = 0, extra = 0, sum = 0, expected = 0;

    for (uint64_t i = 0; i < test->count; i++) {
        const struct entry *entry = &plan->ledger[i];
        pe_status status;

        if (test->statuses)
            status = statuses[i];
        else
            ck_assert_int_eq(pe_job_item_status(job, i, &status), 0);
        int died = status.kind == PE_CRASHED && status.code == SIGKILL;
        if (!died && (status.kind != PE_RETURNED || status.code != 0))
            ck_abort_msg("item %ju: kind %u code %d", (uintmax_t)i, status.kind, status.code);
        if (out[i] != (died ? UNTOUCHED : 3 * i + 1))
            ck_abort_msg("item %ju: wrong value", (uintmax_t)i);
        if (entry->begun > status.attempts || status.attempts > test->retries + 1)
            ck_abort_msg("item %ju: began %u, attempts %u", (uintmax_t)i, entry->begun, status.attempts);
        extra += status.attempts - !died;
        if (!died && entry->ended == 0)
            ck_abort_msg("item %ju: never ended", (uintmax_t)i);
        if (test->retries == 0 && entry->begun > 1)
            ck_abort_msg("item %ju: ran twice", (uintmax_t)i);
        crashed += died;
        sum += out[i];
        expected += 3 * i + 1;
    }
    ck_assert_uint_le(crashed, kills);
    ck_assert_uint_le(extra, kills);
    if (test->retries > 0)
        ck_assert_uint_eq(sum, expected);
}

static uint64_t run_killed_map(const struct killed_map *test)
{
    struct lives *lives = lives_map();
    pe_pool *pool = lives_pool(lives, test->workers, UINT32_MAX);
    struct killer killer = { .lives = lives,
                             .workers = test->workers,
                             .random = 88172645463325252u + test->chunk };
    struct spin_plan plan = { .turns = 2000 };
    uint64_t *in = malloc(test->count * sizeof *in), *out = malloc(test->count * sizeof *out);
    pe_status *statuses = test->statuses ? calloc(test->count, sizeof *statuses) : NULL;
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_job *job = NULL;
    int64_t guard = pe_after(GUARD_NS);

    for (uint64_t i = 0; i < test->count; i++) {
        in[i] = i;
        out[i] = UNTOUCHED;
    }
    plan.ledger = pool_shared(pool, test->count * sizeof *plan.ledger);
    options.chunk = test->chunk;
    options.retries = test->retries;
    options.statuses = statuses;
    options.summary = &summary;
    options.context = &plan;
    options.context_bytes = sizeof plan;
    ck_assert_int_eq(pe_pool_start_map(pool, item_spins, in, 8, out, 8, test->count, &options, &job), 0);
    while (pe_job_wait(job, pe_after((int64_t)next_random(&killer, 1000000))) == PE_ETIMEDOUT
           && pe_now() < guard)
        kill_one(&killer);
    ck_assert_int_eq(pe_job_wait(job, 0), 0);
    ck_assert_uint_eq(summary.returned + summary.failed, test->count);
    assert_killed_map(test, &plan, job, statuses, out, killer.kills);
    pe_job_free(job);
    pool_assert_usable(pool);
    pe_pool_free(pool);
    free(in);
    free(out);
    free(statuses);
    munmap(lives, sizeof *lives);
    return killer.kills;
}

static const struct killed_map killed_maps[] = {
    { 2, 0, 0, 200000, 1 },    { 2, 1000, 0, 200000, 1 }, { 4, 0, 1, 200000, 0 },
    { 4, 1000, 1, 200000, 0 }, { 3, 0, 1000, 200000, 1 }, { 3, 1000, 1000, 200000, 0 },
};

PE_TEST_FULL(killed_at_random_during_maps, 100, 0, (int)(sizeof killed_maps / sizeof *killed_maps))
{
    struct killed_map test = killed_maps[_i];
    int64_t until = pe_after(harness_long() ? PE_SECONDS(30) : 0);
    uint64_t kills = 0, maps = 0;

    test.count = (uint64_t)((double)test.count / harness_slowness());
    do {
        kills += run_killed_map(&test);
        maps++;
    } while (pe_now() < until || kills < 10);
    if (harness_long())
        printf("# maps of kind %d: %ju deaths in %ju maps\n", _i, (uintmax_t)kills, (uintmax_t)maps);
}

/* Maps so small and uneven that workers steal all the time: deaths fall between the steps of a steal, too. */
PE_TEST_SLOW(killed_at_random_during_steals, 100)
{
    enum { COUNT = 400 };
    struct lives *lives = lives_map();
    pe_pool *pool = lives_pool(lives, 4, UINT32_MAX);
    struct killer killer = { .lives = lives, .workers = 4, .random = 362436069u };
    struct killed_map test = { .workers = 4, .count = COUNT, .statuses = 1 };
    struct spin_plan plan = { .ledger = pool_shared(pool, COUNT * sizeof *plan.ledger), .turns = 20 };
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    int64_t until = pe_after(PE_SECONDS(harness_long() ? 60 : 3)), next_kill = 0;
    pe_status statuses[COUNT];
    uint64_t in[COUNT], out[COUNT];

    options.chunk = 1;
    options.statuses = statuses;
    options.context = &plan;
    options.context_bytes = sizeof plan;
    do {
        uint64_t before = killer.kills;
        pe_job *job = NULL;

        memset(plan.ledger, 0, COUNT * sizeof *plan.ledger);
        for (uint64_t i = 0; i < COUNT; i++) {
            in[i] = i;
            out[i] = UNTOUCHED;
        }
        test.retries = options.retries = test.retries ? 0 : 1000;
        ck_assert_int_eq(pe_pool_start_map(pool, item_spins, in, 8, out, 8, COUNT, &options, &job), 0);
        for (int64_t start = pe_now(), wait = (int64_t)next_random(&killer, 50000); pe_now() < start + wait;)
            ;
        if (pe_now() >= next_kill) {
            kill_one(&killer);
            next_kill = pe_after(PE_US(500));
        }
        ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
        /* The death may have come in the map before, or may come in the next. */
        assert_killed_map(&test, &plan, job, statuses, out, killer.kills - before + test.workers);
        pe_job_free(job);
    } while (pe_now() < until || killer.kills <= 50);
    tell("steals", &killer);
    pe_pool_free(pool);
    munmap(lives, sizeof *lives);
}

struct tagged {
    struct entry *entry;
    uint64_t tag;
    size_t bytes;
};

/* A reply whose every byte tells whose it is, written piece by piece. */
static int job_tagged(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct tagged tagged;
    unsigned char piece[1000];

    if (arg_bytes != sizeof tagged)
        return -1;
    memcpy(&tagged, arg, sizeof tagged);
    atomic_fetch_add(&tagged.entry->begun, 1);
    memset(piece, (int)(tagged.tag % 251), sizeof piece);
    for (size_t at = 0; at < tagged.bytes; at += sizeof piece) {
        size_t left = tagged.bytes - at;

        if (pe_reply_write(reply, piece, left < sizeof piece ? left : sizeof piece) < 0)
            return -2;
    }
    atomic_fetch_add(&tagged.entry->ended, 1);
    return 0;
}

static void assert_tagged(pe_job *job, const struct tagged *tagged, uint32_t retries, uint64_t *died)
{
    const unsigned char *bytes = NULL;
    const void *data = NULL;
    size_t count = 0;
    pe_status status;

    ck_assert_int_eq(pe_job_status(job, &status), 0);
    ck_assert_uint_le(tagged->entry->begun, status.attempts);
    if (status.kind == PE_CRASHED) {
        ck_assert_int_eq(status.code, SIGKILL);
        ck_assert_uint_eq(status.attempts, retries + 1);
        ck_assert_int_eq(pe_job_result(job, &data, &count), PE_ENODATA);
        *died += status.attempts;
        return;
    }
    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_eq(status.code, 0);
    ck_assert_uint_ge(tagged->entry->ended, 1);
    ck_assert_int_eq(pe_job_result(job, &data, &count), 0);
    ck_assert_uint_eq(count, tagged->bytes);
    bytes = data;
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != tagged->tag % 251)
            ck_abort_msg("job %ju: byte %zu is another's", (uintmax_t)tagged->tag, i);
    *died += status.attempts - 1;
}

/* Batches of jobs with replies of all sizes, with and without retries, while workers are killed. */
PE_TEST_SLOW(killed_at_random_during_jobs, 100)
{
    enum { BATCH = 200 };
    static const size_t sizes[] = { 1, 64, 65, 3000, 40000, 1, 8, 400000 };
    struct lives *lives = lives_map();
    pe_pool *pool = lives_pool(lives, 4, UINT32_MAX);
    struct killer killer = { .lives = lives, .workers = 4, .random = 2463534242u };
    struct entry *ledger = pool_shared(pool, BATCH * sizeof *ledger);
    int64_t until = pe_after(PE_SECONDS(harness_long() ? 60 : 4));
    uint64_t died = 0, serial = 0, batches = 0;

    do {
        struct tagged tagged[BATCH];
        pe_job *jobs[BATCH];
        int done[BATCH] = { 0 };
        uint32_t retries = batches++ % 2 ? 1000 : 0;
        uint64_t batch_most = killer.kills + 40;

        memset(ledger, 0, BATCH * sizeof *ledger);
        for (int i = 0; i < BATCH; i++) {
            tagged[i] = (struct tagged){ &ledger[i], serial, sizes[serial % 8] };
            serial++;
            jobs[i] = pool_submit_retried(pool, job_tagged, &tagged[i], sizeof tagged[i], retries);
            ck_assert_int_eq(pe_job_on_done(jobs[i], count_call, &done[i]), 0);
            if (next_random(&killer, 40) == 0)
                kill_one(&killer);
        }
        /* Not so many that nothing gets done on a slow machine. */
        while (pe_pool_wait(pool, pe_after((int64_t)next_random(&killer, 600000))) == PE_ETIMEDOUT)
            if (killer.kills < batch_most)
                kill_one(&killer);
        for (int i = 0; i < BATCH; i++) {
            assert_tagged(jobs[i], &tagged[i], retries, &died);
            ck_assert_int_eq(done[i], 1);
            pe_job_free(jobs[i]);
        }
        ck_assert_uint_le(died, killer.kills);
    } while (pe_now() < until || killer.kills <= 50);
    tell("jobs", &killer);
    pe_pool_free(pool);
    munmap(lives, sizeof *lives);
}

HARNESS_MAIN("storm")
