/**
 * @file task.h
 * Tasks, functions that can wait without a stack of their own.
 *
 * A task is a function and a frame. The function is called again whenever what it waits for has happened, and goes on
 * after the wait; what has to live across waits is in the frame, a struct of the program. So a waiting task is some
 * bytes, not a stack, and thousands of them run in one thread, in turns, on a loop (loop.h).
 *
 *     struct hello { int seconds; };
 *
 *     static int hello(pe_task *t, void *frame)
 *     {
 *         struct hello *h = frame;
 *         PE_BEGIN(t);
 *         puts("Hello ...");
 *         PE_AWAIT(t, pe_sleep(t, PE_SECONDS(h->seconds)));
 *         puts("... World!");
 *         PE_END(t);
 *     }
 *
 *     int main(void)
 *     {
 *         struct hello h = { 1 };
 *         return pe_run(hello, &h, NULL);
 *     }
 *
 * How a task function is written. Declarations that only give names to the frame come first, then PE_BEGIN(t), the
 * body, and PE_END(t). In between stand
 *
 *     PE_AWAIT(t, start)     begins a wait, which `start` is a call for, and goes on when it has ended; then t->result
 *                            holds how: what that call says, 0 and above, or an error. A wait that needs none, and one
 *                            that is refused, go on at once.
 *     PE_TRY(t, start)       the same; an error ends the task, which returns it.
 *     PE_YIELD(t)            lets all others that are ready have their turn.
 *     PE_RETURN(t, value)    ends the task with a value: 0 and above, or an error below 0.
 *
 * and PE_END(t) returns 0. Local variables lose their values at each wait: what is needed afterwards belongs to the
 * frame. t must be a plain variable. With gcc and clang in C a wait may stand anywhere in the body, in loops and in
 * switch statements too, but not where arrays of variable length or variables with a cleanup attribute are in scope;
 * elsewhere, and with PE_TASK_SWITCH defined, where the macros are a switch of standard C, not in a switch statement of
 * the program's, which is an error in C++ and a warning in C, and no two on one line. It cannot stand inside PE_REGION
 * or after PE_REGION_SCOPE (region.h), in C++ not in the scope of a variable that has been initialised, and nowhere but
 * between PE_BEGIN and PE_END: these are errors of the compiler. A task measures a stretch with waits in it by
 * PE_TASK_REGION (task_region.h).
 *
 * Everything that can be waited for has this form: a call that takes the waiting task first and returns int. It is
 * meant to stand in PE_AWAIT and nowhere else; its result is PE_WAIT, which no task may take for a value.
 *
 * Cancelling is a request. It ends the wait that the task is in, or is about to begin, with PE_ECANCELED; the task may
 * then clean up, with further waits, and should return PE_ECANCELED. A request stays until a wait has ended with it: if
 * a wait has got its value before, the task gets that value, and the next wait is refused. Time limits (limit.h) do
 * the same with PE_ETIMEDOUT. Where both have come by the time that a wait ends, PE_ECANCELED is what it ends with; one
 * that comes when it has ended is for the next wait.
 *
 * Threads: a task belongs to its loop, and a loop to one thread at a time; only pe_loop_post may be called from others.
 * Forks: in a child every call gives PE_EFORKED. Signals: none of it is for handlers.
 */
#ifndef PAREXEC_TASK_H
#define PAREXEC_TASK_H

#include <parexec/error.h>
#include <parexec/export.h>
#include <parexec/options.h>
#include <parexec/region.h>

/** A task. What is here is for the macros; the rest is the library's. */
typedef struct pe_task {
    uint32_t resume; /**< where to go on; 0: at the beginning */
    int32_t result;  /**< how the last wait ended */
} pe_task;

/** A loop, see loop.h. */
typedef struct pe_loop pe_loop;

/** What a call returns whose wait goes on, and a task that waits. Nothing else has this value. */
#define PE_WAIT (-2147483647 - 1)

PE_BEGIN_DECLS

/**
 * A task's function.
 *
 * @param t       the task.
 * @param frame   what lives across its waits: the memory given to pe_run or pe_call, or the task's own copy of what was
 *                given to pe_spawn.
 * @return through the macros. 0 and above, or an error below 0; never PE_WAIT by itself, which counts as PE_EINVAL. One
 *         that returns in the middle of a wait, which it has begun without PE_AWAIT, ends the task with PE_EINVAL once
 *         that wait has been stopped.
 *
 * It must not call itself or another task's function directly (pe_call does), and no exception and no longjmp may leave
 * it.
 */
