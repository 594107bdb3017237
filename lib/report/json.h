/*
 * json.h - reads JSON (RFC 8259) from memory, one value after the other as the caller expects them.
 *
 *     struct pe__json json = pe__json_over(text, bytes);
 *     for (bool more = pe__json_object(&json); more && pe__json_member(&json, key);)
 *         if (strcmp(key, "calls") == 0)
 *             calls = pe__json_u64(&json);
 *         else
 *             pe__json_skip(&json);
 *     bool good = pe__json_end(&json);
 *
 * Whatever is not as expected, or no JSON, makes it bad for good: then every call returns false, 0 or "", and loops
 * end. Nothing is allocated; nesting is bounded.
 */
#ifndef PE__REPORT_JSON_H
#define PE__REPORT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PE__JSON_DEPTH_MOST 16
#define PE__JSON_KEY_BYTES 32
#define PE__JSON_TEXT_BYTES 1024

struct pe__json {
    const char *at, *end;
    uint32_t depth;
    bool follows[PE__JSON_DEPTH_MOST]; /* by depth: there was a member or element before */
    bool bad;
};

struct pe__json pe__json_over(const char *text, size_t bytes);

/* Whether nothing but white space is left, and all was good. */
bool pe__json_end(struct pe__json *json);

/* An object or array begins. False: it does not. */
bool pe__json_object(struct pe__json *json);
bool pe__json_array(struct pe__json *json);
/* The next member's key, cut where it is longer; then its value must be read. False: that was the last one. */
bool pe__json_member(struct pe__json *json, char key[PE__JSON_KEY_BYTES]);
/* The same for the next element. */
bool pe__json_element(struct pe__json *json);

/* Whole numbers without fraction and exponent, in the range of their type. */
uint64_t pe__json_u64(struct pe__json *json);
int64_t pe__json_i64(struct pe__json *json);
bool pe__json_bool(struct pe__json *json);
/* Whether null comes next; then it is read. */
bool pe__json_null(struct pe__json *json);
/* A string of UTF-8 without NUL that fits. */
void pe__json_text(struct pe__json *json, char text[PE__JSON_TEXT_BYTES]);
/* Any value. */
void pe__json_skip(struct pe__json *json);

#endif
