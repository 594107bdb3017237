#include "harness/exports.h"

#include <stdio.h>

#include "harness/harness.h"

static bool has_row(const char *name, const char *rows, size_t row_bytes, size_t row_count)
{
    for (size_t i = 0; i < row_count; i++) {
        const char *row_name;

        memcpy(&row_name, rows + i * row_bytes, sizeof row_name);
        if (strcmp(row_name, name) == 0)
            return true;
    }
    return false;
}

/* What is of tasks begins with a comment that names async.h. */
void exports_assert_rows(const char *path, bool of_tasks, const void *rows, size_t row_bytes, size_t row_count)
{
    FILE *map = fopen(path, "r");
    char line[200], name[200];
    bool is_of_tasks = false;
    size_t found = 0;

    ck_assert_ptr_nonnull(map);
    while (fgets(line, sizeof line, map) != NULL) {
        is_of_tasks = is_of_tasks || strstr(line, "async.h") != NULL;
        if (is_of_tasks != of_tasks || sscanf(line, " %199[a-z0-9_];", name) != 1 || strncmp(name, "pe_", 3) != 0)
            continue;
        ck_assert_msg(has_row(name, rows, row_bytes, row_count), "%s is exported and has no row", name);
        found++;
    }
    fclose(map);
    ck_assert_uint_eq(found, row_count);
}