typedef int pe_task_fn(pe_task *t, void *frame);

/** What pe_call needs while the called function runs; in the frame of the caller. Its contents are the library's. */
typedef struct pe_call_link {
    uint64_t opaque[6]; /**< the library's */
} pe_call_link;

/** The head of a value that a task carries, for pe_task_set_local: its address is the key. */
typedef struct pe_local_key {
    void (*destroy)(void *value); /**< called once nobody carries a value any more; NULL: nothing to do */
} pe_local_key;

/**
 * Ends what a task waits for by pe_wait_external: pe_wait_end has to be called for it, now or, when the operation needs
 * time to stop, later; with PE_ECANCELED if it was stopped, else with its result.
 *
 * @param t        the task that waits.
 * @param object   as given to pe_wait_external.
 */
typedef void pe_cancel_fn(pe_task *t, void *object);

/** @name The macros
 * Only between PE_BEGIN and PE_END, and as the head of this file says.
 * @{ */

/** @def PE_BEGIN
 * Begins the body of a task function; what stands before it is done again after each wait.
 *
 * @param t   the task, a plain variable.
 */
/** @def PE_END
 * Ends the body of a task function, which returns 0 if it comes here.
 *
 * @param t   the task, a plain variable.
 */

/**
 * Begins a wait, and goes on when it has ended; then t->result holds how: what that call says, 0 and above, or an
 * error. A wait that needs none, and one that is refused, go on at once.
 *
 * @param t       the task, a plain variable.
 * @param start   a call that waits: one that takes the task first and says "in PE_AWAIT" of what it returns.
 */
#define PE_AWAIT(t, start) PE__AWAIT(t, start, PE__AWAIT_NUMBER)

/**
 * Waits as PE_AWAIT does; an error ends the task, which returns it.
 *
 * @param t       the task, a plain variable.
 * @param start   as of PE_AWAIT.
 */
#define PE_TRY(t, start) \
    do { \
        PE_AWAIT(t, start); \
        if ((t)->result < 0) \
            return (t)->result; \
    } while (0)

/**
 * Lets all others that are ready have their turn.
 *
 * @param t   the task, a plain variable.
 */
#define PE_YIELD(t) PE_AWAIT(t, pe_yield(t))

/**
 * Ends the task.
 *
 * @param t       the task.
 * @param value   what it returns: 0 and above, or an error below 0.
 */
#define PE_RETURN(t, value) return ((void)(t), (value))
/** @} */

#if defined(__GNUC__)
#define PE__AWAIT_NUMBER __COUNTER__
#else
#define PE__AWAIT_NUMBER __LINE__
#endif

/* What is wrong with a place is told by the compiler in these names and words. */
#define PE__AWAIT_BETWEEN enum { pe__PE_AWAIT_stands_between_PE_BEGIN_and_PE_END = 1 };
#if defined(PE__IS_INSIDE_REGION)
#define PE__AWAIT_PLACE() \
    (void)sizeof(struct { \
        int PE_AWAIT_cannot_stand_inside_PE_REGION_but_inside_PE_TASK_REGION : PE__IS_INSIDE_REGION() ? -1 : 1; \
    }); \
    (void)pe__PE_AWAIT_stands_between_PE_BEGIN_and_PE_END
#else
#define PE__AWAIT_PLACE() (void)pe__PE_AWAIT_stands_between_PE_BEGIN_and_PE_END
#endif

#if defined(__GNUC__) && !defined(__cplusplus) && !defined(PE_TASK_SWITCH)

/**
 * resume: how far the label of the wait is from that of the beginning, which may come after it in memory. In a copy of
 * the function, which gcc makes for some calls, the distances are others; one whose labels are in a static variable is
 * never copied.
 */
