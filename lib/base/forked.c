/*
 * A word that the kernel wipes at a fork.
 *
 * The word lies in a page of its own with MADV_WIPEONFORK: zero on first use, and zero again in every
 * child. Whoever finds zero stores a fresh generation, from a counter in ordinary memory, which a child
 * inherits: the child's next number is therefore above every token it can have inherited, through any
 * number of forks.
 *
 * Before Linux 4.14 the kernel refuses; then a handler of pthread_atfork wipes an ordinary word (a child
 * made by a bare clone is not noticed there).
 *
 * There is no lock, since a fork could leave it held: the first page wins by compare-and-swap, a second
 * one goes back. Word and pointer need no order among each other beyond acquire and release of the
 * pointer.
 */
#include "base/forked.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include <parexec/error.h>

typedef _Atomic uint64_t word;

word *_Atomic pe__base_forked_word;
static word plain_word;
static word generations;

static void wipe_plain_word(void)
{
    atomic_store_explicit(&plain_word, 0, memory_order_relaxed);
}

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static word *make_word(void)
{
    void *page = mmap(NULL, page_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return NULL;
    if (madvise(page, page_bytes(), MADV_WIPEONFORK) == 0)
        return page;
    munmap(page, page_bytes());
    /* Two threads may both register: wiping twice is as good as once. */
    return pthread_atfork(NULL, NULL, wipe_plain_word) == 0 ? &plain_word : NULL;
}

static void unmake_word(word *made)
{
    if (made != &plain_word)
        munmap((void *)made, page_bytes());
}

static word *get_word(void)
{
    word *there = atomic_load_explicit(&pe__base_forked_word, memory_order_acquire);
    word *made;

    if (there)
        return there;
    made = make_word();
    if (!made)
        return NULL;
    if (atomic_compare_exchange_strong_explicit(&pe__base_forked_word, &there, made, memory_order_acq_rel,
                                                memory_order_acquire))
        return made;
    unmake_word(made);
    return there;
}

int pe__base_forked_token(uint64_t *ret_token)
{
    word *generation = get_word();
    uint64_t token, fresh;

    if (!generation)
        return PE_ENOMEM;
    token = atomic_load_explicit(generation, memory_order_relaxed);
    if (token == 0) {
        fresh = atomic_fetch_add_explicit(&generations, 1, memory_order_relaxed) + 1;
        if (atomic_compare_exchange_strong_explicit(generation, &token, fresh, memory_order_relaxed,
                                                    memory_order_relaxed))
            token = fresh;
    }
    *ret_token = token;
    return 0;
}
