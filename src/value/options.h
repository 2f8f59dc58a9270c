/*
 * options.h - maps of options (behind USING, OPTIONS) held against a table of what they may say.
 */
#ifndef VALUE_OPTIONS_H
#define VALUE_OPTIONS_H
#include "value/value.h"

typedef enum OptionKind {
    OPTION_BOOLEAN,
    OPTION_INTEGER, /* from least to most */
    OPTION_TEXT,    /* one of words, if there are any */
    OPTION_CHARACTER,
    OPTION_MAP
} OptionKind;

typedef struct OptionRule {
    const char *name;
    OptionKind kind;
    int64_t least, most;
    const char *words; /* between blanks; "": any text; case does not count */
} OptionRule;

/* An option of no rule, or one whose value is not what its rule says. `options` is a map or null;
 * an option that is null is as good as left out. */
Error *options_check(Value options, const OptionRule *rules, size_t count) MUST_CHECK;
/* Is `word` one of those between blanks, whatever its case? */
bool options_is_word(const char *words, Str word);
#endif
