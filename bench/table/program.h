#ifndef PE__BENCH_TABLE_PROGRAM_H
#define PE__BENCH_TABLE_PROGRAM_H

/* A rival that is a program of its own: it stands beside us, idle and blocked in a read unless it is its turn, and
 * measures itself, so its start and the pipe to us never count. It says "ready" first, or why it cannot; then each line
 * that it gets is a question, and it writes one line for an answer. Its end is that of its input. */

#include <stdio.h>
#include <sys/types.h>

struct program {
    pid_t pid;
    FILE *to, *from;
    char answer[256];
    char *note; /* NOTE_BYTES; filled where something fails */
};

/* Starts it, argv[0] looked for on the PATH; its stderr goes nowhere. 0 once it is ready, or -1 with the note. */
int program_open(struct program *program, const char *const argv[], char *note);

/* 0 and the answer in program->answer, or -1 with the note filled. */
int program_ask(struct program *program, const char *format, ...) __attribute__((format(printf, 2, 3)));

void program_close(struct program *program);

/* The interpreter for Python's rivals: PE_BENCH_PYTHON, or python3. */
const char *program_python(void);

/* The path of a rival's source, in bench/rivals or where PE_BENCH_RIVALS says. */
void program_rival_path(const char *file, char *path, size_t bytes);

#endif
