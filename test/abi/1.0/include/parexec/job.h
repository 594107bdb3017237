#ifndef PAREXEC_JOB_H
#define PAREXEC_JOB_H
#include <parexec/export.h>
#include <parexec/options.h>
PE_BEGIN_DECLS
typedef struct pe_job pe_job;
typedef struct pe_reply pe_reply;
#define PE_PENDING 0
#define PE_RETURNED 1
#define PE_CRASHED 2
#define PE_EXITED 3
#define PE_TIMED_OUT 4
#define PE_CANCELLED 5
#define PE_LOST 6
#define PE_OUT_OF_MEMORY 7
typedef struct pe_status {
    uint32_t kind;
    int32_t code;
    int32_t pid;
    int32_t worker;
    uint32_t attempts;
    int32_t stop_signal;
    uint64_t item;
    int64_t queued_ns;
    int64_t run_ns;
    uint64_t reserved[2];
} pe_status;
#define PE_PRIORITY_NORMAL 0
#define PE_PRIORITY_HIGH 1
#define PE_PRIORITY_LOW 2
typedef struct pe_job_options {
    size_t size;
    uint32_t retries;
    uint32_t priority;
    int64_t timeout_ns;
    int64_t deadline_ns;
    int64_t submit_deadline_ns;
} pe_job_options;
#define PE_JOB_OPTIONS_INIT { sizeof(pe_job_options), 0, 0, 0, 0, 0 }
#define PE_TEXT_MESSAGE 1
#define PE_TEXT_OUTPUT 2
#define PE_TEXT_BACKTRACE 3
#define PE_TEXT_BYTES_MAX 1024
typedef int pe_job_fn(const void *arg, size_t arg_bytes, pe_reply *reply);
typedef void pe_done_fn(pe_job *job, void *context);
PE_EXPORT int pe_job_wait(pe_job *job, int64_t deadline_ns);
PE_EXPORT int pe_job_wait_any(pe_job *const *jobs, size_t count, int64_t deadline_ns, size_t *ret_index);
PE_EXPORT int pe_job_status(const pe_job *job, pe_status *ret_status);
PE_EXPORT int pe_job_item_status(const pe_job *job, uint64_t item, pe_status *ret_status);
PE_EXPORT int pe_job_item_text(const pe_job *job, uint64_t item, uint32_t which, const char **ret_text,
                               size_t *ret_bytes);
PE_EXPORT int pe_job_result(const pe_job *job, const void **ret_data, size_t *ret_bytes);
PE_EXPORT int pe_job_cancel(pe_job *job);
PE_EXPORT int pe_job_on_done(pe_job *job, pe_done_fn *fn, void *context);
PE_EXPORT void pe_job_free(pe_job *job);
PE_EXPORT int pe_reply_write(pe_reply *reply, const void *data, size_t bytes);
PE_EXPORT void *pe_reply_reserve(pe_reply *reply, size_t bytes);
PE_END_DECLS
#endif
