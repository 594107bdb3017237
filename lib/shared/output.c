/* output.c - reading the end of a memory file. */
#include "shared/output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

uint64_t pe__output_end(int fd)
{
    off_t end = lseek(fd, 0, SEEK_END); /* whoever writes appends, wherever the offset is */
    return end > 0 ? (uint64_t)end : 0;
}

void pe__output_copy(int fd, uint64_t end, void *place, uint32_t bytes)
{
    uint32_t done = 0;
    while (done < bytes) {
        ssize_t got = pread(fd, (char *)place + done, bytes - done, (off_t)(end - bytes + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        done += (uint32_t)got;
    }
    memset((char *)place + done, 0, bytes - done);
}
