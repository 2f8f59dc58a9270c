/* options_internal.h - a row of contextql/options.def, as options.c and usage.c see it. */
#ifndef COMMANDLINE_OPTIONS_INTERNAL_H
#define COMMANDLINE_OPTIONS_INTERNAL_H
#include "commandline/options.h"

typedef enum OptionEffect {
    EFFECT_FLAG, /* sets a bool */
    EFFECT_TEXT, /* sets a const char * */
    EFFECT_STATEMENT,
    EFFECT_FILE,
    EFFECT_LUA,
    EFFECT_PARAM,
    EFFECT_SETTING,
    EFFECT_MEMORY,
    EFFECT_COMPLETION,
    EFFECT_HELP,
    EFFECT_VERSION
} OptionEffect;

struct OptionRow {
    char letter; /* 0: none */
    const char *name, *argument;
    OptionEffect effect;
    size_t member; /* of Options: its offset, for FLAG and TEXT */
    const char *meaning;
};
#endif
