/* scope.c - the public functions that a running job or item may call about itself. */
#include "worker/scope.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <parexec/error.h>
#include <parexec/worker.h>

static struct pe__worker_scope *process_scope;
static _Thread_local struct pe__worker_scope *thread_scope;

void pe__worker_scope_set_process(struct pe__worker_scope *scope)
{
    process_scope = scope;
    thread_scope = NULL;
}

struct pe__worker_scope *pe__worker_scope_swap(struct pe__worker_scope *scope)
{
    struct pe__worker_scope *before = thread_scope;
    thread_scope = scope;
    return before;
}

struct pe__worker_scope *pe__worker_scope_current(void)
{
    return thread_scope != NULL ? thread_scope : process_scope;
}

int pe_worker_index(void)
{
    const struct pe__worker_scope *scope = pe__worker_scope_current();
    return scope != NULL ? scope->index : PE_EPERM;
}

int pe_worker_cancelled(void)
{
    const struct pe__worker_scope *scope = pe__worker_scope_current();
    return scope != NULL && scope->asked != NULL &&
           atomic_load_explicit(scope->asked, memory_order_relaxed) >= scope->self;
}

uint64_t pe_worker_item(void)
{
    const struct pe__worker_scope *scope = pe__worker_scope_current();
    if (scope == NULL || scope->running == NULL)
        return UINT64_MAX;
    return atomic_load_explicit(scope->running, memory_order_relaxed) - 1;
}

int pe_worker_fail(int code, const char *format, ...)
{
    static const char cut[] = "...";
    struct pe__worker_scope *scope = pe__worker_scope_current();
    if (scope == NULL || format == NULL)
        return code;
    int saved = errno;
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(scope->text, sizeof scope->text, format, arguments);
    va_end(arguments);
    if (wanted >= (int)sizeof scope->text) {
        memcpy(scope->text + sizeof scope->text - sizeof cut, cut, sizeof cut);
        wanted = sizeof scope->text - 1;
    }
    scope->text_bytes = wanted > 0 ? (size_t)wanted : 0;
    errno = saved;
    return code;
}
