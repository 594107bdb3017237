/*
 * lanes.pml - a map's lanes: taking, stealing, recovery and blame.
 *
 * ITEMS items are dealt out to LANES lanes; a ticket for each lane is claimed by whichever of WORKERS workers comes
 * first, and ends when that worker finds nothing more to take or to steal; where it finds a lane that is being robbed,
 * the host queues the ticket once more. (With more lanes than workers, one of the workers of a larger pool is late.)
 * With MEETS all items are one lane's, and each waits within its function until all have begun. Up to DEATHS times a
 * worker dies at a step; its successor inherits the ticket, or, up to ORPHANS times, no process is to be had and the
 * host queues the ticket anew. Up to LEAVES times a worker leaves between two hands and leaves its lane to the next
 * life. Up to CANCELS times (two lanes and workers only) the map is cancelled. Up to TIMEOUTS times a running item is
 * over its limit (shared/limit.h). The claim word of a ticket is told in
 * short: jobs.pml is about that.
 *
 * Checked: each item is closed exactly once and none is left when the tickets have ended, unless the map was cancelled;
 * no item is run by two at a time, nor after it was closed; a death is charged to the item that was running, to no
 * other, and to one at most; all processes end; as long as an item has not begun, a worker that has none comes to it,
 * even if all others stay in theirs (MEETS).
 */
#ifndef LANES
#define LANES 2
#endif
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef ITEMS
#define ITEMS 4
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef ORPHANS
#define ORPHANS 1
#endif
#ifndef LEAVES
#define LEAVES 1
#endif
#ifndef CANCELS
#define CANCELS 0
#endif
#ifndef TIMEOUTS
#define TIMEOUTS 0
#endif
#ifndef RETRIES
#define RETRIES 1
#endif
#ifndef MEETS
#define MEETS 0
#endif
#ifndef CHUNK
#define CHUNK 2
#endif
#define NONE 7
#define me _pid
#define KILLED killed[me]
#include "step.pml"

/* lib/shared/lane.h: {first, last, thief}; the thief is its lane + 1. */
#define RANGE(first, last, thief) ((first) * 64 + (last) * 8 + (thief))
#define FIRST(range) ((range) / 64)
#define LAST(range) (((range) / 8) % 8)
#define THIEF(range) ((range) % 8)
#define UNITS(range) (LAST(range) > FIRST(range) -> LAST(range) - FIRST(range) : 0)

/* The claim word of a ticket: QUEUED, RUNNING and STOPPING by a worker, final. */
#define QUEUED 0
#define RUN_BY(worker) ((worker) + 1)
#define STOPPED_BY(worker) ((worker) + 4)
#define FINAL 9

#define OPEN 0
#define RETURNED 1
#define DETAILED 2
#define RETRIED 3
#define IS_OPEN(item) (states[item] == OPEN || states[item] == RETRIED)

/* Shared memory. */
short range[LANES], intent_own[LANES], intent_range[LANES];
byte intent_victim[LANES]; /* lane + 1, 0: no intent */
byte hand_first[LANES], hand_last[LANES]; /* one word */
byte running[LANES]; /* item + 1 */
byte states[ITEMS];
byte tickets[LANES];
bool again[LANES]; /* queued once more */
byte begun; /* items that wait for each other */

bool stopped; /* no further item is started */

/* lib/shared/limit.h: the slot's `due`, here the item + 1; and the keeper's book. */
#define CONDEMNED(due) ((due) + 16)
byte due[WORKERS], stop_item[WORKERS], timeouts = TIMEOUTS;

bool forked[WORKERS], ended[WORKERS], killed[WORKERS];
bool blameless[WORKERS]; /* left by its own will, or died before it served */
byte inherited[WORKERS] = NONE; /* the keeper's book */

byte deaths = DEATHS, orphans = ORPHANS, leaves = LEAVES, cancels = CANCELS;
byte run_by[ITEMS];  /* worker + 1 while the item has begun and not ended */
byte charged[ITEMS]; /* deaths */

inline begin_limit(item)
{
    atomic { due[me] = item + 1; STEP(LIMITED) }
}

inline end_limit(item)
{
    atomic {
        if
        :: due[me] == item + 1 -> due[me] = 0
        :: else -> goto await_stop
        fi;
        STEP(UNLIMITED)
    }
}

