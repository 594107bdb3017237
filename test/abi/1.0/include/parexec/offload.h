#ifndef PAREXEC_OFFLOAD_H
#define PAREXEC_OFFLOAD_H
#include <parexec/export.h>
#include <parexec/job.h>
#include <parexec/pool.h>
#include <parexec/task.h>
PE_BEGIN_DECLS
typedef int pe_offload_fn(void *arg);
#define PE_ISOLATED (UINT32_C(1) << 0)
typedef struct pe_offload_options {
    size_t size;
    uint32_t flags;
    uint32_t reserved;
    pe_pool *pool;
    size_t arg_bytes;
    int64_t timeout_ns;
    pe_status *status;
} pe_offload_options;
#define PE_OFFLOAD_OPTIONS_INIT { sizeof(pe_offload_options), 0, 0, NULL, 0, 0, NULL }
PE_EXPORT int pe_offload(pe_task *t, pe_offload_fn *fn, void *arg, const pe_offload_options *options);
PE_EXPORT int pe_offload_cancelled(void);
PE_EXPORT int pe_loop_set_threads(pe_loop *loop, uint32_t threads);
PE_END_DECLS
#endif