#define PE_BEGIN(t) \
    { \
        PE__AWAIT_BETWEEN \
        __extension__ static const void *const pe__uncopied __attribute__((unused)) = &&pe__begin; \
        if ((t)->resume != 0) \
            (void)__extension__({ goto *(void *)((char *)&&pe__begin + (int32_t)(t)->resume); 0; }); \
    pe__begin: (void)0
#define PE__AWAIT(t, start, number) PE__AWAIT_AT(t, start, PE__JOIN(pe__resume_, number))
#define PE__AWAIT_AT(t, start, label) \
    do { \
        int pe__started; \
        PE__AWAIT_PLACE(); \
        (t)->resume = (uint32_t)__extension__({ (char *)&&label - (char *)&&pe__begin; }); \
        pe__started = (start); \
        if (pe__started == PE_WAIT) { \
            return PE_WAIT; \
        label:; \
        } else { \
            (t)->result = pe__started; \
        } \
    } while (0)
#define PE_END(t) \
        return ((void)(t), 0); \
    } \
    return PE_EINVAL

#else

/* The numbers are too large for most other switches, so that one around a PE_AWAIT is an error, or a warning in C. */
#define PE__AWAIT_NUMBERS UINT64_C(0x5045000000000000)
#define PE_BEGIN(t) \
    { \
        PE__AWAIT_BETWEEN \
        switch (PE__AWAIT_NUMBERS + (t)->resume) { \
        case PE__AWAIT_NUMBERS: (void)0
#define PE__AWAIT(t, start, number) PE__AWAIT_AT(t, start, (number) + 1u)
#define PE__AWAIT_AT(t, start, number) \
    do { \
        int pe__started; \
        PE__AWAIT_PLACE(); \
        (t)->resume = (number); \
        pe__started = (start); \
        if (pe__started == PE_WAIT) { \
            return PE_WAIT; \
        case PE__AWAIT_NUMBERS + (number):; \
        } else { \
            (t)->result = pe__started; \
        } \
    } while (0)
#define PE_END(t) \
        return ((void)(t), 0); \
        default: \
            break; \
        } \
    } \
    return PE_EINVAL

#endif

/**
 * Starts a task on a loop. Its function is called in a later turn, never inside this call; tasks begin in the order in
 * which they were started.
 *
 * @param loop          the loop.
 * @param fn            the task's function.
 * @param frame         what to copy into the task's own frame; NULL: it is zeroed. With frame_bytes 0 the function gets
 *                      this pointer itself, and what is there must live as long as the task.
 * @param frame_bytes   the size of the frame, at most 1 GiB; aligned for any type.
 * @param ret_task      gets a handle, to be given back by pe_task_free. NULL: none; the loop sees the task to its end.
 * @return 0.
 * @errors PE_EINVAL: loop or fn NULL, or too many bytes. PE_ENOMEM. PE_ECLOSED: the loop has been closed, or is being
 *         closed and this is called outside its tasks or the time for clean-up is over (pe_loop_set_grace). PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_spawn(pe_loop *loop, pe_task_fn *fn, const void *frame, size_t frame_bytes, pe_task **ret_task);

/**
 * Gives a handle back. The task goes on if it has not ended; what it left in its frame is gone afterwards.
 *
 * @param task   NULL is fine.
 * @threads the loop's, or any one after pe_loop_free. @child yes, it gives back nothing then. @since 1.0
 */
PE_EXPORT void pe_task_free(pe_task *task);

/**
 * One more handle of the same task, of at most 65,534. Each is given back by pe_task_free.
 *
 * @param task   the task.
 * @return the task; NULL for NULL, where there are too many, and in a forked child.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT pe_task *pe_task_ref(pe_task *task);

/**
 * The frame of a task; after its end too, as long as there is a handle.
 *
 * @param task   the task.
 * @return the frame; of a task without one NULL. NULL also for NULL and in a forked child, and of a task that got the
 *         program's own pointer and was ended in the middle of a wait (pe_task_fn).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT void *pe_task_frame(pe_task *task);

/**
 * What a task has returned.
 *
 * @param task   the task.
 * @return its value, 0 and above, or its error: PE_ECANCELED if it was cancelled before it began.
 * @errors PE_EAGAIN: it has not ended. PE_EINVAL: NULL. PE_EFORKED. A task that may return these itself is told apart
 *         by pe_task_has_ended.
 *
 * A failure that was asked for here, or awaited, has been seen and is not reported (pe_loop_on_failure).
 *
 * @threads the loop's, or any one after pe_loop_free. @child no. @since 1.0
 */
