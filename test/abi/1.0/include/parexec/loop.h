#ifndef PAREXEC_LOOP_H
#define PAREXEC_LOOP_H
#include <parexec/export.h>
#include <parexec/task.h>
struct uv_loop_s;
PE_BEGIN_DECLS
typedef void pe_post_fn(void *context);
typedef void pe_failure_fn(pe_loop *loop, const char *task_name, int error, void *context);
PE_EXPORT int pe_run(pe_task_fn *main, void *frame, int *ret_value);
PE_EXPORT int pe_loop_new(struct uv_loop_s *attach_or_null, pe_loop **ret_loop);
PE_EXPORT int pe_loop_run(pe_loop *loop);
PE_EXPORT int pe_loop_stop(pe_loop *loop);
PE_EXPORT int pe_loop_close(pe_loop *loop, uint64_t *ret_cancelled);
PE_EXPORT void pe_loop_free(pe_loop *loop);
PE_EXPORT int pe_loop_on_failure(pe_loop *loop, pe_failure_fn *fn, void *context);
PE_EXPORT int pe_loop_set_grace(pe_loop *loop, int64_t grace_ns);
PE_EXPORT int pe_loop_post(pe_loop *loop, pe_post_fn *fn, void *context);
PE_EXPORT int pe_loop_fd(const pe_loop *loop);
PE_EXPORT int64_t pe_loop_next_ns(const pe_loop *loop);
PE_EXPORT int pe_loop_poll(pe_loop *loop);
PE_EXPORT struct uv_loop_s *pe_loop_uv(const pe_loop *loop);
PE_END_DECLS
#endif
