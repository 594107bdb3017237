#include <parexec.h>
#include <stdio.h>
#include <stdlib.h>

static const char *kind_name(const pe_status *status)
{
    return status->kind == PE_CRASHED ? "crashed" : status->kind == PE_EXITED ? "exited" : "returned";
}

static int risky(const void *in, void *out, const void *context)
{
    int number = *(const int *)in;
    if (number == 2)
        number += *(const int *)context; /* NULL: the map was given none */
    if (number == 3)
        exit(7);
    if (number == 4)
        return 9;
    *(int *)out = number * number;
    return 0;
}

int main(void)
{
    int in[5] = { 1, 2, 3, 4, 5 }, out[5] = { 0 };
    pe_status statuses[5];
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_pool *pool;
    int error = pe_pool_new(NULL, &pool);
    if (error < 0) {
        fprintf(stderr, "%s\n", pe_strerror(error));
        return 1;
    }
    options.statuses = statuses;
    error = pe_pool_map(pool, risky, in, sizeof *in, out, sizeof *out, 5, &options);
    printf("%s\n", pe_strerror(error));
    for (int i = 0; i < 5; i++)
        printf("%d %s with %d, out: %d\n", in[i], kind_name(&statuses[i]), (int)statuses[i].code, out[i]);
    pe_pool_free(pool);
    return 0;
}
