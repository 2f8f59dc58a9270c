/* options.c - see options.h. */
#include "config.h"

#include "value/options.h"
#include <string.h>

bool options_is_word(const char *words, Str word)
{
    while (*words != '\0') {
        size_t bytes = strcspn(words, " ");
        if (str_equal_ignore_case(word, (Str){words, bytes})) return true;
        words += bytes + strspn(words + bytes, " ");
    }
    return false;
}

static Error *no_such_option(Str name, const OptionRule *rules, size_t count)
{
    enum { DISTANCE_MAX = 2 };
    size_t best = DISTANCE_MAX + 1;
    const char *nearest = NULL;
    Buffer names = {0};
    for (size_t i = 0; i < count; i++) {
        size_t distance = str_distance(name, str_from(rules[i].name), DISTANCE_MAX);
        if (distance < best) best = distance, nearest = rules[i].name;
        buffer_printf(&names, "%s%s", i == 0 ? "" : i + 1 < count ? ", " : " or ", rules[i].name);
    }
    Error *error = error_new(ERROR_UNKNOWN_OPTION, "no such option: %.*s", STR_ARG(name));
    error = nearest != NULL ? error_hint(error, "did you mean %s?", nearest)
                            : error_hint(error, "it is one of %s", names.data);
    buffer_free(&names);
    return error;
}

static bool is_character(Value value)
{
    if (value.kind != VALUE_STRING) return false;
    Str text = value_text(value);
    return text.bytes == 1 && text.data[0] != '\n' && text.data[0] != '\r';
}

static Error *check_value(Value value, const OptionRule *rule)
{
    bool text = value.kind == VALUE_STRING, integer = value.kind == VALUE_INTEGER;
    switch (rule->kind) {
    case OPTION_BOOLEAN:
        if (value.kind == VALUE_BOOLEAN) return NULL;
        return error_new(ERROR_ARGUMENT_VALUE, "the option %s is true or false", rule->name);
    case OPTION_INTEGER:
        if (integer && value.as.integer >= rule->least && value.as.integer <= rule->most)
            return NULL;
        if (rule->most == INT64_MAX)
            return error_new(ERROR_ARGUMENT_VALUE, "the option %s is a whole number from %lld on",
                             rule->name, (long long)rule->least);
        return error_new(ERROR_ARGUMENT_VALUE, "the option %s is a whole number from %lld to %lld",
                         rule->name, (long long)rule->least, (long long)rule->most);
    case OPTION_TEXT:
        if (text && (rule->words[0] == '\0' || options_is_word(rule->words, value_text(value))))
            return NULL;
        if (rule->words[0] == '\0')
            return error_new(ERROR_ARGUMENT_VALUE, "the option %s is a text", rule->name);
        return error_hint(
            error_new(ERROR_ARGUMENT_VALUE, "the option %s has no such value", rule->name),
            "one of: %s", rule->words);
    case OPTION_CHARACTER:
        if (is_character(value)) return NULL;
        return error_new(ERROR_ARGUMENT_VALUE, "the option %s is one character", rule->name);
    case OPTION_MAP:
        if (value.kind == VALUE_MAP) return NULL;
        return error_new(ERROR_ARGUMENT_VALUE, "the option %s is a map", rule->name);
    }
    return NULL;
}

Error *options_check(Value options, const OptionRule *rules, size_t count)
{
    if (options.kind == VALUE_NULL) return NULL;
    if (options.kind != VALUE_MAP)
        return error_new(ERROR_ARGUMENT_TYPE, "options are a map, not %s",
                         value_kind_name((ValueKind)options.kind));
    for (uint32_t i = 0; i < options.aux; i++) {
        const ValueEntry *entry = &options.as.entries[i];
        size_t at = 0;
        while (at < count && !str_equal(entry->key, str_from(rules[at].name)))
            at++;
        if (at == count) return no_such_option(entry->key, rules, count);
        if (entry->value.kind != VALUE_NULL) TRY(check_value(entry->value, &rules[at]));
    }
    return NULL;
}
