/* value_text.h - a value as text. */
#ifndef SHELL_VALUE_TEXT_H
#define SHELL_VALUE_TEXT_H
#include "base/str.h"
#include "contextql.h"

typedef enum ValueStyle {
    VALUE_PLAIN,  /* (:Label {key: 1}), [:TYPE]; text at the top without quotes, null by name */
    VALUE_SHORT,  /* the same, with a vector as a sparkline and its length */
    VALUE_LITERAL /* what the language reads back: quoted text, date('2024-01-01'), vector([1.0]) */
} ValueStyle;

void value_text(Buffer *out, const contextql_value *value, ValueStyle style);
/* A label, type, property name: in backticks where it needs them. */
void value_text_name(Buffer *out, Str name);
/* What a vector looks like: a bar for each of `columns` groups of components, lowest to highest. */
void value_text_sparkline(Buffer *out, const float *vector, size_t dimensions, size_t columns);
/* A bar of at most `columns` characters for `share`, 0 to 1, in steps of an eighth of one. */
void value_text_bar(Buffer *out, double share, size_t columns);
#endif
