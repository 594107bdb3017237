/*
 * jobs.pml - the claim word, the queue, retries, inheritance and stopping.
 *
 * The host submits JOBS jobs through a ring of RECORDS records, collects them as they end, and cancels up to STOPS of
 * them; the deadlines of up to EXPIRES pass before they are begun. Two workers claim, run and complete. The keeper reaps, settles, stops and forks. Up to
 * DEATHS times a worker dies at a step, and up to FORK_FAILURES times there is no process to be had. Nobody sleeps
 * here: who waits goes on as soon as there is something to see (bells.pml is about the sleep).
 *
 * Checked: each job ends exactly once, and as its owner or the keeper ended it; a result is whole when the word says
 * so; a job that has ended is not run again; SIGKILL never hits a worker that holds another job; all processes end.
 */
#ifndef JOBS
#define JOBS 3
#endif
#ifndef RECORDS
#define RECORDS 2
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef STOPS
#define STOPS 1
#endif
#ifndef EXPIRES
#define EXPIRES 0
#endif
/* The last so many jobs, at most two, are for one worker alone, each for another one. */
#ifndef ADDRESSED
#define ADDRESSED 0
#endif
#ifndef FORK_FAILURES
#define FORK_FAILURES 1
#endif
#define WORKERS 2
#define NONE 255

/* The processes of the workers come first, so their numbers are the workers'. */
#define me _pid
#define KILLED killed[me]
#include "step.pml"

/* lib/shared/record.h: {sequence, owner, phase}, moved by compare-and-swap of the whole. */
#define FREE 0
#define QUEUED 1
#define RUNNING 2
#define STOPPING 3
#define DONE 4
#define CRASHED 5
#define TIMED_OUT 7
#define NOBODY 3
#define CANCELLED 8
#define WORD(sequence, owner, phase) ((sequence) * 64 + (owner) * 16 + (phase))
#define SEQUENCE_OF(word) ((word) / 64)
#define OWNER_OF(word) (((word) / 16) % 4)
#define PHASE_OF(word) ((word) % 16)
#define IS_FINAL(word) (PHASE_OF(word) >= DONE)
#define IS_HELD(word) (PHASE_OF(word) == RUNNING || PHASE_OF(word) == STOPPING)
#define HELD_BY(index, owner) (IS_HELD(words[index]) && OWNER_OF(words[index]) == owner)

/* The ending fields of a record: nothing yet, the result of job j, or what the keeper writes. */
#define RESULT_OF(job) ((job) + 1)
#define BY_KEEPER 200

/* lib/shared/slot.h: life. */
#define STARTING 1
#define SERVING 2
#define RETIRING 3

/* Shared memory. */
short words[RECORDS];
byte jobs[RECORDS], attempts[RECORDS]; /* host fields; attempts: the keeper */
byte endings[RECORDS];
byte tail, head;
bool stop;
byte hint[WORKERS], life[WORKERS];
#if ADDRESSED > 0
byte order[WORKERS]; /* position + 1; 0: none */
#define HAS_ORDER(number) (order[number] != 0)
#else
#define HAS_ORDER(number) false
#endif

/* Processes: has one been forked, has it ended and not been reaped yet, is SIGKILL on its way to it. */
bool forked[WORKERS], ended[WORKERS], killed[WORKERS];

/* The keeper's book. */
byte inherited[WORKERS];
bool stop_asked[WORKERS];
byte stop_record[WORKERS], stop_sequence[WORKERS];
bool leaving, gone;
chan to_keeper = [STOPS] of { byte, byte };

byte deaths = DEATHS, fork_failures = FORK_FAILURES, expires = EXPIRES;
bool has_ended[JOBS];  /* by a swap to a final phase */

#define RETRIES(job) ((job) == 0 -> 1 : 0)
/* lib/shared/queue.h: position p is record p % RECORDS in its use p / RECORDS + 1. */
#define RECORD_AT(position) ((position) % RECORDS)
#define SEQUENCE_AT(position) ((position) / RECORDS + 1)
#define QUEUED_AT(position) WORD(SEQUENCE_AT(position), 0, QUEUED)
#define WORD_AT(position) words[RECORD_AT(position)]
/* 0, or the number + 1 of the only worker that may claim it. */
#define ADDRESSEE_OF(job) ((job) + ADDRESSED >= JOBS -> JOBS - (job) : 0)
#define PUSHED_AT(position, job) WORD(SEQUENCE_AT(position), ADDRESSEE_OF(job), QUEUED)

