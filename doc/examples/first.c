#include <parexec.h>
#include <stdio.h>

static int square(const void *in, void *out, const void *context)
{
    (void)context;
    *(int *)out = *(const int *)in * *(const int *)in;
    return 0;
}

int main(void)
{
    int in[4] = { 1, 2, 3, 4 }, out[4];
    pe_pool *pool;
    if (pe_pool_new(NULL, &pool) || pe_pool_map(pool, square, in, sizeof *in, out, sizeof *out, 4, NULL))
        return 1;
    printf("%d %d %d %d\n", out[0], out[1], out[2], out[3]);
    pe_pool_free(pool);
}
