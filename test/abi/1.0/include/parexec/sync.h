#ifndef PAREXEC_SYNC_H
#define PAREXEC_SYNC_H
#include <parexec/export.h>
#include <parexec/loop.h>
#include <parexec/task.h>
typedef struct pe_sem pe_sem;
typedef struct pe_lock pe_lock;
typedef struct pe_event pe_event;
typedef struct pe_cond pe_cond;
typedef struct pe_queue pe_queue;
PE_BEGIN_DECLS
PE_EXPORT int pe_sem_new(pe_loop *loop, uint32_t count, pe_sem **ret_sem);
PE_EXPORT int pe_sem_acquire(pe_task *t, pe_sem *sem);
PE_EXPORT int pe_sem_try_acquire(pe_sem *sem);
PE_EXPORT int pe_sem_release(pe_sem *sem);
PE_EXPORT int pe_sem_count(const pe_sem *sem);
PE_EXPORT void pe_sem_free(pe_sem *sem);
PE_EXPORT int pe_lock_new(pe_loop *loop, pe_lock **ret_lock);
PE_EXPORT int pe_lock_acquire(pe_task *t, pe_lock *lock);
PE_EXPORT int pe_lock_try_acquire(pe_task *t, pe_lock *lock);
PE_EXPORT int pe_lock_release(pe_task *t, pe_lock *lock);
PE_EXPORT void pe_lock_free(pe_lock *lock);
PE_EXPORT int pe_event_new(pe_loop *loop, pe_event **ret_event);
PE_EXPORT int pe_event_wait(pe_task *t, pe_event *event);
PE_EXPORT int pe_event_set(pe_event *event);
PE_EXPORT int pe_event_clear(pe_event *event);
PE_EXPORT int pe_event_is_set(const pe_event *event);
PE_EXPORT void pe_event_free(pe_event *event);
PE_EXPORT int pe_cond_new(pe_loop *loop, pe_cond **ret_cond);
PE_EXPORT int pe_cond_wait(pe_task *t, pe_cond *cond, pe_lock *lock);
PE_EXPORT int pe_cond_signal(pe_cond *cond);
PE_EXPORT int pe_cond_signal_all(pe_cond *cond);
PE_EXPORT void pe_cond_free(pe_cond *cond);
PE_EXPORT int pe_queue_new(pe_loop *loop, size_t item_bytes, size_t capacity, pe_queue **ret_queue);
PE_EXPORT int pe_queue_put(pe_task *t, pe_queue *queue, const void *item);
PE_EXPORT int pe_queue_get(pe_task *t, pe_queue *queue, void *ret_item);
PE_EXPORT int pe_queue_try_put(pe_queue *queue, const void *item);
PE_EXPORT int pe_queue_try_get(pe_queue *queue, void *ret_item);
PE_EXPORT int pe_queue_close(pe_queue *queue);
PE_EXPORT int pe_queue_count(const pe_queue *queue);
PE_EXPORT void pe_queue_free(pe_queue *queue);
PE_END_DECLS
#endif