inline end_job(job)
{
    assert(!has_ended[job]);
    has_ended[job] = true
}

/*
 * Worker. What nobody reads before the next swap of the record's word, or before the keeper has reaped this process,
 * is done in one with what precedes it; a death comes between them all the same.
 */
inline behind_head()
{
    if
    :: head > at && head <= seen -> at = head
    :: else
    fi
}

/* Read after the word that let the position not be claimed, and before the word that lets it be passed. */
inline look_at_tail()
{
    seen = tail;
    if
    :: seen > at && seen - at > RECORDS -> at = seen - RECORDS
    :: else
    fi;
    behind_head()
}

/* The swap of the head may fail, and is not tried again; nor is it tried each time. */
inline look_done()
{
    cursor = at;
    if
    :: head < at -> head = at
    :: head < at
    :: else
    fi
}

/* Sets `record` and `word`, or goes on behind it. */
inline claim_at()
{
    atomic {
        record == NONE && WORD_AT(at) == QUEUED_AT(at) -> queued = QUEUED_AT(at);
        STEP(LOOKED);
        hint[me] = RECORD_AT(at);
        STEP(HINTED)
    };
    atomic {
        if
        :: WORD_AT(at) == queued ->
            record = RECORD_AT(at);
            word = WORD(SEQUENCE_AT(at), me, RUNNING);
            words[record] = word;
            STEP(CLAIMED)
        :: else
        fi;
        queued = 0;
        at++
    }
}

/* Sets `record` and `word`, or leaves `record` at NONE. */
inline claim()
{
    atomic { at = cursor; behind_head() };
    do
    :: claim_at()
    :: atomic { record == NONE && at < seen && WORD_AT(at) != QUEUED_AT(at) -> at++ }
    :: record == NONE && at >= seen && WORD_AT(at) != QUEUED_AT(at) ->
        atomic {
            look_at_tail();
            if
            :: seen <= at -> break
#ifdef DEFECT_PASSED_BY_OLD_WORD
            :: else -> at++
#else
            :: else
#endif
            fi
        }
    :: record != NONE -> break
    od;
    atomic { look_done(); at = 0; STEP(HEAD_PUSHED) }
}

#if ADDRESSED > 0
/* The order is cleared once the record is claimed, if it is still the same one. */
inline obey()
{
    atomic {
        record == NONE && HAS_ORDER(me) -> at = order[me];
#ifdef DEFECT_CLEARED_TOO_EARLY
        order[me] = 0;
#endif
        if
        :: WORD_AT(at - 1) == WORD(SEQUENCE_AT(at - 1), me + 1, QUEUED) ->
            queued = WORD_AT(at - 1);
            hint[me] = RECORD_AT(at - 1);
            STEP(ORDER_SEEN)
        :: else
        fi
    };
    atomic {
        if
        :: queued != 0 && WORD_AT(at - 1) == queued ->
            record = RECORD_AT(at - 1);
            word = WORD(SEQUENCE_AT(at - 1), me, RUNNING);
            words[record] = word;
            STEP(ORDER_CLAIMED)
        :: else
        fi;
        queued = 0
    };
    atomic {
        if
        :: order[me] == at -> order[me] = 0
        :: else
        fi;
        at = 0;
        STEP(ORDER_CLEARED)
    }
}
#define OR_OBEY :: record == NONE && HAS_ORDER(me) -> obey()
#else
#define OR_OBEY
#endif

inline write_result()
{
    endings[record] = RESULT_OF(jobs[record]);
    STEP(RESULT)
}

inline complete()
{
    if
    :: words[record] == word ->
        words[record] = WORD(SEQUENCE_OF(word), me, DONE);
        end_job(jobs[record])
    :: else -> goto await_stop
    fi;
    STEP(DONE)
}

