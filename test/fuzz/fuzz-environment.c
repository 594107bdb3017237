/* fuzz-environment.c - the words of PAREXEC_PROFILE, and the patterns of PAREXEC_PROFILE_ONLY and _EXCLUDE. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "region/function_filter.h"
#include "report/environment.h"

static void wrong(const char *why, const char *word)
{
    if (strlen(why) == 0 || strlen(word) == 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct pe__environment environment;
    char *text = malloc(count + 1);

    if (text == NULL)
        return 0;
    memcpy(text, bytes, count);
    text[count] = '\0';
    if (pe__environment_read(&environment, text, wrong) == 0) {
        if (environment.output_count > PE__ENVIRONMENT_OUTPUTS_MAX)
            abort();
        for (uint32_t i = 0; i < environment.output_count; i++)
            if (environment.outputs[i].path != NULL)
                free(pe__environment_path(environment.outputs[i].path));
        pe__environment_fini(&environment);
    }
    pe__function_filter(text, text);
    (void)pe__function_is_wanted("function");
    pe__function_filter(NULL, NULL);
    free(text);
    return 0;
}
