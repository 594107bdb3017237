/*
 * fuzz-seed.c - what the seed reads from its socket, and what the host reads from it.
 *
 * The seed runs in this process, in place of being forked, for as long as the input says; then it is the host's turn,
 * which starts keepers and deals out parts of its reserved addresses, while the input answers for the seed. Whatever is
 * sent, the seed forks a keeper only for a request with all its descriptors, parts never overlap or reach beyond what
 * was reserved, calls give 0 or an error, and no descriptor is left.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdnoreturn.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <parexec/init.h>

#include "expect.h"
#include "keeper/keeper.h"
#include "keeper/seed.h"
#include "keeper/spawn.h"
#include "sized.h"

#define FDS_MOST   210 /* a few more than the seed has room for */
#define KEPT_FIRST 300 /* numbers of descriptors that workers keep: none of ours */
#define PARTS      6
#define ALIGN      65536
#define RESERVED_MOST (UINT64_C(1) << 30)

static struct input input;
static jmp_buf leave_seed;
static bool in_seed, has_left; /* what stands for the seed is a keeper by now, or gone */
static int host_end, seed_end; /* of the socket; the latter is a copy, -1: closed */
static int first_fd;           /* what the seed has of the last packet, and what it makes of it, begins here */
static int32_t kept[FDS_MOST];

int __real_pe__base_socketpair(int ret_fds[2]);
int __wrap_pe__base_socketpair(int ret_fds[2]);
int __wrap_pe__keeper_spawn(pe__spawn_fn *fn, void *context);
void __wrap_pe__base_fd_close_all_but(const int *keep, size_t count);
void __wrap_pe__worker_reset_signals(const sigset_t *ignored);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);
ssize_t __real_recvmsg(int socket, struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int socket, struct msghdr *message, int flags);
pid_t __real_fork(void);
pid_t __wrap_fork(void);
noreturn void __real__exit(int status);
noreturn void __wrap__exit(int status);
int __wrap_pe__mapping_attach(struct pe__shared *ret, const struct pe__geometry *geometry, void *at, int memfd);
noreturn void __wrap_pe__keeper_run(struct pe__keeper_start *start);

static uint64_t take(int bytes)
{
    return input_take(&input, bytes);
}

/* ---- the seed ---- */

int __wrap_pe__base_socketpair(int ret_fds[2])
{
    int result = __real_pe__base_socketpair(ret_fds);

    if (result == 0) {
        host_end = ret_fds[0];
        seed_end = dup(ret_fds[1]); /* the host closes its own */
        demand(seed_end >= 0);
    }
    return result;
}

/* Sometimes what was forked is something else, which answers as the input says. */
int __wrap_pe__keeper_spawn(pe__spawn_fn *fn, void *context)
{
    if (take(1) % 8 == 0)
        return take(1) % 2 == 0 ? -EAGAIN : 0;
    in_seed = true;
    if (setjmp(leave_seed) == 0)
        fn(context);
    in_seed = false;
    return 0;
}

void __wrap_pe__base_fd_close_all_but(const int *keep, size_t count)
{
    (void)keep;
    (void)count;
}

void __wrap_pe__worker_reset_signals(const sigset_t *ignored)
{
    (void)ignored;
}

/* A packet of so many bytes, with so many descriptors. */
static void send_packet(int socket, const void *bytes, size_t count, size_t fd_count)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(FDS_MOST * sizeof(int))];
    } control;
    struct iovec data = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = count };
    struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };

    memset(&control, 0, sizeof control);
    if (fd_count > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fd_count * sizeof(int)); /* all of them 0 */
    }
    (void)!sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static size_t take_fd_count(void)
{
    uint64_t how = take(1);

    return how < 220 ? how % 8 : how - (255 - FDS_MOST);
}

/* As long as the seed wants it, or shorter or longer; mostly with as many descriptors as it speaks of. */
static void send_request(size_t wanted)
{
    unsigned char bytes[256];
    uint64_t how = take(1);
    size_t fd_count = take_fd_count(), count = how % 8 == 0 ? how : wanted;
    uint32_t keep_fd_count = (uint32_t)fd_count - 4 - (uint32_t)(how >> 7);

    demand(wanted < sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)take(1);
    if (how % 8 > 1)
        memcpy(bytes + offsetof(struct pe__geometry, keep_fd_count), &keep_fd_count, sizeof keep_fd_count);
    send_packet(host_end, bytes, count, fd_count);
}

static int poll_in_seed(struct pollfd *fds, nfds_t count)
{
    uint64_t what = take(1) % 16;

    if (input_is_over(&input) || what == 0)
        longjmp(leave_seed, 1);
    first_fd = dup(0);
    close(first_fd);
    if (what == 1) {
        errno = EINTR;
        return -1;
    }
    fds[0].revents = POLLIN;
    fds[count - 1].revents = what == 2 ? POLLIN : 0;
    return 1;
}

ssize_t __wrap_recvmsg(int socket, struct msghdr *message, int flags)
{
    if (in_seed && take(1) % 16 != 0)
        send_request(message->msg_iov->iov_len);
    return __real_recvmsg(socket, message, flags | (in_seed ? MSG_DONTWAIT : 0));
}

