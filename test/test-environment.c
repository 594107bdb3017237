/*
 * PAREXEC_PROFILE: its words, and reports at the end of programs that know nothing of them, whichever way they end.
 * Each test of a program runs it twice, linked to the shared and to the static library.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <parexec/error.h>

#include "harness/harness.h"
#include "harness/tree.h"
#include "report/environment.h"

#define NOBODY 65534
#define GUARD_MS 20000

/* ---- words ---- */

static char wrong_words[256];

static void note_wrong(const char *why, const char *word)
{
    ck_assert_str_eq(why, strstr(word, "too-many") ? "names more than 16 reports, of which this one is not written"
                                                   : "has a word that means nothing");
    strcat(wrong_words, word);
    strcat(wrong_words, ";");
}

static struct pe__environment read_words(const char *text)
{
    struct pe__environment read;

    wrong_words[0] = '\0';
    ck_assert_int_eq(pe__environment_read(&read, text, note_wrong), 0);
    return read;
}

PE_TEST(words_choose_formats_and_files)
{
    static const char words[] = "text,lines:/a,json,csv:/%p.csv,folded:/f,trace:/t,html:/h:with colon,json:/%p";
    static const uint32_t formats[] = { PE_REPORT_TEXT,   PE_REPORT_LINES, PE_REPORT_JSON, PE_REPORT_CSV,
                                        PE_REPORT_FOLDED, PE_REPORT_TRACE, PE_REPORT_HTML, PE_REPORT_JSON };
    struct pe__environment read = read_words(words);

    ck_assert_str_eq(wrong_words, "");
    ck_assert_uint_eq(read.output_count, 8);
    for (uint32_t i = 0; i < 8; i++)
        ck_assert_uint_eq(read.outputs[i].format, formats[i]);
    ck_assert_ptr_null(read.outputs[0].path);
    ck_assert_str_eq(read.outputs[1].path, "/a");
    ck_assert_ptr_nonnull(strstr(read.outputs[2].path, "/parexec-%p.json"));
    ck_assert_str_eq(read.outputs[3].path, "/%p.csv");
    ck_assert_str_eq(read.outputs[6].path, "/h:with colon");
    ck_assert_uint_eq(read.region.flags, PE_REGION_TIMELINE); /* trace and html show it */
    pe__environment_fini(&read);
}
END_TEST

PE_TEST(words_say_how_to_measure_and_to_show)
{
    struct pe__environment read =
        read_words("quick,cpu,tree,signals,,sort=percall,rows=20,match=a*,paths=10,names=65536,events=16777216,"
                   "processes,threads,net");

    ck_assert_str_eq(wrong_words, "");
    ck_assert_uint_eq(read.output_count, 1); /* text, as nothing else is asked for */
    ck_assert_uint_eq(read.outputs[0].format, PE_REPORT_TEXT);
    ck_assert_uint_eq(read.region.clock, PE_CLOCK_QUICK);
    ck_assert_uint_eq(read.region.flags, PE_REGION_CPU_TIME);
    ck_assert_uint_eq(read.region.paths, 10);
    ck_assert_uint_eq(read.region.names, 65536);
    ck_assert_uint_eq(read.region.events, 16777216);
    ck_assert_uint_eq(read.report.sort, PE_SORT_PER_CALL);
    ck_assert_uint_eq(read.report.rows, 20);
    ck_assert_str_eq(read.report.match, "a*");
    ck_assert_uint_eq(read.report.flags, PE_REPORT_TREE | PE_REPORT_PER_PROCESS | PE_REPORT_PER_THREAD |
                                             PE_REPORT_SUBTRACT_COST);
    ck_assert(read.with_signals);
    pe__environment_fini(&read);
}
END_TEST

PE_TEST(words_that_mean_nothing_are_named)
{
    struct pe__environment read = read_words("sampled,colour,text:,rows=-1,rows=1x,sort=size,paths=65537,Text,quick=1");

    ck_assert_str_eq(wrong_words, "colour;text:;rows=-1;rows=1x;sort=size;paths=65537;Text;quick=1;");
    ck_assert_uint_eq(read.region.clock, PE_CLOCK_SAMPLED);
    ck_assert_uint_eq(read.output_count, 1);
    pe__environment_fini(&read);
    read = read_words("colour");
    ck_assert_uint_eq(read.output_count, 0); /* nothing is asked for */
    pe__environment_fini(&read);
}
END_TEST

