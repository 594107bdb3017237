/* question.h: requests for the server, each with the answer that it has to get. */
#ifndef QUESTION_H
#define QUESTION_H

#include <parexec.h>

#define QUESTION_BYTES 128
#define ANSWER_BYTES 256

enum question_kind { QUESTION_VALUE, QUESTION_WRONG, QUESTION_EXIT, QUESTION_CRASH, QUESTION_HANG, QUESTION_KINDS };

/* How many of a thousand questions do harm; the others have a value, but for a few that are wrong. */
struct question_mix {
    uint64_t exits, crashes, hangs;
};

struct question {
    enum question_kind kind;
    char text[QUESTION_BYTES];
    char answer[ANSWER_BYTES]; /* the whole line, without its end */
};

/* Makes the next one; no two numbers give the same text. */
void question_make(struct question *question, pe_rng *rng, const struct question_mix *mix, uint64_t number);

#endif
