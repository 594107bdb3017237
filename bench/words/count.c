#include "words/count.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Of the C locale. */
static const unsigned char is_space[256] = {
    ['\t'] = 1, ['\n'] = 1, ['\v'] = 1, ['\f'] = 1, ['\r'] = 1, [' '] = 1,
};

void words_add(struct words_counts *sum, const struct words_counts *more)
{
    sum->bytes += more->bytes;
    sum->lines += more->lines;
    sum->words += more->words;
    sum->checksum += more->checksum;
}

/* The checksum is Fletcher's: a sum, and a sum of the sums on the way. */
void words_count(const unsigned char *bytes, size_t count, unsigned char before, struct words_counts *ret_counts)
{
    uint64_t lines = 0, words = 0, sum = 0, sums = 0;
    unsigned int was_space = is_space[before];

    for (size_t i = 0; i < count; i++) {
        unsigned int space = is_space[bytes[i]];
        words += was_space & ~space;
        lines += bytes[i] == '\n';
        sum += bytes[i];
        sums += sum;
        was_space = space;
    }
    *ret_counts = (struct words_counts){ count, lines, words, sum ^ sums << 16 };
}

static int read_all(int fd, unsigned char *buffer, size_t bytes, uint64_t offset, size_t *ret_bytes)
{
    size_t done = 0;

    while (done < bytes) {
        ssize_t got = pread(fd, buffer + done, bytes - done, (off_t)(offset + done));
        if (got < 0 && errno != EINTR)
            return errno;
        if (got == 0)
            break;
        done += got > 0 ? (size_t)got : 0;
    }
    *ret_bytes = done;
    return 0;
}

int words_read(const struct words_piece *piece, unsigned char *buffer, size_t *ret_bytes)
{
    size_t first = piece->offset > 0, got = 0; /* one byte more where there is one */
    int fd = open(piece->path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return errno;
    buffer[0] = ' ';
    int error = read_all(fd, buffer + 1 - first, piece->bytes + first, piece->offset - first, &got);
    close(fd);
    if (error == 0)
        *ret_bytes = got > first ? got - first : 0;
    return error;
}

int words_count_piece(const struct words_piece *piece, struct words_counts *ret_counts)
{
    static unsigned char buffer[WORDS_PIECE_BYTES + 1];
    size_t bytes;
    int error = words_read(piece, buffer, &bytes);

    if (error == 0)
        words_count(buffer + 1, bytes, buffer[0], ret_counts);
    return error;
}
