#ifndef PE__BENCH_WORDS_WALK_H
#define PE__BENCH_WORDS_WALK_H

/* All regular files below some directories, in pieces, one after the other: nothing is listed beforehand. */

#include <fts.h>

#include "words/count.h"

struct words_walk {
    FTS *fts;
    char path[WORDS_PATH_BYTES]; /* of the file in hand */
    uint64_t offset, left;       /* in it */
    uint64_t files, skipped;     /* skipped: cannot be looked at, or the path is too long */
};

/* `roots` ends with a NULL. 0 or an errno. */
int words_walk_open(struct words_walk *walk, char *const *roots);
void words_walk_close(struct words_walk *walk);

/* 1, or 0 at the end. Symbolic links are not followed, empty files have no piece. */
int words_walk_next(struct words_walk *walk, struct words_piece *piece);

#endif
