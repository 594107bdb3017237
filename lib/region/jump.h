/*
 * jump.h - functions that longjmp has left: they are open, but will never end.
 *
 * The frame of an open function is the stack pointer when it said that it begins, its place the code that said so, and
 * its caller where it will return to. Other regions have none.
 */
#ifndef PE__REGION_JUMP_H
#define PE__REGION_JUMP_H

#include <stdint.h>

/* A function begins, with that caller, frame and place, in a thread whose innermost region does not lie above that
 * frame: closes what has been left, if anything was. The frame to keep. */
uintptr_t pe__region_close_jumped(uintptr_t caller, uintptr_t frame, uintptr_t place);

#endif
