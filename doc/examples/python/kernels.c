/*
 * kernels.c: functions for pool.py, in a shared object of their own:
 *
 *     cc -O2 -shared -fPIC kernels.c -o kernels.so -lm
 */
#include <math.h>

/* As pe_map_fn of map.h: a triangle's sides. */
int area(const void *in, void *out, const void *context)
{
    const double *side = in;
    double half = (side[0] + side[1] + side[2]) / 2;
    double square = half * (half - side[0]) * (half - side[1]) * (half - side[2]);

    (void)context;
    if (!(square >= 0))
        return 1; /* no such triangle */
    *(double *)out = sqrt(square);
    return 0;
}

/* The number at an address, wherever that is. */
int peek(const void *in, void *out, const void *context)
{
    (void)context;
    *(int *)out = **(const int *const *)in;
    return 0;
}