PE_TEST(more_outputs_than_there_is_room_for_are_named)
{
    struct pe__environment read =
        read_words("text,text,text,text,text,text,text,text,text,text,text,text,text,text,text,text,text:/too-many");

    ck_assert_str_eq(wrong_words, "text:/too-many;");
    ck_assert_uint_eq(read.output_count, PE__ENVIRONMENT_OUTPUTS_MAX);
    pe__environment_fini(&read);
}
END_TEST

PE_TEST(process_number_stands_in_paths)
{
    char wanted[64], *path = pe__environment_path("/a/%p-%p.x%");

    snprintf(wanted, sizeof wanted, "/a/%d-%d.x%%", (int)getpid(), (int)getpid());
    ck_assert_str_eq(path, wanted);
    free(path);
}
END_TEST

PE_TEST(words_without_memory_give_an_error)
{
    struct pe__environment read;

    harness_fail_nth(HARNESS_MALLOC, 1, ENOMEM);
    ck_assert_int_eq(pe__environment_read(&read, "text", note_wrong), PE_ENOMEM);
    harness_fail_nth(HARNESS_MALLOC, 2, ENOMEM);
    ck_assert_int_eq(pe__environment_read(&read, "text:/a", note_wrong), PE_ENOMEM);
}
END_TEST

/* ---- programs ---- */

static const char *const programs[] = { MEASURED_SHARED, MEASURED_STATIC };

#define PE_TEST_PROGRAMS(name) PE_TEST_LOOP(name, 0, 2)

/* One run: where it runs and leaves its files, what it printed, how it ended. */
struct run {
    struct tree folder;
    const char *words; /* PAREXEC_PROFILE; NULL: not set */
    const char *program, *way, *argument;
    bool ignores_interrupts;
    bool has_no_reader; /* of standard error */
    pid_t pid;
    int out; /* its standard output */
    int status;
    char text[65536]; /* what is in "stderr" there */
};

static void become_program(const struct run *run, int out)
{
    int unread[2], error;

    if (chdir(run->folder.root) != 0 || (error = open("stderr", O_WRONLY | O_CREAT | O_TRUNC, 0600)) < 0)
        _exit(120);
    if (run->has_no_reader && (pipe(unread) != 0 || close(unread[0]) != 0 || dup2(unread[1], error) < 0))
        _exit(120);
    dup2(out, 1);
    dup2(error, 2);
    close(error);
    signal(SIGINT, run->ignores_interrupts ? SIG_IGN : SIG_DFL);
    if (run->words)
        setenv("PAREXEC_PROFILE", run->words, 1);
    else
        unsetenv("PAREXEC_PROFILE");
    execl(run->program, run->program, run->way, run->argument, (char *)NULL);
    _exit(121);
}

static void start(struct run *run, int program, const char *words, const char *way)
{
    int fds[2];

    if (!run->folder.root[0])
        tree_make(&run->folder);
    if (!run->program)
        run->program = programs[program];
    run->words = words;
    run->way = way;
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    run->pid = fork();
    ck_assert_int_ge(run->pid, 0);
    if (run->pid == 0)
        become_program(run, fds[1]);
    close(fds[1]);
    run->out = fds[0];
}

