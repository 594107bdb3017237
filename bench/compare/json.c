/* Sweeps as JSON: see the header. compare-build.h is written by meson. */

#include "compare/json.h"
#include "compare-build.h"
#include "machine.h"
#include "table/program.h"
#include "table/table.h"

#include <parexec.h>
#include <string.h>
#include <time.h>

static void put_date(bench_json *json)
{
    char text[32];
    time_t now = time(NULL);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    bench_json_text(json, "date", text);
}

static void put_build(bench_json *json)
{
    bench_json_object(json, "build");
    bench_json_text(json, "library", pe_version_string());
    bench_json_text(json, "compiler", BUILD_COMPILER);
    bench_json_text(json, "flags", BUILD_FLAGS);
    bench_json_end_object(json);
}

/* What `python3 --version` says, without the name; empty when there is none. */
static void python_version(char *text, size_t bytes)
{
    char command[4200];
    snprintf(command, sizeof(command), "'%s' --version 2>/dev/null", program_python());
    FILE *output = popen(command, "re");
    text[0] = '\0';
    if (output && fscanf(output, "Python %31s", text) != 1)
        text[0] = '\0';
    if (output)
        pclose(output);
    text[bytes - 1] = '\0';
}

static void put_rival(bench_json *json, const char *name, const char *version)
{
    bench_json_object(json, NULL);
    bench_json_text(json, "name", name);
    bench_json_text(json, "version", version[0] ? version : NULL);
    bench_json_end_object(json);
}

/* An absent one has no version. */
static void put_rivals(bench_json *json)
{
    char python[32];
    python_version(python, sizeof(python));
    bench_json_array(json, "rivals");
    put_rival(json, "libuv", VERSION_LIBUV);
    put_rival(json, "GLib", VERSION_GLIB);
    put_rival(json, "oneTBB", VERSION_TBB);
    put_rival(json, "OpenMP", VERSION_OPENMP);
    put_rival(json, "Go", VERSION_GO);
    put_rival(json, "Python", python);
    bench_json_end_array(json);
}

static void put_series(bench_json *json, const struct record *record, int contender)
{
    const struct row *row = &record->sweep->row;
    bench_json_object(json, NULL);
    bench_json_text(json, "who", row->contenders[contender].label);
    bench_json_text(json, "role", table_role_names[row->contenders[contender].role]);
    bench_json_array(json, "points");
    for (size_t i = 0; i < record->point_count; i++) {
        const struct answer *answer = &record->outcomes[i].answers[contender];
        bench_json_object(json, NULL);
        bench_json_count(json, "x", record->sweep->points[record->points[i]].x);
        bench_json_text(json, "note", answer->note[0] ? answer->note : NULL);
        table_json_metrics(json, row, answer);
        bench_json_end_object(json);
    }
    bench_json_end_array(json);
    bench_json_end_object(json);
}

static void put_record(bench_json *json, const struct record *record)
{
    const struct row *row = &record->sweep->row;
    bench_json_text(json, "sweep", row->key);
    bench_json_text(json, "what", row->what);
    put_date(json);
    bench_json_text(json, "command", record->command);
    bench_json_flag(json, "quick", record->options->quick);
    bench_json_count(json, "rounds", record->options->rounds);
    bench_json_number(json, "seconds", record->seconds);
    table_json_machine(json);
    put_build(json);
    put_rivals(json);
    bench_json_object(json, "x");
    bench_json_text(json, "name", axis_name(record->sweep->axis));
    bench_json_text(json, "unit", axis_unit(record->sweep->axis));
    bench_json_end_object(json);
    bench_json_array(json, "series");
    for (int i = 0; i < CONTENDERS_MAX && row->contenders[i].label; i++)
        put_series(json, record, i);
    bench_json_end_array(json);
}

int record_write(const struct record *record, const char *directory)
{
    char path[4096];
    bench_json json;
    snprintf(path, sizeof(path), "%s/%s.json", directory, record->sweep->row.key);
    FILE *file = fopen(path, "we");
    if (!file)
        return -1;
    bench_json_open(&json, file);
    put_record(&json, record);
    bench_json_close(&json);
    int failed = ferror(file);
    return fclose(file) != 0 || failed ? -1 : 0;
}
