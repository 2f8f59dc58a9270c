/* print.c - values as the language writes them. */
#include "config.h"

#include "value/temporal.h"
#include "value/value.h"
#include <stdio.h>
#include <stdlib.h>

static void print_quoted(Buffer *out, Str text)
{
    buffer_char(out, '\'');
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.data[i];
        if (c == '\'' || c == '\\')
            buffer_char(out, '\\'), buffer_char(out, c);
        else if (c == '\n')
            buffer_text(out, "\\n");
        else if (c == '\t')
            buffer_text(out, "\\t");
        else if (c == '\r')
            buffer_text(out, "\\r");
        else
            buffer_char(out, c);
    }
    buffer_char(out, '\'');
}

static void print_bytes(Buffer *out, Str bytes)
{
    buffer_text(out, "0x");
    for (size_t i = 0; i < bytes.bytes; i++)
        buffer_printf(out, "%02x", (unsigned char)bytes.data[i]);
}

static void print_component(Buffer *out, float component)
{
    char text[FLOAT_TEXT_MAX];
    float32_print(text, component);
    buffer_text(out, text);
}

static void print_list(Buffer *out, Value list)
{
    buffer_char(out, '[');
    for (uint32_t i = 0; i < list.aux; i++) {
        if (i > 0) buffer_text(out, ", ");
        if (list.kind == VALUE_LIST)
            value_print(out, list.as.items[i], true);
        else
            print_component(out, list.as.vector[i]);
    }
    buffer_char(out, ']');
}

static void print_map(Buffer *out, Value map)
{
    buffer_char(out, '{');
    for (uint32_t i = 0; i < map.aux; i++) {
        if (i > 0) buffer_text(out, ", ");
        buffer_str(out, map.as.entries[i].key);
        buffer_text(out, ": ");
        value_print(out, map.as.entries[i].value, true);
    }
    buffer_char(out, '}');
}

static void print_path(Buffer *out, Value path)
{
    for (uint32_t i = 0; i < path.aux; i++)
        buffer_printf(out, i % 2 == 0 ? "(%llu)" : "-[%llu]-",
                      (unsigned long long)entity_id(path.as.path[i]));
}

void value_print(Buffer *out, Value value, bool quote)
{
    char number[FLOAT_TEXT_MAX];
    switch ((ValueKind)value.kind) {
    case VALUE_NULL: buffer_text(out, "null"); break;
    case VALUE_BOOLEAN: buffer_text(out, value.as.boolean ? "true" : "false"); break;
    case VALUE_INTEGER: buffer_integer(out, value.as.integer); break;
    case VALUE_FLOAT:
        float_print(number, value.as.number);
        buffer_text(out, number);
        break;
    case VALUE_STRING:
        if (quote)
            print_quoted(out, value_text(value));
        else
            buffer_str(out, value_text(value));
        break;
    case VALUE_BYTES: print_bytes(out, value_text(value)); break;
    case VALUE_LIST:
    case VALUE_VECTOR: print_list(out, value); break;
    case VALUE_MAP: print_map(out, value); break;
    case VALUE_NODE:
        buffer_printf(out, "(%llu)", (unsigned long long)entity_id(value.as.id));
        break;
    case VALUE_RELATIONSHIP:
        buffer_printf(out, "[%llu]", (unsigned long long)entity_id(value.as.id));
        break;
    case VALUE_PATH: print_path(out, value); break;
    case VALUE_DATE:
    case VALUE_LOCAL_TIME:
    case VALUE_TIME:
    case VALUE_LOCAL_DATETIME:
    case VALUE_DATETIME:
    case VALUE_DURATION: temporal_print(out, value); break;
    case VALUE_KIND_COUNT: break;
    }
}
