/*
 * bells.pml - announced sleep on both sides, the decision whether a push rings, and what the keeper does for those whom
 * a death has left asleep.
 *
 * The host waits until a worker serves. It pushes JOBS jobs and waits after each push, or not (never where WAITS is 0),
 * for its claim or its end; or it pushes as many tickets of a map. It waits for the end of all, lets the workers leave
 * and waits for the keeper's last word. Two workers claim, complete and sleep. Up to DEATHS times a worker dies at a
 * step, and up to IDLES times one that has found nothing to do leaves. No sleep has a timeout here, and nobody rings to be on the safe side: a wake-up that is lost is a deadlock of
 * the model.
 *
 * A record is used once and what happens to it is told in short: jobs.pml is about that.
 */
#ifndef JOBS
#define JOBS 3
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef IDLES
#define IDLES 0
#endif
#ifndef WAITS
#define WAITS 1
#endif
#define WORKERS 2
#define me _pid
#include "step.pml"

#define FREE 0
#define QUEUED 1
#define RUNNING 2
#define IS_RUN_BY(worker) (RUNNING + (worker))
#define FINAL 4

/* lib/shared/bell.h: {record, what for}; 0: nothing. */
#define FOR_END 1
#define FOR_CLAIM 2
#define ANY 7
#define ANNOUNCEMENT(record, what_for) ((record) * 4 + (what_for))
#define IS_MEANT(announced, record, what) \
    ((((announced) % 4) & (what)) != 0 && ((announced) / 4 == (record) || (announced) / 4 == ANY))

/* Shared memory. The queue is in the order of the jobs. */
byte phases[JOBS];
byte tail;
bool stop;
byte present, sleepers, vacant; /* a bit for each worker */
byte host_waits;

/* A futex counts rings; a sleeper cares only whether there was one since it read the count. */
bool rung[WORKERS];
bool host_rung;

bool forked[WORKERS], ended[WORKERS], spared[WORKERS];
byte starts; /* messages from host to keeper: a bit for each worker that is to be started again */
bool leaving, gone; /* messages from host to keeper and from keeper to host */

byte deaths = DEATHS;
byte idles = IDLES;

#define BIT(worker) (1 << (worker))

/* Worker. What nobody else can see is done in one with what precedes it. */
inline tell_host(record, what)
{
    if
    :: !IS_MEANT(host_waits, record, what)
    :: IS_MEANT(host_waits, record, what) ->
        atomic {
            if
            :: host_waits != 0 -> host_waits = 0; STEP(HOST_TAKEN); taken = true
            :: else
            fi
        };
        if
        :: taken -> atomic { host_rung = true; taken = false }
        :: else
        fi
    fi
}

/*
 * `seen` is the tail as this worker knows it, `cursor` what it has seen of the queue. A job may be claimed before the
 * host has moved the tail over it.
 */
inline claim_at()
{
    atomic {
        cursor < JOBS && phases[cursor] == QUEUED -> phases[cursor] = IS_RUN_BY(me);
        cursor++;
        STEP(CLAIMED);
        goto claimed
    }
}

inline claim()
{
    do
    :: claim_at()
    :: atomic { cursor < seen && phases[cursor] != QUEUED -> cursor++ }
    :: atomic {
            cursor >= seen && (cursor >= JOBS || phases[cursor] != QUEUED) -> seen = tail;
            if
            :: cursor >= seen -> break
            :: else
            fi
        }
    od
}

inline complete()
{
    atomic {
        assert(phases[cursor - 1] == IS_RUN_BY(me));
        phases[cursor - 1] = FINAL;
        STEP(DONE)
    };
    tell_host(cursor - 1, FOR_END)
}

inline sleep_until_rung()
{
    atomic { rung[me] = false; STEP(BELL_SEEN) };
    atomic { sleepers = sleepers | BIT(me); STEP(ANNOUNCED) };
    if
#ifdef DEFECT_NO_SECOND_LOOK
    :: true -> rung[me]
#else
    :: tail > cursor
    :: tail <= cursor && stop
    :: tail <= cursor && !stop -> rung[me]
#endif
    fi;
    atomic { sleepers = sleepers & ~BIT(me); STEP(AWAKE) }
}

/* False: there is something to do after all. */
inline may_leave()
{
    atomic { vacant = vacant | BIT(me); STEP(VACANT) };
    atomic { present = present & ~BIT(me); STEP(ABSENT) };
#ifdef DEFECT_LEAVES_WITHOUT_LOOKING
    goto leaves;
#else
    if
    :: tail <= cursor && !stop -> goto leaves
    :: else
    fi;
#endif
    present = present | BIT(me);
    vacant = vacant & ~BIT(me)
}

