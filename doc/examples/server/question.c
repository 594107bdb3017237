/* question.c: expressions are made together with their values, without the help of the server's own code. */
#include "question.h"

#include <inttypes.h>
#include <stdio.h>

static enum question_kind choose(pe_rng *rng, const struct question_mix *mix)
{
    uint64_t which = pe_rng_below(rng, 1000);

    if (which < mix->hangs)
        return QUESTION_HANG;
    if (which < mix->hangs + mix->crashes)
        return QUESTION_CRASH;
    if (which < mix->hangs + mix->crashes + mix->exits)
        return QUESTION_EXIT;
    return which >= 950 ? QUESTION_WRONG : QUESTION_VALUE;
}

/* One step more around what is in `text`, whose value is *value. */
static void extend(char *text, int64_t *value, pe_rng *rng)
{
    char before[QUESTION_BYTES];
    int64_t a = (int64_t)pe_rng_below(rng, 100), b = 1 + (int64_t)pe_rng_below(rng, 9);

    snprintf(before, sizeof before, "%s", text);
    switch (pe_rng_below(rng, 5)) {
    case 0:
        snprintf(text, QUESTION_BYTES, "%.60s + %" PRId64, before, a);
        *value += a;
        break;
    case 1:
        snprintf(text, QUESTION_BYTES, "%.60s-%" PRId64 "*%" PRId64, before, a, b);
        *value -= a * b;
        break;
    case 2:
        snprintf(text, QUESTION_BYTES, "(%.60s)*%" PRId64, before, b);
        *value *= b;
        break;
    case 3:
        snprintf(text, QUESTION_BYTES, "(%.60s)/%" PRId64, before, b);
        *value /= b;
        break;
    default:
        snprintf(text, QUESTION_BYTES, "-(%.60s)%%%" PRId64, before, b);
        *value = -*value % b;
        break;
    }
}

static void make_value(struct question *question, pe_rng *rng, uint64_t number)
{
    int64_t value = (int64_t)number;

    snprintf(question->text, sizeof question->text, "%" PRIu64, number);
    for (uint64_t steps = pe_rng_below(rng, 6); steps > 0; steps--)
        extend(question->text, &value, rng);
    snprintf(question->answer, sizeof question->answer, "%s = %" PRId64, question->text, value);
}

void question_make(struct question *question, pe_rng *rng, const struct question_mix *mix, uint64_t number)
{
    static const struct {
        const char *rest, *answer;
    } others[QUESTION_KINDS] = {
        [QUESTION_WRONG] = { "/0", "division by zero" },
        [QUESTION_EXIT] = { "+exit", "ended with exit status 3" },
        [QUESTION_CRASH] = { "+crash", "killed by signal 11" },
        [QUESTION_HANG] = { "+hang", "took too long" },
    };

    question->kind = choose(rng, mix);
    if (question->kind == QUESTION_VALUE) {
        make_value(question, rng, number);
        return;
    }
    snprintf(question->text, sizeof question->text, "%" PRIu64 "%s", number, others[question->kind].rest);
    snprintf(question->answer, sizeof question->answer, "%s: %s", question->text, others[question->kind].answer);
}