/* The item's function returns between the two: nothing is seen of that before the state is closed. */
inline run_item(item)
{
    atomic {
        assert(IS_OPEN(item) && run_by[item] == 0);
        run_by[item] = me + 1;
        running[lane] = item + 1;
        STEP(RUNNING)
    };
#if TIMEOUTS > 0
    begin_limit(item);
    end_limit(item);
#endif
#if MEETS > 0
    begun++;
    begun == ITEMS;
#endif
    atomic {
        assert(IS_OPEN(item) && run_by[item] == me + 1);
        run_by[item] = 0;
        states[item] = (item == 0 -> DETAILED : RETURNED);
        STEP(CLOSED)
    }
}

/* A hand that was inherited may hold items that were closed in an earlier life; a fresh one may not. */
inline run_hand()
{
    do
    :: first < last && !fresh && !IS_OPEN(first) -> first++
    :: first < last && (fresh || IS_OPEN(first)) && !stopped -> run_item(first); first++
    :: first < last && (fresh || IS_OPEN(first)) && stopped -> break
    :: first == last -> break
    od;
    atomic { first = 0; last = 0 }
}

inline lane_take()
{
    do
    :: atomic {
            word = range[lane];
            if
            :: UNITS(word) == 0 -> word = 0; break
            :: UNITS(word) > 0 -> taken = 1
            :: UNITS(word) > 1 && CHUNK > 1 -> taken = 2
            fi;
            hand_first[lane] = FIRST(word);
            hand_last[lane] = FIRST(word) + taken;
            STEP(HAND)
        };
        atomic {
            if
            :: range[lane] == word ->
                range[lane] = word + RANGE(taken, 0, 0);
                first = FIRST(word);
                last = first + taken;
                word = 0;
                taken = 0;
                STEP(TAKEN);
                break
            :: else -> word = 0; taken = 0
            fi
        }
    od
}

#ifdef DEFECT_NAME_DROPPED
#define KEPT_NAME 0
#else
#define KEPT_NAME THIEF(range[lane])
#endif

/* Steps 3 to 6 of a steal, each without effect when it was done before. A swap that fails is tried again. */
inline finish_steal(victim)
{
    atomic {
        if
        :: range[lane] / 8 == intent_own[lane] / 8 ->
            range[lane] = RANGE(FIRST(intent_range[lane]) + 1, LAST(intent_range[lane]), KEPT_NAME)
        :: else
        fi;
        STEP(PUBLISHED)
    };
    atomic {
        hand_first[lane] = FIRST(intent_range[lane]);
        hand_last[lane] = FIRST(intent_range[lane]) + 1;
        STEP(STEAL_HAND)
    };
    atomic {
        if
        :: THIEF(range[victim]) == lane + 1 -> range[victim] = range[victim] - THIEF(range[victim])
        :: else
        fi;
        STEP(UNNAMED)
    };
    atomic { intent_victim[lane] = 0; STEP(STOLEN) }
}

#define MIDDLE(word) (LAST(word) - (UNITS(word) + 1) / 2)

inline try_steal()
{
    atomic {
        intent_own[lane] = range[lane];
        STEP(INTENT_OWN);
        intent_range[lane] = RANGE(MIDDLE(word), LAST(word), 0);
        STEP(INTENT_RANGE);
        intent_victim[lane] = victim + 1;
        STEP(INTENT)
    };
    atomic {
        if
#ifdef DEFECT_STEAL_WITHOUT_COMPARE
        :: true ->
#else
        :: range[victim] == word ->
#endif
            range[victim] = RANGE(FIRST(word), MIDDLE(word), lane + 1);
            word = 0;
            STEP(SHRUNK)
        :: else -> intent_victim[lane] = 0; word = 0; victim = NONE
        fi
    };
    if
    :: victim != NONE ->
        finish_steal(victim);
        atomic { first = hand_first[lane]; last = hand_last[lane] }
    :: else
    fi
}

/* One look at each; `victim` is the lane with most units that nobody is robbing, or NONE. */
inline look_at()
{
    other = 0;
    victim = NONE;
    do
    :: other < LANES ->
        atomic {
            if
            :: other != lane && THIEF(range[other]) == 0 && UNITS(range[other]) > UNITS(word) ->
                victim = other;
                word = range[other]
            :: else
            fi;
            other++
        }
    :: else -> other = 0; break
    od
}

#ifdef DEFECT_LEFT_TO_ITS_OWNER
#define IS_NAMED(number) false
#else
#define IS_NAMED(number) (THIEF(range[number]) != 0)
#endif

