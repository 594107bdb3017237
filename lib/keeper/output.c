/*
 * output.c - the keeper's part in catching output (shared/output.h): files, their tails, and bounds.
 *
 * While any worker is awake the keeper looks at the files every 20 ms and punches out what lies further behind the end
 * than an item may keep. So an item that prints for ever holds what it writes in that time, however much it prints.
 * When all workers sleep the keeper sleeps without a time: it says so in `sleeps`, looks once more, and a worker that
 * wakes up takes the word back and rings. Both sides write, then look, in sequentially consistent order, so at least
 * one sees the other; a worker that dies in between is a child that has ended, which wakes the keeper as well.
 */
#include "keeper/output.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "shared/output.h"

#define LOOK_NS (INT64_C(20) * 1000000)
#define PUNCH_BYTES ((uint64_t)256 * 1024)
#define PAGE_BYTES ((uint64_t)4096)

static uint64_t most(const struct pe__keeper *keeper)
{
    return keeper->shared->geometry.output_bytes;
}

int pe__keeper_output_prepare(struct pe__keeper *keeper, uint32_t index)
{
    struct pe__kept *kept = &keeper->kept[index];
    if (most(keeper) == 0)
        return 0;
    if (kept->output_fd == 0) {
        int fd = pe__base_memfd("parexec-output", 0);
        if (fd < 0)
            return fd;
        kept->output_fd = fd;
        fcntl(fd, F_SETFL, O_APPEND);
    }
    kept->output_punched = 0;
    atomic_store_explicit(&keeper->shared->slots[index].output_from, 0, memory_order_relaxed);
    return ftruncate(kept->output_fd, 0) == 0 ? 0 : -errno;
}

bool pe__keeper_output_may_fill(const struct pe__keeper *keeper)
{
    struct rlimit limit;
    return most(keeper) != 0 && getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

int pe__keeper_output_inherit(const struct pe__keeper *keeper, uint32_t index)
{
    if (most(keeper) == 0)
        return -1;
    for (uint32_t i = 0; i < keeper->numbers; i++)
        if (i != index && keeper->kept[i].output_fd != 0)
            pe__base_fd_close(keeper->kept[i].output_fd);
    return keeper->kept[index].output_fd;
}

static bool any_is_awake(const struct pe__keeper *keeper)
{
    for (uint32_t i = 0; i < keeper->numbers; i++) {
        const struct pe__bell_group *group = pe__bell_group_of(keeper->shared->groups, i);
        uint64_t sleepers = atomic_load_explicit(&group->sleepers, memory_order_seq_cst);
        if (keeper->kept[i].pid != 0 && (sleepers & pe__bell_bit(i)) == 0)
            return true;
    }
    return false;
}

static void punch(const struct pe__keeper *keeper, struct pe__kept *kept)
{
    uint64_t end = pe__output_end(kept->output_fd), keep = most(keeper) + PAGE_BYTES;
    if (end < kept->output_punched + keep + PUNCH_BYTES)
        return;
    uint64_t upto = (end - keep) / PAGE_BYTES * PAGE_BYTES;
    fallocate(kept->output_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)kept->output_punched,
              (off_t)(upto - kept->output_punched));
    kept->output_punched = upto;
}

int64_t pe__keeper_output_trim(struct pe__keeper *keeper, int64_t now_ns)
{
    _Atomic uint32_t *sleeps = &keeper->shared->counts->sleeps;
    if (most(keeper) == 0)
        return INT64_MAX;
    for (uint32_t i = 0; now_ns >= keeper->output_due_ns && i < keeper->numbers; i++)
        if (keeper->kept[i].pid != 0)
            punch(keeper, &keeper->kept[i]);
    if (now_ns >= keeper->output_due_ns)
        keeper->output_due_ns = now_ns + LOOK_NS;
    atomic_store_explicit(sleeps, 1, memory_order_seq_cst);
    if (!any_is_awake(keeper))
        return INT64_MAX;
    atomic_store_explicit(sleeps, 0, memory_order_relaxed);
    return keeper->output_due_ns;
}

uint32_t pe__keeper_output_look(const struct pe__keeper *keeper, uint32_t index, uint64_t *ret_end)
{
    if (most(keeper) == 0 || keeper->kept[index].output_fd == 0)
        return 0;
    uint64_t from = atomic_load_explicit(&keeper->shared->slots[index].output_from, memory_order_relaxed);
    *ret_end = pe__output_end(keeper->kept[index].output_fd);
    return pe__output_bytes(from, *ret_end, most(keeper));
}

void pe__keeper_output_take(const struct pe__keeper *keeper, uint32_t index, uint64_t end, void *place, uint32_t bytes)
{
    pe__output_copy(keeper->kept[index].output_fd, end, place, bytes);
}
