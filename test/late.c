/* Two libraries that tests load when the workers have been forked already: alike but for what they answer. */

#include <parexec/job.h>
#include <parexec/map.h>

int late_job(const void *arg, size_t arg_bytes, pe_reply *reply);
int late_item(const void *in, void *out, const void *context);
int late_range(uint64_t first, uint64_t last, void *acc, const void *context);
int late_combine(void *acc, const void *part, const void *context);
int late_crashes(const void *arg, size_t arg_bytes, pe_reply *reply);

int late_job(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    return ANSWER;
}

int late_item(const void *in, void *out, const void *context)
{
    (void)in;
    (void)out;
    (void)context;
    return 0;
}

int late_range(uint64_t first, uint64_t last, void *acc, const void *context)
{
    (void)context;
    *(uint64_t *)acc += last - first;
    return 0;
}

int late_combine(void *acc, const void *part, const void *context)
{
    (void)context;
    *(uint64_t *)acc += *(const uint64_t *)part;
    return 0;
}

__attribute__((no_sanitize("address", "undefined"))) int late_crashes(const void *arg, size_t arg_bytes,
                                                                      pe_reply *reply)
{
    int *volatile nothing = NULL;

    (void)arg;
    (void)arg_bytes;
    (void)reply;
    *(volatile int *)nothing = 1;
    return ANSWER;
}
