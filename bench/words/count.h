#ifndef PE__BENCH_WORDS_COUNT_H
#define PE__BENCH_WORDS_COUNT_H

/* Counts a piece of a file: the work that all of ours do, in workers and in the serial loop. */

#include <stddef.h>
#include <stdint.h>

#define WORDS_PIECE_BYTES ((size_t)1 << 20)
#define WORDS_PATH_BYTES  4096

/* Sums: those of pieces can be added in any order. */
struct words_counts {
    uint64_t bytes, lines, words;
    uint64_t checksum; /* of each piece, in the order of its bytes */
};

/* Where the bytes are. A piece of a file and the byte in front of it, which tells whether a word goes on. */
struct words_piece {
    uint64_t offset, bytes;
    char path[WORDS_PATH_BYTES];
};

void words_add(struct words_counts *sum, const struct words_counts *more);

/* `before`: the byte in front of them, a space at the start of a file. */
void words_count(const unsigned char *bytes, size_t count, unsigned char before, struct words_counts *ret_counts);

/* Reads a piece and the byte in front of it to `buffer`, which has room for both. *ret_bytes without that byte,
 * fewer than wanted where the file has become shorter. 0 or an errno. */
int words_read(const struct words_piece *piece, unsigned char *buffer, size_t *ret_bytes);

/* Reads and counts. 0 or an errno. Uses memory of its own, one piece for the whole process. */
int words_count_piece(const struct words_piece *piece, struct words_counts *ret_counts);

#endif
