/*
 * backtrace.c - addresses of a worker turned into names.
 *
 * Workers are forked copies, so what was loaded before the fork lies at the same addresses in the host, which looks up
 * its own names (base/symbol.h). An address elsewhere, of a library that a job has loaded or out of a scribbler's pen,
 * stays a number. The look-up compares addresses with what is loaded; it never looks at what is there.
 */
#include "pool/backtrace.h"

#include <inttypes.h>
#include <link.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <parexec/error.h>

#include "base/symbol.h"
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

struct frame {
    uintptr_t address;
    bool is_loaded;
    struct pe__symbol symbol;
};

/* While dl_iterate_phdr calls back no other thread unloads anything; one call is enough. */
static int look_up(struct dl_phdr_info *object, size_t size, void *context)
{
    struct frame *frame = context;
    (void)object, (void)size;
    frame->is_loaded = pe__symbol_of(frame->address, &frame->symbol);
    return 1;
}

static void print_frame(FILE *text, uint32_t number, uint64_t address, const struct pe__loaded *loaded)
{
    /* All but the first are places to return to, behind a call that may be its function's last instruction. */
    struct frame frame = { .address = (uintptr_t)address - (number > 0 && address > 0 ? 1 : 0) };
    if (pe__loaded_range_of(loaded, frame.address) != NULL)
        dl_iterate_phdr(look_up, &frame);
    fprintf(text, "#%-3" PRIu32 "0x%016" PRIxPTR, number, frame.address);
    if (frame.symbol.name != NULL)
        fprintf(text, " %s+0x%" PRIxPTR, frame.symbol.name, frame.symbol.offset);
    if (frame.is_loaded)
        fprintf(text, " (%s+0x%" PRIxPTR ")", frame.symbol.module, frame.symbol.place);
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
