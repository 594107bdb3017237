/*
 * output.h - what a worker's items write to descriptors 1 and 2, while it is caught.
 *
 * Each worker number has a memory file of its own, made by the keeper, in which descriptors 1 and 2 of its processes
 * append. What an item has written is what the file has grown by since `output_from` in the worker's slot, which the
 * worker moves to the file's end after an item that wrote something has been closed. So it is taken by the worker when
 * the item ends, and by the keeper when the worker dies, who has its child reaped by then.
 *
 * Within a worker's life the file only grows; what lies far enough behind its end is punched out by the keeper, now and
 * then, which so never hits what is still to be taken, however late it comes. Between two lives the file is cut.
 */
#ifndef PE__SHARED_OUTPUT_H
#define PE__SHARED_OUTPUT_H

#include <stdint.h>

/* Of the items of one map together. */
#define PE__OUTPUT_MAP_BYTES ((uint64_t)64 << 20)

/* Where a record's output is kept. */
struct pe__output {
    uint32_t bytes;
    uint32_t pad[15];
    unsigned char data[];
};

/* How long the file is; 0 where that cannot be told. */
uint64_t pe__output_end(int fd);

/* How many of the bytes in [from, end) are taken: the last ones, at most `most`. */
static inline uint32_t pe__output_bytes(uint64_t from, uint64_t end, uint64_t most)
{
    uint64_t bytes = end > from ? end - from : 0;
    return (uint32_t)(bytes < most ? bytes : most);
}

/* Copies the `bytes` before `end`; what cannot be read is zeros. */
void pe__output_copy(int fd, uint64_t end, void *place, uint32_t bytes);

#endif
