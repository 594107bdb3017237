/*
 * environment.h - what PAREXEC_PROFILE asks for.
 *
 * Its words are described in report.h. It is read once, when the library is loaded; whoever links a region links this.
 */
#ifndef PE__REPORT_ENVIRONMENT_H
#define PE__REPORT_ENVIRONMENT_H

#include <stdbool.h>
#include <stdint.h>

#include <parexec/region.h>
#include <parexec/report.h>

#define PE__ENVIRONMENT_OUTPUTS_MAX 16

struct pe__environment_output {
    uint32_t format; /* PE_REPORT_* */
    char *path;      /* with %p; NULL: standard error */
};

struct pe__environment {
    struct pe__environment_output outputs[PE__ENVIRONMENT_OUTPUTS_MAX];
    uint32_t output_count;
    pe_region_options region;
    pe_report_options report;
    bool with_signals;
    char *text; /* what the options point into */
};

/* `why` goes behind the variable's name. */
typedef void pe__environment_wrong_fn(const char *why, const char *word);

/*
 * Reads the variable's text. Relative paths are made absolute, since the program may change its directory later.
 * `wrong` is called for each word that means nothing, or is one output too many; the others hold, and if there are any
 * there is at least one output. 0, or PE_ENOMEM. Freed with pe__environment_fini.
 */
int pe__environment_read(struct pe__environment *ret, const char *text, pe__environment_wrong_fn *wrong);
void pe__environment_fini(struct pe__environment *environment);

/* The path with the process's number for %p, to be freed; NULL: no memory. */
char *pe__environment_path(const char *path);

#endif
