/* The other limit: a queue of callbacks, each of which puts the next one there. Nobody's state is kept but what a
 * callback is given. */

#include "async/steps.h"

#include <stdlib.h>

enum { FIRST_ROOM = 2048 }; /* a power of two, as always after */

typedef void chained_fn(void *context);

struct link {
    chained_fn *fn;
    void *context;
};

struct chain {
    struct link *links; /* a ring */
    uint64_t head, tail, room;
    uint64_t asked, answered;
    uint64_t proof;
};

struct walker {
    struct chain *chain;
    uint64_t left;
};

__attribute__((noinline)) static void grow(struct chain *chain)
{
    struct link *links = malloc(2 * chain->room * sizeof(*links));
    if (!links)
        abort();
    for (uint64_t i = chain->head; i < chain->tail; i++)
        links[i & (2 * chain->room - 1)] = chain->links[i & (chain->room - 1)];
    free(chain->links);
    chain->links = links;
    chain->room *= 2;
}

static void call_soon(struct chain *chain, chained_fn *fn, void *context)
{
    if (chain->tail - chain->head == chain->room)
        grow(chain);
    chain->links[chain->tail++ & (chain->room - 1)] = (struct link){ fn, context };
}

static void run_all(struct chain *chain)
{
    for (uint64_t last; chain->head < (last = chain->tail); chain->head = last)
        for (uint64_t i = chain->head; i < last; i++) {
            struct link link = chain->links[i & (chain->room - 1)];
            link.fn(link.context);
        }
}

static void count(void *context)
{
    struct chain *chain = context;
    chain->proof++;
}

static uint64_t run_spawn(void *state, const struct plan *plan, uint64_t n)
{
    struct chain *chain = state;
    (void)plan;
    chain->proof = 0;
    for (uint64_t done = 0; done < n; done += STEPS_BATCH) {
        uint64_t batch = n - done < STEPS_BATCH ? n - done : STEPS_BATCH;
        for (uint64_t i = 0; i < batch; i++)
            call_soon(chain, count, chain);
        run_all(chain);
    }
    return chain->proof;
}

static void answer(void *context);

static void on_answer(struct chain *chain, uint64_t value)
{
    chain->proof += value;
    if (chain->answered < chain->asked)
        call_soon(chain, answer, chain);
}

static void answer(void *context)
{
    struct chain *chain = context;
    on_answer(chain, ++chain->answered);
}

static uint64_t run_await(void *state, const struct plan *plan, uint64_t n)
{
    struct chain *chain = state;
    (void)plan;
    chain->proof = chain->answered = 0;
    chain->asked = n;
    call_soon(chain, answer, chain);
    run_all(chain);
    return chain->proof;
}

static void walk(void *context)
{
    struct walker *walker = context;
    walker->chain->proof++;
    if (--walker->left > 0)
        call_soon(walker->chain, walk, walker);
}

static uint64_t run_yield(void *state, const struct plan *plan, uint64_t n)
{
    struct chain *chain = state;
    struct walker *walkers = malloc(plan->workers * sizeof(*walkers));
    chain->proof = 0;
    for (uint32_t i = 0; i < plan->workers; i++) {
        walkers[i] = (struct walker){ chain, n / plan->workers + (i < n % plan->workers) };
        if (walkers[i].left > 0)
            call_soon(chain, walk, &walkers[i]);
    }
    run_all(chain);
    free(walkers);
    return chain->proof;
}

static int open_chain(const struct plan *plan, void **ret_state)
{
    struct chain *chain = calloc(1, sizeof(*chain));
    (void)plan;
    chain->room = FIRST_ROOM;
    chain->links = malloc(chain->room * sizeof(*chain->links));
    *ret_state = chain;
    return 0;
}

static void close_chain(void *state)
{
    struct chain *chain = state;
    free(chain->links);
    free(chain);
}

const struct steps chain_spawn = { open_chain, run_spawn, close_chain };
const struct steps chain_await = { open_chain, run_await, close_chain };
const struct steps chain_yield = { open_chain, run_yield, close_chain };