inline run_record()
{
    atomic {
        assert(jobs[record] < JOBS && !has_ended[jobs[record]]);
        STEP(STARTED);
#ifndef DEFECT_COMPLETE_BEFORE_RESULT
        write_result()
#endif
    };
    atomic {
        complete();
#ifndef DEFECT_COMPLETE_BEFORE_RESULT
        record = NONE;
        word = 0
#endif
    };
#ifdef DEFECT_COMPLETE_BEFORE_RESULT
    atomic { write_result(); record = NONE; word = 0 }
#endif
}

/* Its deadline has passed, and it was not begun. */
inline expire()
{
    if
    :: words[record] == word ->
        words[record] = WORD(SEQUENCE_OF(word), NOBODY, TIMED_OUT);
        end_job(jobs[record])
    :: else -> goto await_stop
    fi;
    record = NONE;
    word = 0;
    STEP(EXPIRED)
}

#if EXPIRES > 0
#define OR_EXPIRE :: atomic { record != NONE && expires > 0 && attempts[record] == 0 -> expires--; expire() }
#else
#define OR_EXPIRE
#endif

/* Stopped before it began again: the signal must not hit the next job. */
inline take_over()
{
    if
    :: record == NONE
    :: record != NONE && !HELD_BY(record, me) -> record = NONE
    :: record != NONE && HELD_BY(record, me) && PHASE_OF(words[record]) == STOPPING -> goto await_death
    :: record != NONE && HELD_BY(record, me) && PHASE_OF(words[record]) == RUNNING ->
        word = words[record];
        STEP(INHERITED)
    fi
}

inline initialise()
{
    atomic {
        forked[me] && !ended[me] ->
        record = inherited[me];
        STEP(BORN);
        life[me] = SERVING;
        STEP(SERVING)
    }
}

active [WORKERS] proctype worker()
{
    short word, queued;
    byte cursor, seen, at, record = NONE;

end_unborn:
    initialise();
    atomic { take_over() };
    do
    :: record != NONE -> run_record()
    OR_EXPIRE
    OR_OBEY
    :: record == NONE && !HAS_ORDER(me) ->
        claim();
        if
        :: record != NONE
        :: record == NONE && HAS_ORDER(me)
        :: atomic { record == NONE && stop -> life[me] = RETIRING; goto dies }
        :: record == NONE && !stop && (tail > cursor || WORD_AT(cursor) == QUEUED_AT(cursor))
        fi
    od;

await_stop:
    assert(words[record] == WORD(SEQUENCE_OF(word), me, STOPPING));
await_death:
    KILLED;
dies:
    atomic {
        assert(!killed[me] || words[stop_record[me]] == WORD(stop_sequence[me], me, STOPPING));
        ended[me] = true;
        word = 0; queued = 0; cursor = 0; seen = 0; at = 0; record = NONE;
        goto end_unborn
    }
}

/* Keeper. What a dead worker's record says is read and written by nobody else until the last swap. */
inline write_ending(record, phase)
{
    endings[record] = BY_KEEPER + phase
}

inline swap_to_end(number, record, phase)
{
    assert(HELD_BY(record, number));
    words[record] = WORD(SEQUENCE_OF(words[record]), number, phase);
    end_job(jobs[record]);
    inherited[number] = NONE;
    stop_asked[number] = false;
    stop_record[number] = 0;
    stop_sequence[number] = 0
}

inline end_record(number, record, phase)
{
    write_ending(record, phase);
    swap_to_end(number, record, phase)
}

inline settle_orphan(number)
{
    if
    :: inherited[number] == NONE
    :: inherited[number] != NONE && PHASE_OF(words[inherited[number]]) == STOPPING ->
        end_record(number, inherited[number], CANCELLED)
    :: inherited[number] != NONE && PHASE_OF(words[inherited[number]]) == RUNNING ->
        end_record(number, inherited[number], CRASHED)
    fi
}

inline fork_worker(number)
{
    if
    :: hint[number] = inherited[number]; life[number] = STARTING; forked[number] = true
    :: fork_failures > 0 -> fork_failures--; settle_orphan(number)
    fi
}

