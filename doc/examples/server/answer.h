/* answer.h: what is said to a request, by either server, and what is counted. */
#ifndef ANSWER_H
#define ANSWER_H

#include <parexec.h>

#define LINE_BYTES 200
#define ANSWER_LINE_BYTES (LINE_BYTES + 100)

/* What has happened so far. */
struct figures {
    uint64_t connections, requests, values, errors, crashes, exits, late, lost, unanswered;
};

/* A job of the pool: evaluates a line, which ends with a NUL. */
int evaluate_line(const void *arg, size_t arg_bytes, pe_reply *reply);

/* Writes the line that answers a request whose job has ended, and counts it. How many bytes; no NUL counts. */
size_t answer_ending(char answer[ANSWER_LINE_BYTES], const char *text, const pe_job *job, const pe_status *status,
                     struct figures *figures);

/* The same where there was no job. */
size_t answer_error(char answer[ANSWER_LINE_BYTES], const char *text, const char *error);

void figures_print(const struct figures *figures, const pe_pool *pool);

#endif
