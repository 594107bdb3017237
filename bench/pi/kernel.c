/* Seeding, the last partial step, and the choice of a kernel. Stateless. */

#include "pi/kernel.h"

#include "pi/lazy.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    pi_kernel_fn *fn[PI_CLASS_COUNT];
} kernels[PI_KERNEL_COUNT] = {
    [PI_KERNEL_AUTO] = { "auto", { NULL, NULL } },
    [PI_KERNEL_C] = { "c", { pi__kernel_c, pi__lazy_c } },
#ifdef PI_HAVE_X86
    [PI_KERNEL_AVX2] = { "avx2", { pi__kernel_avx2, pi__lazy_avx2 } },
    [PI_KERNEL_AVX512] = { "avx512", { pi__kernel_avx512, pi__lazy_avx512 } },
#else
    [PI_KERNEL_AVX2] = { "avx2", { NULL, NULL } },
    [PI_KERNEL_AVX512] = { "avx512", { NULL, NULL } },
#endif
};

static const char *const class_names[PI_CLASS_COUNT] = { "plain", "lazy" };

int pi_kernel_usable(uint32_t kernel)
{
    if (kernel == PI_KERNEL_AUTO || kernel == PI_KERNEL_C)
        return 1;
#ifdef PI_HAVE_X86
    __builtin_cpu_init();
    if (kernel == PI_KERNEL_AVX2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
            && __builtin_cpu_supports("popcnt");
    if (kernel == PI_KERNEL_AVX512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
            && __builtin_cpu_supports("popcnt");
#endif
    return 0;
}

uint32_t pi_kernel_choose(uint32_t kernel)
{
    if (kernel != PI_KERNEL_AUTO)
        return kernel;
    for (kernel = PI_KERNEL_COUNT - 1; kernel > PI_KERNEL_C; kernel--) {
        if (pi_kernel_usable(kernel))
            break;
    }
    return kernel;
}

const char *pi_kernel_name(uint32_t kernel)
{
    return kernel < PI_KERNEL_COUNT ? kernels[kernel].name : NULL;
}

int pi_kernel_find(const char *name)
{
    for (int i = 0; i < PI_KERNEL_COUNT; i++) {
        if (strcmp(kernels[i].name, name) == 0)
            return i;
    }
    return -1;
}

const char *pi_class_name(uint32_t kernel_class)
{
    return kernel_class < PI_CLASS_COUNT ? class_names[kernel_class] : NULL;
}

static void seed_block(pi_state *state, uint64_t seed, uint64_t block)
{
    const uint64_t words = PI_SETS * 4 * PI_LANES;
    uint64_t *word = &state->word[0][0][0];
    uint64_t counter = pi__splitmix(seed) + block * words * PI_GAMMA;

    for (uint64_t i = 0; i < words; i++)
        word[i] = pi__splitmix(counter + (i + 1) * PI_GAMMA);
    state->refine = pi__splitmix(~seed) + block * PI_BLOCK_SAMPLES * PI_GAMMA;
}

/* float -> int64 and back are exact for what comes here: whole numbers of at most 24 significant bits, and
 * one conversion that rounds just as the fused y*y - R*R would. */
int pi_is_hit(int32_t x, int32_t y)
{
    int64_t fx = (int64_t)(float)x;
    int64_t fy = (int64_t)(float)y;
    float rest = (float)(fy * fy - (INT64_C(1) << 62));

    return fx * fx + (int64_t)rest <= 0;
}

/* Both draws of one step; the state moves on. */
static void draw_step(pi_state *state, uint64_t draw[2][PI_SETS * PI_LANES])
{
    for (int i = 0; i < 2 * PI_SETS * PI_LANES; i++) {
        int which = i / (PI_SETS * PI_LANES);
        int lane = i % PI_LANES;
        uint64_t (*s)[PI_LANES] = state->word[i / PI_LANES % PI_SETS];
        uint64_t shifted = s[1][lane] << 17;

        draw[which][i % (PI_SETS * PI_LANES)] = s[0][lane] + s[3][lane];
        s[2][lane] ^= s[0][lane];
        s[3][lane] ^= s[1][lane];
        s[1][lane] ^= s[2][lane];
        s[0][lane] ^= s[3][lane];
        s[2][lane] ^= shifted;
        s[3][lane] = s[3][lane] << 45 | s[3][lane] >> 19;
    }
}

/* The first `count` points of a step that is not a whole one. */
static uint64_t partial_step(pi_state *state, uint64_t count)
{
    uint64_t draw[2][PI_SETS * PI_LANES];
    uint64_t hits = 0;

    draw_step(state, draw);
    for (uint64_t i = 0; i < count; i++) {
        unsigned half = i % 2 * 32;
        hits += (uint64_t)pi_is_hit((int32_t)(uint32_t)(draw[0][i / 2] >> half),
                                    (int32_t)(uint32_t)(draw[1][i / 2] >> half));
    }
    return hits;
}

static uint64_t partial_lazy_step(pi_state *state, uint64_t count)
{
    uint64_t draw[2][PI_SETS * PI_LANES];
    uint16_t x[PI_LAZY_STEP_SAMPLES], y[PI_LAZY_STEP_SAMPLES];

    draw_step(state, draw);
    for (uint64_t i = 0; i < count; i++) {
        unsigned part = i % 4 * 16;
        x[i] = (uint16_t)(draw[0][i / 4] >> part);
        y[i] = (uint16_t)(draw[1][i / 4] >> part);
    }
    return count - pi__lazy_misses(x, y, (unsigned)count, state->refine);
}

/* The first `count` points of the block whose state this is. */
static uint64_t block_hits(const pi_stream *stream, pi_state *state, uint64_t count)
{
    pi_kernel_fn *fn = kernels[pi_kernel_choose(stream->kernel)].fn[stream->kernel_class];

    if (stream->kernel_class == PI_CLASS_LAZY)
        return fn(state, count / PI_LAZY_STEP_SAMPLES) + partial_lazy_step(state, count % PI_LAZY_STEP_SAMPLES);
    return fn(state, count / PI_STEP_SAMPLES) + partial_step(state, count % PI_STEP_SAMPLES);
}

uint64_t pi_hits(const pi_stream *stream, uint64_t first, uint64_t last, uint64_t *ret_samples)
{
    uint64_t hits = 0;
    uint64_t drawn = 0;
    pi_state state;

    for (uint64_t block = first; block < last; block++) {
        uint64_t left = stream->samples - block * PI_BLOCK_SAMPLES;
        uint64_t count = left < PI_BLOCK_SAMPLES ? left : PI_BLOCK_SAMPLES;

        seed_block(&state, stream->seed, block);
        hits += block_hits(stream, &state, count);
        drawn += count;
    }
    if (ret_samples != NULL)
        *ret_samples = drawn;
    return hits;
}
