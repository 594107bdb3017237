/* title.c - what reports call threads and labels. */
#include "report/title.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <parexec/region.h>

void pe__title_track(char title[PE__TITLE_BYTES], const struct pe__profile_track *track)
{
    if (track->name[0])
        snprintf(title, PE__TITLE_BYTES, "%s", track->name);
    else
        snprintf(title, PE__TITLE_BYTES, "thread %" PRId32, track->tid);
}

const char *pe__title_file(const char *file)
{
    const char *slash = strrchr(file, '/');

    return slash && slash[1] ? slash + 1 : file;
}

void pe__title_label(char title[PE__TITLE_BYTES], const struct pe__profile_label *label)
{
    if (label->kind == PE_SITE_LINE)
        snprintf(title, PE__TITLE_BYTES, "%s:%" PRIu32, pe__title_file(label->file), label->line);
    else
        snprintf(title, PE__TITLE_BYTES, "%s", label->name[0] ? label->name : "(unnamed)");
}

bool pe__title_is_wait(const struct pe__profile_label *label)
{
    return !strcmp(label->name, "pe.idle") || !strcmp(label->name, "pe.queue");
}

bool pe__title_is_nested(const struct pe__profile_label *label)
{
    if (label->kind != PE_SITE_REGION && label->kind != PE_SITE_LINE && label->kind != PE__KIND_FUNCTION)
        return false;
    return !pe__title_is_wait(label);
}
