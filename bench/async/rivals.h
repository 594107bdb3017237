#ifndef PE__BENCH_ASYNC_RIVALS_H
#define PE__BENCH_ASYNC_RIVALS_H

/* Go and Python as rivals, in programs beside us (table/program.h). A question is "WHAT N WORKERS NS", the answer the
 * figures of the row; that to `echo` is the port of a server, which our client then loads as it does everybody's. */

#include "table/row.h"

extern const struct driver go_driver;      /* bench/rivals/async.go */
extern const struct driver asyncio_driver; /* bench/rivals/tasks.py; ops: the kind of loop */

#endif