static const char *read_from(const struct run *run, const char *name)
{
    static char text[65536];
    char path[512];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", run->folder.root, name);
    file = fopen(path, "re");
    ck_assert_msg(file != NULL, "no %s; standard error: %s", name, run->text);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void await_end(struct run *run)
{
    ck_assert_int_eq(waitpid(run->pid, &run->status, 0), run->pid);
    close(run->out);
    strcpy(run->text, read_from(run, "stderr"));
}

static void run_to_end(struct run *run, int program, const char *words, const char *way)
{
    start(run, program, words, way);
    await_end(run);
}

/* The number that it prints when it waits; that of a child, perhaps. */
static pid_t await_ready(struct run *run)
{
    struct pollfd out = { run->out, POLLIN, 0 };
    char text[32] = "";

    ck_assert_int_eq(poll(&out, 1, GUARD_MS), 1);
    ck_assert_int_gt(read(run->out, text, sizeof text - 1), 0);
    return (pid_t)atoi(text);
}

static void assert_exited(const struct run *run, int status)
{
    ck_assert_msg(WIFEXITED(run->status) && WEXITSTATUS(run->status) == status, "status %#x: %s", (unsigned)run->status,
                  run->text);
}

static void assert_killed(const struct run *run, int number)
{
    ck_assert_msg(WIFSIGNALED(run->status) && WTERMSIG(run->status) == number, "status %#x: %s", (unsigned)run->status,
                  run->text);
}

static int count_of(const char *text, const char *part)
{
    int count = 0;

    for (; (text = strstr(text, part)); text++)
        count++;
    return count;
}

/* Whole: the head, and the regions up to the last table. */
static void assert_reports(const char *text, int reports)
{
    ck_assert_msg(count_of(text, "program   measured") == reports &&
                      count_of(text, "\nRegions of all threads") == reports &&
                      count_of(text, "\nCounters:") == reports,
                  "not %d reports: %s", reports, text);
}

/* Files of the folder whose names end so. */
static int list(const struct run *run, const char *end, char names[4][64])
{
    DIR *folder = opendir(run->folder.root);
    int count = 0;

    ck_assert_ptr_nonnull(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        size_t bytes = strlen(entry->d_name);
        if (bytes >= strlen(end) && strcmp(entry->d_name + bytes - strlen(end), end) == 0 && count < 4)
            snprintf(names[count++], 64, "%.60s", entry->d_name);
    }
    closedir(folder);
    return count;
}

static void finish(struct run *run)
{
    tree_remove(&run->folder);
    memset(run, 0, sizeof *run);
}

static struct run run;

/* ---- ends in order ---- */

PE_TEST_PROGRAMS(i26_report_when_a_program_ends)
{
    static const char *const ways[] = { "return", "exit" };

    for (int i = 0; i < 2; i++) {
        run_to_end(&run, _i, "text", ways[i]);
        assert_exited(&run, i == 0 ? 0 : 7);
        assert_reports(run.text, 1);
        ck_assert_ptr_nonnull(strstr(run.text, "  work\n"));
        ck_assert_ptr_nonnull(strstr(run.text, "  at exit\n"));
        finish(&run);
    }
}
END_TEST

PE_TEST_PROGRAMS(j06_nothing_is_written_unless_asked_for)
{
    run_to_end(&run, _i, NULL, "return");
    ck_assert_str_eq(run.text, "");
    run_to_end(&run, _i, "", "return");
    ck_assert_str_eq(run.text, "");
    run_to_end(&run, _i, "text", "nothing");
    ck_assert_ptr_nonnull(strstr(run.text, "Nothing was measured"));
    run_to_end(&run, _i, "text", "off"); /* what came before stays, what comes after is not measured */
    ck_assert_ptr_nonnull(strstr(run.text, "  work\n"));
    ck_assert_ptr_null(strstr(run.text, "  at exit\n"));
    assert_exited(&run, 0);
    finish(&run);
}
END_TEST

PE_TEST_PROGRAMS(files_are_named_where_the_program_began)
{
    run.argument = "/";
    run_to_end(&run, _i, "text:report,lines:%p.lines,tree", "chdir");
    assert_exited(&run, 0);
    ck_assert_str_eq(run.text, "");
    ck_assert_ptr_nonnull(strstr(read_from(&run, "report"), "Call tree of all threads"));
    char names[4][64];
    ck_assert_int_eq(list(&run, ".lines", names), 1);
    ck_assert_int_eq(atoi(names[0]), run.pid);
    ck_assert_ptr_nonnull(strstr(read_from(&run, names[0]), "Region: work"));
    finish(&run);
}
END_TEST

PE_TEST_PROGRAMS(each_format_has_a_file_of_its_own)
{
    static const char *const begins[][2] = { { ".json", "{" },
                                             { ".csv", "process," },
                                             { ".folded", "host" },
                                             { ".trace.json", "{" },
                                             { ".html", "<!DOCTYPE html>" } };
    char names[4][64], name[64];

    run_to_end(&run, _i, "json,csv,folded,trace,html", "exit");
    assert_exited(&run, 7);
    ck_assert_str_eq(run.text, "");
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        snprintf(name, sizeof name, "parexec-%d%s", (int)run.pid, begins[i][0]);
        ck_assert_msg(strncmp(read_from(&run, name), begins[i][1], strlen(begins[i][1])) == 0, "%s: %.40s", name,
                      read_from(&run, name));
    }
    ck_assert_int_eq(list(&run, ".html", names), 1);
    finish(&run);
}
END_TEST

