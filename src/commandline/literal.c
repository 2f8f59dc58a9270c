/* literal.c - a reader of literals by hand: the language's own would also run functions. */
#include "config.h"

#include "commandline/literal.h"

typedef struct Reader {
    Str text;
    size_t at;
    int depth;
} Reader;

static contextql_value *read_value(Reader *reader);

static void skip_blanks(Reader *reader)
{
    while (reader->at < reader->text.bytes &&
           strchr(" \t\r\n", reader->text.data[reader->at]) != NULL &&
           reader->text.data[reader->at] != '\0')
        reader->at++;
}

static bool skip_char(Reader *reader, char wanted)
{
    skip_blanks(reader);
    bool good = reader->at < reader->text.bytes && reader->text.data[reader->at] == wanted;
    reader->at += good;
    return good;
}

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* Letters, digits, `_`; with `number`, also what numbers have. */
static Str read_word(Reader *reader, bool number)
{
    size_t from = reader->at;
    while (reader->at < reader->text.bytes) {
        char c = reader->text.data[reader->at];
        if (!is_word_char(c) && !(number && (c == '.' || c == '-' || c == '+'))) break;
        reader->at++;
    }
    return (Str){reader->text.data + from, reader->at - from};
}

static int hex_of(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind `\u`: four hexadecimal digits. */
static bool read_code(Reader *reader, Buffer *out)
{
    uint32_t code = 0;
    char bytes[4];
    for (int i = 0; i < 4; i++) {
        int digit = reader->at < reader->text.bytes ? hex_of(reader->text.data[reader->at++]) : -1;
        if (digit < 0) return false;
        code = code * 16 + (uint32_t)digit;
    }
    if (code >= 0xd800 && code < 0xe000) return false; /* half of a pair */
    buffer_append(out, bytes, utf8_put(bytes, code));
    return true;
}

static bool read_escape(Reader *reader, Buffer *out)
{
    static const char from[] = "\\'\"`nrtbf", to[] = "\\'\"`\n\r\t\b\f";
    if (reader->at == reader->text.bytes) return false;
    char c = reader->text.data[reader->at++];
    if (c == 'u') return read_code(reader, out);
    const char *found = c == '\0' ? NULL : strchr(from, c);
    if (found == NULL) return false;
    buffer_char(out, to[found - from]);
    return true;
}

/* Behind the opening quote. */
static bool read_quoted(Reader *reader, char quote, Buffer *out)
{
    while (reader->at < reader->text.bytes) {
        char c = reader->text.data[reader->at++];
        if (c == quote) return true;
        if (c != '\\')
            buffer_char(out, c);
        else if (!read_escape(reader, out))
            return false;
    }
    return false;
}

static contextql_value *read_text(Reader *reader, char quote)
{
    Buffer text = {0};
    contextql_value *value = NULL;
    if (read_quoted(reader, quote, &text))
        value = contextql_value_new_string(text.bytes == 0 ? "" : text.data, text.bytes);
    buffer_free(&text);
    return value;
}

static bool read_element(Reader *reader, contextql_value *list)
{
    contextql_value *element = read_value(reader);
    if (element == NULL) return false;
    contextql_value_append(list, element);
    contextql_value_free(element);
    return true;
}

static contextql_value *read_list(Reader *reader)
{
    contextql_value *list = contextql_value_new_list();
    bool good = true, more = !skip_char(reader, ']');
    while (good && more) {
        good = read_element(reader, list);
        more = good && skip_char(reader, ',');
        if (good && !more) good = skip_char(reader, ']');
    }
    if (good) return list;
    contextql_value_free(list);
    return NULL;
}

static bool read_entry(Reader *reader, contextql_value *map)
{
    Buffer key = {0};
    contextql_value *value = NULL;
    char quote = skip_char(reader, '"') ? '"' : skip_char(reader, '\'') ? '\'' : '\0';
    if (quote == '\0' && skip_char(reader, '`')) quote = '`';
    bool good = true;
    if (quote != '\0')
        good = read_quoted(reader, quote, &key);
    else
        buffer_str(&key, read_word(reader, false));
    good = good && key.bytes > 0 && skip_char(reader, ':');
    if (good) value = read_value(reader);
    if (value != NULL) contextql_value_put(map, key.data, key.bytes, value);
    buffer_free(&key);
    good = value != NULL;
    contextql_value_free(value);
    return good;
}

static contextql_value *read_map(Reader *reader)
{
    contextql_value *map = contextql_value_new_map();
    bool good = true, more = !skip_char(reader, '}');
    while (good && more) {
        good = read_entry(reader, map);
        more = good && skip_char(reader, ',');
        if (good && !more) good = skip_char(reader, '}');
    }
    if (good) return map;
    contextql_value_free(map);
    return NULL;
}

static contextql_value *value_of_word(Str word)
{
    int64_t integer;
    double number;
    if (integer_parse(word, &integer)) return contextql_value_new_integer(integer);
    if (float_parse(word, &number)) return contextql_value_new_float(number);
    if (str_equal_ignore_case(word, STR("true"))) return contextql_value_new_boolean(true);
    if (str_equal_ignore_case(word, STR("false"))) return contextql_value_new_boolean(false);
    if (str_equal_ignore_case(word, STR("null"))) return contextql_value_new_null();
    return NULL;
}

/* NULL: no literal begins here. */
static contextql_value *read_value(Reader *reader)
{
    contextql_value *value = NULL;
    if (reader->depth == LITERAL_DEPTH_MAX) return NULL;
    reader->depth++;
    if (skip_char(reader, '['))
        value = read_list(reader);
    else if (skip_char(reader, '{'))
        value = read_map(reader);
    else if (skip_char(reader, '\''))
        value = read_text(reader, '\'');
    else if (skip_char(reader, '"'))
        value = read_text(reader, '"');
    else
        value = value_of_word(read_word(reader, true));
    reader->depth--;
    return value;
}

contextql_value *literal_read(Str text)
{
    Reader reader = {.text = text};
    contextql_value *value = read_value(&reader);
    skip_blanks(&reader);
    if (value != NULL && reader.at == text.bytes) return value;
    contextql_value_free(value);
    return contextql_value_new_string(text.data, text.bytes);
}
