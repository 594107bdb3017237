#ifndef PAREXEC_FD_H
#define PAREXEC_FD_H
#include <parexec/export.h>
#include <parexec/task.h>
#define PE_FD_READABLE 1
#define PE_FD_WRITABLE 2
#define PE_FD_HANGUP 4
#define PE_FD_PRIORITY 8
PE_BEGIN_DECLS
PE_EXPORT int pe_fd_wait(pe_task *t, int fd, int events);
PE_END_DECLS
#endif
