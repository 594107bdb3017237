#ifndef PAREXEC_TASK_H
#define PAREXEC_TASK_H
#include <parexec/error.h>
#include <parexec/export.h>
#include <parexec/options.h>
#include <parexec/region.h>
typedef struct pe_task {
    uint32_t resume;
    int32_t result;
} pe_task;
typedef struct pe_loop pe_loop;
#define PE_WAIT (-2147483647 - 1)
PE_BEGIN_DECLS
typedef int pe_task_fn(pe_task *t, void *frame);
typedef struct pe_call_link {
    uint64_t opaque[6];
} pe_call_link;
typedef struct pe_local_key {
    void (*destroy)(void *value);
} pe_local_key;
typedef void pe_cancel_fn(pe_task *t, void *object);
#define PE_AWAIT(t, start) PE__AWAIT(t, start, PE__AWAIT_NUMBER)
#define PE_TRY(t, start) \
    do { \
        PE_AWAIT(t, start); \
        if ((t)->result < 0) \
            return (t)->result; \
    } while (0)
#define PE_YIELD(t) PE_AWAIT(t, pe_yield(t))
#define PE_RETURN(t, value) return ((void)(t), (value))
#if defined(__GNUC__)
#define PE__AWAIT_NUMBER __COUNTER__
#else
#define PE__AWAIT_NUMBER __LINE__
#endif
#define PE__AWAIT_BETWEEN enum { pe__PE_AWAIT_stands_between_PE_BEGIN_and_PE_END = 1 };
#if defined(PE__IS_INSIDE_REGION)
#define PE__AWAIT_PLACE() \
    (void)sizeof(struct { \
        int PE_AWAIT_cannot_stand_inside_PE_REGION_but_inside_PE_TASK_REGION : PE__IS_INSIDE_REGION() ? -1 : 1; \
    }); \
    (void)pe__PE_AWAIT_stands_between_PE_BEGIN_and_PE_END
#else
#define PE__AWAIT_PLACE() (void)pe__PE_AWAIT_stands_between_PE_BEGIN_and_PE_END
#endif
#if defined(__GNUC__) && !defined(__cplusplus) && !defined(PE_TASK_SWITCH)
#define PE_BEGIN(t) \
    { \
        PE__AWAIT_BETWEEN \
        __extension__ static const void *const pe__uncopied __attribute__((unused)) = &&pe__begin; \
        if ((t)->resume != 0) \
            (void)__extension__({ goto *(void *)((char *)&&pe__begin + (int32_t)(t)->resume); 0; }); \
    pe__begin: (void)0
#define PE__AWAIT(t, start, number) PE__AWAIT_AT(t, start, PE__JOIN(pe__resume_, number))
#define PE__AWAIT_AT(t, start, label) \
    do { \
        int pe__started; \
        PE__AWAIT_PLACE(); \
        (t)->resume = (uint32_t)__extension__({ (char *)&&label - (char *)&&pe__begin; }); \
        pe__started = (start); \
        if (pe__started == PE_WAIT) { \
            return PE_WAIT; \
        label:; \
        } else { \
            (t)->result = pe__started; \
        } \
    } while (0)
#define PE_END(t) \
        return ((void)(t), 0); \
    } \
    return PE_EINVAL
#else
#define PE__AWAIT_NUMBERS UINT64_C(0x5045000000000000)
#define PE_BEGIN(t) \
    { \
        PE__AWAIT_BETWEEN \
        switch (PE__AWAIT_NUMBERS + (t)->resume) { \
        case PE__AWAIT_NUMBERS: (void)0
#define PE__AWAIT(t, start, number) PE__AWAIT_AT(t, start, (number) + 1u)
#define PE__AWAIT_AT(t, start, number) \
    do { \
        int pe__started; \
        PE__AWAIT_PLACE(); \
        (t)->resume = (number); \
        pe__started = (start); \
        if (pe__started == PE_WAIT) { \
            return PE_WAIT; \
        case PE__AWAIT_NUMBERS + (number):; \
        } else { \
            (t)->result = pe__started; \
        } \
    } while (0)
#define PE_END(t) \
        return ((void)(t), 0); \
        default: \
            break; \
        } \
    } \
    return PE_EINVAL
#endif
PE_EXPORT int pe_spawn(pe_loop *loop, pe_task_fn *fn, const void *frame, size_t frame_bytes, pe_task **ret_task);
PE_EXPORT void pe_task_free(pe_task *task);
PE_EXPORT pe_task *pe_task_ref(pe_task *task);
PE_EXPORT void *pe_task_frame(pe_task *task);
PE_EXPORT int pe_task_result(const pe_task *task);
PE_EXPORT int pe_task_has_ended(const pe_task *task);
PE_EXPORT int pe_task_cancel(pe_task *task);
PE_EXPORT int pe_task_cancels(const pe_task *task);
PE_EXPORT pe_loop *pe_task_loop(const pe_task *task);
PE_EXPORT int pe_task_set_name(pe_task *task, const char *name);
PE_EXPORT const char *pe_task_name(const pe_task *task);
PE_EXPORT int pe_task_set_local(pe_task *task, const pe_local_key *key, void *value);
PE_EXPORT void *pe_task_local(const pe_task *task, const pe_local_key *key);
PE_EXPORT int pe_yield(pe_task *t);
PE_EXPORT int pe_sleep(pe_task *t, int64_t duration_ns);
PE_EXPORT int pe_sleep_until(pe_task *t, int64_t deadline_ns);
PE_EXPORT int pe_await(pe_task *t, pe_task *task);
PE_EXPORT int pe_shield(pe_task *t, pe_task *task);
PE_EXPORT int pe_call(pe_task *t, pe_call_link *call, pe_task_fn *fn, void *frame);
PE_EXPORT int pe_shield_enter(pe_task *t);
PE_EXPORT int pe_shield_leave(pe_task *t);
PE_EXPORT int pe_wait_external(pe_task *t, int started, pe_cancel_fn *cancel, void *object);
PE_EXPORT int pe_wait_end(pe_task *t, int result);
PE_END_DECLS
#endif
