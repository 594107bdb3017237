/*
 * threads.c - sets the environment variables by which numeric libraries and language runtimes are told how many
 * threads to start, and tells OpenMP itself.
 *
 * A library that is loaded with the program has read its variable long before the fork. Only OpenMP, the one that most
 * of them are built on, has a function for it that a C program is likely to hold: it is asked for as a weak symbol, so
 * nothing is linked for it, and a program without OpenMP has NULL there.
 *
 * The variables are not set by setenv: its lock may have been held by another thread of the host when the keeper was
 * forked. A new environment is put in the place of the old one instead, which takes no lock: this process has one
 * thread.
 */
#include "worker/threads.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void omp_set_num_threads(int threads) __attribute__((weak));

static const char *const variables[] = {
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "GOTO_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMEXPR_MAX_THREADS",
    "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "JULIA_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "GOMAXPROCS",
};

#define VARIABLES (sizeof variables / sizeof *variables)
#define SETTING_BYTES 40 /* a name, "=" and ten digits */

static bool is_set_here(const char *setting)
{
    for (size_t i = 0; i < VARIABLES; i++) {
        size_t bytes = strlen(variables[i]);
        if (strncmp(setting, variables[i], bytes) == 0 && setting[bytes] == '=')
            return true;
    }
    return false;
}

static void set_variables(uint32_t threads)
{
    static char settings[VARIABLES][SETTING_BYTES];
    size_t old = 0, count = 0;
    while (environ != NULL && environ[old] != NULL)
        old++;
    char **changed = malloc((old + VARIABLES + 1) * sizeof *changed);
    if (changed == NULL)
        return;
    for (size_t i = 0; i < old; i++)
        if (!is_set_here(environ[i]))
            changed[count++] = environ[i];
    for (size_t i = 0; i < VARIABLES; i++) {
        snprintf(settings[i], SETTING_BYTES, "%s=%u", variables[i], (unsigned)threads);
        changed[count++] = settings[i];
    }
    changed[count] = NULL;
    environ = changed;
}

void pe__worker_limit_threads(uint32_t threads)
{
    set_variables(threads);
    if (omp_set_num_threads != NULL)
        omp_set_num_threads((int)threads);
}
