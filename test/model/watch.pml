/*
 * watch.pml - how the keeper learns of time limits: lib/shared/limit.h.
 *
 * Each of two workers begins JOBS things with a limit, one after the other. Some return by themselves; the last one
 * runs until it is asked to stop. Time is a number that may grow while the keeper sleeps, up to the time that it has
 * announced; it sleeps until then, or until it is rung. A limit that it missed is a deadlock.
 */
#ifndef JOBS
#define JOBS 2
#endif
#define WORKERS 2
#define NEVER 15
#define me _pid

byte due[WORKERS], asked[WORKERS]; /* shared: the slots, the flags */
byte wakes;
bool rung;
byte now = 1;
bool asleep, running[WORKERS]; /* the keeper; a worker that goes on until it is asked */
byte ended;

inline begin_limit(limit)
{
    due[me] = now + limit;
    if
#ifdef DEFECT_LOOKED_TOO_EARLY
    :: due[me] < seen -> rung = true
    :: else
#else
    :: due[me] < wakes -> rung = true
    :: else
#endif
    fi
}

active [WORKERS] proctype worker()
{
    byte job, limit, seen;

    do
    :: job < JOBS ->
        seen = wakes;
        if
        :: limit = 1
        :: limit = 2
        fi;
        begin_limit(limit);
        if
        :: job < JOBS - 1 /* it returns */
        :: running[me] = true; asked[me] == due[me]; running[me] = false
        fi;
        atomic { due[me] = 0; job++ }
    :: else -> ended++; break
    od
}

/* In any order, each with what it sees by then. */
inline next_limit(result)
{
    result = NEVER;
    i = 0;
    do
    :: i < WORKERS ->
        atomic {
            d = due[i];
            if
            :: d != 0 && d < result && asked[i] != d -> result = d
            :: else
            fi;
            i++;
            d = 0
        }
    :: else -> i = 0; break
    od
}

inline announce_wake()
{
    next_limit(next);
    do
    :: wakes = next;
#ifdef DEFECT_KEEPER_LOOKS_ONCE
        break
#else
        next_limit(again);
        if
        :: again >= next -> break
        :: else -> next = again
        fi
#endif
    od;
    again = 0
}

inline look_at_workers()
{
    i = 0;
    do
    :: i < WORKERS ->
        atomic {
            d = due[i];
            if
            :: d != 0 && d <= time -> asked[i] = d
            :: else
            fi;
            i++;
            d = 0
        }
    :: else -> i = 0; break
    od
}

active proctype keeper()
{
    byte next, again, i, d, time;

    do
    :: time = now;
        look_at_workers();
        announce_wake();
        if
        :: ended == WORKERS -> break
        :: else
        fi;
        asleep = true;
        atomic { rung || now >= wakes || ended == WORKERS -> rung = false; asleep = false; time = 0; next = 0 }
    od
}

/* Passes only while the keeper sleeps, for whose end only this or a ring is left. */
active proctype clock()
{
    do
    :: atomic { asleep && !rung && now < wakes && wakes != NEVER -> now++ }
    :: ended == WORKERS -> break
    od
}
