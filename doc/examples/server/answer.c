/* answer.c: a line becomes a job of the pool, and what becomes of the job is the answer. */
#include "answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "evaluate.h"

/* ---- in a process of the pool ---- */

int evaluate_line(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    int64_t value;
    const char *error = evaluate(arg, &value);

    (void)arg_bytes;
    return error != NULL ? pe_worker_fail(1, "%s", error) : pe_reply_write(reply, &value, sizeof value);
}

/* ---- in the server ---- */

size_t answer_error(char answer[ANSWER_LINE_BYTES], const char *text, const char *error)
{
    return (size_t)snprintf(answer, ANSWER_LINE_BYTES, "%s: %.60s\n", text, error);
}

static size_t answer_number(char answer[ANSWER_LINE_BYTES], const char *text, const char *what, int number)
{
    char error[60];

    snprintf(error, sizeof error, what, number);
    return answer_error(answer, text, error);
}

static size_t answer_returned(char answer[ANSWER_LINE_BYTES], const char *text, const pe_job *job,
                              const pe_status *status, struct figures *figures)
{
    const void *reply;
    const char *error;
    size_t bytes;
    int64_t value;

    if (status->code == 0 && pe_job_result(job, &reply, &bytes) == 0 && bytes == sizeof value) {
        memcpy(&value, reply, sizeof value);
        figures->values++;
        return (size_t)snprintf(answer, ANSWER_LINE_BYTES, "%s = %" PRId64 "\n", text, value);
    }
    figures->errors++;
    int is_told = pe_job_item_text(job, 0, PE_TEXT_MESSAGE, &error, &bytes) == 0;
    return answer_error(answer, text, is_told ? error : "no value");
}

size_t answer_ending(char answer[ANSWER_LINE_BYTES], const char *text, const pe_job *job, const pe_status *status,
                     struct figures *figures)
{
    switch (status->kind) {
    case PE_RETURNED:
        return answer_returned(answer, text, job, status, figures);
    case PE_CRASHED:
        figures->crashes++;
        return answer_number(answer, text, "killed by signal %d", status->code);
    case PE_EXITED:
        figures->exits++;
        return answer_number(answer, text, "ended with exit status %d", status->code);
    case PE_TIMED_OUT:
        figures->late++;
        return answer_error(answer, text, "took too long");
    default:
        figures->lost++;
        return answer_error(answer, text, "lost");
    }
}

void figures_print(const struct figures *figures, const pe_pool *pool)
{
    pe_stats stats = PE_STATS_INIT;

    pe_pool_stats(pool, &stats);
    printf("connections %" PRIu64 "\n", figures->connections);
    printf("requests %" PRIu64 ": values %" PRIu64 ", errors %" PRIu64 ", crashes %" PRIu64 ", exits %" PRIu64
           ", too late %" PRIu64 ", lost %" PRIu64 "\n",
           figures->requests, figures->values, figures->errors, figures->crashes, figures->exits, figures->late,
           figures->lost);
    printf("answers that nobody took %" PRIu64 "\n", figures->unanswered);
    printf("workers replaced %" PRIu64 "\n", stats.restarts);
}
