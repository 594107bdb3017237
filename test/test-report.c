/* Reports: the calls, where their text goes, and the text and line tables. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/report.h>

#include "harness/harness.h"
#include "report/report_file.h"
#include "report/sink.h"

/* ---- sink.c ---- */

typedef void quote_fn(struct pe__sink *sink, const char *text);

static void check_quoted(quote_fn *quote, const char *text, const char *wanted)
{
    char *got = NULL;
    size_t bytes;
    struct pe__sink sink = { open_memstream(&got, &bytes), 0 };

    ck_assert_ptr_nonnull(sink.file);
    quote(&sink, text);
    ck_assert_int_eq(sink.error, 0);
    fclose(sink.file);
    ck_assert_str_eq(got, wanted);
    free(got);
}

#define BAD "\xef\xbf\xbd"

PE_TEST(json_is_quoted)
{
    static const char *const cases[][2] = {
        { "", "\"\"" },
        { "plain", "\"plain\"" },
        { "a\"b\\c\nd\te\r\x01\x7f", "\"a\\\"b\\\\c\\nd\\te\\u000d\\u0001\\u007f\"" },
        { "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\"" },
        { "\xc3", "\"" BAD "\"" },                     /* cut short */
        { "\xe2\x82", "\"" BAD BAD "\"" },
        { "\x80x\xff", "\"" BAD "x" BAD "\"" },        /* no first byte */
        { "\xc0\xaf", "\"" BAD BAD "\"" },             /* longer than needed */
        { "\xe0\x80\xaf", "\"" BAD BAD BAD "\"" },
        { "\xf0\x80\x80\xaf", "\"" BAD BAD BAD BAD "\"" },
        { "\xed\xa0\x80", "\"" BAD BAD BAD "\"" },     /* half a pair of UTF-16 */
        { "\xf4\x90\x80\x80", "\"" BAD BAD BAD BAD "\"" }, /* above the last character */
        { "\xf4\x8f\xbf\xbf", "\"\xf4\x8f\xbf\xbf\"" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_quoted(pe__sink_json, cases[i][0], cases[i][1]);
}
END_TEST

PE_TEST(html_is_quoted)
{
    check_quoted(pe__sink_html, "a<b>&\"'\n\t\xc3\xbc", "a&lt;b&gt;&amp;&quot;&#39;\n\t\xc3\xbc");
    check_quoted(pe__sink_html, "\x01\r\x7f\xff", BAD BAD BAD BAD);
}
END_TEST

PE_TEST(first_error_of_a_sink_stays)
{
    struct pe__sink sink = { fopen("/dev/full", "we"), 0 };

    ck_assert_ptr_nonnull(sink.file);
    setvbuf(sink.file, NULL, _IONBF, 0);
    pe__sink_text(&sink, "a");
    ck_assert_int_eq(sink.error, -ENOSPC);
    fclose(sink.file);
    sink.file = fopen("/dev/null", "we");
    pe__sink_print(&sink, "%d", 7);
    ck_assert_int_eq(sink.error, -ENOSPC);
    fclose(sink.file);
}
END_TEST

/* ---- report_file.c ---- */

static char folder[64], path[128];

static void make_folder(void)
{
    strcpy(folder, "/tmp/parexec-report-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/report", folder);
}

static void remove_folder(void)
{
    unlink(path);
    ck_assert_msg(rmdir(folder) == 0, "something was left in %s", folder);
}

static int write_file(const char *to, const char *text, int error)
{
    struct pe__report_file file;
    int result = pe__report_file_open(&file, to);

    if (result)
        return result;
    fputs(text, file.stream);
    return pe__report_file_close(&file, error);
}

static void put_file(const char *text)
{
    FILE *file = fopen(path, "we");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void check_file(const char *wanted)
{
    char got[256];
    FILE *file = fopen(path, "re");

    ck_assert_ptr_nonnull(file);
    got[fread(got, 1, sizeof got - 1, file)] = '\0';
    fclose(file);
    ck_assert_str_eq(got, wanted);
}

static mode_t mode_of(const char *name)
{
    struct stat at;

    ck_assert_int_eq(lstat(name, &at), 0);
    return at.st_mode;
}

PE_TEST(file_is_made_with_the_mode_that_fopen_gives)
{
    mode_t former = umask(027);

    make_folder();
    ck_assert_int_eq(write_file(path, "one\n", 0), 0);
    check_file("one\n");
    ck_assert_int_eq(mode_of(path) & 07777, 0640);
    umask(former);
    remove_folder();
}
END_TEST

PE_TEST(file_is_replaced_as_a_whole_and_keeps_its_mode)
{
    make_folder();
    put_file("old and longer\n");
    ck_assert_int_eq(chmod(path, 0604), 0);
    ck_assert_int_eq(write_file(path, "new\n", 0), 0);
    check_file("new\n");
    ck_assert_int_eq(mode_of(path) & 07777, 0604);
    remove_folder();
}
END_TEST

PE_TEST(older_file_stays_on_errors)
{
    make_folder();
    put_file("old\n");
    ck_assert_int_eq(write_file(path, "new\n", -EIO), -EIO);
    check_file("old\n");
    remove_folder();
}
END_TEST

PE_TEST(link_stays_and_its_target_is_replaced)
{
    char link[160];

    make_folder();
    snprintf(link, sizeof link, "%s/link", folder);
    ck_assert_int_eq(symlink("report", link), 0);
    ck_assert_int_eq(write_file(link, "by a dangling link\n", 0), 0);
    check_file("by a dangling link\n");
    ck_assert_int_eq(write_file(link, "by the link\n", 0), 0);
    check_file("by the link\n");
    ck_assert(S_ISLNK(mode_of(link)));
    unlink(link);
    remove_folder();
}
END_TEST

PE_TEST(errors_of_paths)
{
    char deep[160];

    make_folder();
    put_file("a file\n");
    snprintf(deep, sizeof deep, "%s/no/report", folder);
    ck_assert_int_eq(write_file(deep, "x", 0), -ENOENT);
    snprintf(deep, sizeof deep, "%s/report/x", folder);
    ck_assert_int_eq(write_file(deep, "x", 0), -ENOTDIR);
    ck_assert_int_eq(write_file(folder, "x", 0), -EISDIR);
    ck_assert_int_eq(write_file("", "x", 0), -ENOENT);
    ck_assert_int_eq(write_file("/dev/full", "x", 0), -ENOSPC);
    ck_assert_int_eq(write_file("/dev/fd/999", "x", 0), -EBADF);
    check_file("a file\n");
    remove_folder();
}
END_TEST

PE_TEST(device_and_pipe_are_written_in_place)
{
    char got[8], name[32];
    int fds[2];

    ck_assert_int_eq(write_file("/dev/null", "x", 0), 0);
    ck_assert(S_ISCHR(mode_of("/dev/null")));
    ck_assert_int_eq(pipe(fds), 0);
    snprintf(name, sizeof name, "/dev/fd/%d", fds[1]);
    ck_assert_int_eq(write_file(name, "piped", 0), 0);
    ck_assert_int_eq(read(fds[0], got, sizeof got), 5);
    close(fds[0]);
    ck_assert_int_eq(write_file(name, "x", 0), -EPIPE); /* and no SIGPIPE */
    close(fds[1]);
    make_folder();
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    fds[0] = open(path, O_RDONLY | O_NONBLOCK);
    ck_assert_int_eq(write_file(path, "piped", 0), 0);
    ck_assert_int_eq(read(fds[0], got, sizeof got), 5);
    ck_assert(S_ISFIFO(mode_of(path)));
    close(fds[0]);
    remove_folder();
}
END_TEST

/* What the program has printed to a file stays in front of a report to the same descriptor. */
PE_TEST(descriptor_of_a_file_is_written_where_it_stands)
{
    char name[32];
    int fd;

    make_folder();
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_eq(write(fd, "first\n", 6), 6);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ck_assert_int_eq(write_file(name, "report\n", 0), 0);
    ck_assert_int_eq(write(fd, "last\n", 5), 5);
    close(fd);
    check_file("first\nreport\nlast\n");
    remove_folder();
}
END_TEST

/* ---- report.c ---- */

PE_TEST(reports_refuse_bad_arguments)
{
    struct {
        pe_report_options known;
        uint64_t unknown;
    } newer = { PE_REPORT_OPTIONS_INIT, 1 };
    pe_report_options options = PE_REPORT_OPTIONS_INIT;
    FILE *file = fopen("/dev/null", "we");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(pe_report(NULL, NULL), PE_EINVAL);
    options.format = PE_REPORT_HTML + 1;
    ck_assert_int_eq(pe_report(file, &options), PE_EINVAL);
    options.format = PE_REPORT_TEXT;
    options.sort = PE_SORT_NAME + 1;
    ck_assert_int_eq(pe_report(file, &options), PE_EINVAL);
    options.sort = 0;
    options.flags = UINT64_C(16);
    ck_assert_int_eq(pe_report(file, &options), PE_EINVAL);
    options.flags = 0;
    options.size = 4;
    ck_assert_int_eq(pe_report(file, &options), PE_EINVAL);
    newer.known.size = sizeof newer;
    ck_assert_int_eq(pe_report(file, &newer.known), PE_EINVAL);
    ck_assert_int_eq(pe_report_write(NULL, PE_REPORT_TEXT), PE_EINVAL);
    ck_assert_int_eq(pe_report_write("/dev/null", PE_REPORT_HTML + 1), PE_EINVAL);
    fclose(file);
}
END_TEST

HARNESS_MAIN("report")
