#include <math.h>
#include <parexec.h>
#include <stdio.h>
#include <stdlib.h>

static int inside(void)
{
    PE_REGION_SCOPE("inside");
    PE_LINE(); double x = rand() / (RAND_MAX + 1.0);
    PE_LINE(); double y = rand() / (RAND_MAX + 1.0);
    PE_LINE(); return x * x + y * y < 1.0;
}

static double estimate_pi(long points)
{
    long hits = 0;
    for (long i = 0; i < points; i++)
        hits += inside();
    return 4.0 * hits / points;
}

static double leibniz(long terms)
{
    PE_REGION_SCOPE("leibniz");
    double total = 0.0;
    for (long k = 0; k < terms; k++) {
        PE_LINE(); double sign = pow(-1.0, k);
        PE_LINE(); total += sign / (2 * k + 1);
    }
    return 4.0 * total;
}

int main(void)
{
    pe_report_options options = PE_REPORT_OPTIONS_INIT;
    options.format = PE_REPORT_LINES;
    pe_region_enable(1);
    printf("%.3f %.3f\n", estimate_pi(1000000), leibniz(1000000));
    return pe_report(stdout, &options) < 0;
}
