/* json.c - a strict reader: what RFC 8259 does not allow is bad, and so is what does not fit. */
#include "report/json.h"

#include <string.h>

#include "report/sink.h"

struct pe__json pe__json_over(const char *text, size_t bytes)
{
    return (struct pe__json){ .at = text, .end = text + bytes };
}

static bool is_bad(struct pe__json *json)
{
    json->bad = true;
    json->at = json->end;
    return false;
}

static void skip_space(struct pe__json *json)
{
    while (json->at < json->end && (*json->at == ' ' || *json->at == '\n' || *json->at == '\r' || *json->at == '\t'))
        json->at++;
}

/* What comes next, after white space; 0: nothing. */
static char peek(struct pe__json *json)
{
    skip_space(json);
    return (char)(json->at < json->end ? *json->at : '\0');
}

static bool take(struct pe__json *json, char character)
{
    if (peek(json) != character || json->at == json->end)
        return false;
    json->at++;
    return true;
}

static bool take_word(struct pe__json *json, const char *word)
{
    size_t bytes = strlen(word);

    skip_space(json);
    if ((size_t)(json->end - json->at) < bytes || memcmp(json->at, word, bytes) != 0)
        return false;
    json->at += bytes;
    return true;
}

bool pe__json_end(struct pe__json *json)
{
    skip_space(json);
    return !json->bad && json->depth == 0 && json->at == json->end;
}

/* ---- objects and arrays ---- */

static bool begin(struct pe__json *json, char character)
{
    if (json->depth == PE__JSON_DEPTH_MOST || !take(json, character))
        return is_bad(json);
    json->follows[json->depth++] = false;
    return true;
}

bool pe__json_object(struct pe__json *json)
{
    return begin(json, '{');
}

bool pe__json_array(struct pe__json *json)
{
    return begin(json, '[');
}

/* Past the comma, or past the end. */
static bool has_more(struct pe__json *json, char end)
{
    if (json->bad || json->depth == 0)
        return is_bad(json);
    if (take(json, end)) {
        json->depth--;
        return false;
    }
    if (json->follows[json->depth - 1] && !take(json, ','))
        return is_bad(json);
    json->follows[json->depth - 1] = true;
    return true;
}

bool pe__json_element(struct pe__json *json)
{
    return has_more(json, ']');
}

/* ---- strings ---- */

static bool hex_of(struct pe__json *json, uint32_t *ret)
{
    uint32_t code = 0;

    if (json->end - json->at < 4)
        return is_bad(json);
    for (int i = 0; i < 4; i++) {
        char c = *json->at++;
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;

        if (digit == 16)
            return is_bad(json);
        code = code << 4 | digit;
    }
    *ret = code;
    return true;
}

