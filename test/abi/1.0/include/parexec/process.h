#ifndef PAREXEC_PROCESS_H
#define PAREXEC_PROCESS_H
#include <parexec/export.h>
#include <parexec/options.h>
#include <parexec/task.h>
typedef struct pe_process pe_process;
#define PE_PROCESS_NULL (-1)
#define PE_PROCESS_GROUP 1u
#define PE_PROCESS_SESSION 2u
typedef struct pe_process_options {
    size_t size;
    const char *file;
    char *const *argv;
    char *const *env;
    const char *cwd;
    int32_t stdin_fd;
    int32_t stdout_fd;
    int32_t stderr_fd;
    uint32_t flags;
} pe_process_options;
#define PE_PROCESS_OPTIONS_INIT { sizeof(pe_process_options), NULL, NULL, NULL, NULL, 0, 0, 0, 0 }
PE_BEGIN_DECLS
PE_EXPORT int pe_process_spawn(pe_loop *loop, const pe_process_options *options, pe_process **ret_process);
PE_EXPORT int pe_process_wait(pe_task *t, pe_process *process, int *ret_exit_code, int *ret_signal);
PE_EXPORT int pe_process_kill(pe_process *process, int number);
PE_EXPORT int pe_process_pid(const pe_process *process);
PE_EXPORT void pe_process_free(pe_process *process);
PE_EXPORT int pe_pid_wait(pe_task *t, int pid, int *ret_exit_code, int *ret_signal);
PE_END_DECLS
#endif
