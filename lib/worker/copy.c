/*
 * copy.c - how a copy of a worker is known: by the word that the kernel wipes at a fork.
 *
 * Reading it would take a fifth longer for the shortest items. What is looked at after each of them, among other
 * things, is whether it has left a message; so a handler of pthread_atfork makes it look so in a child, and then the
 * word is asked. The handler is not called for a bare clone, nor by _Fork: in maps without options a child that was
 * made so is not known.
 */
#include "worker/copy.h"

#include <pthread.h>
#include <unistd.h>

#include "worker/hygiene.h"

static struct pe__worker *watched;

static void mark_copy(void)
{
    watched->scope.text_bytes = sizeof watched->scope.text;
}

void pe__worker_copy_watch(struct pe__worker *worker)
{
    bool has_handler = watched != NULL; /* in a worker of a pool that a job made */
    watched = worker;
    pe__base_forked_token(&worker->token); /* the host had one, so the word is there */
    worker->reply.token = worker->token;
    if (!has_handler)
        pthread_atfork(NULL, NULL, mark_copy);
}

void pe__worker_copy_leave(int code)
{
    pe__worker_flush_stdio();
    _exit(code);
}