PE_TEST_PROGRAMS(wrong_words_and_files_are_told_in_a_line)
{
    char long_word[2000] = "";

    run_to_end(&run, _i, "colour,text:/nowhere/report,rows=x", "exit");
    assert_exited(&run, 7);
    ck_assert_str_eq(run.text, "parexec: PAREXEC_PROFILE has a word that means nothing: colour\n"
                               "parexec: PAREXEC_PROFILE has a word that means nothing: rows=x\n"
                               "parexec: /nowhere/report: no such file, directory or name\n");
    run_to_end(&run, _i, "colour", "exit");
    ck_assert_str_eq(run.text, "parexec: PAREXEC_PROFILE has a word that means nothing: colour\n");
    memset(long_word, 'x', sizeof long_word - 1);
    run_to_end(&run, _i, long_word, "exit");
    ck_assert_uint_lt(strlen(run.text), sizeof long_word);
    ck_assert_ptr_eq(strchr(run.text, '\n'), run.text + strlen(run.text) - 1);
    finish(&run);
}
END_TEST

PE_TEST_PROGRAMS(ends_without_destructors_leave_no_report)
{
    static const char *const ways[] = { "_exit", "quick_exit" };

    for (int i = 0; i < 2; i++) {
        run_to_end(&run, _i, "text", ways[i]);
        assert_exited(&run, 7);
        ck_assert_str_eq(run.text, "");
        finish(&run);
    }
}
END_TEST

/* ---- processes ---- */

PE_TEST_PROGRAMS(forked_child_leaves_its_parents_report_alone)
{
    run.argument = "child";
    run_to_end(&run, _i, "text", "fork");
    assert_exited(&run, 0);
    assert_reports(run.text, 1);
    ck_assert_ptr_nonnull(strstr(run.text, "  work\n"));
    ck_assert_ptr_null(strstr(run.text, "  child\n"));
    finish(&run);
}
END_TEST

PE_TEST_PROGRAMS(forked_child_has_a_report_of_its_own_under_its_number)
{
    char names[4][64];

    run.argument = "child";
    run_to_end(&run, _i, "text:%p.text", "fork");
    assert_exited(&run, 0);
    ck_assert_int_eq(list(&run, ".text", names), 2);
    for (int i = 0; i < 2; i++) {
        bool is_parent = atoi(names[i]) == run.pid;
        const char *text = read_from(&run, names[i]);
        assert_reports(text, 1);
        ck_assert((strstr(text, "  work\n") != NULL) == is_parent);
        ck_assert((strstr(text, "  child\n") != NULL) == !is_parent);
    }
    finish(&run);
    run_to_end(&run, _i, "text:%p.text", "fork idle"); /* atexit handlers run there too, and measure */
    ck_assert_int_eq(list(&run, ".text", names), 2);
    finish(&run);
}
END_TEST

PE_TEST_PROGRAMS(program_that_is_executed_reports_for_itself)
{
    char names[4][64];

    run_to_end(&run, _i, "text:%p.text", "exec");
    assert_exited(&run, 0);
    ck_assert_int_eq(list(&run, ".text", names), 1);
    assert_reports(read_from(&run, names[0]), 1);
    finish(&run);
}
END_TEST

PE_TEST_PROGRAMS(workers_and_their_children_write_nothing)
{
    char names[4][64];

    run_to_end(&run, _i, "text,text:%p.text", "pool");
    assert_exited(&run, 0);
    assert_reports(run.text, 1);
    ck_assert_int_eq(list(&run, ".text", names), 1);
    ck_assert_int_eq(atoi(names[0]), run.pid);
    finish(&run);
}
END_TEST

/* A program that runs with the rights of another user must not write files on request. */
PE_TEST(setuid_program_ignores_the_variable)
{
    char copy[128], command[512];
    struct statvfs at;

#ifdef __SANITIZE_ADDRESS__
    HARNESS_SKIP("its search for leaks does not work with another user's rights");
#endif
#ifdef HARNESS_COVERAGE
    HARNESS_SKIP("another user may not write the files of coverage, and their absence is printed");
#endif
    tree_make(&run.folder);
    if (getuid() != 0 || (statvfs(run.folder.root, &at) == 0 && at.f_flag & ST_NOSUID)) {
        finish(&run);
        HARNESS_SKIP("no program can be given another user's rights here");
    }
    snprintf(copy, sizeof copy, "%s/copy", run.folder.root);
    snprintf(command, sizeof command, "cp '%s' '%s' && chown %d '%s'", MEASURED_STATIC, copy, NOBODY, copy);
    ck_assert_int_eq(system(command), 0);
    run.program = copy;
    run_to_end(&run, 0, "text", "return");
    ck_assert_ptr_nonnull(strstr(run.text, "Regions of all threads"));
    ck_assert_int_eq(chmod(copy, 04755), 0);
    run.program = copy;
    run_to_end(&run, 0, "text", "return");
    assert_exited(&run, 0);
    ck_assert_str_eq(run.text, "");
    finish(&run);
}
END_TEST