inline initialise()
{
    atomic {
        forked[me] && !ended[me] ->
        STEP(SERVING);
        present = present | BIT(me);
        STEP(PRESENT)
    };
    tell_host(ANY, FOR_END)
}

active [WORKERS] proctype worker()
{
    byte cursor, seen;
    bool taken;

end_unborn:
    initialise();
serve:
    claim();
    if
    :: stop -> goto dies
    :: !stop ->
        if
        :: true -> sleep_until_rung()
#if IDLES > 0
        :: atomic { idles > 0 -> idles-- }; may_leave()
#endif
        fi
    fi;
    goto serve;
claimed:
    tell_host(cursor - 1, FOR_CLAIM);
    complete();
    goto serve;
#if IDLES > 0
leaves:
    spared[me] = true;
#endif
dies:
    atomic { ended[me] = true; cursor = 0; seen = 0; taken = false; goto end_unborn }
}

/* Keeper. */
inline ring_all()
{
#ifndef DEFECT_KEEPER_RINGS_NOBODY
    ring_workers();
    host_rung = true
#else
    skip
#endif
}

/* lib/shared/bell.c: pe__bell_ring_all(). */
inline ring_workers()
{
    atomic { sleepers = sleepers & ~BIT(0); rung[0] = true };
    atomic { sleepers = sleepers & ~BIT(1); rung[1] = true }
}

inline clear_announcements(number)
{
    present = present & ~BIT(number);
    sleepers = sleepers & ~BIT(number)
}

inline settle_record(number)
{
    do
    :: held < JOBS && phases[held] == IS_RUN_BY(number) -> phases[held] = FINAL
    :: held < JOBS && phases[held] != IS_RUN_BY(number) -> held++
    :: held == JOBS -> held = 0; break
    od
}

/* A number that the host has asked for meanwhile is not left vacant. */
inline leave_vacant(number)
{
    clear_announcements(number);
    atomic { spared[number] = false; unmanned[number] = !called[number]; called[number] = false }
}

inline settle(number)
{
    atomic { forked[number] = false; ended[number] = false };
    if
    :: spared[number] -> leave_vacant(number)
    :: else ->
        clear_announcements(number);
        atomic { settle_record(number) };
        ring_all()
    fi
}

inline fork_worker(number)
{
    called[number] = false;
    vacant = vacant & ~BIT(number);
    forked[number] = true
}

inline call(number)
{
    starts = starts & ~BIT(number);
#ifdef DEFECT_CALLED_TOO_EARLY
    unmanned[number] = false
#else
    called[number] = forked[number];
    unmanned[number] = false
#endif
}

active proctype keeper()
{
    byte held;
    bool unmanned[WORKERS], called[WORKERS];

    atomic { forked[0] = true; forked[1] = true };
    do
    :: ended[0] -> settle(0)
    :: ended[1] -> settle(1)
    :: atomic { !leaving && !forked[0] && !unmanned[0] -> fork_worker(0) }
    :: atomic { !leaving && !forked[1] && !unmanned[1] -> fork_worker(1) }
#if IDLES > 0
    :: atomic { starts & BIT(0) -> call(0) }
    :: atomic { starts & BIT(1) -> call(1) }
#endif
    :: leaving && !forked[0] && !forked[1] -> break
    od;
    gone = true;
    host_rung = true
}

/* Host. `busy` has a bit for each job that was pushed and has not been collected. */
#define JOB_BIT(job) (1 << (job))
#define HAS_ENDED(job) (!(busy & JOB_BIT(job)))
#define HAS_BEEN_CLAIMED(job) (phases[job] != QUEUED)
#define NEWEST_BUSY (busy & JOB_BIT(2) -> 2 : (busy & JOB_BIT(1) -> 1 : 0)) /* of three at most */

inline collect(job)
{
    if
    :: busy & JOB_BIT(job) && phases[job] == FINAL -> atomic { busy = busy & ~JOB_BIT(job); in_flight-- }
    :: else
    fi
}

/* In the order of their pushes, to the first that has not ended. */
inline collect_front()
{
    atomic {
        do
        :: at < next && (!(busy & JOB_BIT(at)) || phases[at] == FINAL) -> collect(at); at++
        :: else -> at = 0; break
        od
    }
}

/* Behind one that waits in the queue none has begun. */
inline collect_all()
{
    do
    :: at < next && (busy & JOB_BIT(at)) && phases[at] == QUEUED -> break
    :: at < next && (!(busy & JOB_BIT(at)) || phases[at] != QUEUED) -> collect(at); at++
    :: at == next -> break
    od;
    at = 0
}

