/* crash.h - notes of what a worker dies of, made while it dies. */
#ifndef PE__WORKER_CRASH_H
#define PE__WORKER_CRASH_H

#include <stdbool.h>

#include "shared/crash.h"

/* What has to be loaded before the first worker is forked, so that none loads it while it dies. Takes locks and may
 * allocate: for the host. */
void pe__worker_prepare_crashes(void);

/*
 * From now on a signal that means a crash is noted in *crash, the stack with it if wanted, before it ends this process
 * as it would have without. Of a signal that is ignored or has a handler, now or later, nothing is noted.
 */
void pe__worker_catch_crashes(struct pe__crash *crash, bool with_frames);

/* The process is leaving by exit, with an errno. Where crashes are caught: it is noted if memory was what failed. */
void pe__worker_note_exit(int error);

#endif
