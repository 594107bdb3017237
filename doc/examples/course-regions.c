#include <math.h>
#include <parexec.h>
#include <stdio.h>
#include <stdlib.h>

static double coordinate(void)
{
    return rand() / (RAND_MAX + 1.0);
}

static int inside(void)
{
    double x = coordinate(), y = coordinate();
    return x * x + y * y < 1.0;
}

static double estimate_pi(long points)
{
    PE_REGION_SCOPE("estimate_pi");
    long hits = 0;
    for (long i = 0; i < points; i++)
        hits += inside();
    PE_COUNT("hits", hits);
    return 4.0 * hits / points;
}

static double leibniz(long terms)
{
    double total = 0.0;
    PE_REGION("leibniz") {
        for (long k = 0; k < terms; k++)
            total += pow(-1.0, k) / (2 * k + 1);
    }
    return 4.0 * total;
}

int main(void)
{
    pe_region_enable(1);
    printf("%.3f %.3f\n", estimate_pi(1000000), leibniz(1000000));
    return pe_report(stdout, NULL) < 0;
}