static size_t write_utf8(uint32_t code, char *to)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xc0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (char)(0xe0 | code >> 12);
        to[1] = (char)(0x80 | (code >> 6 & 0x3f));
        to[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | code >> 18);
    to[1] = (char)(0x80 | (code >> 12 & 0x3f));
    to[2] = (char)(0x80 | (code >> 6 & 0x3f));
    to[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* After \u: one code, or two that are a pair. Bytes; 0: bad. */
static size_t read_escaped_code(struct pe__json *json, char to[4])
{
    uint32_t code, low;

    if (!hex_of(json, &code) || code == 0 || (code >= 0xdc00 && code < 0xe000))
        return is_bad(json);
    if (code >= 0xd800 && code < 0xdc00) {
        if (json->end - json->at < 2 || json->at[0] != '\\' || json->at[1] != 'u')
            return is_bad(json);
        json->at += 2;
        if (!hex_of(json, &low) || low < 0xdc00 || low >= 0xe000)
            return is_bad(json);
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    return write_utf8(code, to);
}

static size_t read_escaped(struct pe__json *json, char to[4])
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *name;
    char c;

    if (json->at == json->end)
        return is_bad(json);
    c = *json->at++;
    if (c == 'u')
        return read_escaped_code(json, to);
    name = c != '\0' ? strchr(names, c) : NULL;
    if (!name)
        return is_bad(json);
    to[0] = values[name - names];
    return 1;
}

/* A character as it stands: sound UTF-8, no control character. Bytes; 0: bad. */
static size_t read_plain(struct pe__json *json, char to[4])
{
    char room[5] = { 0 };
    size_t left = (size_t)(json->end - json->at), bytes;

    memcpy(room, json->at, left < 4 ? left : 4);
    bytes = pe__sink_character(room);
    if (bytes == 0 || (unsigned char)room[0] < ' ')
        return is_bad(json);
    memcpy(to, room, bytes);
    json->at += bytes;
    return bytes;
}

/* Into so many bytes with the NUL; what does not fit is bad, or cut. */
static void read_string(struct pe__json *json, char *text, size_t room, bool cut)
{
    size_t used = 0, bytes;
    char character[4];

    text[0] = '\0';
    if (!take(json, '"')) {
        is_bad(json);
        return;
    }
    while (json->at < json->end && *json->at != '"') {
        bool escaped = *json->at == '\\';

        json->at += escaped;
        bytes = escaped ? read_escaped(json, character) : read_plain(json, character);
        if (bytes > 0 && used + bytes < room) {
            memcpy(text + used, character, bytes);
            used += bytes;
        } else if (bytes == 0 || !cut) {
            is_bad(json);
        }
    }
    text[json->bad ? 0 : used] = '\0';
    if (json->bad || !take(json, '"')) {
        text[0] = '\0';
        is_bad(json);
    }
}

void pe__json_text(struct pe__json *json, char text[PE__JSON_TEXT_BYTES])
{
    read_string(json, text, PE__JSON_TEXT_BYTES, false);
}

bool pe__json_member(struct pe__json *json, char key[PE__JSON_KEY_BYTES])
{
    if (!has_more(json, '}'))
        return false;
    read_string(json, key, PE__JSON_KEY_BYTES, true);
    return take(json, ':') || is_bad(json);
}

/* ---- numbers and words ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *past_digits(const char *at, const char *end)
{
    while (at < end && is_digit(*at))
        at++;
    return at;
}

/* Where the number ends that begins here; NULL: there is none. */
static const char *end_of_number(struct pe__json *json, bool *ret_whole)
{
    const char *at, *end = json->end, *digits;

    skip_space(json);
    at = json->at;
    *ret_whole = true;
    if (at < end && *at == '-')
        at++;
    digits = at;
    at = past_digits(at, end);
    if (at == digits || (*digits == '0' && at - digits > 1))
        return NULL;
    if (at < end && *at == '.') {
        digits = ++at;
        at = past_digits(at, end);
        *ret_whole = false;
        if (at == digits)
            return NULL;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        digits = at;
        at = past_digits(at, end);
        *ret_whole = false;
        if (at == digits)
            return NULL;
    }
    return at;
}

/* The digits' value, and whether there was a sign. */
static uint64_t read_whole(struct pe__json *json, bool *ret_negative)
{
    bool whole;
    const char *end = end_of_number(json, &whole);
    uint64_t value = 0;

    *ret_negative = end && *json->at == '-';
    if (!end || !whole)
        return is_bad(json);
    for (const char *at = json->at + *ret_negative; at < end; at++)
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            return is_bad(json);
    json->at = end;
    return value;
}

uint64_t pe__json_u64(struct pe__json *json)
{
    bool negative;
    uint64_t value = read_whole(json, &negative);

    return negative ? is_bad(json) : value;
}

int64_t pe__json_i64(struct pe__json *json)
{
    bool negative;
    uint64_t value = read_whole(json, &negative);

    if (value > (uint64_t)INT64_MAX + negative)
        return is_bad(json);
    return negative ? (int64_t)(0 - value) : (int64_t)value;
}

bool pe__json_bool(struct pe__json *json)
{
    if (take_word(json, "true"))
        return true;
    return take_word(json, "false") ? false : is_bad(json);
}

bool pe__json_null(struct pe__json *json)
{
    return take_word(json, "null");
}

/* Depth is bounded by begin(). */
void pe__json_skip(struct pe__json *json)
{
    char key[PE__JSON_KEY_BYTES];
    bool whole;
    const char *end;

    switch (peek(json)) {
    case '{':
        for (bool more = pe__json_object(json); more && pe__json_member(json, key);)
            pe__json_skip(json);
        break;
    case '[':
        for (bool more = pe__json_array(json); more && pe__json_element(json);)
            pe__json_skip(json);
        break;
    case '"':
        read_string(json, key, sizeof key, true);
        break;
    case 't':
    case 'f':
        pe__json_bool(json);
        break;
    case 'n':
        if (!pe__json_null(json))
            is_bad(json);
        break;
    default:
        end = end_of_number(json, &whole);
        if (end)
            json->at = end;
        else
            is_bad(json);
    }
}
