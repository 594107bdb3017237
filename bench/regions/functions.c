/* Every function of a program, as tools that need no change to its source see it. The program (calls/calls.c) tells
 * what a call costs; what a tool adds is the difference to the same program without it, run just before. What tools do
 * before the first call and after the last one (reading symbols, writing files) is in nobody's figure. */

#include "regions/loop.h"
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct functions {
    uint64_t n;
    int variant;
    char *note;
    char directory[32]; /* for the files that tools leave */
};

#if defined(CALLS_GPROF)
#define GPROF CALLS_GPROF
#else
#define GPROF NULL
#endif

/* Without the calls into libc, which ours and gprof do not see either. */
#define UFTRACE "uftrace record --no-libcall -d uftrace "

static const struct {
    const char *tool;        /* looked for in PATH; NULL: none */
    const char *environment; /* and what is written before the program */
    const char *program;
    int report; /* leaves a file of that name */
} hows[] = {
    [FUNCTIONS_OURS] = { NULL, "PAREXEC_PROFILE=text:report ", CALLS_OURS, 1 },
    [FUNCTIONS_OURS_QUICK] = { NULL, "PAREXEC_PROFILE=text:report,quick ", CALLS_OURS, 1 },
    [FUNCTIONS_OFF] = { NULL, "", CALLS_OURS, 0 },
    [FUNCTIONS_GPROF] = { NULL, "", GPROF, 0 },
    [FUNCTIONS_UFTRACE] = { "uftrace", UFTRACE, GPROF, 0 },
    [FUNCTIONS_UFTRACE_TIME] = { "uftrace", UFTRACE "-t 10us ", GPROF, 0 },
    [FUNCTIONS_UFTRACE_NOT] = { "uftrace", UFTRACE "-N small_function ", GPROF, 0 },
};

static int is_installed(const char *tool)
{
    char command[64];
    snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", tool);
    return system(command) == 0;
}

static int open_functions(const struct plan *plan, void **ret_state)
{
    if (!hows[plan->variant].program) {
        snprintf(plan->note, NOTE_BYTES, "the compiler knows no such option");
        return -1;
    }
    if (hows[plan->variant].tool && !is_installed(hows[plan->variant].tool)) {
        snprintf(plan->note, NOTE_BYTES, "%s is not installed", hows[plan->variant].tool);
        return -1;
    }
    struct functions *functions = calloc(1, sizeof(*functions));
    if (!functions)
        return -1;
    *functions = (struct functions){ .n = plan->n, .variant = plan->variant, .note = plan->note };
    strcpy(functions->directory, "/tmp/bench-regions-XXXXXX");
    if (!mkdtemp(functions->directory)) {
        snprintf(plan->note, NOTE_BYTES, "no directory for files");
        free(functions);
        return -1;
    }
    *ret_state = functions;
    return 0;
}

/* ns of one call, as the program says; < 0 when it does not. */
static double run_program(const struct functions *functions, const char *before, const char *program)
{
    char command[1024];
    double ns = -1;
    snprintf(command, sizeof(command), "cd %s && %s%s %llu 2>errors", functions->directory, before, program,
             (unsigned long long)functions->n);
    FILE *output = popen(command, "re");
    if (!output)
        return -1;
    if (fscanf(output, "%lf", &ns) != 1)
        ns = -1;
    return pclose(output) == 0 ? ns : -1;
}

/* It was on. */
static int has_report(const struct functions *functions)
{
    char path[64];
    struct stat file;
    snprintf(path, sizeof(path), "%s/report", functions->directory);
    return stat(path, &file) == 0 && file.st_size > 0;
}

static int run_functions(void *state, double *values)
{
    struct functions *functions = state;
    double plain = run_program(functions, "", CALLS_PLAIN);
    double with = run_program(functions, hows[functions->variant].environment, hows[functions->variant].program);
    if (plain < 0 || with < 0) {
        snprintf(functions->note, NOTE_BYTES, "the program failed");
        return -1;
    }
    if (hows[functions->variant].report && !has_report(functions)) {
        snprintf(functions->note, NOTE_BYTES, "there is no report");
        return -1;
    }
    values[0] = with - plain;
    return 0;
}

static void close_functions(void *state)
{
    struct functions *functions = state;
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", functions->directory);
    if (system(command) != 0)
        fprintf(stderr, "bench/regions: %s is left\n", functions->directory);
    free(functions);
}

const struct driver functions_driver = { open_functions, run_functions, close_functions };
