/* start.h - starting a program in a child process. */
#ifndef PE__ASYNC_START_H
#define PE__ASYNC_START_H

#include <sys/types.h>

#include <parexec/process.h>

/* 0, with a pidfd that is the caller's, or an error and no child. The options have been checked. */
int pe__start_program(const pe_process_options *options, pid_t *ret_pid, int *ret_pidfd);

/* The process has ended: reaps it. 0, or PE_ENODATA when somebody else has or it is no child. */
int pe__start_reap(int pidfd, int *ret_exit_code, int *ret_signal);

#endif
