/* Made-up trees of files. */
#include "harness/tree.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "harness/harness.h"

void tree_make(struct tree *tree)
{
    strcpy(tree->root, "/tmp/parexec-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(tree->root));
}

void tree_remove(struct tree *tree)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf '%s'", tree->root);
    ck_assert_int_eq(system(command), 0);
}

void tree_put(const struct tree *tree, const char *path, const char *text)
{
    char whole[PATH_MAX];
    FILE *file;

    snprintf(whole, sizeof whole, "%s%s", tree->root, path);
    for (char *slash = strchr(whole + strlen(tree->root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        ck_assert(mkdir(whole, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    file = fopen(whole, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}
