/* source_text.c - the lines of a source file. */
#include "report/source_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <parexec/error.h>

#include "base/file.h"

static char *read_regular(const char *path)
{
    struct stat at;

    if (stat(path, &at) != 0 || !S_ISREG(at.st_mode))
        return NULL;
    return pe__base_file_read("", path);
}

/* A name such as ../src/grid.c is relative to where the compiler ran. */
static const char *skip_dots(const char *file)
{
    for (;;) {
        if (strncmp(file, "../", 3) == 0)
            file += 3;
        else if (strncmp(file, "./", 2) == 0)
            file += 2;
        else if (*file == '/')
            file++;
        else
            return file;
    }
}

static char *read_below(const char *folder, size_t folder_bytes, const char *file)
{
    char *path, *text;

    if (folder_bytes == 0 || asprintf(&path, "%.*s/%s", (int)folder_bytes, folder, file) < 0)
        return NULL;
    text = read_regular(path);
    free(path);
    return text;
}

static char *find_text(const char *file)
{
    const char *folder = secure_getenv("PAREXEC_SOURCE_PATH"), *slash = strrchr(file, '/');
    char *text = read_regular(file);

    while (!text && folder && *folder) {
        size_t bytes = strcspn(folder, ":");
        text = read_below(folder, bytes, skip_dots(file));
        if (!text && slash)
            text = read_below(folder, bytes, slash + 1);
        folder += bytes + (folder[bytes] == ':');
    }
    return text;
}

static uint32_t count_lines(const char *text)
{
    uint32_t count = 0;

    for (; *text; text++)
        count += *text == '\n' || text[1] == '\0';
    return count;
}

int pe__source_text_read(struct pe__source_text *ret, const char *file)
{
    *ret = (struct pe__source_text){ .text = *file ? find_text(file) : NULL };
    if (!ret->text)
        return 0;
    ret->lines = calloc((size_t)count_lines(ret->text) + 1, sizeof *ret->lines);
    if (!ret->lines) {
        free(ret->text);
        return PE_ENOMEM;
    }
    for (char *rest = ret->text; *rest;) {
        size_t bytes = strcspn(rest, "\n");
        bool is_last = rest[bytes] == '\0';
        ret->lines[ret->count++] = rest;
        rest[bytes] = '\0';
        rest += bytes + !is_last;
    }
    return 0;
}

void pe__source_text_free(struct pe__source_text *source)
{
    free(source->lines);
    free(source->text);
}

const char *pe__source_text_line(const struct pe__source_text *source, uint32_t line)
{
    return line >= 1 && line <= source->count ? source->lines[line - 1] : NULL;
}
