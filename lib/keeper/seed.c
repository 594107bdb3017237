/*
 * seed.c - the seed process and what the host knows about it.
 *
 * The request for a keeper is one packet: the geometry and place of the mapping, with the descriptors
 * attached (the memory file, the keeper's ends, and the descriptors that workers keep, which get their old
 * numbers back). Everything else the keeper reads from the mapping. The seed itself runs no user code, holds
 * no descriptor of the host but 0 to 2 and the socket, and ends with the host.
 */
#include "keeper/seed.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <parexec/error.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/forked.h"
#include "keeper/spawn.h"
#include "worker/hygiene.h"

/* 16 TiB, or 1 GiB where addresses have 32 bits. */
#define RESERVE_WISHED ((uint64_t)1 << (sizeof(void *) > 4 ? 44 : 30))
#define RESERVE_LEAST ((uint64_t)64 << 20)
#define PART_ALIGN ((size_t)65536)
#define ERRNO_MOST 4095
#define OWN_FDS 5
#define FDS_MAX (OWN_FDS + PE__SEED_KEEP_FDS_MAX)

/* A taken part of the range; kept in the order of addresses. */
struct part {
    struct part *next;
    unsigned char *at;
    size_t bytes;
};

static struct {
    pthread_mutex_t mutex;
    _Atomic uint64_t owner; /* of the mutex, see pe__base_forked_settle */
    bool started;
    uint64_t token; /* of the process that started it */
    int socket;
    void *mapped; /* what was reserved */
    size_t mapped_bytes;
    unsigned char *range; /* the aligned part of it that is handed out */
    size_t range_bytes;
    struct part *parts;
} seed = { .socket = -1 };

struct request {
    struct pe__geometry geometry;
    void *at;
    uint64_t has_pidfd; /* so wide that no bytes are sent which nobody has written */
};

/* ---- in the seed ---- */

struct seed_start {
    int socket;
    int host_end;
    int host_pidfd;
};

/* CMSG_SPACE has room for alignment, into which the kernel would put one descriptor more. */
static ssize_t receive_request(int socket, struct request *request, int *fds, size_t *ret_fd_count)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control;
    struct iovec bytes = { .iov_base = request, .iov_len = sizeof *request };
    struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control,
                              .msg_controllen = CMSG_LEN(FDS_MAX * sizeof(int)) };
    ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    *ret_fd_count = 0;
    struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header != NULL && header->cmsg_type == SCM_RIGHTS) {
        *ret_fd_count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(header), *ret_fd_count * sizeof(int));
    }
    return got;
}

/* The descriptors that workers keep get the numbers they have in the host; ours must be out of their way
 * first. */
static bool restore_numbers(const struct pe__shared *shared, int *fds, size_t own, size_t count)
{
    int highest = 2;
    for (size_t i = own; i < count; i++)
        if (shared->keep_fds[i - own] > highest)
            highest = shared->keep_fds[i - own];
    for (size_t i = 0; i < count; i++) {
        int moved = fcntl(fds[i], F_DUPFD_CLOEXEC, highest + 1);
        if (moved < 0)
            return false;
        close(fds[i]);
        fds[i] = moved;
    }
    for (size_t i = own; i < count; i++)
        if (dup2(fds[i], shared->keep_fds[i - own]) < 0)
            return false;
    return true;
}

static size_t own_fds_of(const struct request *request)
{
    return OWN_FDS - (request->has_pidfd ? 0 : 1);
}

static noreturn void become_keeper(const struct request *request, int *fds, size_t count)
{
    size_t own = own_fds_of(request);
    struct pe__keeper_start start = { .host_pidfd = -1, .close_fds = { -1, -1 } };
    if (pe__mapping_attach(&start.shared, &request->geometry, request->at, fds[0]) < 0 ||
        !restore_numbers(&start.shared, fds, own, count))
        _exit(1);
    start.shared.memfd = fds[0];
    start.control = fds[1];
    start.host_bell = fds[2];
    start.alive = fds[3];
    if (request->has_pidfd)
        start.host_pidfd = fds[4];
    pe__keeper_run(&start);
}

static void answer(int socket, int32_t result)
{
    (void)send(socket, &result, sizeof result, MSG_NOSIGNAL); /* a host that does not hear it has gone */
}

/* Fewer descriptors than were sent: the seed had no numbers left for them. */
static int32_t fork_keeper(const struct request *request, int *fds, size_t count)
{
    if (count != own_fds_of(request) + request->geometry.keep_fd_count)
        return PE_EMFILE;
    pid_t pid = fork();
    if (pid == 0)
        become_keeper(request, fds, count);
    return pid > 0 ? 0 : -errno;
}

