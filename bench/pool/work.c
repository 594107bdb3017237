/* The benchmark's work: see the header. Nothing here knows who calls it. */

#include "pool/work.h"
#include "harness.h"

/* Neighbouring items' chains overlap in the core, so that this many steps take about 20 ns in a loop and more
 * alone. */
#define DOUBLE_STEPS 32

uint64_t work_job(uint64_t arg)
{
    uint64_t x = arg >> 32;
    for (uint32_t steps = (uint32_t)arg; steps > 0; steps--) {
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        bench_keep(x);
    }
    return x + 1;
}

work_job_fn *work_chosen = work_job;

static size_t block_bytes;

uint64_t work_sum_bytes(const void *block, size_t bytes)
{
    const uint64_t *words = block;
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes / sizeof(*words); i++)
        sum += words[i];
    return sum;
}

static uint64_t sum_block(uint64_t address)
{
    return work_sum_bytes((const void *)(uintptr_t)address, block_bytes);
}

void work_choose_blocks(size_t bytes)
{
    block_bytes = bytes;
    work_chosen = sum_block;
}

uint32_t work_steps(uint64_t job_ns)
{
    if (job_ns == 0)
        return 0;
    const uint32_t probe = 1000000;
    int64_t best = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        int64_t start = bench_now_ns();
        bench_keep(work_job(probe));
        int64_t took = bench_now_ns() - start;
        if (took < best)
            best = took;
    }
    double steps = (double)job_ns * probe / (double)best;
    return steps < 1 ? 1 : (uint32_t)steps;
}

int work_double(const void *in, void *out, const void *context)
{
    (void)context;
    double x = *(const double *)in;
    for (int i = 0; i < DOUBLE_STEPS; i++)
        x = x * 0.999 + 0.5;
    *(double *)out = x;
    return 0;
}

int work_chain(const void *in, void *out, const void *context)
{
    double x = *(const double *)in;
    for (uint64_t steps = *(const uint64_t *)context; steps > 0; steps--)
        x = x * 0.999 + 0.5;
    *(double *)out = x;
    return 0;
}

int work_noop(const void *in, void *out, const void *context)
{
    (void)in;
    (void)out;
    (void)context;
    return 0;
}

int work_sum(const void *in, void *out, const void *context)
{
    const uint64_t *words = in;
    size_t count = *(const uint64_t *)context / sizeof(*words);
    uint64_t sums[4] = { 0, 0, 0, 0 };
    for (size_t i = 0; i + 4 <= count; i += 4)
        for (int lane = 0; lane < 4; lane++)
            sums[lane] += words[i + lane];
    *(uint64_t *)out = sums[0] + sums[1] + sums[2] + sums[3];
    return 0;
}

int work_fill(const void *in, void *out, const void *context)
{
    uint64_t word = *(const uint64_t *)in;
    uint64_t *words = out;
    size_t count = *(const uint64_t *)context / sizeof(*words);
    for (size_t i = 0; i < count; i++)
        words[i] = word;
    return 0;
}

int work_serial(work_item_fn *fn, const void *in, size_t in_bytes, void *out, size_t out_bytes, size_t count,
                const void *context)
{
    const char *from = in;
    char *to = out;
    int failed = 0;
    for (size_t i = 0; i < count; i++)
        failed |= fn(from + i * in_bytes, to + i * out_bytes, context);
    return failed;
}
