#include <parexec.h>
#include <stdio.h>

#define ITEMS 8
#define POINTS 125000

static int inside(pe_rng *rng)
{
    double x = pe_rng_double(rng), y = pe_rng_double(rng);
    return x * x + y * y < 1.0;
}

static long count_hits(pe_rng *rng, long points)
{
    long hits = 0;
    for (long i = 0; i < points; i++)
        hits += inside(rng);
    return hits;
}

static int draw(const void *in, void *out, const void *context)
{
    pe_rng rng;
    (void)context;
    pe_rng_init(&rng, 1, *(const uint64_t *)in); /* a stream of its own for each item */
    *(long *)out = count_hits(&rng, POINTS);
    return 0;
}

int main(void)
{
    uint64_t in[ITEMS];
    long out[ITEMS], hits = 0;
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool;
    options.workers = 2;
    for (uint64_t i = 0; i < ITEMS; i++)
        in[i] = i;
    if (pe_pool_new(&options, &pool) || pe_pool_map(pool, draw, in, sizeof *in, out, sizeof *out, ITEMS, NULL))
        return 1;
    for (int i = 0; i < ITEMS; i++)
        hits += out[i];
    printf("%.3f\n", 4.0 * hits / (ITEMS * POINTS));
    pe_pool_free(pool);
    return 0;
}
