/* name.h - names of tasks and functions, for people. */
#ifndef PE__ASYNC_NAME_H
#define PE__ASYNC_NAME_H

#include <stdint.h>

#define PE__NAME_BYTES 64 /* of a name that a task was given, with its end */

/* As far as symbols tell, else `unknown`. Stays for ever. */
const char *pe__name_of_function(uintptr_t function, const char *unknown);

#endif
