/*
 * What the library has to say goes to the program's hook (pe_set_log) and nowhere else.
 *
 * Reading the hook takes no lock, so a message is fine from any thread and in a child of a threaded process;
 * the hook itself is the program's code, therefore the library's own processes turn it off first.
 */
#ifndef PE__BASE_LOG_H
#define PE__BASE_LOG_H

#include <parexec/log.h>

/* Formats (cut at 511 bytes) and calls the hook; without one it does nothing, not even format. Keeps
 * errno. */
void pe__base_log(int level, const char *format, ...) PE_FORMAT(2, 3);

/* For keeper, seed and worker right after the fork: no hook from here on in this process.
 * Async-signal-safe. */
void pe__base_log_off(void);

#endif
