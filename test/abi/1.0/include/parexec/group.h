#ifndef PAREXEC_GROUP_H
#define PAREXEC_GROUP_H
#include <parexec/export.h>
#include <parexec/loop.h>
#include <parexec/task.h>
#define PE_GATHER_ALL UINT32_C(1)
#define PE_GROUP_KEEP UINT32_C(1)
#define PE_GROUP_COLLECT UINT32_C(2)
typedef struct pe_completed pe_completed;
typedef struct pe_group pe_group;
PE_BEGIN_DECLS
PE_EXPORT int pe_gather(pe_task *t, pe_task *const *tasks, size_t count, uint32_t flags);
PE_EXPORT int pe_wait_first(pe_task *t, pe_task *const *tasks, size_t count, size_t *ret_index);
PE_EXPORT int pe_completed_new(pe_loop *loop, pe_task *const *tasks, size_t count, pe_completed **ret_completed);
PE_EXPORT int pe_completed_next(pe_task *t, pe_completed *completed, size_t *ret_index);
PE_EXPORT void pe_completed_free(pe_completed *completed);
PE_EXPORT int pe_group_new(pe_loop *loop, uint32_t flags, pe_group **ret_group);
PE_EXPORT int pe_group_spawn(pe_group *group, pe_task_fn *fn, const void *frame, size_t frame_bytes,
                             pe_task **ret_task);
PE_EXPORT int pe_group_wait(pe_task *t, pe_group *group);
PE_EXPORT int pe_group_next(pe_task *t, pe_group *group, pe_task **ret_task);
PE_EXPORT int pe_group_cancel(pe_group *group);
PE_EXPORT void pe_group_free(pe_group *group);
PE_END_DECLS
#endif
