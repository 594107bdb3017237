/*
 * sweep.c: which epidemic fits what was observed? Tries random parameters of a model, and weighs each by how well it
 * fits.
 *
 *     sweep [-w WORKERS] [-n POINTS] [-s SEED] FILE
 *
 * The file has the number of people and then, for each day, how many were ill; see influenza.txt. The model is that
 * of Kermack and McKendrick: people who meet infect each other, and recover after some days.
 *
 * It shows a reduce (pe_pool_reduce in map.h) with random numbers (rng.h). Point number i is drawn from stream i, and
 * parts are added in the order of their numbers: so all digits of the sums are the same with any number of workers,
 * also after retries, although sums of floating-point numbers depend on their order.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <parexec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DAYS_MAX = 400, STEPS_PER_DAY = 8 };

/* What was observed. */
struct outbreak {
    uint64_t seed;
    double people, ill[DAYS_MAX];
    int days;
};

/* Quantities that are estimated: how many each one infects when nobody is immune, and for how many days one is ill. */
enum { R0, ILL_DAYS, QUANTITIES };

/* Of all points so far: the best, and sums of weights, where the best weighs 1. */
struct sweep {
    double best_fit, best[QUANTITIES];
    double weight, squared_weight, first[QUANTITIES], second[QUANTITIES];
};

static const struct sweep nothing = { .best_fit = -INFINITY };

/* ---- in a worker ---- */

/* One step of Heun's method: how many are healthy, and how many ill. */
static void step(double *healthy, double *ill, double infect, double recover)
{
    double new1 = infect * *healthy * *ill, well1 = recover * *ill;
    double healthy1 = *healthy - new1, ill1 = *ill + new1 - well1;
    double new2 = infect * healthy1 * ill1, well2 = recover * ill1;

    *healthy -= (new1 + new2) / 2;
    *ill += (new1 + new2 - well1 - well2) / 2;
}

/* Logarithm of the likelihood, for counts that scatter as in a Poisson distribution. */
static double fit(const struct outbreak *outbreak, const double *values)
{
    double ill = outbreak->ill[0], healthy = outbreak->people - ill, likelihood = 0;
    double recover = 1 / (values[ILL_DAYS] * STEPS_PER_DAY), infect = values[R0] * recover / outbreak->people;

    for (int day = 1; day < outbreak->days; day++) {
        for (int i = 0; i < STEPS_PER_DAY; i++)
            step(&healthy, &ill, infect, recover);
        if (!(ill > 0))
            return -INFINITY;
        likelihood += outbreak->ill[day] * log(ill) - ill;
    }
    return likelihood;
}

/* Adds the sums of another sweep. */
static void add(struct sweep *sum, const struct sweep *more)
{
    if (!(more->best_fit > -INFINITY))
        return;
    double best_fit = fmax(sum->best_fit, more->best_fit);
    double here = exp(sum->best_fit - best_fit), there = exp(more->best_fit - best_fit);

    for (int i = 0; i < QUANTITIES; i++) {
        sum->best[i] = more->best_fit > sum->best_fit ? more->best[i] : sum->best[i];
        sum->first[i] = here * sum->first[i] + there * more->first[i];
        sum->second[i] = here * sum->second[i] + there * more->second[i];
    }
    sum->weight = here * sum->weight + there * more->weight;
    sum->squared_weight = here * here * sum->squared_weight + there * there * more->squared_weight;
    sum->best_fit = best_fit;
}

static int try_points(uint64_t first, uint64_t last, void *acc, const void *context)
{
    const struct outbreak *outbreak = context;

    for (uint64_t i = first; i < last; i++) {
        struct sweep point = { .weight = 1, .squared_weight = 1 };
        pe_rng rng;

        pe_rng_init(&rng, outbreak->seed, i);
        point.best[R0] = 1 + 9 * pe_rng_double(&rng);
        point.best[ILL_DAYS] = 0.5 + 9.5 * pe_rng_double(&rng);
        point.best_fit = fit(outbreak, point.best);
        for (int k = 0; k < QUANTITIES; k++) {
            point.first[k] = point.best[k];
            point.second[k] = point.best[k] * point.best[k];
        }
        add(acc, &point);
    }
    return 0;
}

/* ---- in the program ---- */

static int combine(void *acc, const void *part, const void *context)
{
    (void)context;
    add(acc, part);
    return 0;
}

static int read_outbreak(const char *path, struct outbreak *outbreak)
{
    FILE *file = fopen(path, "r");
    char line[200];
    int numbers = 0;

    if (file == NULL)
        return -errno;
    while (numbers <= DAYS_MAX && fgets(line, sizeof line, file) != NULL) {
        if (line[0] != '#' && sscanf(line, "%lf", numbers == 0 ? &outbreak->people : &outbreak->ill[numbers - 1]) == 1)
            numbers++;
    }
    fclose(file);
    outbreak->days = numbers - 1;
    return numbers > 2 && outbreak->ill[0] > 0 && outbreak->ill[0] < outbreak->people ? 0 : PE_ENODATA;
}

static void print_mean(const struct sweep *sweep, int quantity, const char *name)
{
    double mean = sweep->first[quantity] / sweep->weight;
    double variance = fmax(sweep->second[quantity] / sweep->weight - mean * mean, 0);

    printf("%s: best %.3f, mean %.3f +- %.3f, sum %a\n", name, sweep->best[quantity], mean, sqrt(variance),
           sweep->first[quantity]);
}

int main(int argc, char **argv)
{
    struct outbreak outbreak = { .seed = 1 };
    struct sweep sweep = nothing;
    uint64_t points = 200000;
    pe_pool_options pool_options = PE_POOL_OPTIONS_INIT;
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_pool *pool = NULL;

    for (int option; (option = getopt(argc, argv, "w:n:s:")) != -1;) {
        switch (option) {
        case 'w': pool_options.workers = (uint32_t)strtoul(optarg, NULL, 10); break;
        case 'n': points = strtoull(optarg, NULL, 10); break;
        case 's': outbreak.seed = strtoull(optarg, NULL, 10); break;
        default: optind = argc;
        }
    }
    if (optind + 1 != argc) {
        fprintf(stderr, "usage: sweep [-w WORKERS] [-n POINTS] [-s SEED] FILE\n");
        return 2;
    }
    int error = read_outbreak(argv[optind], &outbreak);
    options.context = &outbreak;
    options.context_bytes = sizeof outbreak;
    options.retries = 3;
    if (error == 0)
        error = pe_pool_new(&pool_options, &pool);
    if (error == 0)
        error = pe_pool_reduce(pool, try_points, combine, 0, points, &sweep, sizeof sweep, &options);
    pe_pool_free(pool);
    if (error < 0 || !(sweep.weight > 0)) {
        fprintf(stderr, "sweep: %s\n", error < 0 ? pe_strerror(error) : "nothing fits");
        return 1;
    }
    print_mean(&sweep, R0, "each infects");
    print_mean(&sweep, ILL_DAYS, "days ill");
    printf("as good as %.0f of %" PRIu64 " points\n", sweep.weight * sweep.weight / sweep.squared_weight, points);
    return 0;
}
