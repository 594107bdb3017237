/* oneTBB as a rival.
 *
 * A single job goes through task_arena::enqueue to a thread that is not the caller's, as the others' do;
 * the host spins on the answer, which is the quickest way that TBB leaves it. Many jobs are a
 * task_group, a run() for each, and a map is a parallel_for; in these two the caller takes part, as TBB
 * means it, so that as many threads compute as the others have workers. */

#include "pool/tbb.h"

#include <atomic>
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <thread>

extern "C" uint64_t (*work_chosen)(uint64_t arg);

namespace onetbb = oneapi::tbb;

struct tbb_rival {
    onetbb::global_control limit;
    onetbb::task_arena workers; /* no place kept for the caller: enqueue only */
    onetbb::task_arena team;    /* the caller and workers - 1 more */
    explicit tbb_rival(unsigned n)
        : limit(onetbb::global_control::max_allowed_parallelism, n + 1), workers(static_cast<int>(n), 0),
          team(static_cast<int>(n), 1)
    {
    }
};

tbb_rival *tbb_rival_new(unsigned workers)
{
    return new tbb_rival(workers);
}

void tbb_rival_free(tbb_rival *rival)
{
    delete rival;
}

/* After a bounded spin the host yields: with all threads on one CPU a pure spin would wait for its time
 * slice. */
static void wait_for(const std::atomic<bool> &done)
{
    for (int spins = 0; !done.load(std::memory_order_acquire); spins++)
        if (spins > 1000)
            std::this_thread::yield();
}

void tbb_rival_one(tbb_rival *rival, uint64_t arg, uint64_t *ret_result)
{
    std::atomic<bool> done{ false };
    rival->workers.enqueue([&done, arg, ret_result] {
        *ret_result = work_chosen(arg);
        done.store(true, std::memory_order_release);
    });
    wait_for(done);
}

void tbb_rival_many(tbb_rival *rival, const uint64_t *args, uint64_t *results, size_t n)
{
    rival->team.execute([=] {
        onetbb::task_group group;
        for (size_t i = 0; i < n; i++)
            group.run([=] { results[i] = work_chosen(args[i]); });
        group.wait();
    });
}

int tbb_rival_map(tbb_rival *rival, int (*fn)(const void *, void *, const void *), const void *in,
                  size_t in_bytes, void *out, size_t out_bytes, size_t count, const void *context)
{
    std::atomic<int> failed{ 0 };
    rival->team.execute([&] {
        onetbb::parallel_for(onetbb::blocked_range<size_t>(0, count), [&](const onetbb::blocked_range<size_t> &range) {
            int bad = 0;
            for (size_t i = range.begin(); i != range.end(); i++)
                bad |= fn(static_cast<const char *>(in) + i * in_bytes,
                          static_cast<char *>(out) + i * out_bytes, context);
            if (bad)
                failed = bad;
        });
    });
    return failed;
}