/* Two looks that see the same are one look at an instant. How long a name is waited for does not matter. */
inline look_again()
{
    atomic {
        named = false;
        do
        :: other < LANES ->
            named = named || IS_NAMED(other);
            victim = (other != lane && THIEF(range[other]) == 0 && UNITS(range[other]) > 0 -> other : victim);
            other++
        :: else -> other = 0; break
        od
    }
}

inline lane_steal()
{
    do
    :: first == last ->
        look_at();
        if
        :: victim != NONE -> try_steal(); victim = NONE
        :: else ->
            look_again();
            if
            :: victim == NONE -> break
            :: else -> victim = NONE
            fi
        fi
    :: else -> named = false; break
    od
}

inline lane_recover()
{
    if
    :: intent_victim[lane] != 0 && THIEF(range[intent_victim[lane] - 1]) == lane + 1 ->
        victim = intent_victim[lane] - 1;
        finish_steal(victim);
        victim = NONE
    :: else
    fi;
    atomic {
        intent_victim[lane] = 0;
        if
        :: hand_last[lane] == FIRST(range[lane]) -> first = hand_first[lane]; last = hand_last[lane]
        :: else
        fi;
        STEP(RECOVERED)
    }
}

inline run_lane()
{
    lane_recover();
    run_hand();
    fresh = true;
    do
    :: stopped -> break
    :: !stopped ->
        lane_take();
        if
        :: first == last -> lane_steal()
        :: else
        fi;
        if
        :: first == last -> break
        :: else -> run_hand()
        fi
    :: atomic { leaves > 0 && !stopped -> leaves--; STEP(RETIRING); blameless[me] = true; goto dies }
    od;
    fresh = false
}

inline complete()
{
    atomic {
        if
        :: tickets[lane] == RUN_BY(me) ->
            again[lane] = named && !stopped;
            tickets[lane] = (again[lane] -> QUEUED : FINAL);
            lane = NONE;
            named = false
        :: else -> goto await_stop
        fi;
        STEP(DONE)
    }
}

inline initialise()
{
    atomic {
        forked[me] && !ended[me] ->
        blameless[me] = true;
        STEP(BORN);
        blameless[me] = false;
        lane = inherited[me];
        STEP(SERVING)
    }
}

#if LANES > 2
#define ANY_NAMED (THIEF(range[0]) != 0 || THIEF(range[1]) != 0 || THIEF(range[2]) != 0)
#else
#define ANY_NAMED (THIEF(range[0]) != 0 || THIEF(range[1]) != 0)
#endif

/* Tickets are claimed in the order of their pushes. One that was queued once more because of a name, and is claimed
 * while a name stands, would only be queued yet again. */
#define IS_IN_FRONT(number) (number == 0 || tickets[number - (number > 0)] != QUEUED || again[number - (number > 0)])
#define CLAIM(number) \
    atomic { \
        lane == NONE && tickets[number] == QUEUED && IS_IN_FRONT(number) && (!again[number] || !ANY_NAMED) -> \
        again[number] = false; \
        tickets[number] = RUN_BY(me); \
        lane = number; \
        STEP(CLAIMED) \
    }

active [WORKERS] proctype worker()
{
    short word;
    byte lane = NONE, first, last, taken, victim = NONE, other;
    bool fresh, named;

end_unborn:
    initialise();
end_idle:
    do
    :: lane != NONE -> run_lane(); complete()
    :: CLAIM(0)
    :: CLAIM(1)
#if LANES > 2
    :: CLAIM(2)
#endif
    od;
await_stop:
    assert(tickets[lane] == STOPPED_BY(me) || due[me] >= CONDEMNED(0));
    KILLED;
dies:
    atomic {
        ended[me] = true;
        word = 0; lane = NONE; first = 0; last = 0; taken = 0; victim = NONE; other = 0; fresh = false;
        named = false;
        goto end_unborn
    }
}

/* Keeper. */
inline find_ticket(number)
{
    do
    :: lane < LANES && tickets[lane] != RUN_BY(number) && tickets[lane] != STOPPED_BY(number) -> lane++
    :: lane < LANES && (tickets[lane] == RUN_BY(number) || tickets[lane] == STOPPED_BY(number)) -> break
    :: lane == LANES -> lane = NONE; break
    od
}

inline settle_item(number)
{
    if
    :: running[lane] != 0 && IS_OPEN(running[lane] - 1) ->
        item = running[lane] - 1;
        assert(run_by[item] == number + 1);
        run_by[item] = 0;
        charged[item]++;
        running[lane] = 0;
        states[item] = (charged[item] <= RETRIES && tickets[lane] == RUN_BY(number) && due[number] < CONDEMNED(0) ->
                        RETRIED : DETAILED);
        item = 0
    :: else
    fi
}

