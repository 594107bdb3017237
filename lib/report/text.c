/*
 * text.c - tables for people.
 *
 * Times in one table may lie between nanoseconds and hours, so each has a unit of its own and four digits: a column in
 * one unit would show most of it as 0.000. Widths are found by writing each cell once more than it is printed, which
 * needs no memory however long the table is.
 */
#include "report/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void find_widths(const struct pe__text_table *table, int *widths)
{
    pe__text_cell cell;

    for (uint32_t column = 0; column < table->column_count; column++) {
        widths[column] = (int)strlen(table->titles[column]);
        for (uint32_t row = 0; row < table->row_count; row++) {
            table->cell(cell, table->context, column, row);
            if ((int)strlen(cell) > widths[column])
                widths[column] = (int)strlen(cell);
        }
    }
}

static void print_rule(struct pe__sink *sink, const struct pe__text_table *table, const int *widths)
{
    size_t width = strlen(table->name_title);

    for (uint32_t column = 0; column < table->column_count; column++)
        width += (size_t)widths[column] + 2;
    while (width-- > 0)
        pe__sink_text(sink, "=");
    pe__sink_text(sink, "\n");
}

void pe__text_table(struct pe__sink *sink, const struct pe__text_table *table)
{
    int widths[PE__TEXT_COLUMNS_MAX];
    pe__text_cell cell;

    find_widths(table, widths);
    for (uint32_t column = 0; column < table->column_count; column++)
        pe__sink_print(sink, "%*s  ", widths[column], table->titles[column]);
    pe__sink_print(sink, "%s\n", table->name_title);
    if (table->has_rule)
        print_rule(sink, table, widths);
    for (uint32_t row = 0; row < table->row_count; row++) {
        for (uint32_t column = 0; column < table->column_count; column++) {
            table->cell(cell, table->context, column, row);
            pe__sink_print(sink, "%*s  ", widths[column], cell);
        }
        table->name(sink, table->context, row);
        pe__sink_text(sink, "\n");
    }
}

void pe__text_time(pe__text_cell ret, double ns)
{
    static const char *const units[] = { "ns", "us", "ms", "s" };
    double value = ns;
    int unit = 0, decimals;

    while (unit < 3 && value >= 999.95) {
        value /= 1000;
        unit++;
    }
    decimals = value < 9.9995 ? 3 : value < 99.995 ? 2 : value < 999.95 ? 1 : 0;
    if (unit == 0)
        decimals = value == floor(value) ? 0 : 1;
    snprintf(ret, PE__TEXT_CELL_BYTES, "%.*f%s", decimals, value, units[unit]);
}

void pe__text_percent(pe__text_cell ret, double part, double whole)
{
    if (whole > 0)
        snprintf(ret, PE__TEXT_CELL_BYTES, "%.1f", 100 * part / whole);
    else
        strcpy(ret, "-");
}

void pe__text_count(struct pe__sink *sink, uint64_t count, const char *noun)
{
    pe__sink_print(sink, "%llu %s%s", (unsigned long long)count, noun, count == 1 ? "" : "s");
}

void pe__text_label(struct pe__sink *sink, const struct pe__profile_label *label)
{
    pe__sink_plain(sink, label->name);
    if (!*label->file)
        return;
    pe__sink_text(sink, "(");
    pe__sink_plain(sink, label->file);
    if (label->line)
        pe__sink_print(sink, ":%u", (unsigned)label->line);
    pe__sink_text(sink, ")");
}

void pe__text_process(struct pe__sink *sink, const struct pe__profile_process *process)
{
    char name[PE__PROFILE_PROCESS_BYTES];

    pe__profile_process_name(process, name);
    pe__sink_text(sink, name);
}

static bool shares_its_name(const struct pe__profile *profile, uint32_t track)
{
    const struct pe__profile_track *tracks = profile->tracks;

    for (uint32_t i = 0; i < profile->track_count; i++)
        if (i != track && tracks[i].process == tracks[track].process && strcmp(tracks[i].name, tracks[track].name) == 0)
            return true;
    return false;
}

void pe__text_track(struct pe__sink *sink, const struct pe__profile *profile, uint32_t track)
{
    const struct pe__profile_track *at = &profile->tracks[track];
    const struct pe__profile_process *process = &profile->processes[at->process];

    if (process->worker >= 0 && at->number == 0) {
        pe__text_process(sink, process);
        return;
    }
    pe__sink_plain(sink, at->name);
    pe__sink_text(sink, " (");
    pe__text_process(sink, process);
    if (shares_its_name(profile, track))
        pe__sink_print(sink, ", tid %d", (int)at->tid);
    pe__sink_text(sink, ")");
}