pid_t __wrap_fork(void)
{
    if (!in_seed)
        return __real_fork();
    uint64_t how = take(1) % 4;
    if (how == 0) {
        errno = EAGAIN;
        return -1;
    }
    has_left = how == 1;
    return has_left ? 0 : 4711;
}

noreturn void __wrap__exit(int status)
{
    if (!in_seed)
        __real__exit(status);
    has_left = true;
    longjmp(leave_seed, 1);
}

/* ---- a keeper of it ---- */

int __wrap_pe__mapping_attach(struct pe__shared *ret, const struct pe__geometry *geometry, void *at, int memfd)
{
    (void)at;
    demand(geometry->keep_fd_count < FDS_MOST && fcntl(memfd, F_GETFD) == FD_CLOEXEC);
    if (take(1) % 8 == 0)
        return -ENOMEM;
    for (uint32_t i = 0; i < geometry->keep_fd_count; i++)
        kept[i] = KEPT_FIRST + (int32_t)(i + take(1) % 2);
    *ret = (struct pe__shared){ .geometry = *geometry, .keep_fds = kept };
    return 0;
}

noreturn void __wrap_pe__keeper_run(struct pe__keeper_start *start)
{
    const int own[] = { start->shared.memfd, start->control, start->host_bell, start->alive };

    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        demand(fcntl(own[i], F_GETFD) == FD_CLOEXEC);
    demand(start->host_pidfd == -1 || fcntl(start->host_pidfd, F_GETFD) == FD_CLOEXEC);
    for (uint32_t i = 0; i < start->shared.geometry.keep_fd_count; i++)
        demand(fcntl(kept[i], F_GETFD) == 0);
    longjmp(leave_seed, 1);
}

/* ---- the host ---- */

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    unsigned char bytes[16];

    if (in_seed)
        return poll_in_seed(fds, count);
    if (count == 1 && fds->fd == host_end && __real_poll(fds, count, 0) == 0) {
        if (seed_end >= 0 && !input_is_over(&input)) {
            size_t length = take(1) % 4 == 0 ? take(1) % sizeof bytes : sizeof(int32_t);
            for (size_t i = 0; i < length; i++)
                bytes[i] = (unsigned char)take(1);
            send_packet(seed_end, bytes, length, take(1) % 8 == 0 ? 1 : 0);
        } else if (seed_end >= 0) {
            close(seed_end);
            seed_end = -1;
        }
    }
    return __real_poll(fds, count, timeout);
}

static void start_keeper(void)
{
    struct pe__keeper_start start = { .host_pidfd = take(1) % 2 == 0 ? 0 : -1 };

    memset(kept, 0, sizeof kept);
    start.shared.keep_fds = kept;
    start.shared.geometry.keep_fd_count = (uint32_t)take(1) % (PE__SEED_KEEP_FDS_MAX + 1);
    (void)pe__seed_fork_keeper(&start);
}

struct part {
    unsigned char *at;
    size_t bytes;
};

/* Aligned, reserved as a whole, and of nobody else's. */
static void check_part(const struct part *parts, size_t new)
{
    const struct part *part = &parts[new];

    demand(part->bytes > 0 && (uintptr_t)part->at % ALIGN == 0);
    demand(msync(part->at, part->bytes, MS_ASYNC) == 0);
    for (size_t i = 0; i < PARTS; i++)
        demand(i == new || parts[i].bytes == 0 || part->at + part->bytes <= parts[i].at ||
               parts[i].at + parts[i].bytes <= part->at);
}

static void use_part(struct part *parts)
{
    size_t i = take(1) % PARTS;

    if (parts[i].bytes == 0) {
        void *at;
        if (pe__seed_reserve((size_t)take(4) + 1, &at, &parts[i].bytes) < 0)
            return;
        parts[i].at = at;
        check_part(parts, i);
    } else if (take(1) % 2 == 0) {
        parts[i].bytes = parts[i].bytes - (size_t)take(4) % parts[i].bytes;
        pe__seed_shrink(parts[i].at, parts[i].bytes);
    } else {
        pe__seed_release(parts[i].at);
        parts[i].bytes = 0;
    }
}

static void use_seed(void)
{
    struct part parts[PARTS] = { { .bytes = 0 } };

    while (!input_is_over(&input))
        if (take(1) % 4 == 0)
            start_keeper();
        else
            use_part(parts);
    for (int i = 0; i < PARTS; i++)
        if (parts[i].bytes > 0)
            pe__seed_release(parts[i].at);
}

static pe_init_options *take_options(void)
{
    pe_init_options *options = take_struct(&input, sizeof *options);

    if (is_whole(options, sizeof *options))
        options->reserve_bytes %= RESERVED_MOST;
    return options;
}

__attribute__((constructor)) static void close_inherited(void)
{
    close_fds_from(3);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    int fds = open_fds();

    input = (struct input){ bytes, bytes + count };
    host_end = seed_end = -1;
    has_left = false;
    pe_init_options *options = take_options();
    int result = pe_init(options);
    demand(result <= 0 && (result > -4096 || result == PE_EBROKEN));
    free(options);
    if (has_left) /* and all that it has would end with its process */
        close_fds_from(first_fd);
    if (result == 0) {
        use_seed();
        pe__seed_end();
    }
    demand(!pe__seed_exists());
    if (seed_end >= 0)
        close(seed_end);
    demand(open_fds() == fds);
    return 0;
}
