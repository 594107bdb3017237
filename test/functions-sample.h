#ifndef PE__TEST_FUNCTIONS_SAMPLE_H
#define PE__TEST_FUNCTIONS_SAMPLE_H

/* Functions that are built with -finstrument-functions, for test-functions.c. */

/* Calls outer_helper, a static function, so many times; that calls inner_helper twice. */
int sample_nest(int times);
/* Calls itself so many times more, then `at_bottom`, which may be NULL. */
int sample_recurse(int times, void (*at_bottom)(void));
/* Calls a function which calls one that jumps back here, so many times, then a plain one. */
int sample_jump(int times);
/* The same with two functions by turns, the second of which jumps itself. */
int sample_jump_by_turns(int times);
/* Jumps back out of so many functions, calling inner_helper after each jump. */
int sample_jump_from(int depth, int times);
/* A function with many arguments, then an inlined one that calls outer_helper twice, and twice one that is inlined in
 * it and calls inner_helper `number`, then `number` + 1 times; then both that with many arguments and this last one. */
int sample_inline(int number);
/* Calls `then`, between its begin and its end. */
void sample_call(void (*then)(void));
/* An item of a map: as sample_nest(2). */
int sample_item(const void *in, void *out, const void *context);
/* Many different functions. */
#define SAMPLE_MANY 256
void sample_call_many(void);
/* What PE_REGION and functions look like together. */
void sample_region(void);

#endif
