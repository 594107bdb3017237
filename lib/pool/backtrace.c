/*
 * backtrace.c - addresses of a worker turned into names.
 *
 * Workers are forked copies, so what was loaded before the fork lies at the same addresses in the host, which asks its
 * own dynamic loader. An address elsewhere, of a library that a job has loaded or out of a scribbler's pen, stays a
 * number. The loader only compares addresses with what it has loaded; it never looks at what is there.
 */
#include "pool/backtrace.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <parexec/error.h>

#include "pool/loaded.h"
#include "shared/crash.h"

static const char *name_of(int signal)
{
    switch (signal) {
    case SIGSEGV: return "SIGSEGV";
    case SIGBUS: return "SIGBUS";
    case SIGFPE: return "SIGFPE";
    case SIGILL: return "SIGILL";
    case SIGABRT: return "SIGABRT";
    case SIGTRAP: return "SIGTRAP";
    case SIGSYS: return "SIGSYS";
    default: return "?";
    }
}

static void print_signal(FILE *text, const struct pe__crash *crash)
{
    int signal = crash->signal;
    fprintf(text, "signal %d (%s)", signal, name_of(signal));
    if (crash->code > 0 && signal != SIGABRT && signal != SIGSYS)
        fprintf(text, ", address 0x%" PRIx64, crash->address);
    fputc('\n', text);
}

static void print_frame(FILE *text, uint32_t number, uint64_t frame, const struct pe__loaded *loaded)
{
    /* All but the first are places to return to, behind a call that may be its function's last instruction. */
    uintptr_t address = (uintptr_t)frame - (number > 0 && frame > 0 ? 1 : 0);
    const struct pe__loaded_range *range = pe__loaded_range_of(loaded, address);
    Dl_info info;
    fprintf(text, "#%-3" PRIu32 "0x%016" PRIxPTR, number, address);
    if (range != NULL && dladdr((void *)address, &info) != 0) {
        if (info.dli_sname != NULL)
            fprintf(text, " %s+0x%" PRIxPTR, info.dli_sname, address - (uintptr_t)info.dli_saddr);
        fprintf(text, " (%s+0x%" PRIxPTR ")", info.dli_fname, address - range->bias);
    }
    fputc('\n', text);
}

/* Whatever the notes say, no more than there is room for. */
static uint32_t count_frames(size_t notes_bytes)
{
    size_t frames = (notes_bytes - offsetof(struct pe__crash, frames)) / sizeof(uint64_t);
    return frames < PE__CRASH_FRAMES_MAX ? (uint32_t)frames : PE__CRASH_FRAMES_MAX;
}

int pe__backtrace_describe(const void *notes, size_t notes_bytes, const struct pe__loaded *loaded, char **ret_text,
                           size_t *ret_bytes)
{
    const struct pe__crash *crash = notes;
    char *written = NULL;
    size_t bytes = 0;
    if (notes_bytes < offsetof(struct pe__crash, frames) + sizeof *crash->frames)
        return PE_ENODATA;
    FILE *text = open_memstream(&written, &bytes);
    if (text == NULL)
        return PE_ENOMEM;
    print_signal(text, crash);
    for (uint32_t i = 0; i < count_frames(notes_bytes); i++)
        print_frame(text, i, crash->frames[i], loaded);
    bool failed = ferror(text) != 0;
    if (fclose(text) != 0 || failed) {
        free(written);
        return PE_ENOMEM;
    }
    *ret_text = written;
    *ret_bytes = bytes;
    return 0;
}
