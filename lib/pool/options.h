/* options.h - the options of a pool: checked and completed. */
#ifndef PE__POOL_OPTIONS_H
#define PE__POOL_OPTIONS_H

#include <parexec/pool.h>

/* The result is self-contained but for keep_fds. */
int pe__pool_options_check(const pe_pool_options *given, pe_pool_options *ret_options);

/* Where nobody says how many. */
uint32_t pe__pool_default_workers(void);

#endif