PE_EXPORT int pe_task_result(const pe_task *task);

/**
 * Whether a task has ended.
 *
 * @param task   the task.
 * @return 1 or 0.
 * @errors PE_EINVAL: NULL. PE_EFORKED.
 * @threads the loop's, or any one after pe_loop_free. @child no. @since 1.0
 */
PE_EXPORT int pe_task_has_ended(const pe_task *task);

/**
 * Asks a task to stop: the wait that it is in, or begins next, ends with PE_ECANCELED, once for each request that has
 * been seen. One that has not begun never does. What it waits for is stopped with it, so the wait may take as long as
 * that needs; see pe_shield and pe_shield_enter for what is not to be stopped. Requests that come before the task has
 * seen an earlier one count as one with it.
 *
 * @param task   the task.
 * @return 0.
 * @errors PE_EALREADY: it has ended. PE_EINVAL: NULL. PE_EFORKED.
 * @threads the loop's; a task may cancel itself. @child no. @since 1.0
 */
PE_EXPORT int pe_task_cancel(pe_task *task);

/**
 * How many requests to stop a task got, up to 255, those included that it has not seen yet: how a task that ends only
 * its inner work with PE_ECANCELED finds out whether it was meant itself.
 *
 * @param task   the task.
 * @return their number, 0 and above.
 * @errors PE_EINVAL: NULL. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_task_cancels(const pe_task *task);

/**
 * The loop of a task.
 *
 * @param task   the task.
 * @return the loop; NULL for NULL, for a task that has ended and whose loop has been freed, and in a forked child.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT pe_loop *pe_task_loop(const pe_task *task);

/**
 * Names a task, for hooks and dumps.
 *
 * @param task   the task.
 * @param name   copied, and cut at 63 bytes.
 * @return 0.
 * @errors PE_EINVAL: NULL. PE_ENOMEM. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_task_set_name(pe_task *task, const char *name);

/**
 * The name of a task: what it was given, else that of its function, as far as symbols tell, else "task".
 *
 * @param task   the task.
 * @return the name; "" for NULL and in a forked child.
 * @ownership the task's, until it is named anew or freed.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT const char *pe_task_name(const pe_task *task);

/**
 * Gives a task a value to carry till its end. A task starts with the values of the task that started it; what is set
 * later is seen by those started later.
 *
 * @param task    the task.
 * @param key     a static object of the program's; its address tells values apart.
 * @param value   any pointer; NULL is one too. Given to key->destroy when neither this task nor one that inherited it
 *                carries it any more.
 * @return 0.
 * @errors PE_EINVAL: task or key NULL. PE_EALREADY: it has ended. PE_ENOMEM. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_task_set_local(pe_task *task, const pe_local_key *key, void *value);

/**
 * The value that a task carries, see pe_task_set_local.
 *
 * @param task   the task.
 * @param key    a static object of the program's; its address tells values apart.
 * @return the value; NULL if there is none, for NULL, and in a forked child.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT void *pe_task_local(const pe_task *task, const pe_local_key *key);

/**
 * Waits for the next turn: every task that is ready now has its own first.
 *
 * @param t   the task that waits.
 * @return in PE_AWAIT: 0; a request that comes meanwhile is for the next wait.
 * @errors PE_ECANCELED, PE_ETIMEDOUT by a time limit. PE_EINVAL: t is not the task that runs. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_yield(pe_task *t);

/**
 * Waits for some time; never less. Tasks wake in the order of their deadlines, equal ones in the order in which they
 * began to wait.
 *
 * @param t             the task that waits.
 * @param duration_ns   nanoseconds from now; 0: as pe_yield. PE_FOREVER: until it is cancelled.
 * @return in PE_AWAIT: 0.
 * @errors PE_ECANCELED, PE_ETIMEDOUT by a time limit. PE_EINVAL: a negative time; t is not the task that runs.
 *         PE_ENOMEM. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_sleep(pe_task *t, int64_t duration_ns);

/**
 * Waits until a point in time; never less. The order is that of pe_sleep.
 *
 * @param t             the task that waits.
 * @param deadline_ns   as of pe_after; 0, and what has passed: as pe_yield. PE_FOREVER: until it is cancelled.
 * @return in PE_AWAIT: 0.
 * @errors PE_ECANCELED, PE_ETIMEDOUT by a time limit. PE_EINVAL: a negative time, or a duration by mistake; t is not
 *         the task that runs. PE_ENOMEM. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_sleep_until(pe_task *t, int64_t deadline_ns);

/**
 * Waits until another task of the same loop has ended. If this wait is to be stopped, or was before it began, the other
 * task is cancelled and the wait ends with it; pe_shield leaves it alone.
 *
 * @param t      the task that waits.
 * @param task   any number of tasks may wait for it. Its handle may be freed meanwhile.
 * @return in PE_AWAIT: what it returned.
 * @errors PE_ECANCELED, PE_ETIMEDOUT: as asked for, or what it returned. PE_EDEADLK: it is this one, or waits for it,
 *         by itself or through others; a ring through a wait for several tasks (group.h) is not found. PE_EINVAL: task
 *         NULL, of another loop; t is not the task that runs. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_await(pe_task *t, pe_task *task);

/**
 * Waits for a task like pe_await, but leaves it running if this wait is to be stopped: that ends at once.
 *
 * @param t      the task that waits.
 * @param task   the task.
 * @return as pe_await.
 * @errors as pe_await.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_shield(pe_task *t, pe_task *task);

/**
 * Calls a task function as a part of this task: it runs at once, waits as this task, and the wait ends when it has
 * returned. No task is started; cancelling, limits, names and values are those of this task. Limits and shielded
 * sections that the function has entered end with it.
 *
 *     PE_AWAIT(t, pe_call(t, &f->call, read_header, &f->header));
 *
 * @param t       the task that calls, and waits.
 * @param call    memory in the caller's frame; not to be used for anything else till it has returned.
 * @param fn      the function.
 * @param frame   its frame, commonly a member of the caller's; must live as long.
 * @return in PE_AWAIT: what it returned.
 * @errors PE_EINVAL: call or fn NULL; call is that of the function that calls; t is not the task that runs. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_call(pe_task *t, pe_call_link *call, pe_task_fn *fn, void *frame);

/**
 * Begins a section in which requests to stop and time limits that were set outside are held back; they are seen by the
 * first wait after it. Sections may be nested, up to 255 deep.
 *
 * @param t   the task that runs.
 * @return 0.
 * @errors PE_EINVAL: too deep; t is not the task that runs. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_shield_enter(pe_task *t);

/**
 * Ends a section that pe_shield_enter has begun.
 *
 * @param t   the task that runs.
 * @return 0.
 * @errors PE_EINVAL: not inside a section; t is not the task that runs. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_shield_leave(pe_task *t);

/**
 * Makes any operation with a callback a wait. It has been started by the time of this call, which therefore never
 * refuses it: what is to be stopped is, through `cancel`, at once. Its callback comes later, not inside the call that
 * starts it. With libuv:
 *
 *     static void on_random(uv_random_t *request, int status, void *bytes, size_t count)
 *     {
 *         pe_wait_end(request->data, status);
 *     }
 *     ...
 *     f->request.data = t;
 *     PE_AWAIT(t, pe_wait_external(t, uv_random(pe_loop_uv(pe_task_loop(t)), &f->request, f->bytes, 16, 0,
 *                                            on_random), NULL, NULL));
 *
 * @param t         the task that waits.
 * @param started   what starting it returned: below 0, an error, there is nothing to wait for, and this is the result.
 * @param cancel    stops it; NULL: it cannot be stopped, and a request is seen by the next wait.
 * @param object    for cancel.
 * @return in PE_AWAIT: what pe_wait_end was called with.
 * @errors `started`. PE_EINVAL: t is not the task that runs; `started` is PE_WAIT. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_wait_external(pe_task *t, int started, pe_cancel_fn *cancel, void *object);

/**
 * Ends a wait of pe_wait_external. The task goes on in a later turn, never inside this call.
 *
 * @param t        the task that waits.
 * @param result   0 and above, or an error. PE_ECANCELED counts as the answer to a request to stop, if there was one.
 * @return 0.
 * @errors PE_EINVAL: the task is in no such wait; a result of PE_WAIT. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_wait_end(pe_task *t, int result);

PE_END_DECLS

#endif
