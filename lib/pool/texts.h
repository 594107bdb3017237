/*
 * texts.h - what a job or an item has left as text, copied to the host's own memory.
 *
 * Added while the ending is taken over, under the pool's mutex; constant from the end of the job on, but for the text
 * of a backtrace, which is made when it is first asked for.
 */
#ifndef PE__POOL_TEXTS_H
#define PE__POOL_TEXTS_H

#include <stddef.h>
#include <stdint.h>

struct pe__loaded;
struct pe__texts;

/* Adds a copy of a text, PE_TEXT_MESSAGE and so on, to *texts, which is NULL at first. Of a backtrace the bytes are
 * notes as of shared/crash.h, or anything else. Where there is no memory, there is no text. */
void pe__texts_add(struct pe__texts **texts, uint32_t which, const void *bytes, size_t count);

/* NULL is fine. */
void pe__texts_free(struct pe__texts *texts);

/* As pe_job_item_text. PE_EAGAIN: there are notes of a crash to be made a text of first. */
int pe__texts_get(const struct pe__texts *texts, uint32_t which, const char **ret_text, size_t *ret_bytes);

/*
 * Makes that text, unless it is made meanwhile. Not with a lock of the library held: it asks the dynamic loader for
 * names. `loaded` is the code that the workers have in common with the host.
 */
int pe__texts_make_backtrace(struct pe__texts *texts, const struct pe__loaded *loaded);

#endif