/* ---- standard error ---- */

PE_TEST_PROGRAMS(file_that_took_the_number_of_standard_error_is_left_alone)
{
    run.argument = "data";
    run_to_end(&run, _i, "text", "close");
    assert_exited(&run, 0);
    ck_assert_str_eq(read_from(&run, "data"), "");
    ck_assert_str_eq(run.text, "");
    run_to_end(&run, _i, "text", "append"); /* a log */
    assert_exited(&run, 0);
    assert_reports(read_from(&run, "data"), 1);
    finish(&run);
}
END_TEST

PE_TEST_PROGRAMS(reader_that_left_does_not_end_the_program)
{
    run_to_end(&run, _i, "text:/dev/stdout", "exit"); /* await_end has not read anything */
    assert_exited(&run, 7);
    close(run.out);
    start(&run, _i, "text:/dev/stdout", "exit");
    close(run.out);
    run.out = -1;
    ck_assert_int_eq(waitpid(run.pid, &run.status, 0), run.pid);
    assert_exited(&run, 7);
    run.has_no_reader = true;
    run_to_end(&run, _i, "text", "exit");
    assert_exited(&run, 7);
    run_to_end(&run, _i, "no-such-word", "exit");
    assert_exited(&run, 7);
    finish(&run);
}
END_TEST

/* ---- signals ---- */

PE_TEST_PROGRAMS(i26_report_when_a_signal_ends_the_program)
{
    static const int numbers[] = { SIGINT, SIGTERM };

    for (int i = 0; i < 2; i++) {
        start(&run, _i, "text,signals", "wait");
        kill(await_ready(&run), numbers[i]);
        await_end(&run);
        assert_killed(&run, numbers[i]);
        assert_reports(run.text, 1);
        ck_assert_ptr_nonnull(strstr(run.text, "  work\n"));
        start(&run, _i, "text", "wait"); /* not asked for */
        kill(await_ready(&run), numbers[i]);
        await_end(&run);
        assert_killed(&run, numbers[i]);
        ck_assert_str_eq(run.text, "");
        finish(&run);
    }
}
END_TEST

PE_TEST_PROGRAMS(exit_with_signals_asked_for_is_as_without)
{
    run_to_end(&run, _i, "signals", "exit");
    assert_exited(&run, 7);
    assert_reports(run.text, 1);
    finish(&run);
}
END_TEST

PE_TEST_PROGRAMS(ignored_signal_stays_ignored)
{
    run.ignores_interrupts = true;
    start(&run, _i, "text,signals", "wait");
    await_ready(&run);
    kill(run.pid, SIGINT);
    kill(run.pid, SIGTERM);
    await_end(&run);
    assert_killed(&run, SIGTERM);
    assert_reports(run.text, 1);
    finish(&run);
}
END_TEST

PE_TEST_PROGRAMS(programs_own_handler_stays_its_own)
{
    start(&run, _i, "text,signals", "own handler");
    kill(await_ready(&run), SIGTERM);
    await_end(&run);
    assert_exited(&run, 3);
    ck_assert_str_eq(run.text, "");
    finish(&run);
}
END_TEST

/* The child has the handler and not the thread. */
PE_TEST_PROGRAMS(signal_ends_a_forked_child_at_once)
{
    start(&run, _i, "text,signals", "fork that waits");
    kill(await_ready(&run), SIGTERM);
    await_end(&run);
    assert_exited(&run, 0);
    assert_reports(run.text, 1);
    ck_assert_ptr_nonnull(strstr(run.text, "  after the child\n"));
    finish(&run);
}
END_TEST

/* Threads that are in malloc, in stdio and in first uses of names all the time, and a signal at any moment. */
PE_TEST_PROGRAMS(signal_in_a_storm_of_allocations)
{
    int rounds = harness_long() ? 500 : 10;

    for (int i = 0; i < rounds; i++) {
        struct timespec moment = { 0, 37000L * (i % 100) };

        start(&run, _i, "text,signals", "storm");
        await_ready(&run);
        nanosleep(&moment, NULL);
        kill(run.pid, i % 2 ? SIGINT : SIGTERM);
        await_end(&run);
        assert_killed(&run, i % 2 ? SIGINT : SIGTERM);
        assert_reports(run.text, 1);
        finish(&run);
    }
}
END_TEST

HARNESS_MAIN("environment")
