#include <parexec.h>
#include <stdio.h>

static int divide(const void *in, void *out, const void *context)
{
    (void)context;
    *(int *)out = 100 / *(const int *)in;
    return 0;
}

int main(void)
{
    int in[4] = { 1, 0, 3, 4 }, out[4] = { 0, 0, 0, 0 };
    pe_status statuses[4];
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_pool *pool;
    int error = pe_pool_new(NULL, &pool);

    if (error < 0) {
        fprintf(stderr, "no pool: %s\n", pe_strerror(error));
        return 1;
    }
    options.statuses = statuses;
    error = pe_pool_map(pool, divide, in, sizeof in[0], out, sizeof out[0], 4, &options);
    for (int i = 0; i < 4; i++) {
        if (statuses[i].kind == PE_CRASHED)
            printf("%d: killed by signal %d\n", i, (int)statuses[i].code);
        else
            printf("%d: %d\n", i, out[i]);
    }
    pe_pool_free(pool);
    return error == PE_EITEMS ? 0 : 1;
}
