/*
 * step.pml - a place to die at: the one of the same name in lib/base/step.h.
 *
 * It stands at the end of an atomic sequence, behind what the code does before PE__STEP(name): the worker goes on,
 * or it dies there and goes to the label `dies` of its process. `deaths` says how many more times one may. A model in
 * which the keeper sends SIGKILL defines KILLED: when the signal has reached this worker.
 */
#ifndef KILLED
#define KILLED false
#endif

#define STEP(name) \
    if \
    :: true \
    :: deaths > 0 -> deaths--; goto dies \
    :: KILLED -> goto dies \
    fi
