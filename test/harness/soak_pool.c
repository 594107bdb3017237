#include "harness/soak_pool.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define FAILURE 7
#define EXIT_STATUS 3
#define GIVEN_UP 9

struct soak_order soak_some_order(struct soak_player *player, bool may_hang)
{
    static const uint8_t whats[] = { SOAK_FAIL, SOAK_CRASH, SOAK_EXIT, SOAK_HANG };
    struct soak_order order = { SOAK_ANSWER, (uint32_t)soak_below(player, 2000), pe_rng_next(&player->rng) };

    if (soak_below(player, 64) == 0)
        order.what = whats[soak_below(player, may_hang ? 4 : 3)];
    return order;
}

uint64_t soak_answer(uint64_t seed)
{
    seed = (seed ^ seed >> 33) * UINT64_C(0xff51afd7ed558ccd);
    return seed ^ seed >> 33;
}

/* Every second one heeds the request to stop; the others are ended by signals. */
static int hang(uint64_t seed)
{
    while (seed % 2 == 0 || !pe_worker_cancelled())
        continue;
    return GIVEN_UP;
}

int soak_obey(const struct soak_order *order)
{
    for (volatile uint32_t turn = 0; turn < order->turns; turn++)
        continue;
    switch (order->what) {
    case SOAK_FAIL: return pe_worker_fail(FAILURE, "as told");
    case SOAK_CRASH: raise(SIGSEGV); abort();
    case SOAK_EXIT: _exit(EXIT_STATUS);
    case SOAK_HANG: return hang(order->seed);
    default: return 0;
    }
}

static bool is_wanted(const struct soak_order *order, uint32_t kind, int32_t code)
{
    switch (order->what) {
    case SOAK_ANSWER: return kind == PE_RETURNED && code == 0;
    case SOAK_FAIL: return kind == PE_RETURNED && code == FAILURE;
    case SOAK_CRASH: return kind == PE_CRASHED && code == SIGSEGV;
    case SOAK_EXIT: return kind == PE_EXITED && code == EXIT_STATUS;
    default: return kind == PE_RETURNED && code == GIVEN_UP;
    }
}

bool soak_check(struct soak_player *player, const struct soak_order *order, const pe_status *status, uint32_t retries,
                bool stopped)
{
    bool was_killed = status->kind == PE_CRASHED && status->code == SIGKILL;
    bool was_stopped = stopped && (status->kind == PE_CANCELLED || status->kind == PE_TIMED_OUT);

    ck_assert_msg(was_killed || was_stopped || is_wanted(order, status->kind, status->code),
                  "order %u ended as %u with %d", order->what, status->kind, (int)status->code);
    ck_assert_msg(status->attempts <= retries + 1 && (was_stopped || status->attempts > 0), "%u attempts of %u",
                  status->attempts, retries + 1);
    player->endings[status->kind]++;
    return status->kind == PE_RETURNED && status->code == 0;
}
