#include <parexec.h>
#include <stdio.h>
#include <stdlib.h>

struct node {
    int number;
    struct node *left, *right;
};

static struct node *add(struct node *node, int number)
{
    if (node == NULL) {
        node = calloc(1, sizeof *node);
        if (node == NULL)
            exit(1);
        node->number = number;
    } else if (number < node->number) {
        node->left = add(node->left, number);
    } else {
        node->right = add(node->right, number);
    }
    return node;
}

static void release(struct node *node)
{
    if (node == NULL)
        return;
    release(node->left);
    release(node->right);
    free(node);
}

static int depth(const struct node *node)
{
    int left = node != NULL ? depth(node->left) : 0, right = node != NULL ? depth(node->right) : 0;

    return node == NULL ? 0 : 1 + (left > right ? left : right);
}

/* Workers have the program's memory as it is at the call: they follow its pointers. */
static int measure(const void *in, void *out, const void *context)
{
    (void)context;
    *(int *)out = depth(*(struct node *const *)in);
    return 0;
}

int main(void)
{
    struct node *trees[8] = { NULL };
    int depths[8], error;

    for (int i = 0; i < 8; i++)
        for (int n = 0; n < 1000; n++)
            trees[i] = add(trees[i], n * (i + 1) * 37 % 1009);
    error = pe_map_once(NULL, measure, trees, sizeof trees[0], depths, sizeof depths[0], 8, NULL);
    if (error < 0) {
        fprintf(stderr, "%s\n", pe_strerror(error));
        return 1;
    }
    for (int i = 0; i < 8; i++) {
        printf("tree %d: %d deep\n", i, depths[i]);
        release(trees[i]);
    }
    return 0;
}
