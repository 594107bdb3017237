#include "words/walk.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

int words_walk_open(struct words_walk *walk, char *const *roots)
{
    memset(walk, 0, sizeof *walk);
    walk->fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    return walk->fts != NULL ? 0 : errno;
}

void words_walk_close(struct words_walk *walk)
{
    if (walk->fts != NULL)
        fts_close(walk->fts);
    walk->fts = NULL;
}

/* True: a file is in hand. */
static int next_file(struct words_walk *walk)
{
    FTSENT *entry;

    while ((entry = fts_read(walk->fts)) != NULL) {
        int is_bad = entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS;
        if (is_bad || (entry->fts_info == FTS_F && entry->fts_pathlen >= WORDS_PATH_BYTES)) {
            walk->skipped++;
            continue;
        }
        if (entry->fts_info != FTS_F || !S_ISREG(entry->fts_statp->st_mode))
            continue;
        walk->files++;
        memcpy(walk->path, entry->fts_path, (size_t)entry->fts_pathlen + 1);
        walk->offset = 0;
        walk->left = (uint64_t)entry->fts_statp->st_size;
        if (walk->left > 0)
            return 1;
    }
    return 0;
}

int words_walk_next(struct words_walk *walk, struct words_piece *piece)
{
    if (walk->left == 0 && !next_file(walk))
        return 0;
    piece->offset = walk->offset;
    piece->bytes = walk->left < WORDS_PIECE_BYTES ? walk->left : WORDS_PIECE_BYTES;
    strcpy(piece->path, walk->path);
    walk->offset += piece->bytes;
    walk->left -= piece->bytes;
    return 1;
}