/* The hint, or else a scan: `held` is the record that the dead worker held. */
inline held_record(number)
{
    held = hint[number];
    if
    :: held < RECORDS && HELD_BY(held, number)
    :: else ->
        held = 0;
        do
        :: held < RECORDS && !HELD_BY(held, number) -> held++
        :: held < RECORDS && HELD_BY(held, number) -> break
        :: held == RECORDS -> held = NONE; break
        od
    fi
}

inline settle_job(number)
{
    attempts[held]++;
    if
    :: attempts[held] <= RETRIES(jobs[held]) -> inherited[number] = held; held = NONE
    :: else -> write_ending(held, CRASHED); phase = CRASHED
    fi
}

inline settle_record(number)
{
    if
    :: PHASE_OF(words[held]) == STOPPING -> write_ending(held, CANCELLED); phase = CANCELLED
    :: PHASE_OF(words[held]) == RUNNING && life[number] == STARTING -> inherited[number] = held; held = NONE
    :: PHASE_OF(words[held]) == RUNNING && life[number] != STARTING -> settle_job(number)
    fi
}

inline settle(number)
{
    atomic {
        forked[number] = false;
        ended[number] = false;
        killed[number] = false;
        held_record(number);
        inherited[number] = NONE;
        assert(life[number] != RETIRING || held == NONE);
        if
        :: held != NONE -> settle_record(number)
        :: else
        fi;
        life[number] = 0
    };
    atomic {
        if
        :: held != NONE -> swap_to_end(number, held, phase)
        :: else
        fi;
        held = NONE;
        phase = 0
    }
}

inline stop_job(record, sequence)
{
    if
    :: SEQUENCE_OF(words[record]) == sequence && PHASE_OF(words[record]) == RUNNING ->
        w = OWNER_OF(words[record]);
        stop_asked[w] = true;
        stop_record[w] = record;
        stop_sequence[w] = sequence;
        w = 0
    :: else
    fi
}

#ifdef DEFECT_NO_STOPPING
#define SWAPPED_TO RUNNING
#else
#define SWAPPED_TO STOPPING
#endif

inline begin_stopping(number)
{
    stop_asked[number] = false;
    if
    :: words[stop_record[number]] == WORD(stop_sequence[number], number, RUNNING) ->
        words[stop_record[number]] = WORD(stop_sequence[number], number, SWAPPED_TO);
        if
        :: !forked[number] -> settle_orphan(number)
        :: else -> killed[number] = true
        fi
    :: else -> stop_record[number] = 0; stop_sequence[number] = 0
    fi
}

/* Its deadline has passed while it waited: what the swap compares was read before the deadline. */
inline expire_queued(number)
{
    expires--;
    words[number] = WORD(SEQUENCE_OF(words[number]), NOBODY, TIMED_OUT);
    end_job(jobs[number])
}

#if EXPIRES > 0
#define MAY_EXPIRE(number) :: atomic { expires > 0 && PHASE_OF(words[number]) == QUEUED -> expire_queued(number) }
#else
#define MAY_EXPIRE(number)
#endif

/* A number whose next life is put off waits for it while it holds what it holds. */
#define NEWS_OF(number) \
    :: atomic { !leaving && !forked[number] -> fork_worker(number) } \
    :: atomic { stop_asked[number] -> begin_stopping(number) } \
    :: ended[number] -> settle(number)

active proctype keeper()
{
    byte held = NONE, phase, record, sequence, w;

    atomic { inherited[0] = NONE; inherited[1] = NONE };
    do
    NEWS_OF(0)
    NEWS_OF(1)
    MAY_EXPIRE(0)
    MAY_EXPIRE(1)
    :: atomic { to_keeper?record, sequence -> stop_job(record, sequence); record = 0; sequence = 0 }
    :: leaving && !forked[0] && !forked[1] -> break
    od;
    gone = true
}

/* Host. Its own book: which record is busy with which job and which use of it, its tail, and how far all is claimed. */
#define IS_FREE(record) (busy[record] == NONE)

