/*
 * sink.c - text to a file, quoted as formats want it.
 *
 * Names come from programs, and from tables that a worker may have scribbled over: any bytes. What is quoted leaves
 * here as sound UTF-8, so that no name makes a file that its readers refuse.
 */
#include "report/sink.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"

static void keep_error(struct pe__sink *sink)
{
    sink->error = errno > 0 ? -errno : -EIO;
}

static void put(struct pe__sink *sink, const char *text, size_t bytes)
{
    if (sink->error || bytes == 0)
        return;
    errno = 0;
    if (fwrite(text, 1, bytes, sink->file) != bytes)
        keep_error(sink);
}

void pe__sink_text(struct pe__sink *sink, const char *text)
{
    put(sink, text, strlen(text));
}

void pe__sink_print(struct pe__sink *sink, const char *format, ...)
{
    va_list arguments;

    if (sink->error)
        return;
    errno = 0;
    va_start(arguments, format);
    if (vfprintf(sink->file, format, arguments) < 0)
        keep_error(sink);
    va_end(arguments);
}

/* The shortest code that may be written in so many bytes; longer ones for the same character are not UTF-8. */
static uint32_t least_code(size_t bytes)
{
    return bytes == 2 ? 0x80 : bytes == 3 ? 0x800 : 0x10000;
}

static size_t bytes_said_by(unsigned char first)
{
    if (first < 0x80)
        return 1;
    return first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;
}

size_t pe__sink_character(const char *text)
{
    const unsigned char *byte = (const unsigned char *)text;
    size_t bytes = bytes_said_by(byte[0]);
    uint32_t code = byte[0] & (0x7fu >> bytes);

    if (bytes <= 1)
        return bytes;
    for (size_t i = 1; i < bytes; i++) {
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (byte[i] & 0x3f);
    }
    return code < least_code(bytes) || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : bytes;
}

/* What stands for a character of so many bytes; NULL: itself. */
typedef const char *quote_fn(const char *character, size_t bytes, char *room, size_t room_bytes);

static void put_quoted(struct pe__sink *sink, const char *text, quote_fn *quote)
{
    const char *plain = text; /* not written yet */
    char room[16];

    while (*text) {
        size_t bytes = pe__sink_character(text);
        const char *instead = bytes == 0 ? REPLACEMENT : quote(text, bytes, room, sizeof room);

        if (instead)
            put(sink, plain, (size_t)(text - plain));
        text += bytes ? bytes : 1;
        if (instead) {
            pe__sink_text(sink, instead);
            plain = text;
        }
    }
    put(sink, plain, (size_t)(text - plain));
}

static bool is_control(char character)
{
    return (unsigned char)character < ' ' || character == 0x7f;
}

static const char *quote_json(const char *character, size_t bytes, char *room, size_t room_bytes)
{
    (void)bytes;
    switch (*character) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\t':
        return "\\t";
    default:
        if (!is_control(*character))
            return NULL;
        snprintf(room, room_bytes, "\\u%04x", (unsigned)*character);
        return room;
    }
}

void pe__sink_json(struct pe__sink *sink, const char *text)
{
    pe__sink_text(sink, "\"");
    put_quoted(sink, text, quote_json);
    pe__sink_text(sink, "\"");
}

/* XML has no way to write the other control characters. */
static const char *quote_html(const char *character, size_t bytes, char *room, size_t room_bytes)
{
    (void)bytes, (void)room, (void)room_bytes;
    switch (*character) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '\n':
    case '\t':
        return NULL;
    default:
        return is_control(*character) ? REPLACEMENT : NULL;
    }
}

void pe__sink_html(struct pe__sink *sink, const char *text)
{
    put_quoted(sink, text, quote_html);
}

/* Some terminals obey those of two bytes, U+0080 to U+009F, as well. */
static const char *quote_plain(const char *character, size_t bytes, char *room, size_t room_bytes)
{
    if (bytes == 1 && is_control(*character))
        snprintf(room, room_bytes, "\\x%02x", (unsigned)*character);
    else if (bytes == 2 && character[0] == '\xc2' && (unsigned char)character[1] < 0xa0)
        snprintf(room, room_bytes, "\\u%04x", (unsigned)(unsigned char)character[1]);
    else
        return NULL;
    return room;
}

void pe__sink_plain(struct pe__sink *sink, const char *text)
{
    put_quoted(sink, text, quote_plain);
}

static const char *quote_source(const char *character, size_t bytes, char *room, size_t room_bytes)
{
    if (*character == '\r')
        return "";
    return *character == '\t' ? NULL : quote_plain(character, bytes, room, room_bytes);
}

void pe__sink_source(struct pe__sink *sink, const char *text)
{
    put_quoted(sink, text, quote_source);
}
