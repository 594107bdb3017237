/*
 * post.c - calls from other threads.
 *
 * The mutex guards the list and whether more is taken. The wake-up is sent while it is held: the loop closes its async
 * handle only after it has said under the mutex that no more is taken, so nobody wakes a handle that is closed. Only a
 * post into an empty list wakes, since the loop takes the whole list at once and has not done so yet. The loop holds
 * the mutex for some instructions and never while it calls.
 */
#include <stdlib.h>

#include "async/loop.h"
#include "async/slow.h"
#include "base/forked.h"

struct pe__post {
    struct pe__post *next;
    pe_post_fn *fn;
    void *context;
};

static struct pe__post *take_all(pe_loop *loop)
{
    pthread_mutex_lock(&loop->post_mutex);
    struct pe__post *oldest = loop->posted;
    loop->posted = loop->posted_last = NULL;
    pthread_mutex_unlock(&loop->post_mutex);
    return oldest;
}

void pe__loop_run_posts(pe_loop *loop)
{
    pe_loop *before = pe__loop_enter(loop);

    for (struct pe__post *post = take_all(loop), *next; post != NULL; post = next) {
        next = post->next;
        if (__builtin_expect(loop->slow_ns > 0, 0))
            pe__slow_call_post(loop, post->fn, post->context);
        else
            post->fn(post->context);
        free(post);
    }
    pe__loop_leave(before);
}

void pe__loop_end_posts(pe_loop *loop)
{
    pthread_mutex_lock(&loop->post_mutex);
    loop->takes_posts = false;
    pthread_mutex_unlock(&loop->post_mutex);
    pe__loop_run_posts(loop);
}

static int push(pe_loop *loop, struct pe__post *post)
{
    if (!loop->takes_posts)
        return PE_ECLOSED;
    if (loop->posted == NULL) {
        loop->posted = post;
        uv_async_send(&loop->async);
    } else {
        loop->posted_last->next = post;
    }
    loop->posted_last = post;
    return 0;
}

int pe_loop_post(pe_loop *loop, pe_post_fn *fn, void *context)
{
    if (loop == NULL || fn == NULL)
        return PE_EINVAL;
    if (pe__base_forked(loop->token))
        return PE_EFORKED;
    struct pe__post *post = malloc(sizeof *post);
    if (post == NULL)
        return PE_ENOMEM;
    *post = (struct pe__post){ .fn = fn, .context = context };
    pthread_mutex_lock(&loop->post_mutex);
    int result = push(loop, post);
    pthread_mutex_unlock(&loop->post_mutex);
    if (result < 0)
        free(post);
    return result;
}
