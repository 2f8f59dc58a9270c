/*
 * json.c - a recursive-descent reader of RFC 8259 with a depth limit, and strings back to JSON.
 */
#include "config.h"

#include "base/bits.h"
#include "base/json.h"
#include <stdio.h>

typedef struct JsonReader {
    Arena *arena;
    Str text;
    size_t at;
    int depth;
} JsonReader;

static Error *bad(const JsonReader *reader, const char *what)
{
    return error_at(error_new(ERROR_BAD_FILE, "not JSON: %s at byte %zu", what, reader->at),
                    reader->at, 1);
}

static char peek(const JsonReader *reader)
{
    return reader->at < reader->text.bytes ? reader->text.data[reader->at] : '\0';
}

static void blanks(JsonReader *reader)
{
    while (reader->at < reader->text.bytes &&
           strchr(" \t\r\n", reader->text.data[reader->at]) != NULL &&
           reader->text.data[reader->at] != '\0')
        reader->at++;
}

static bool hex4(JsonReader *reader, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++, reader->at++) {
        char c = peek(reader);
        int digit = c >= '0' && c <= '9'                 ? c - '0'
                    : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                         : -1;
        if (digit < 0) return false;
        *out = *out << 4 | (uint32_t)digit;
    }
    return true;
}

/* Behind "\u": one code point, of two escapes when the first is a high surrogate; a lone surrogate
 * becomes U+FFFD. */
static bool escaped_unicode(JsonReader *reader, char *out, size_t *bytes)
{
    uint32_t point, low;
    if (!hex4(reader, &point)) return false;
    bool pair = point >= 0xd800 && point < 0xdc00 && reader->at + 1 < reader->text.bytes &&
                reader->text.data[reader->at] == '\\' && reader->text.data[reader->at + 1] == 'u';
    if (pair) {
        size_t back = reader->at;
        reader->at += 2;
        if (!hex4(reader, &low)) return false;
        if (low >= 0xdc00 && low < 0xe000)
            point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        else
            reader->at = back;
    }
    if (point >= 0xd800 && point < 0xe000) point = 0xfffd;
    *bytes += utf8_put(out + *bytes, point);
    return true;
}

static bool escape(JsonReader *reader, char *out, size_t *bytes)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = peek(reader);
    reader->at++;
    if (c == 'u') return escaped_unicode(reader, out, bytes);
    const char *found = c == '\0' ? NULL : strchr(from, c);
    if (found == NULL) return false;
    out[(*bytes)++] = to[found - from];
    return true;
}

static Error *read_string(JsonReader *reader, Str *out)
{
    size_t start = ++reader->at, plain = start;
    const char *data = reader->text.data;
    while (plain < reader->text.bytes && data[plain] != '"' && data[plain] != '\\' &&
           (unsigned char)data[plain] >= 0x20)
        plain++;
    if (plain < reader->text.bytes && data[plain] == '"') { /* nothing to undo: borrow */
        *out = (Str){data + start, plain - start};
        reader->at = plain + 1;
        return utf8_valid(*out) ? NULL : bad(reader, "bad UTF-8");
    }
    size_t end = plain;
    while (end < reader->text.bytes && data[end] != '"')
        end += data[end] == '\\' ? 2 : 1;
    if (end >= reader->text.bytes) return bad(reader, "a string without end");
    char *copy = arena_alloc(reader->arena, end - start + 4);
    size_t bytes = 0;
    while (reader->at < end) {
        char c = data[reader->at];
        if ((unsigned char)c < 0x20) return bad(reader, "a control character in a string");
        if (c != '\\')
            copy[bytes++] = c, reader->at++;
        else if (reader->at++, !escape(reader, copy, &bytes))
            return bad(reader, "a bad escape");
    }
    reader->at = end + 1;
    *out = (Str){copy, bytes};
    return utf8_valid(*out) ? NULL : bad(reader, "bad UTF-8");
}

static size_t digits(JsonReader *reader)
{
    size_t from = reader->at;
    while (peek(reader) >= '0' && peek(reader) <= '9')
        reader->at++;
    return reader->at - from;
}

static Error *read_number(JsonReader *reader, Json *out)
{
    size_t start = reader->at;
    if (peek(reader) == '-') reader->at++;
    bool zero = peek(reader) == '0';
    size_t whole = digits(reader);
    if (whole == 0 || (zero && whole > 1)) return bad(reader, "a number that is none");
    if (peek(reader) == '.') {
        reader->at++;
        if (digits(reader) == 0) return bad(reader, "a number that is none");
    }
    if ((peek(reader) | 32) == 'e') {
        reader->at++;
        if (peek(reader) == '+' || peek(reader) == '-') reader->at++;
        if (digits(reader) == 0) return bad(reader, "a number that is none");
    }
    *out = (Json){.kind = JSON_NUMBER, .text = {reader->text.data + start, reader->at - start}};
    return NULL;
}