static void serve(int socket, const struct request *request, ssize_t bytes, int *fds, size_t count)
{
    bool whole = bytes == (ssize_t)sizeof *request;
    int32_t result = whole ? fork_keeper(request, fds, count) : 0;
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    if (whole)
        answer(socket, result);
}

static void seed_run(void *context)
{
    struct seed_start start = *(struct seed_start *)context;
    int keep[2] = { start.socket < start.host_pidfd ? start.socket : start.host_pidfd,
                    start.socket < start.host_pidfd ? start.host_pidfd : start.socket };
    size_t skip = keep[0] < 0 ? 1 : 0;
    prctl(PR_SET_NAME, "pe-seed");
    pe__base_log_off();
    pe__base_fd_close_all_but(keep + skip, 2 - skip);
    sigset_t ignored;
    sigemptyset(&ignored);
    sigaddset(&ignored, SIGCHLD); /* keepers are not waited for; each one resets this */
    pe__worker_reset_signals(&ignored);
    answer(start.socket, 0);
    for (;;) {
        struct pollfd watched[2] = { { .fd = start.socket, .events = POLLIN },
                                     { .fd = start.host_pidfd, .events = POLLIN } };
        struct request request;
        int fds[FDS_MAX];
        size_t count;
        if (poll(watched, 2, -1) < 0)
            continue;
        if (watched[1].revents != 0)
            _exit(0);
        ssize_t got = receive_request(start.socket, &request, fds, &count);
        if (got > 0)
            serve(start.socket, &request, got, fds, count);
        else if (got == 0 || (errno != EINTR && errno != EAGAIN))
            _exit(0);
    }
}

/* ---- in the host ---- */

/* What else there is of an ancestor's seed is left alone: taken parts are in order at any instant, and a new seed
 * overwrites the rest. */
static void make_mutex_anew(void)
{
    pthread_mutex_init(&seed.mutex, NULL);
}

static void lock(void)
{
    pe__base_forked_settle(&seed.owner, make_mutex_anew);
    pthread_mutex_lock(&seed.mutex);
}

/* Of the parts that can be aligned; of a small one that may be none. */
static void use_range(unsigned char *range, size_t bytes)
{
    size_t skipped = (PART_ALIGN - (uintptr_t)range % PART_ALIGN) % PART_ALIGN;
    seed.mapped = range;
    seed.mapped_bytes = bytes;
    seed.range = range + skipped;
    seed.range_bytes = bytes > skipped ? (bytes - skipped) / PART_ALIGN * PART_ALIGN : 0;
}

