/* environment_words.c - the words of PAREXEC_PROFILE. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <parexec/error.h>

#include "report/environment.h"

static const struct {
    const char *name;
    uint32_t format;
    const char *path; /* where no file is named; NULL: standard error */
} formats[] = {
    { "text", PE_REPORT_TEXT, NULL },
    { "lines", PE_REPORT_LINES, NULL },
    { "json", PE_REPORT_JSON, "parexec-%p.json" },
    { "csv", PE_REPORT_CSV, "parexec-%p.csv" },
    { "folded", PE_REPORT_FOLDED, "parexec-%p.folded" },
    { "trace", PE_REPORT_TRACE, "parexec-%p.trace.json" },
    { "html", PE_REPORT_HTML, "parexec-%p.html" },
};

static const struct {
    const char *name;
    uint64_t region_flags, report_flags;
} flags[] = {
    { "cpu", PE_REGION_CPU_TIME, 0 },
    { "timeline", PE_REGION_TIMELINE, 0 },
    { "tree", 0, PE_REPORT_TREE },
    { "processes", 0, PE_REPORT_PER_PROCESS },
    { "threads", 0, PE_REPORT_PER_THREAD },
    { "net", 0, PE_REPORT_SUBTRACT_COST },
};

static const struct {
    const char *name;
    uint32_t sort;
} sorts[] = {
    { "cumulative", PE_SORT_CUMULATIVE },
    { "own", PE_SORT_OWN },
    { "calls", PE_SORT_CALLS },
    { "percall", PE_SORT_PER_CALL },
    { "name", PE_SORT_NAME },
};

#define TEXT_(number) #number
#define TEXT(number) TEXT_(number)
#define TOO_MANY "names more than " TEXT(PE__ENVIRONMENT_OUTPUTS_MAX) " reports, of which this one is not written"
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* What follows "name" and that character in the word; NULL: it does not begin so. */
static const char *value_of(const char *word, const char *name, char between)
{
    size_t bytes = strlen(name);

    return strncmp(word, name, bytes) == 0 && word[bytes] == between ? word + bytes + 1 : NULL;
}

static char *absolute(const char *path)
{
    char *folder = *path == '/' ? NULL : getcwd(NULL, 0), *whole;

    if (!folder)
        return strdup(path);
    if (asprintf(&whole, "%s/%s", folder, path) < 0)
        whole = NULL;
    free(folder);
    return whole;
}

static int add_output(struct pe__environment *to, uint32_t format, const char *path)
{
    struct pe__environment_output *output = &to->outputs[to->output_count];

    if (to->output_count == PE__ENVIRONMENT_OUTPUTS_MAX)
        return PE_ETOOBIG;
    *output = (struct pe__environment_output){ format, NULL };
    if (path && !(output->path = absolute(path)))
        return PE_ENOMEM;
    to->output_count++;
    if (format == PE_REPORT_TRACE || format == PE_REPORT_HTML)
        to->region.flags |= PE_REGION_TIMELINE;
    return 0;
}

/* All of these: 0, PE_EINVAL when the word means nothing to them, PE_ETOOBIG: one output too many, PE_ENOMEM. */

static int read_format(struct pe__environment *to, const char *word)
{
    for (size_t i = 0; i < COUNT(formats); i++) {
        const char *path = value_of(word, formats[i].name, ':');

        if (path && *path)
            return add_output(to, formats[i].format, path);
        if (strcmp(word, formats[i].name) == 0)
            return add_output(to, formats[i].format, formats[i].path);
    }
    return PE_EINVAL;
}

static int read_flag(struct pe__environment *to, const char *word)
{
    for (size_t i = 0; i < COUNT(flags); i++)
        if (strcmp(word, flags[i].name) == 0) {
            to->region.flags |= flags[i].region_flags;
            to->report.flags |= flags[i].report_flags;
            return 0;
        }
    if (strcmp(word, "quick") == 0)
        to->region.clock = PE_CLOCK_QUICK;
    else if (strcmp(word, "sampled") == 0)
        to->region.clock = PE_CLOCK_SAMPLED;
    else if (strcmp(word, "signals") == 0)
        to->with_signals = true;
    else
        return PE_EINVAL;
    return 0;
}

static int read_number(const char *text, uint64_t most, uint64_t *ret)
{
    unsigned long long number;
    char *end;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || number > most)
        return PE_EINVAL;
    *ret = number;
    return 0;
}

static int read_sort(struct pe__environment *to, const char *name)
{
    for (size_t i = 0; i < COUNT(sorts); i++)
        if (strcmp(name, sorts[i].name) == 0) {
            to->report.sort = sorts[i].sort;
            return 0;
        }
    return PE_EINVAL;
}

static int read_value(struct pe__environment *to, const char *word)
{
    const char *value;
    uint64_t number;

    if ((value = value_of(word, "sort", '=')))
        return read_sort(to, value);
    if ((value = value_of(word, "rows", '=')))
        return read_number(value, UINT64_MAX, &to->report.rows);
    if ((value = value_of(word, "events", '=')))
        return read_number(value, UINT64_C(1) << 24, &to->region.events);
    if ((value = value_of(word, "match", '='))) {
        to->report.match = value;
        return 0;
    }
    if ((value = value_of(word, "paths", '=')) && read_number(value, 65536, &number) == 0) {
        to->region.paths = (uint32_t)number;
        return 0;
    }
    if ((value = value_of(word, "names", '=')) && read_number(value, 65536, &number) == 0) {
        to->region.names = (uint32_t)number;
        return 0;
    }
    return PE_EINVAL;
}

static int read_word(struct pe__environment *to, const char *word)
{
    int error = read_format(to, word);

    if (error == PE_EINVAL)
        error = read_flag(to, word);
    if (error == PE_EINVAL)
        error = read_value(to, word);
    return error;
}

int pe__environment_read(struct pe__environment *ret, const char *text, pe__environment_wrong_fn *wrong)
{
    struct pe__environment environment = { .region = PE_REGION_OPTIONS_INIT, .report = PE_REPORT_OPTIONS_INIT };
    bool means_something = false;
    char *rest, *word;
    int error = 0;

    environment.text = rest = strdup(text);
    if (!rest)
        return PE_ENOMEM;
    while ((word = strsep(&rest, ","))) {
        if (!*word)
            continue;
        error = read_word(&environment, word);
        if (error == PE_ENOMEM)
            break;
        if (error)
            wrong(error == PE_EINVAL ? "has a word that means nothing" : TOO_MANY, word);
        means_something |= error == 0;
    }
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): `word` lies in environment.text */
    if (error != PE_ENOMEM && means_something && environment.output_count == 0)
        error = add_output(&environment, PE_REPORT_TEXT, NULL);
    if (error == PE_ENOMEM) {
        pe__environment_fini(&environment);
        return PE_ENOMEM;
    }
    *ret = environment;
    return 0;
}

void pe__environment_fini(struct pe__environment *environment)
{
    for (uint32_t i = 0; i < environment->output_count; i++)
        free(environment->outputs[i].path);
    free(environment->text);
}

char *pe__environment_path(const char *path)
{
    char *whole = NULL;
    size_t bytes;
    FILE *to = open_memstream(&whole, &bytes);
    const char *number;

    if (!to)
        return NULL;
    while ((number = strstr(path, "%p"))) {
        fprintf(to, "%.*s%d", (int)(number - path), path, (int)getpid());
        path = number + 2;
    }
    fputs(path, to);
    if (fclose(to) != 0) {
        free(whole);
        whole = NULL;
    }
    return whole;
}
