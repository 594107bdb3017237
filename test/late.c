/* A library that test-seed loads when the workers have been forked already. */

#include <parexec/job.h>

int late_job(const void *arg, size_t arg_bytes, pe_reply *reply);
int late_item(const void *in, void *out, const void *context);

int late_job(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    return 7;
}

int late_item(const void *in, void *out, const void *context)
{
    (void)in;
    (void)out;
    (void)context;
    return 0;
}
