/*
 * The log hook.
 *
 * Function and context must change together, and a reader must not wait: it may be in the child of a
 * thread that was changing them. So the pair is immutable and lies behind one atomic pointer. A reader
 * may hold an old pair for any length of time, therefore pairs are never freed; they stay in a list and
 * are used again when the same hook comes back, which bounds them by the number of different hooks.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <parexec/error.h>

#define MESSAGE_BYTES 512

struct hook {
    pe_log_fn *fn;
    void *context;
    struct hook *next;
};

static struct hook *_Atomic current;
static struct hook *_Atomic all;

static struct hook *find(pe_log_fn *fn, void *context)
{
    struct hook *hook = atomic_load_explicit(&all, memory_order_acquire);

    while (hook && (hook->fn != fn || hook->context != context))
        hook = hook->next;
    return hook;
}

static struct hook *add(pe_log_fn *fn, void *context)
{
    struct hook *hook = malloc(sizeof *hook);

    if (!hook)
        return NULL;
    hook->fn = fn;
    hook->context = context;
    hook->next = atomic_load_explicit(&all, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&all, &hook->next, hook, memory_order_release,
                                                  memory_order_relaxed))
        ;
    return hook;
}

int pe_set_log(pe_log_fn *fn, void *context)
{
    struct hook *hook = NULL;

    if (fn) {
        hook = find(fn, context);
        if (!hook)
            hook = add(fn, context);
        if (!hook)
            return PE_ENOMEM;
    }
    atomic_store_explicit(&current, hook, memory_order_release);
    return 0;
}

void pe__base_log(int level, const char *format, ...)
{
    const struct hook *hook = atomic_load_explicit(&current, memory_order_acquire);
    char message[MESSAGE_BYTES];
    int saved = errno;
    va_list arguments;

    if (!hook)
        return;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    hook->fn(level, message, hook->context);
    errno = saved;
}

void pe__base_log_off(void)
{
    atomic_store_explicit(&current, NULL, memory_order_relaxed);
}
