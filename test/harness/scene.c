#include "harness/scene.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <parexec/pool.h>

#define GUARD_NS PE_SECONDS(20)

struct scene *scene;

void *fenced(size_t bytes)
{
    size_t pages = (bytes + PAGE - 1) / PAGE * PAGE;
    char *start = mmap(NULL, pages + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(start, MAP_FAILED);
    ck_assert_int_eq(mprotect(start + PAGE, pages, PROT_READ | PROT_WRITE), 0);
    return start + PAGE + pages - bytes;
}

void unfence(void *memory, size_t bytes)
{
    size_t pages = (bytes + PAGE - 1) / PAGE * PAGE;

    munmap((char *)memory + bytes - pages - PAGE, pages + 2 * PAGE);
}

pe_pool *scene_begin_with(struct scene_options wanted)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    struct rlimit no_cores = { 0, 0 };
    pe_pool *pool = NULL;

    setrlimit(RLIMIT_CORE, &no_cores);
    scene = mmap(NULL, sizeof *scene, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(scene, MAP_FAILED);
    options.workers = WORKERS;
    options.queue_jobs = 64;
    options.shared_bytes = UINT64_C(64) << 20;
    options.max_reply_bytes = LIMIT;
    options.grace_ns = PE_MS(1);
    options.flags = PE_POOL_BACKTRACE;
    options.output_bytes = wanted.keeper_sleeps ? 0 : PAGE;
    options.idle_ns = wanted.idle_ns;
    ck_assert_int_eq(pe_pool_new(&options, &pool), 0);
    scene->view = pool->shared;
    scene->regions = pool->regions.geometry;
    return pool;
}

pe_pool *scene_begin(void)
{
    return scene_begin_with((struct scene_options){ 0 });
}

void scene_end(pe_pool *pool)
{
    atomic_store(&scene->stop, 1);
    ck_assert_int_eq(pe_pool_kill(pool, PE_NOW), 0);
    pe_pool_free(pool);
    munmap(scene, sizeof *scene);
}

pe_job *scene_submit_limited(pe_pool *pool, pe_job_fn *fn, uint64_t value, int64_t timeout_ns)
{
    pe_job_options options = PE_JOB_OPTIONS_INIT;
    pe_job *job = NULL;

    options.timeout_ns = timeout_ns;
    ck_assert_int_eq(pe_pool_submit(pool, fn, &value, sizeof value, &options, &job), 0);
    return job;
}

pe_job *scene_submit(pe_pool *pool, pe_job_fn *fn, uint64_t value)
{
    return scene_submit_limited(pool, fn, value, 0);
}

uint64_t value_of(const void *arg)
{
    uint64_t value;

    memcpy(&value, arg, sizeof value);
    return value;
}

uint64_t read_all(const void *data, size_t bytes)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < bytes; i++)
        sum += ((const unsigned char *)data)[i];
    return sum;
}

uint32_t scene_own_index(void)
{
    return atomic_load(&scene->view.slots[pe_worker_index()].hint);
}

void scene_end_as(uint64_t sequence_more, uint32_t owner, uint32_t phase)
{
    struct pe__record *record = &scene->view.records[scene_own_index()];
    uint64_t word = atomic_load(&record->word);
    uint64_t sequence = (pe__record_sequence(word) + sequence_more) & PE__RECORD_SEQUENCE_MASK;

    atomic_store(&record->word, pe__record_word(sequence, owner, (enum pe__record_phase)phase));
    job_stays(NULL, 0, NULL);
}

int job_stays(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    atomic_fetch_add(&scene->inside, 1);
    for (;;)
        pause();
}

void scene_await_inside(uint32_t count)
{
    int64_t guard = pe_after(GUARD_NS);

    while (atomic_load(&scene->inside) < count) {
        ck_assert_int_lt(pe_now(), guard);
        sched_yield();
    }
}

void scene_keep_busy(pe_pool *pool, uint32_t workers)
{
    uint32_t before = atomic_load(&scene->inside);

    for (uint32_t i = 0; i < workers; i++)
        ck_assert_int_eq(pe_pool_submit(pool, job_stays, NULL, 0, NULL, NULL), 0);
    scene_await_inside(before + workers);
}

int job_short(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg_bytes;
    return pe_reply_write(reply, arg, 8);
}

void scene_make_writable(const struct pe__shared *view)
{
    mprotect(view->base, view->readonly_bytes, PROT_READ | PROT_WRITE);
    pe__fence_raise(&view->fences, view->base);
}

void scene_assert_figures(const pe_pool *pool, int64_t age_ns)
{
    pe_stats stats = PE_STATS_INIT;

    ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
    ck_assert_int_ge(stats.queue_ns, 0);
    ck_assert_int_le(stats.queue_ns, age_ns * (int64_t)stats.submitted);
    ck_assert_int_ge(stats.run_ns, 0);
    ck_assert_int_ge(stats.idle_ns, 0);
    ck_assert_int_le(stats.run_ns + stats.idle_ns, WORKERS * age_ns);
    for (uint32_t i = 0; i < WORKERS; i++) {
        pe_worker_stats worker = PE_WORKER_STATS_INIT;
        ck_assert_int_eq(pe_pool_worker_stats(pool, i, &worker), 0);
        ck_assert_int_ge(worker.run_ns, 0);
        ck_assert_int_ge(worker.idle_ns, 0);
        ck_assert_int_le(worker.run_ns + worker.idle_ns, age_ns);
        ck_assert_int_ge(worker.state_ns, 0);
        ck_assert_int_le(worker.state_ns, age_ns);
        ck_assert_int_ge(worker.pid, 0);
    }
}
