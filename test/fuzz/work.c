/* work.c - what pools are given to do. */
#include "work.h"

#include <string.h>

#include "expect.h"

int work_job(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    return 0;
}

int work_item(const void *in, void *out, const void *context)
{
    (void)in;
    (void)out;
    (void)context;
    return 0;
}

int work_range(uint64_t first, uint64_t last, void *acc, const void *context)
{
    (void)first;
    (void)last;
    (void)acc;
    (void)context;
    return 0;
}

int work_combine(void *acc, const void *part, const void *context)
{
    (void)context;
    memcpy(acc, part, 8);
    return 0;
}

int work_source(void *item, void *context)
{
    (void)context;
    memset(item, 1, 8);
    return 1;
}

void work_progress(uint64_t done, uint64_t failed, uint64_t total, void *context)
{
    (void)context;
    demand(failed <= done && (total == 0 || done <= total));
}

int work_worker(void *context)
{
    (void)context;
    return 0;
}
