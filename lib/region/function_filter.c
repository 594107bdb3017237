/*
 * function_filter.c - patterns are read when the library is loaded: later, the program may change its environment while
 * another thread enters its first function.
 */
#include "region/function_filter.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/symbol.h"

#define PATTERNS_BYTES 4096

/* One after the other, each ended by a zero; an empty one ends them. */
struct patterns {
    char text[PATTERNS_BYTES + 1];
};

static struct patterns exclude_patterns, only_patterns;

/* What does not fit is left out, as a whole pattern. */
static void split(struct patterns *ret, const char *list)
{
    char *to = ret->text;
    for (const char *from = list != NULL ? list : ""; *from != '\0';) {
        size_t bytes = strcspn(from, ",");
        if (bytes > 0 && bytes < (size_t)(ret->text + PATTERNS_BYTES - to)) {
            memcpy(to, from, bytes);
            to[bytes] = '\0';
            to += bytes + 1;
        }
        from += bytes + (from[bytes] == ',');
    }
    *to = '\0';
}

void pe__function_filter(const char *exclude, const char *only)
{
    split(&exclude_patterns, exclude);
    split(&only_patterns, only);
}

__attribute__((constructor(101))) static void read_environment(void)
{
    pe__function_filter(getenv("PAREXEC_PROFILE_EXCLUDE"), getenv("PAREXEC_PROFILE_ONLY"));
}

static bool match(const struct patterns *patterns, const char *name)
{
    for (const char *pattern = patterns->text; name != NULL && *pattern != '\0'; pattern += strlen(pattern) + 1)
        if (fnmatch(pattern, name, 0) == 0)
            return true;
    return false;
}

bool pe__function_is_wanted(const char *symbol)
{
    if (*exclude_patterns.text == '\0' && *only_patterns.text == '\0')
        return true;
    char *readable = pe__symbol_demangle(symbol);
    bool is_excluded = match(&exclude_patterns, symbol) || match(&exclude_patterns, readable);
    bool is_asked_for = *only_patterns.text == '\0' || match(&only_patterns, symbol) || match(&only_patterns, readable);
    free(readable);
    return is_asked_for && !is_excluded;
}