static int reserve_range(uint64_t wished)
{
    uint64_t bytes = wished != 0 ? wished : RESERVE_WISHED;
    for (; bytes >= RESERVE_LEAST || bytes == wished; bytes /= 2) {
        if (bytes > SIZE_MAX)
            continue;
        void *range = mmap(NULL, (size_t)bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (range != MAP_FAILED) {
            use_range(range, (size_t)bytes);
            return 0;
        }
    }
    return PE_ENOMEM;
}

/* What no system call can have said comes from something else than a seed. */
static int receive_answer(int socket)
{
    int32_t answer;
    for (;;) {
        struct pollfd watched = { .fd = socket, .events = POLLIN };
        poll(&watched, 1, -1);
        ssize_t got = recv(socket, &answer, sizeof answer, 0);
        if (got == (ssize_t)sizeof answer)
            return answer <= 0 && answer >= -ERRNO_MOST ? answer : PE_EBROKEN;
        if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
            return PE_EBROKEN;
    }
}

static int start_locked(uint64_t reserve_bytes)
{
    int ends[2];
    int result = pe__base_forked_token(&seed.token);
    if (result < 0)
        return result;
    result = pe__base_socketpair(ends);
    if (result < 0)
        return result;
    result = reserve_range(reserve_bytes);
    if (result < 0)
        goto close_ends;
    struct seed_start start = { .socket = ends[1], .host_end = ends[0] };
    start.host_pidfd = pe__base_pidfd_open(getpid());
    if (start.host_pidfd < 0)
        start.host_pidfd = -1;
    result = pe__keeper_spawn(seed_run, &start);
    pe__base_fd_close(start.host_pidfd);
    pe__base_fd_close(ends[1]);
    ends[1] = -1;
    if (result == 0)
        result = receive_answer(ends[0]); /* it has closed what is the host's */
    if (result < 0)
        goto unmap;
    seed.socket = ends[0];
    seed.parts = NULL;
    seed.started = true;
    return 0;
unmap:
    munmap(seed.mapped, seed.mapped_bytes);
close_ends:
    pe__base_fd_close(ends[0]);
    pe__base_fd_close(ends[1]);
    return result;
}

bool pe__seed_exists(void)
{
    return seed.started && !pe__base_forked(seed.token);
}

/* When the library is unloaded, and when the program exits. Threads may still be at work then: a seed that is busy, or
 * whose memory a pool uses, stays and ends with the program. */
__attribute__((destructor)) void pe__seed_end(void)
{
    if (!pe__seed_exists() || pthread_mutex_trylock(&seed.mutex) != 0)
        return;
    if (seed.parts == NULL) {
        pe__base_fd_close(seed.socket);
        munmap(seed.mapped, seed.mapped_bytes);
        seed.range_bytes = 0; /* a pool that is just being made finds no room */
        seed.started = false;
    }
    pthread_mutex_unlock(&seed.mutex);
}

int pe__seed_start(uint64_t reserve_bytes)
{
    if (pe__seed_exists())
        return PE_EALREADY;
    lock();
    int result = pe__seed_exists() ? PE_EALREADY : start_locked(reserve_bytes);
    pthread_mutex_unlock(&seed.mutex);
    return result;
}

/* The largest gap between taken parts; the new part goes in front of *ret_before. */
static size_t largest_gap(struct part ***ret_link, unsigned char **ret_at)
{
    size_t largest = 0;
    unsigned char *from = seed.range;
    for (struct part **link = &seed.parts;; link = &(*link)->next) {
        unsigned char *to = *link != NULL ? (*link)->at : seed.range + seed.range_bytes;
        if ((size_t)(to - from) > largest) {
            largest = (size_t)(to - from);
            *ret_link = link;
            *ret_at = from;
        }
        if (*link == NULL)
            return largest;
        from = (*link)->at + (*link)->bytes;
    }
}

static size_t aligned(size_t bytes)
{
    return (bytes + PART_ALIGN - 1) / PART_ALIGN * PART_ALIGN;
}

int pe__seed_reserve(size_t bytes, void **ret_at, size_t *ret_bytes)
{
    struct part *part = malloc(sizeof *part);
    if (part == NULL)
        return PE_ENOMEM;
    struct part **link = NULL;
    lock();
    size_t gap = largest_gap(&link, &part->at);
    part->bytes = gap < bytes ? gap : aligned(bytes);
    bool found = part->bytes > 0;
    if (found) {
        part->next = *link;
        *link = part;
        *ret_at = part->at;
        *ret_bytes = part->bytes;
    }
    pthread_mutex_unlock(&seed.mutex);
    if (!found) {
        free(part);
        return PE_ENOMEM;
    }
    return 0;
}

static struct part **link_of(const void *at)
{
    struct part **link = &seed.parts;
    while (*link != NULL && (*link)->at != at)
        link = &(*link)->next;
    return link;
}

void pe__seed_shrink(void *at, size_t bytes)
{
    lock();
    struct part *part = *link_of(at);
    if (part != NULL && bytes < part->bytes)
        part->bytes = aligned(bytes);
    pthread_mutex_unlock(&seed.mutex);
}

void pe__seed_release(void *at)
{
    lock();
    struct part **link = link_of(at), *part = *link;
    if (part != NULL)
        *link = part->next;
    pthread_mutex_unlock(&seed.mutex);
    free(part);
}

static int send_request(const struct request *request, const int *fds, size_t count)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    struct iovec bytes = { .iov_base = (void *)request, .iov_len = sizeof *request };
    struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control,
                              .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    ssize_t sent;
    do
        sent = sendmsg(seed.socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno == EPIPE)
        return PE_EBROKEN; /* it was killed */
    return sent < 0 ? -errno : 0;
}

int pe__seed_fork_keeper(const struct pe__keeper_start *start)
{
    const struct pe__shared *shared = &start->shared;
    int fds[FDS_MAX];
    size_t count = 0;
    fds[count++] = shared->memfd;
    fds[count++] = start->control;
    fds[count++] = start->host_bell;
    fds[count++] = start->alive;
    if (start->host_pidfd >= 0)
        fds[count++] = start->host_pidfd;
    for (uint32_t i = 0; i < shared->geometry.keep_fd_count; i++)
        fds[count++] = shared->keep_fds[i];
    struct request request = { .geometry = shared->geometry,
                               .at = shared->base,
                               .has_pidfd = start->host_pidfd >= 0 };
    lock();
    int result = send_request(&request, fds, count);
    if (result == 0)
        result = receive_answer(seed.socket);
    pthread_mutex_unlock(&seed.mutex);
    return result;
}
