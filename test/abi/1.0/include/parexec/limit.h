#ifndef PAREXEC_LIMIT_H
#define PAREXEC_LIMIT_H
#include <parexec/export.h>
#include <parexec/task.h>
typedef struct pe_limit {
    uint64_t opaque[12];
} pe_limit;
#define PE_AWAIT_UNTIL(t, limit, deadline_ns, start) \
    do { \
        (t)->result = pe_limit_enter((t), (limit), (deadline_ns)); \
        if ((t)->result >= 0) { \
            PE_AWAIT(t, start); \
            (void)pe_limit_leave((t), (limit)); \
        } \
    } while (0)
PE_BEGIN_DECLS
PE_EXPORT int pe_limit_enter(pe_task *t, pe_limit *limit, int64_t deadline_ns);
PE_EXPORT int pe_limit_move(pe_task *t, pe_limit *limit, int64_t deadline_ns);
PE_EXPORT int pe_limit_leave(pe_task *t, pe_limit *limit);
PE_EXPORT int pe_limit_is_to_blame(const pe_task *t, const pe_limit *limit);
PE_EXPORT int pe_timeout(pe_task *t, pe_limit *limit, int64_t deadline_ns, pe_task *task);
PE_END_DECLS
#endif
