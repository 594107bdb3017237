/* texts.c - copies of texts; a backtrace is kept as the numbers that it is made of. */
#include "pool/texts.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <parexec/error.h>
#include <parexec/job.h>

#include "pool/backtrace.h"

struct text {
    size_t bytes;
    char text[]; /* with a NUL behind it */
};

struct pe__texts {
    struct text *texts[PE_TEXT_BACKTRACE]; /* of each kind, NULL: none */
    _Atomic(struct text *) backtrace;      /* made of the last one */
};

static struct text *new_text(const void *from, size_t bytes)
{
    struct text *copy = malloc(sizeof *copy + bytes + 1);
    if (copy == NULL)
        return NULL;
    copy->bytes = bytes;
    memcpy(copy->text, from, bytes);
    copy->text[bytes] = '\0';
    return copy;
}

void pe__texts_add(struct pe__texts **texts, uint32_t which, const void *bytes, size_t count)
{
    if (*texts == NULL)
        *texts = calloc(1, sizeof **texts);
    if (*texts != NULL)
        (*texts)->texts[which - 1] = new_text(bytes, count);
}

void pe__texts_free(struct pe__texts *texts)
{
    if (texts == NULL)
        return;
    for (size_t i = 0; i < PE_TEXT_BACKTRACE; i++)
        free(texts->texts[i]);
    free(atomic_load_explicit(&texts->backtrace, memory_order_relaxed));
    free(texts);
}

/* Several threads may come here at once: one text stands, whoever has made it. */
int pe__texts_make_backtrace(struct pe__texts *texts, const struct pe__loaded *loaded)
{
    const struct text *notes = texts->texts[PE_TEXT_BACKTRACE - 1];
    struct text *none = NULL;
    char *text;
    size_t bytes;
    int result = pe__backtrace_describe(notes->text, notes->bytes, loaded, &text, &bytes);
    if (result < 0)
        return result;
    struct text *made = new_text(text, bytes);
    free(text);
    if (made == NULL)
        return PE_ENOMEM;
    if (!atomic_compare_exchange_strong_explicit(&texts->backtrace, &none, made, memory_order_acq_rel,
                                                 memory_order_relaxed))
        free(made);
    return 0;
}

int pe__texts_get(const struct pe__texts *texts, uint32_t which, const char **ret_text, size_t *ret_bytes)
{
    const struct text *text = texts != NULL ? texts->texts[which - 1] : NULL;
    if (text == NULL)
        return PE_ENODATA;
    if (which == PE_TEXT_BACKTRACE)
        text = atomic_load_explicit(&texts->backtrace, memory_order_acquire);
    if (text == NULL)
        return PE_EAGAIN;
    *ret_text = text->text;
    if (ret_bytes != NULL)
        *ret_bytes = text->bytes;
    return 0;
}
