/* html_text.c - numbers and names as the page writes them. */
#include "report/html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <parexec/region.h>

#define COLOURS 8u

bool pe__html_is_builtin(const struct pe__profile_label *label)
{
    return !strncmp(label->name, "pe.", 3);
}

uint32_t pe__html_colour(const struct pe__html *page, uint32_t label)
{
    uint32_t number = page->numbers[label];

    if (number == 0 || pe__html_is_builtin(&page->profile->labels[label]))
        return 0;
    return 1 + (number - 1) % COLOURS;
}

/* So that three digits count. */
static int decimals(double value)
{
    return fabs(value) >= 99.95 ? 0 : fabs(value) >= 9.995 ? 1 : 2;
}

void pe__html_time(struct pe__sink *sink, int64_t ns)
{
    static const struct {
        double ns;
        const char *name;
    } units[] = { { 1e9, "s" }, { 1e6, "ms" }, { 1e3, "\xc2\xb5s" }, { 1, "ns" } };
    double time = (double)ns;
    uint32_t i = 0;

    if (ns == 0) {
        pe__sink_text(sink, "0");
        return;
    }
    while (i < 3 && fabs(time) < units[i].ns * 0.9995)
        i++;
    time /= units[i].ns;
    pe__sink_print(sink, "%.*f %s", i == 3 ? 0 : decimals(time), time, units[i].name);
}

void pe__html_count(struct pe__sink *sink, uint64_t count)
{
    char digits[32], out[48];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count), to = 0;

    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            out[to++] = ',';
        out[to++] = digits[i];
    }
    out[to] = 0;
    pe__sink_text(sink, out);
}

void pe__html_number(struct pe__sink *sink, int64_t number)
{
    pe__sink_text(sink, number < 0 ? "-" : "");
    pe__html_count(sink, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

void pe__html_short(struct pe__sink *sink, int64_t number)
{
    static const char units[] = { ' ', 'k', 'M', 'G', 'T', 'P', 'E' };
    double value = (double)number;
    uint32_t unit = 0;

    for (; fabs(value) >= 999.5 && unit + 1 < sizeof units; unit++)
        value /= 1000;
    if (unit == 0)
        pe__sink_print(sink, "%d", (int)number);
    else
        pe__sink_print(sink, "%.*f %c", decimals(value), value, units[unit]);
}

void pe__html_share(struct pe__sink *sink, double part, double whole)
{
    pe__sink_print(sink, "%.1f %%", whole > 0 ? 100 * part / whole : 0);
}

void pe__html_place(struct pe__sink *sink, const struct pe__profile_label *label)
{
    const char *slash = strrchr(label->file, '/');

    pe__sink_html(sink, slash && slash[1] ? slash + 1 : label->file);
    if (label->line)
        pe__sink_print(sink, ":%u", label->line);
}

void pe__html_label(struct pe__sink *sink, const struct pe__profile_label *label)
{
    if (label->name[0] || !label->file[0])
        pe__sink_html(sink, label->name[0] ? label->name : "(no name)");
    else
        pe__html_place(sink, label);
}
