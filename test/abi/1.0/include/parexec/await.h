#ifndef PAREXEC_AWAIT_H
#define PAREXEC_AWAIT_H
#include <parexec/export.h>
#include <parexec/job.h>
#include <parexec/pool.h>
#include <parexec/task.h>
PE_BEGIN_DECLS
PE_EXPORT int pe_await_job(pe_task *t, pe_job *job, pe_status *ret_status);
PE_EXPORT int pe_shield_job(pe_task *t, pe_job *job, pe_status *ret_status);
PE_EXPORT int pe_await_submit(pe_task *t, pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes,
                              const pe_job_options *options, pe_job **ret_job);
PE_EXPORT int pe_await_map(pe_task *t, pe_pool *pool, pe_map_fn *fn, const void *in, size_t in_bytes, void *out,
                           size_t out_bytes, size_t count, const pe_map_options *options);
PE_END_DECLS
#endif