inline assert_runs_nothing(number)
{
    do
    :: item < ITEMS -> assert(run_by[item] != number + 1); item++
    :: else -> item = 0; break
    od
}

inline settle(number)
{
    forked[number] = false;
    ended[number] = false;
    find_ticket(number);
    assert(!killed[number] || (lane != NONE && (tickets[lane] == STOPPED_BY(number) || due[number] >= CONDEMNED(0))));
    killed[number] = false;
    if
    :: lane != NONE && !(blameless[number] && tickets[lane] == RUN_BY(number)) -> settle_item(number)
    :: else
    fi;
    assert_runs_nothing(number);
    if
    :: lane != NONE && tickets[lane] == STOPPED_BY(number) -> tickets[lane] = FINAL; inherited[number] = NONE
    :: else -> inherited[number] = lane
    fi;
    lane = 0;
    due[number] = 0;
    stop_item[number] = 0;
    blameless[number] = false
}

/* It has been over its limit since it was asked, if it is still the same one. */
inline condemn(number)
{
    if
#ifdef DEFECT_NOT_CONDEMNED
    :: true -> killed[number] = true
#else
    :: due[number] == stop_item[number] -> due[number] = CONDEMNED(due[number]); killed[number] = true
    :: else
#endif
    fi;
    stop_item[number] = 0
}

/* No process is to be had: the ticket ends as crashed, and the host queues a new one for its lane. */
inline settle_orphan(number)
{
    orphans--;
    tickets[inherited[number]] = (stopped -> FINAL : QUEUED);
    inherited[number] = NONE
}

/* A map that is cancelled: what is queued is the host's to end, what runs the keeper's. */
inline cancel_ticket(number)
{
    if
    :: tickets[number] == QUEUED -> tickets[number] = FINAL
    :: tickets[number] == RUN_BY(0) -> stop_ticket(number, 0)
    :: tickets[number] == RUN_BY(1) -> stop_ticket(number, 1)
    fi
}

inline stop_ticket(number, owner)
{
    if
    :: forked[owner] -> tickets[number] = STOPPED_BY(owner); killed[owner] = true
    :: else -> tickets[number] = FINAL; inherited[owner] = NONE
    fi
}

#define MAY_CANCEL(number) \
    (stopped && (tickets[number] == QUEUED || tickets[number] == RUN_BY(0) || tickets[number] == RUN_BY(1)))

#if TIMEOUTS > 0
#define LATE(number) \
    :: atomic { \
        forked[number] && timeouts > 0 && due[number] != 0 && due[number] < CONDEMNED(0) && stop_item[number] == 0 -> \
        timeouts--; \
        stop_item[number] = due[number] \
    } \
    :: atomic { stop_item[number] != 0 -> condemn(number) }
#else
#define LATE(number)
#endif

#define NEWS_OF(number) \
    :: atomic { ended[number] -> settle(number) } \
    :: atomic { !forked[number] -> forked[number] = true } \
    LATE(number) \
    :: atomic { !forked[number] && inherited[number] != NONE && orphans > 0 -> settle_orphan(number) }

#if LANES > 2
#define ALL_ENDED (tickets[0] == FINAL && tickets[1] == FINAL && tickets[2] == FINAL)
#else
#define ALL_ENDED (tickets[0] == FINAL && tickets[1] == FINAL)
#endif

active proctype keeper()
{
    byte lane, item;

    atomic {
        do
        :: lane < LANES ->
#if MEETS > 0
            range[lane] = RANGE((lane == 0 -> 0 : ITEMS), ITEMS, 0);
#else
            range[lane] = RANGE(ITEMS * lane / LANES, ITEMS * (lane + 1) / LANES, 0);
#endif
            lane++
        :: else -> lane = 0; break
        od;
        forked[0] = true
    };
    do
    NEWS_OF(0)
    NEWS_OF(1)
#if WORKERS > 2
    NEWS_OF(2)
#endif
#if CANCELS > 0
    :: atomic { cancels > 0 -> cancels--; stopped = true }
    :: atomic { MAY_CANCEL(0) -> cancel_ticket(0) }
    :: atomic { MAY_CANCEL(1) -> cancel_ticket(1) }
#endif
    :: ALL_ENDED -> break
    od;
    atomic {
        do
        :: item < ITEMS ->
            assert((!IS_OPEN(item) || stopped) && run_by[item] == 0 && charged[item] <= RETRIES + 1);
            item++
        :: else -> item = 0; break
        od
    }
}
