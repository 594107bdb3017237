/*
 * evaluate.h: arithmetic on whole numbers, such as "(1+2)*3 - -4". Words in it do harm: it is code that nobody would
 * want in a server's own process.
 */
#ifndef EVALUATE_H
#define EVALUATE_H

#include <stddef.h>
#include <stdint.h>

/*
 * text        ends with a byte of 0. The words crash, exit and hang do what they say.
 * ret_value   gets the value when there is one.
 * Returns: NULL, or what is wrong with the text.
 */
const char *evaluate(const char *text, int64_t *ret_value);

#endif
