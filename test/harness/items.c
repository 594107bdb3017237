/* What runs in workers here uses nothing but its arguments. */

#include "harness/items.h"

#include <stdlib.h>
#include <unistd.h>

#include <parexec/worker.h>

#include "harness/harness.h"

uint64_t *numbers(size_t count)
{
    uint64_t *in = malloc((count + 1) * sizeof *in);

    ck_assert_ptr_nonnull(in);
    for (size_t i = 0; i < count; i++)
        in[i] = i;
    return in;
}

uint64_t *untouched(size_t count)
{
    uint64_t *out = malloc((count + 1) * sizeof *out);

    ck_assert_ptr_nonnull(out);
    memset(out, 0xee, (count + 1) * sizeof *out);
    return out;
}

int item_square(const void *in, void *out, const void *context)
{
    uint64_t number;

    (void)context;
    memcpy(&number, in, sizeof number);
    number *= number;
    memcpy(out, &number, sizeof number);
    return 0;
}

int item_square_or_fail(const void *in, void *out, const void *context)
{
    const uint64_t *list = context;
    uint64_t number;

    item_square(in, out, NULL);
    memcpy(&number, in, sizeof number);
    for (uint64_t i = 0; i < list[1]; i++)
        if (list[2 + i] == number)
            return pe_worker_fail((int)list[0], "item %d is no good", (int)number);
    return 0;
}

int item_for_ever(const void *in, void *out, const void *context)
{
    (void)in;
    (void)out;
    (void)context;
    for (;;)
        pause();
}

int item_nothing(const void *in, void *out, const void *context)
{
    (void)in, (void)out, (void)context;
    return 0;
}

int range_nothing(uint64_t first, uint64_t last, void *acc, const void *context)
{
    (void)first, (void)last, (void)acc, (void)context;
    return 0;
}

int combine_sum(void *acc, const void *part, const void *context)
{
    (void)context;
    *(uint64_t *)acc += *(const uint64_t *)part;
    return 0;
}

int combine_nothing(void *acc, const void *part, const void *context)
{
    (void)acc, (void)part, (void)context;
    return 0;
}

void progress_follow(uint64_t done, uint64_t failed, uint64_t total, void *context)
{
    struct progress *progress = context;

    progress->backwards |=
        done < progress->done || failed < progress->failed || done > total || failed > done;
    progress->calls++;
    progress->done = done;
    progress->failed = failed;
    progress->total = total;
}

void count_call(pe_job *job, void *context)
{
    (void)job;
    ++*(int *)context;
}
