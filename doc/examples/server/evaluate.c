/*
 * evaluate.c: a parser by recursive descent, one function to a rule. The first thing that is wrong ends it.
 *
 *     sum      = product { ("+" | "-") product }
 *     product  = factor { ("*" | "/" | "%") factor }
 *     factor   = { "-" } ( number | word | "(" sum ")" )
 */
#include "evaluate.h"

#include <stdlib.h>
#include <string.h>

struct parser {
    const char *at;
    const char *error; /* NULL: none so far */
};

static int64_t sum(struct parser *parser);

static int64_t fail(struct parser *parser, const char *error)
{
    if (parser->error == NULL)
        parser->error = error;
    parser->at = "";
    return 0;
}

/* The next character that is no space. */
static char next(struct parser *parser)
{
    parser->at += strspn(parser->at, " \t");
    return *parser->at;
}

static int64_t number(struct parser *parser)
{
    int64_t value = 0;

    for (; *parser->at >= '0' && *parser->at <= '9'; parser->at++) {
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *parser->at - '0', &value))
            return fail(parser, "too large");
    }
    return value;
}

static void hang(void)
{
    for (volatile int on = 1; on;)
        ;
}

static int64_t word(struct parser *parser)
{
    size_t length = strspn(parser->at, "abcdefghijklmnopqrstuvwxyz");
    volatile int *nowhere = NULL;

    if (length == 5 && strncmp(parser->at, "crash", length) == 0)
        *nowhere = 1;
    else if (length == 4 && strncmp(parser->at, "exit", length) == 0)
        exit(3);
    else if (length == 4 && strncmp(parser->at, "hang", length) == 0)
        hang();
    return fail(parser, length > 0 ? "unknown word" : "not a number");
}

static int64_t primary(struct parser *parser)
{
    char first = next(parser);

    if (first >= '0' && first <= '9')
        return number(parser);
    if (first != '(')
        return word(parser);
    parser->at++;
    int64_t value = sum(parser);
    if (next(parser) != ')')
        return fail(parser, "no )");
    parser->at++;
    return value;
}

static int64_t factor(struct parser *parser)
{
    if (next(parser) != '-')
        return primary(parser);
    parser->at++;
    int64_t value = factor(parser);
    return value == INT64_MIN ? fail(parser, "too large") : -value;
}

static int64_t divide(struct parser *parser, char how, int64_t left, int64_t right)
{
    if (right == 0)
        return fail(parser, "division by zero");
    if (right == -1)
        return left == INT64_MIN ? fail(parser, "too large") : how == '/' ? -left : 0;
    return how == '/' ? left / right : left % right;
}

static int64_t product(struct parser *parser)
{
    int64_t value = factor(parser);

    for (;;) {
        char how = next(parser);

        if (how != '*' && how != '/' && how != '%')
            return value;
        parser->at++;
        int64_t right = factor(parser);
        if (parser->error != NULL)
            return 0;
        if (how != '*')
            value = divide(parser, how, value, right);
        else if (__builtin_mul_overflow(value, right, &value))
            return fail(parser, "too large");
    }
}

static int64_t sum(struct parser *parser)
{
    int64_t value = product(parser);

    for (;;) {
        char how = next(parser);

        if (how != '+' && how != '-')
            return value;
        parser->at++;
        int64_t right = product(parser);
        if (parser->error == NULL && (how == '+' ? __builtin_add_overflow(value, right, &value)
                                                 : __builtin_sub_overflow(value, right, &value)))
            return fail(parser, "too large");
    }
}

const char *evaluate(const char *text, int64_t *ret_value)
{
    struct parser parser = { .at = text };
    int64_t value = sum(&parser);

    if (parser.error == NULL && next(&parser) != '\0')
        parser.error = "more than an expression";
    if (parser.error == NULL)
        *ret_value = value;
    return parser.error;
}
