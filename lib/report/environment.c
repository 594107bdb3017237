/*
 * environment.c - a report at the end of a program, asked for by PAREXEC_PROFILE.
 *
 * The variable is read by a constructor, behind that of the clock and in front of the program's own. The report is
 * written by one of the last destructors: behind the program's atexit handlers and destructors, whose regions
 * are so in it, and before the C library writes out what stdio holds. A program that ends by _exit, quick_exit, abort
 * or exec runs no destructors and leaves no report; one that a signal ends does if asked to (exit_signals.c).
 *
 * A forked child runs the same destructor if it leaves by exit. It must not replace its parent's report, so it writes
 * only to files that have the process's number in their names, and only if it has measured anything. Workers leave by
 * _exit.
 *
 * This is the one place where the library prints by itself, since here the user has asked for it: the report, and a
 * line on standard error when a word is wrong or a report cannot be written. Programs close standard error, and then a
 * file or a connection of theirs can have its number. So what is there at the end must be what was there at the start,
 * or be open for appending, as a log is.
 */
#include "region/mode.h"
#include "report/environment.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <parexec/error.h>

#include "base/forked.h"
#include "report/cost.h"
#include "report/exit_signals.h"
#include "report/report.h"
#include "report/report_file.h"

static struct pe__environment environment;
static bool is_asked_for;
static uint64_t token; /* of the process that read the variable */
static struct stat first_stderr; /* st_ino 0: there was none */

/* ---- standard error ---- */

static bool stderr_is_ours(void)
{
    struct stat now;
    int flags = fcntl(2, F_GETFL);

    if (flags < 0 || fstat(2, &now) != 0)
        return false;
    if (flags & O_APPEND)
        return true;
    return first_stderr.st_ino != 0 && now.st_dev == first_stderr.st_dev && now.st_ino == first_stderr.st_ino;
}

/* In one write, as far as that goes, so that lines of several processes do not mix. Nobody may be there to read it. */
static void complain(const char *about, const char *text)
{
    struct pe__base_write_signals signals;
    char line[512];
    int bytes = snprintf(line, sizeof line, "parexec: %s: %s\n", about, text);

    if (bytes >= (int)sizeof line) {
        bytes = (int)sizeof line - 1;
        line[bytes - 1] = '\n';
    }
    if (!stderr_is_ours())
        return;
    pe__base_write_signals_hold(&signals);
    ssize_t written = write(2, line, (size_t)bytes);
    pe__base_write_signals_release(&signals, written < 0); /* there is nobody else to tell */
}

static void complain_of_word(const char *why, const char *word)
{
    char about[128];

    snprintf(about, sizeof about, "PAREXEC_PROFILE %s", why);
    complain(about, word);
}

/* ---- the end ---- */

static int write_profile(const char *path, const struct pe__profile *profile, uint32_t format)
{
    pe_report_options options = environment.report;
    struct pe__report_file file;
    int error = pe__report_file_open(&file, path);

    if (error)
        return error;
    options.format = format;
    error = pe__report_profile(file.stream, profile, &options);
    return pe__report_file_close(&file, error);
}

static void write_output(const struct pe__environment_output *output, const struct pe__profile *profile)
{
    char *path = output->path ? pe__environment_path(output->path) : NULL;
    int error = PE_ENOMEM;

    if (path)
        error = write_profile(path, profile, output->format);
    else if (!output->path)
        error = stderr_is_ours() ? write_profile("/dev/stderr", profile, output->format) : 0;
    if (error)
        complain(path ? path : "PAREXEC_PROFILE", pe_strerror(error));
    free(path);
}

static bool has_own_name(const struct pe__environment_output *output)
{
    return output->path && strstr(output->path, "%p");
}

static void write_reports(void)
{
    bool is_child = pe__base_forked(token);
    struct pe__profile profile;
    int error = pe__profile_take(&profile);

    if (!error && environment.report.flags & PE_REPORT_SUBTRACT_COST)
        error = pe__profile_subtract_cost(&profile);
    if (error) {
        complain("PAREXEC_PROFILE", pe_strerror(error));
        return;
    }
    for (uint32_t i = 0; i < environment.output_count; i++)
        if (!is_child || (has_own_name(&environment.outputs[i]) && profile.node_count))
            write_output(&environment.outputs[i], &profile);
    pe__profile_free(&profile);
}

static __attribute__((destructor(102))) void end(void)
{
    bool is_child = is_asked_for && pe__base_forked(token);

    if (is_asked_for && (is_child || pe__exit_signals_stop()))
        write_reports();
    is_asked_for = false;
    pe__environment_fini(&environment);
    environment.output_count = 0;
    environment.text = NULL;
}

/* ---- the beginning ---- */

static int begin_measuring(void)
{
    int error = pe_region_setup(&environment.region);

    for (uint32_t i = 0; !error && i < environment.output_count; i++) {
        environment.report.format = environment.outputs[i].format;
        error = pe__report_options_check(&environment.report, &environment.report);
    }
    if (!error)
        error = pe__base_forked_token(&token);
    if (!error && environment.with_signals)
        error = pe__exit_signals_start(write_reports);
    return error ? error : pe_region_enable(1);
}

__attribute__((constructor(102))) void pe__environment_begin(void)
{
    const char *text = secure_getenv("PAREXEC_PROFILE");
    int error;

    if (!text || !*text)
        return;
    if (fstat(2, &first_stderr) != 0)
        first_stderr.st_ino = 0;
    error = pe__environment_read(&environment, text, complain_of_word);
    if (!error && environment.output_count == 0)
        return;
    if (!error)
        error = begin_measuring();
    is_asked_for = !error;
    if (error)
        complain("PAREXEC_PROFILE", pe_strerror(error));
}
