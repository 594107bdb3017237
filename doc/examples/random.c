#include <parexec.h>
#include <stdio.h>
#include <string.h>

/* A random walk: 1,000 steps of up to half a metre to the left or right. */
static int walk(const void *in, void *out, const void *context)
{
    double place = 0;
    pe_rng rng;

    (void)in;
    pe_rng_init(&rng, *(const uint64_t *)context, pe_worker_item());
    for (int step = 0; step < 1000; step++)
        place += pe_rng_double(&rng) - 0.5;
    *(double *)out = place;
    return 0;
}

/* The ends of 1,000 walks, from so many workers. */
static int run(uint32_t workers, double *ends)
{
    uint64_t seed = 42;
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_pool *pool;
    int error = pe_pool_new(&(pe_pool_options){ PE_SIZED(pe_pool_options), .workers = workers }, &pool);

    if (error < 0)
        return error;
    options.context = &seed;
    options.context_bytes = sizeof seed;
    error = pe_pool_map(pool, walk, NULL, 0, ends, sizeof *ends, 1000, &options);
    pe_pool_free(pool);
    return error;
}

int main(void)
{
    static double one[1000], three[1000];
    double squares = 0;

    if (run(1, one) < 0 || run(3, three) < 0)
        return 1;
    for (int i = 0; i < 1000; i++)
        squares += one[i] * one[i];
    printf("mean square: %.2f, expected 83.33\n", squares / 1000);
    printf("3 workers: %s\n", memcmp(one, three, sizeof one) == 0 ? "the same bits" : "something else");
    return 0;
}
