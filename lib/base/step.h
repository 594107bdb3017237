/*
 * step.h - places between two steps of the protocols, where a test may have the process killed.
 *
 * PE__STEP(name) stands wherever a worker's death must do no harm, which is everywhere. It is nothing at all
 * unless the library was built with PE__TEST_HOOKS, as one of the libraries that the tests link is. There it
 * kills or stops the calling process when the page that the test shares with it says so. The names are listed in the
 * order of a worker's life; those of measuring regions (lib/region), which workers do at any time of it, come last.
 */
#ifndef PE__BASE_STEP_H
#define PE__BASE_STEP_H

#ifndef PE__TEST_HOOKS

#define PE__STEP(name) ((void)0)

#else

#include <stdatomic.h>
#include <stdint.h>

#define PE__STEP_LIST(X) \
    X(BORN) X(INITIALISED) X(SERVING) X(PRESENT) X(INHERITED) \
    X(LOOKED) X(HINTED) X(CLAIMED) X(HEAD_PUSHED) X(CLAIM_TOLD) X(STARTED) X(EXPIRED) \
    X(LIMITED) X(LIMIT_RUNG) X(OPENED) X(BLOCK_SAID) X(BLOCK_TAKEN) X(BLOCK_GIVEN) X(BLOCK_MOVED) \
    X(RAN) X(UNLIMITED) X(OUTPUT) X(RESULT) X(TEXT) X(TIMED) X(COUNTED) X(DONE) X(HOST_TAKEN) X(HOST_LOOKED) \
    X(COMPLETE) X(OUTPUT_PASSED) \
    X(ORDER_SEEN) X(ORDER_CLAIMED) X(ORDER_CLEARED) \
    X(TICKET) X(RECOVERED) X(HAND) X(TAKEN) \
    X(INTENT_OWN) X(INTENT_RANGE) X(INTENT) X(SHRUNK) X(PUBLISHED) X(STEAL_HAND) X(UNNAMED) X(STOLEN) \
    X(RUNNING) X(ITEM_RAN) X(DETAIL) X(CLOSED) X(FAILURE) X(HAND_DONE) X(FORGOTTEN) \
    X(SPINNING) X(SPUN) X(BELL_SEEN) X(ANNOUNCED) X(ASLEEP) X(WOKEN) X(AWAKE) X(VACANT) X(ABSENT) \
    X(RETIRING) X(LEFT) \
    X(TABLE_BEGUN) X(LABELS_INHERITED) X(TRACKS_INHERITED) X(NODE_CUT) X(NODES_INHERITED) \
    X(TRACK_TAKEN) X(TRACK_COUNTED) X(TRACK_READY) \
    X(LABEL_TAKEN) X(LABEL_FILLED) X(LABEL_READY) X(NODE_TAKEN) X(NODE_FILLED) X(NODE_READY) X(NODE_COUNTED) \
    X(SEGMENT_TAKEN) X(SEGMENT_FILLED) X(SEGMENT_LINKED)

#define PE__STEP_NAME(name) PE__STEP_##name,
enum pe__step { PE__STEP_LIST(PE__STEP_NAME) PE__STEP_COUNT };
#undef PE__STEP_NAME

/* In pages shared by the test and all processes of its pools. */
struct pe__step_plan {
    _Atomic int32_t armed;    /* the step to die at, -1: none */
    _Atomic int32_t signal;   /* SIGKILL; SIGSTOP: it goes on when it is continued */
    _Atomic uint32_t every;   /* at every so many-th passage */
    _Atomic uint32_t passed;  /* passages of the armed step */
    _Atomic uint32_t budget;  /* deaths still allowed */
    _Atomic uint32_t deaths;  /* or stops */
    _Atomic int32_t pids[8];  /* of the last of them */
    _Atomic uint32_t seen[PE__STEP_COUNT]; /* passages of each step, armed or not */
};

/* Set before a pool is made, so that its processes inherit it; NULL: no step does anything. */
extern struct pe__step_plan *pe__step_plan;

void pe__step_pass(enum pe__step step);

#define PE__STEP(name) pe__step_pass(PE__STEP_##name)

#endif

#endif
