#ifndef PE__TEST_TREE_H
#define PE__TEST_TREE_H

/* Made-up trees of files, such as /proc and /sys, below a temporary directory. */

struct tree {
    char root[64];
};

void tree_make(struct tree *tree);
void tree_remove(struct tree *tree);
/* Writes a file and the directories above it. */
void tree_put(const struct tree *tree, const char *path, const char *text);

#endif
