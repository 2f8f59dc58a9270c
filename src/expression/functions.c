/*
 * functions.c - the table of functions, made from contextql/functions.def, and how a name is found
 * in it.
 */
#include "config.h"

#include "expression/functions_internal.h"

#define COUNT_FUNCTIONS(...) +1
#define FUNCTION(...)        COUNT_FUNCTIONS()
enum {
    FUNCTION_COUNT = 0
#include "contextql/functions.def"
};

static const struct Row {
    FunctionCall *call;
    const char *name;
    uint8_t min, max;
    const char *kinds;
    uint8_t type;
    bool pure, null_on_null;
    const char *signature, *summary, *example, *result;
} rows[] = {
#define FUNCTION(call, name, min, max, kinds, type, pure, null_on_null, signature, summary,        \
                 example, result)                                                                  \
    {function_##call, name,      min,     max,     kinds, type, pure,                              \
     null_on_null,    signature, summary, example, result},
#include "contextql/functions.def"
};

/* What is told of functions and aggregates alike; a title has no name. */
static const struct Told {
    const char *group;
    FunctionText text;
} told[] = {
#define FUNCTION_GROUP(title) {.group = title},
#define FUNCTION(call, name, min, max, kinds, type, pure, null_on_null, signature, summary,        \
                 example, result)                                                                  \
    {NULL, {NULL, name, signature, summary, example, result}},
#define AGGREGATE(kind, name, args, signature, summary, example, result)                           \
    {NULL, {NULL, name, signature, summary, example, result}},
#include "contextql/functions.def"
};

bool function_text(size_t i, FunctionText *out)
{
    const char *group = "";
    for (size_t at = 0; at < sizeof told / sizeof *told; at++) {
        if (told[at].group != NULL) group = told[at].group;
        if (told[at].group != NULL || i-- > 0) continue;
        *out = told[at].text;
        out->group = group;
        return true;
    }
    return false;
}

bool function_repeats(const Function *function)
{
    uintptr_t first = (uintptr_t)function_at(0), last = (uintptr_t)function_at(FUNCTION_COUNT - 1);
    bool ours = (uintptr_t)function >= first && (uintptr_t)function <= last;
    return ours && !str_equal(function->name, STR("rand")) &&
           !str_equal(function->name, STR("randomUUID"));
}

size_t function_count(void)
{
    return FUNCTION_COUNT;
}

/* The letters of functions.def that stand for exactly one kind. */
static uint8_t one_kind(char letter)
{
    switch (letter) {
    case 'i': return VALUE_INTEGER;
    case 's': return VALUE_STRING;
    case 'b': return VALUE_BOOLEAN;
    case 'l': return VALUE_LIST;
    case 'm': return VALUE_MAP;
    case 'N': return VALUE_NODE;
    case 'R': return VALUE_RELATIONSHIP;
    case 'P': return VALUE_PATH;
    default: return EXPR_TYPE_ANY;
    }
}

static Function made(size_t i)
{
    const struct Row *row = &rows[i];
    Function function = {.name = str_from(row->name),
                         .signature = row->signature,
                         .summary = row->summary,
                         .example = row->example,
                         .result = row->result,
                         .args_min = row->min,
                         .args_max = row->max,
                         .type = row->type,
                         .pure = row->pure,
                         .null_on_null = row->null_on_null,
                         .call = row->call,
                         .user = NULL};
    size_t letters = strlen(row->kinds);
    for (size_t arg = 0; arg < FUNCTION_ARGS_MAX; arg++) {
        char letter = letters == 0 ? '*' : row->kinds[arg < letters ? arg : letters - 1];
        function.arg_types[arg] = one_kind(letter);
        function.arg_letters[arg] = letter;
    }
    return function;
}

/* Made once; a second thread that makes it at the same time writes the same. */
const Function *function_at(size_t i)
{
    static Function table[FUNCTION_COUNT];
    static _Atomic int ready;
    if (!ready) {
        for (size_t f = 0; f < FUNCTION_COUNT; f++)
            table[f] = made(f);
        ready = 1;
    }
    return i < FUNCTION_COUNT ? &table[i] : NULL;
}

const Function *function_find(Str name, Str *suggestion)
{
    size_t best = 4;
    if (suggestion != NULL) *suggestion = (Str){"", 0};
    for (size_t i = 0; i < FUNCTION_COUNT; i++) {
        const Function *function = function_at(i);
        if (str_equal_ignore_case(function->name, name)) return function;
    }
    if (suggestion == NULL) return NULL;
    FunctionText text; /* aggregates are meant, too */
    for (size_t i = 0; function_text(i, &text); i++) {
        Str known = str_from(text.name);
        size_t distance = str_distance(name, known, 3);
        const char *dot = memchr(known.data, '.', known.bytes);
        if (dot != NULL) { /* cosin may mean vector.cosine */
            Str last = {dot + 1, known.bytes - (size_t)(dot + 1 - known.data)};
            size_t alone = str_distance(name, last, 3);
            if (alone < distance) distance = alone;
        }
        if (distance < best && distance < name.bytes) best = distance, *suggestion = known;
    }
    return NULL;
}

Error *function_wrong(const Function *function, Value value)
{
    return error_new(ERROR_ARGUMENT_TYPE, "%.*s() cannot take %s", STR_ARG(function->name),
                     value_kind_name((ValueKind)value.kind));
}