inline submit()
{
    atomic {
        assert(IS_FREE(RECORD_AT(own_tail)) && (IS_FINAL(WORD_AT(own_tail)) || PHASE_OF(WORD_AT(own_tail)) == FREE));
        busy[RECORD_AT(own_tail)] = next;
        sequences[RECORD_AT(own_tail)] = SEQUENCE_AT(own_tail);
        jobs[RECORD_AT(own_tail)] = next;
        attempts[RECORD_AT(own_tail)] = 0;
        next++;
        WORD_AT(own_tail) = PUSHED_AT(own_tail, next - 1)
    };
    atomic { own_tail++; tail = own_tail };
#if ADDRESSED > 0
    atomic {
        if
        :: ADDRESSEE_OF(next - 1) != 0 -> order[ADDRESSEE_OF(next - 1) - 1] = own_tail
        :: else
        fi
    }
#endif
}

/* The record's word stays as it is until the next use. */
inline free_record(record)
{
    busy[record] = NONE
}

inline collect(record)
{
    atomic {
        assert(SEQUENCE_OF(words[record]) == sequences[record]);
        assert(has_ended[busy[record]]);
        assert(PHASE_OF(words[record]) != DONE || ADDRESSEE_OF(busy[record]) == 0 ||
               OWNER_OF(words[record]) == ADDRESSEE_OF(busy[record]) - 1);
        if
        :: PHASE_OF(words[record]) == DONE -> assert(endings[record] == RESULT_OF(busy[record]))
        :: PHASE_OF(words[record]) == CRASHED ->
            assert(endings[record] == BY_KEEPER + CRASHED && (attempts[record] > 0 || fork_failures < FORK_FAILURES))
        :: PHASE_OF(words[record]) == TIMED_OUT ->
            assert(OWNER_OF(words[record]) == NOBODY && attempts[record] == 0 && expires < EXPIRES)
        :: PHASE_OF(words[record]) == CANCELLED -> assert(endings[record] == BY_KEEPER + CANCELLED && stops < STOPS)
        fi;
        free_record(record)
    }
}

inline stop_record_of(record)
{
    atomic {
        stops--;
        if
        :: words[record] == WORD(sequences[record], ADDRESSEE_OF(busy[record]), QUEUED) ->
            words[record] = WORD(sequences[record], 0, CANCELLED);
            end_job(busy[record]);
            free_record(record)
        :: else -> to_keeper!record, sequences[record]
        fi
    }
}

#define HAS_POSITION (own_tail - claimed < RECORDS)
#define IS_WAITING_AT(position) \
    (!IS_FREE(RECORD_AT(position)) && sequences[RECORD_AT(position)] == SEQUENCE_AT(position) && \
     WORD_AT(position) == QUEUED_AT(position))

#define CHOICES_OF(record) \
    :: !IS_FREE(record) && IS_FINAL(words[record]) -> collect(record) \
    :: !IS_FREE(record) && stops > 0 -> stop_record_of(record)

/* A position whose record is still at work is left out. (With records to spare, as in the code, one is always free.) */
#define MAY_LEAVE_OUT \
    (HAS_POSITION && !IS_FREE(RECORD_AT(own_tail)) && !IS_FINAL(WORD_AT(own_tail)) && IS_FREE(RECORD_AT(own_tail + 1)))

active proctype host()
{
    byte busy[RECORDS] = NONE, sequences[RECORDS];
    byte next, own_tail, claimed, stops = STOPS;

    do
    CHOICES_OF(0)
    CHOICES_OF(1)
    :: next < JOBS && HAS_POSITION && IS_FREE(RECORD_AT(own_tail)) -> submit()
    :: atomic { next < JOBS && MAY_LEAVE_OUT -> own_tail++ }
    :: atomic { next < JOBS && !HAS_POSITION && !IS_WAITING_AT(claimed) -> claimed++ }
    :: next == JOBS && IS_FREE(0) && IS_FREE(1) -> break
    od;
    leaving = true;
    stop = true;
    gone;
    atomic {
        next = 0;
        do
        :: next < JOBS -> assert(has_ended[next]); next++
        :: else -> break
        od
    }
}
