/*
 * fuzz-top.c - what parexec-top reads of another process: its list of mappings, and the memory of its pools.
 *
 * There is no such process: reading its memory gives bytes of the input. The first byte says whether the list of
 * mappings is the input's too, or names a pool, whose sizes are the input's and whose memory is as long as they say.
 * Whatever the memory holds, only that of the mappings is read, and no descriptor is left.
 */
#include "fuzz.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/uio.h>

#include "expect.h"
#include "files.h"
#include "top/attach.h"
#include "top/look.h"

#define HOST  4711
#define START ((uintptr_t)1 << (sizeof(void *) > 4 ? 46 : 30))
#define PAGE  ((uintptr_t)4096)

static struct input input; /* of the memory */
static struct pe__config config;
static uintptr_t end; /* of the one mapping, 0: there are others */

ssize_t __wrap_process_vm_readv(pid_t pid, const struct iovec *here, unsigned long here_count,
                                const struct iovec *there, unsigned long there_count, unsigned long flags);

/* Behind the end of the input there is no memory. */
ssize_t __wrap_process_vm_readv(pid_t pid, const struct iovec *here, unsigned long here_count,
                                const struct iovec *there, unsigned long there_count, unsigned long flags)
{
    uintptr_t at = (uintptr_t)there->iov_base;
    unsigned char *to = here->iov_base;

    demand(pid == HOST && here_count == 1 && there_count == 1 && flags == 0 && here->iov_len == there->iov_len);
    demand(end == 0 || (at >= START && at < end && end - at >= there->iov_len));
    if (at == START && here->iov_len == sizeof config && end != 0) {
        memcpy(to, &config, sizeof config);
        return sizeof config;
    }
    if (input_is_over(&input)) {
        errno = EFAULT;
        return -1;
    }
    for (size_t i = 0; i < here->iov_len; i++)
        to[i] = (unsigned char)input_take(&input, 1);
    return (ssize_t)here->iov_len;
}

static void take_config(void)
{
    struct pe__shared plan = { .bytes = PAGE };

    memset(&config, 0, sizeof config);
    config.magic = PE__MAPPING_MAGIC;
    config.layout = PE__MAPPING_LAYOUT;
    config.host_pid = HOST;
    config.born = input_take(&input, 2);
    config.geometry.workers_most = (uint32_t)input_take(&input, 2);
    config.geometry.records = UINT32_C(1) << input_take(&input, 1) % 32;
    config.geometry.keep_fd_count = (uint32_t)input_take(&input, 4);
    config.geometry.output_bytes = input_take(&input, 8);
    config.geometry.region_bytes = input_take(&input, 8);
    config.geometry.reply_bytes = input_take(&input, 8);
    config.geometry.heap_bytes = input_take(&input, 8);
    if (config.geometry.reply_bytes >= PAGE) /* else there is no plan */
        pe__mapping_plan(&plan, &config.geometry);
    end = START + (plan.bytes < START ? (plan.bytes + PAGE - 1) / PAGE * PAGE : PAGE);
}

/* Two looks and a table, as the program does it. */
static void watch(const struct pe__top_found *found)
{
    static struct pe__top_look looks[2];
    FILE *nowhere = fopen("/dev/null", "w");

    demand(nowhere != NULL && found->count <= PE__TOP_POOLS_MOST);
    for (size_t i = 0; i < found->count; i++)
        if (pe__top_look(&found->pools[i], &looks[0]) && pe__top_look(&found->pools[i], &looks[1]))
            pe__top_show(nowhere, &found->pools[i], &looks[0], &looks[1]);
    fclose(nowhere);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static struct pe__top_found found;
    int fds = open_fds();
    char line[100];

    input = (struct input){ bytes, bytes + count };
    end = 0;
    if (input_take(&input, 1) % 2 == 0) {
        take_config();
        int length = snprintf(line, sizeof line, "%" PRIxPTR "-%" PRIxPTR " rw-s 0 00:01 9 /dev/zero\n", START, end);
        files_begin((uint8_t *)line, (size_t)length);
    } else {
        files_begin(input.at, (size_t)(input.end - input.at));
    }
    int result = pe__top_find(HOST, &found);
    files_end();
    if (result == 0)
        watch(&found);
    demand(open_fds() == fds);
    return 0;
}
