/* Programs beside us: see the header. */

#include "table/program.h"
#include "machine.h"
#include "table/row.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child. What matters of its stderr comes back as a missing answer. */
static void become(const char *const argv[], int in, int out)
{
    int nowhere = open("/dev/null", O_WRONLY);
    dup2(in, 0);
    dup2(out, 1);
    dup2(nowhere, 2);
    execvp(argv[0], (char *const *)argv);
    _exit(127);
}

static int start(struct program *program, const char *const argv[])
{
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) < 0)
        return -1;
    if (pipe2(out, O_CLOEXEC) < 0) {
        close(in[0]);
        close(in[1]);
        return -1;
    }
    program->pid = machine_fork();
    if (program->pid == 0)
        become(argv, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    program->to = fdopen(in[1], "w");
    program->from = fdopen(out[0], "r");
    return 0;
}

static int next_line(struct program *program)
{
    if (!fgets(program->answer, sizeof(program->answer), program->from)) {
        snprintf(program->note, NOTE_BYTES, "not installed, or it failed");
        return -1;
    }
    program->answer[strcspn(program->answer, "\n")] = '\0';
    return 0;
}

int program_open(struct program *program, const char *const argv[], char *note)
{
    *program = (struct program){ .note = note };
    if (start(program, argv) < 0)
        return -1;
    if (next_line(program) < 0) {
        program_close(program);
        return -1;
    }
    if (strcmp(program->answer, "ready") != 0) {
        snprintf(note, NOTE_BYTES, "%.*s", NOTE_BYTES - 1, program->answer);
        program_close(program);
        return -1;
    }
    return 0;
}

int program_ask(struct program *program, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(program->to, format, args);
    va_end(args);
    putc('\n', program->to);
    fflush(program->to);
    return next_line(program);
}

void program_close(struct program *program)
{
    fclose(program->to);
    fclose(program->from);
    waitpid(program->pid, NULL, 0);
}

const char *program_python(void)
{
    const char *python = getenv("PE_BENCH_PYTHON");
    return python ? python : "python3";
}

void program_rival_path(const char *file, char *path, size_t bytes)
{
    const char *directory = getenv("PE_BENCH_RIVALS");
    snprintf(path, bytes, "%s/%s", directory ? directory : BENCH_SOURCE_DIR "/rivals", file);
}
