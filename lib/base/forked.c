/*
 * A word that the kernel wipes at a fork.
 *
 * The word lies in a page of its own with MADV_WIPEONFORK: zero on first use, and zero again in every
 * child. Whoever finds zero stores a fresh generation, from a counter in ordinary memory, which a child
 * inherits: the child's next number is therefore above every token it can have inherited, through any
 * number of forks.
 *
 * The page is one of the library's own zeroed data, behind everything that comes from the file, since only anonymous
 * memory can be wiped. So it needs no memory that could be refused, and goes when the library is unloaded.
 *
 * Before Linux 4.14 the kernel refuses; then a handler of pthread_atfork wipes an ordinary word (a child
 * made by a bare clone is not noticed there).
 *
 * There is no lock, since a fork could leave it held: threads that come here together do the same thing twice, and the
 * first pointer wins by compare-and-swap. Word and pointer need no order among each other beyond acquire and release
 * of the pointer.
 */
#include "base/forked.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include <parexec/error.h>

#define PAGE_BYTES_MAX 65536

typedef _Atomic uint64_t word;

word *_Atomic pe__base_forked_word;
static word plain_word;
static word generations;
static unsigned char room[2 * PAGE_BYTES_MAX]; /* one whole page of it is used */

static void wipe_plain_word(void)
{
    atomic_store_explicit(&plain_word, 0, memory_order_relaxed);
}

static word *get_word(void)
{
    uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    unsigned char *page = room + (page_bytes - (uintptr_t)room % page_bytes) % page_bytes;
    word *first = atomic_load_explicit(&pe__base_forked_word, memory_order_acquire), *there;

    if (first)
        return first;
    if (page_bytes <= PAGE_BYTES_MAX && madvise(page, page_bytes, MADV_WIPEONFORK) == 0)
        there = (word *)(void *)page;
    else if (pthread_atfork(NULL, NULL, wipe_plain_word) == 0)
        there = &plain_word;
    else
        return NULL;
    return atomic_compare_exchange_strong_explicit(&pe__base_forked_word, &first, there, memory_order_acq_rel,
                                                   memory_order_acquire)
               ? there
               : first;
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

/* The token, shifted, with the lowest bit for "is being made". Whoever finds that of an ancestor, busy or not, makes
 * everything anew; the release of the ready word orders that before all that its acquire allows. */
uint64_t pe__base_forked_settle(_Atomic uint64_t *owner, void (*make_anew)(void))
{
    uint64_t token;
    uint64_t ready = (pe__base_forked_token(&token) == 0 ? token : 1) << 1, busy = ready | 1;
    uint64_t seen = atomic_load_explicit(owner, memory_order_acquire);

    while (seen != ready) {
        if (seen == busy) {
            sched_yield();
            seen = atomic_load_explicit(owner, memory_order_acquire);
        } else if (atomic_compare_exchange_weak_explicit(owner, &seen, busy, memory_order_acquire,
                                                         memory_order_acquire)) {
            make_anew();
            atomic_store_explicit(owner, ready, memory_order_release);
            seen = ready;
        }
    }
    return ready;
}
