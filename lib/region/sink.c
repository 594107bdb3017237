/*
 * sink.c - text to a file, quoted as formats want it.
 *
 * Names come from programs, and from tables that a worker may have scribbled over: any bytes. What is quoted leaves here
 * as sound UTF-8, so that no name makes a file that its readers refuse.
 */
#include "region/sink.h"

#include <errno.h>
#include <stdarg.h>
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

/* What stands for a character of one byte; NULL: itself. */
typedef const char *quote_fn(char character, char *room, size_t room_bytes);

static void put_quoted(struct pe__sink *sink, const char *text, quote_fn *quote)
{
    const char *plain = text; /* not written yet */
    char room[8];

    while (*text) {
        size_t bytes = pe__sink_character(text);
        const char *instead = bytes == 0 ? REPLACEMENT : bytes == 1 ? quote(*text, room, sizeof room) : NULL;

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

static const char *quote_json(char character, char *room, size_t room_bytes)
{
    switch (character) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\t':
        return "\\t";
    default:
        if ((unsigned char)character >= ' ' && character != 0x7f)
            return NULL;
        snprintf(room, room_bytes, "\\u%04x", (unsigned)character);
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
static const char *quote_html(char character, char *room, size_t room_bytes)
{
    (void)room, (void)room_bytes;
    switch (character) {
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
        return (unsigned char)character >= ' ' && character != 0x7f ? NULL : REPLACEMENT;
    }
}

void pe__sink_html(struct pe__sink *sink, const char *text)
{
    put_quoted(sink, text, quote_html);
}
