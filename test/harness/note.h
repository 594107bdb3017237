#ifndef PE__TEST_NOTE_H
#define PE__TEST_NOTE_H

/* Jobs that note when they begin, and go on for as long as the test wants. Their argument is the address of a note. */

#include <stddef.h>
#include <stdint.h>

#include <parexec/pool.h>

struct note {
    _Atomic uint32_t begun, asked, ended, go; /* `ended` is counted by jobs of tests */
    _Atomic int32_t pid;
};

struct note *note_in(pe_pool *pool);
/* Takes the note from the argument, and notes that the job has begun. */
struct note *note_begin(const void *arg);

int note_for_ever(const void *arg, size_t arg_bytes, pe_reply *reply);
/* Until it is asked to stop; returns 5, and replies. */
int note_until_asked(const void *arg, size_t arg_bytes, pe_reply *reply);
/* Until `go` is set; returns 8, or 9 when it is asked to stop. */
int note_until_told(const void *arg, size_t arg_bytes, pe_reply *reply);

#endif
