/* exit_signals.h - something to be done before SIGINT or SIGTERM ends the program. */
#ifndef PE__REPORT_EXIT_SIGNALS_H
#define PE__REPORT_EXIT_SIGNALS_H

#include <stdbool.h>

/* From now on, where one of these signals would have ended the program, `before` runs first, in a thread of its own. 0,
 * or a negative errno. Once. */
int pe__exit_signals_start(void (*before)(void));

/* As if it had never been started, which it need not have been. False: such a signal came, and `before` has run. Not in
 * a forked child. */
bool pe__exit_signals_stop(void);

#endif
