/*
 * wav.h: a reader of sound files as one may find it: quick, useful, and written for files that are what they say.
 *
 * It believes sizes, counts and offsets that it reads, so there are files on which it reads what is not there,
 * divides by zero, never ends, or calls itself until the stack is used up. untrusted.c lives with that.
 */
#ifndef WAV_H
#define WAV_H

#include <stdint.h>

/* Of a file that could be read. */
struct wav {
    uint32_t rate, channels, bits;
    double seconds, peak; /* the peak as a share of the loudest that the format has */
    char title[64];
};

/* 0, or the reason for which it is refused. */
const char *wav_read(const char *path, struct wav *wav);

#endif
