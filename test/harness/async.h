#ifndef PE__TEST_HARNESS_ASYNC_H
#define PE__TEST_HARNESS_ASYNC_H

/* For tests of tasks and loops: linked to each of them. Before main it makes libuv open what it keeps open for as long
 * as a process lives, so that the leak detectors do not take it for a leak. */

#include <parexec/async.h>

/* Fails the test unless the call gives this. */
#define MUST(call, wanted) ck_assert_int_eq((call), (wanted))

#endif