static Error *read_value(JsonReader *reader, Json *out);

static bool word(JsonReader *reader, const char *text)
{
    size_t bytes = strlen(text);
    if (reader->text.bytes - reader->at < bytes ||
        memcmp(reader->text.data + reader->at, text, bytes) != 0)
        return false;
    reader->at += bytes;
    return true;
}

/* Members of a list or object up to `close`. */
static Error *read_members(JsonReader *reader, char close, Json *out)
{
    Json *items = NULL;
    size_t count = 0, capacity = 0;
    Error *error = NULL;
    reader->at++;
    blanks(reader);
    if (peek(reader) == close) return reader->at++, NULL;
    for (;;) {
        Json item = {0};
        Str key = {"", 0};
        blanks(reader);
        if (close == '}') {
            if (peek(reader) != '"') error = bad(reader, "a member without a name");
            if (error != NULL || (error = read_string(reader, &key)) != NULL) break;
            blanks(reader);
            if (peek(reader) != ':') error = bad(reader, "a name without ':'");
            if (error != NULL) break;
            reader->at++;
        }
        if ((error = read_value(reader, &item)) != NULL) break;
        item.key = key;
        mem_reserve(items, capacity, count + 1);
        items[count++] = item;
        blanks(reader);
        char c = peek(reader);
        if (c != ',' && c != close) error = bad(reader, "',' or the closing bracket is missing");
        if (error != NULL) break;
        reader->at++;
        if (c == close) break;
    }
    if (error == NULL)
        out->items = (Json *)(void *)arena_copy(reader->arena, items, count * sizeof *items);
    out->count = count;
    mem_free(items);
    return error;
}

static Error *read_value(JsonReader *reader, Json *out)
{
    if (++reader->depth > JSON_DEPTH_MAX) return bad(reader, "nested too deeply");
    blanks(reader);
    Error *error = NULL;
    char c = peek(reader);
    *out = (Json){0};
    if (c == '"') {
        out->kind = JSON_STRING;
        error = read_string(reader, &out->text);
    } else if (c == '{' || c == '[') {
        out->kind = c == '{' ? JSON_OBJECT : JSON_LIST;
        error = read_members(reader, c == '{' ? '}' : ']', out);
    } else if (word(reader, "true")) {
        out->kind = JSON_TRUE;
    } else if (word(reader, "false")) {
        out->kind = JSON_FALSE;
    } else if (word(reader, "null")) {
        out->kind = JSON_NULL;
    } else {
        error = read_number(reader, out);
    }
    reader->depth--;
    return error;
}

Error *json_parse(Arena *arena, Str text, const Json **out)
{
    JsonReader reader = {.arena = arena, .text = text};
    Json *value = arena_new(arena, Json);
    TRY(read_value(&reader, value));
    blanks(&reader);
    if (reader.at != text.bytes) return bad(&reader, "something behind the value");
    *out = value;
    return NULL;
}

const Json *json_get(const Json *object, const char *name)
{
    if (object == NULL || object->kind != JSON_OBJECT) return NULL;
    Str key = str_from(name);
    for (size_t i = object->count; i > 0; i--)
        if (str_equal(object->items[i - 1].key, key)) return &object->items[i - 1];
    return NULL;
}

/* Behind what stands in a string as it is: of ASCII nearly everything. */
static size_t plain_until(Str text, size_t at)
{
    for (; at + sizeof(uint64_t) <= text.bytes; at += sizeof(uint64_t)) {
        uint64_t word = bytes_at(text.data + at);
        if ((bytes_below(word, 0x20) | bytes_equal(word, '"') | bytes_equal(word, '\\') |
             bytes_high(word)) != 0)
            break;
    }
    for (; at < text.bytes; at++) {
        unsigned char c = (unsigned char)text.data[at];
        if (c < 0x20 || c == '"' || c == '\\' || c >= 0x80) break;
    }
    return at;
}

void json_put_string(Buffer *out, Str text)
{
    buffer_char(out, '"');
    size_t at = 0;
    while (at < text.bytes) {
        size_t from = at;
        at = plain_until(text, from);
        buffer_append(out, text.data + from, at - from);
        if (at == text.bytes) break;
        from = at;
        int32_t c = utf8_next(text, &at);
        if (c == '"' || c == '\\')
            buffer_char(out, '\\'), buffer_char(out, (char)c);
        else if (c == '\n')
            buffer_text(out, "\\n");
        else if (c == '\t')
            buffer_text(out, "\\t");
        else if (c == '\r')
            buffer_text(out, "\\r");
        else if (c >= 0 && c < 0x20)
            buffer_printf(out, "\\u%04x", (unsigned)c);
        else if (c < 0)
            buffer_text(out, "\xef\xbf\xbd");
        else
            buffer_append(out, text.data + from, at - from);
    }
    buffer_char(out, '"');
}