/* One look is enough: what more of them find is found by the last as well. */
inline lacks_workers()
{
    asleep = sleepers;
    awake = present & ~asleep;
    atomic {
        asleep = 0;
        awake = (awake & 1) + (awake >> 1);
        if
        :: in_flight > awake -> collect_front()
        :: else
        fi
    }
}

/* The lowest sleeper. */
inline wake_one()
{
    asleep = sleepers;
    do
    :: atomic { at < WORKERS && (asleep & BIT(at)) && (sleepers & BIT(at)) -> sleepers = sleepers & ~BIT(at) };
        rung[at] = true;
        woke = true;
        break
    :: at < WORKERS && !(asleep & BIT(at) & sleepers) -> at++
    :: at == WORKERS -> break
    od;
    atomic { at = 0; asleep = 0 }
}

/* The lowest that has left. */
inline start_one()
{
    do
    :: atomic { at < WORKERS && (vacant & BIT(at)) -> vacant = vacant & ~BIT(at) };
        starts = starts | BIT(at);
        woke = true;
        break
    :: at < WORKERS && !(vacant & BIT(at)) -> at++
    :: at == WORKERS -> break
    od;
    at = 0
}

inline wake_or_start_one()
{
    wake_one();
#if IDLES > 0
    if
    :: !woke -> start_one()
    :: else
    fi
#endif
}

/* The sleepers are looked at first. */
#if IDLES > 0
#define NOBODY_TO_BE_HAD (asleep == 0 && vacant == 0)
#else
#define NOBODY_TO_BE_HAD (sleepers == 0)
#endif

inline ring_if_needed()
{
    woke = false;
#if IDLES > 0
    asleep = sleepers;
#endif
    if
    :: NOBODY_TO_BE_HAD
    :: else ->
        lacks_workers();
        if
        :: in_flight > awake -> wake_or_start_one()
        :: else
        fi;
        awake = 0
    fi
}

inline push(may_ring)
{
    phases[next] = QUEUED;
    atomic { next++; busy = busy | JOB_BIT(next - 1); in_flight++; tail = next };
    if
    :: may_ring -> ring_if_needed()
    :: else
    fi
}

/* The sleepers are rung for a map's tickets behind the first once all are pushed. */
inline rouse()
{
    lane = 1;
    do
    :: lane < JOBS && busy != 0 ->
        ring_if_needed();
        if
        :: woke -> lane++
        :: else -> break
        fi
    :: else -> break
    od;
    lane = 0
}

/* What was announced has come, and whoever brought it may have looked before: it will not be rung for. */
#ifdef DEFECT_STALE_ANNOUNCEMENT
#define IS_PAST(record, what_for) false
#else
#define IS_PAST(record, what_for) \
    ((record) < JOBS && (HAS_ENDED(record) || ((what_for) & FOR_CLAIM && HAS_BEEN_CLAIMED(record))))
#endif

/* Announce, look again, sleep. */
inline wait_for(ready, record, what_for)
{
    do
    :: ready -> break
    :: else ->
        atomic { target = record; host_waits = ANNOUNCEMENT(target, what_for) };
        collect_all();
        if
        :: ready -> break
        :: !(ready) && IS_PAST(target, what_for)
        :: !(ready) && !IS_PAST(target, what_for) -> atomic { host_rung -> host_rung = false }; collect_all()
        fi
    od;
    target = 0
}


inline push_jobs()
{
    do
    :: next < JOBS ->
        push(true);
        if
        :: true
#if WAITS > 0
        :: true -> wait_for(HAS_ENDED(next - 1), next - 1, FOR_END)
        :: true -> wait_for(HAS_BEEN_CLAIMED(next - 1), next - 1, FOR_END + FOR_CLAIM)
#endif
        fi
    :: else -> break
    od
}

inline push_map()
{
    do
    :: next < JOBS -> push(next == 1)
    :: else -> break
    od;
    rouse()
}

active proctype host()
{
    byte next, busy, in_flight, asleep, awake, at, lane, target;
    bool woke;

    wait_for((present | vacant) != 0, ANY, FOR_END);
    if
    :: true -> push_jobs()
    :: true -> push_map()
    fi;
    wait_for(busy == 0, NEWEST_BUSY, FOR_END);
    atomic { leaving = true; stop = true };
    ring_workers();
    wait_for(gone, ANY, FOR_END);
    assert(in_flight == 0)
}
