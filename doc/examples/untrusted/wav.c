/* wav.c: RIFF files are chunks, {name, size, bytes}; those called LIST hold chunks again. */
#include "wav.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct reader {
    struct wav *wav;
    const uint8_t *data; /* samples */
    uint32_t data_bytes, frame_bytes;
};

static uint32_t number(const uint8_t *at, int bytes)
{
    uint32_t value = 0;

    while (bytes-- > 0)
        value = value << 8 | at[bytes];
    return value;
}

static int is_called(const uint8_t *chunk, const char *name)
{
    return memcmp(chunk, name, 4) == 0;
}

/* All chunks from `at` on. */
static void read_chunks(struct reader *reader, const uint8_t *at, const uint8_t *end)
{
    for (uint32_t bytes; at < end; at += 8 + bytes) {
        const uint8_t *body = at + 8;

        bytes = number(at + 4, 4);
        bytes += bytes % 2; /* chunks begin at even places */
        if (is_called(at, "fmt ")) {
            reader->wav->channels = number(body + 2, 2);
            reader->wav->rate = number(body + 4, 4);
            reader->frame_bytes = number(body + 12, 2);
            reader->wav->bits = number(body + 14, 2);
        } else if (is_called(at, "data")) {
            reader->data = body;
            reader->data_bytes = number(at + 4, 4);
        } else if (is_called(at, "INAM")) {
            strcpy(reader->wav->title, (const char *)body);
        } else if (is_called(at, "LIST")) {
            read_chunks(reader, body + 4, body + bytes);
        }
    }
}

/* The samples as shares of the largest, one frame after the other. */
static float *decode(const struct reader *reader, uint32_t frames)
{
    uint32_t channels = reader->wav->channels;
    float *samples = malloc((size_t)frames * channels * sizeof *samples);

    for (size_t i = (size_t)frames * channels; i-- > 0;)
        samples[i] = (float)(int16_t)number(reader->data + 2 * i, 2) / 32768;
    return samples;
}

static const char *measure(const struct reader *reader)
{
    struct wav *wav = reader->wav;
    uint32_t frames = reader->data_bytes / reader->frame_bytes;
    float *samples = decode(reader, frames);

    for (size_t i = 0; i < (size_t)frames * wav->channels; i++) {
        double level = samples[i] < 0 ? -samples[i] : samples[i];
        wav->peak = level > wav->peak ? level : wav->peak;
    }
    wav->seconds = (double)frames / wav->rate;
    free(samples);
    return NULL;
}

const char *wav_read(const char *path, struct wav *wav)
{
    struct reader reader = { .wav = wav };
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    memset(wav, 0, sizeof *wav);
    if (fd < 0 || fstat(fd, &status) < 0)
        return "cannot be opened";
    if (status.st_size < 12)
        return "too short";
    const uint8_t *file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (file == MAP_FAILED)
        return "cannot be read";
    const char *refused = "not a WAV file";
    if (is_called(file, "RIFF") && is_called(file + 8, "WAVE")) {
        read_chunks(&reader, file + 12, file + status.st_size);
        refused = wav->bits != 16 ? "not 16 bits a sample" : reader.data == NULL ? "no samples" : measure(&reader);
    }
    munmap((void *)file, (size_t)status.st_size);
    return refused;
}
