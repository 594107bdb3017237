#ifndef PAREXEC_SIGNAL_H
#define PAREXEC_SIGNAL_H
#include <parexec/export.h>
#include <parexec/task.h>
typedef struct pe_signal pe_signal;
PE_BEGIN_DECLS
PE_EXPORT int pe_signal_wait(pe_task *t, int number);
PE_EXPORT int pe_signal_new(pe_loop *loop, int number, pe_signal **ret_signal);
PE_EXPORT int pe_signal_next(pe_task *t, pe_signal *signal);
PE_EXPORT void pe_signal_free(pe_signal *signal);
PE_END_DECLS
#endif
