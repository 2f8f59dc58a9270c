/*
 * suggest.c - what may stand at the cursor: the parser's expected tokens times what there is.
 *
 * The parser knows exactly which tokens it would take (parser_expected), but to it every name is a
 * name. Which kind of name is meant stands in the tokens before: behind `(n:` a label, behind `[:` a
 * type, behind `n.` a property of what n is. So a place is found first, then everything that could
 * stand in it is held against the word that is being typed, and the best are given.
 *
 * The properties of a label are those of its first nodes: a schema is nowhere written down, and
 * looking at all nodes would take too long.
 */
#include "config.h"

#include "api/api_internal.h"
#include "base/match.h"
#include "parser/ast.h"
#include <stdlib.h>

enum {
    SAMPLE_MAX = 32,    /* entities whose properties are looked at */
    EXPECTED_MAX = 256, /* more tokens than the grammar has */
    DISTANCE_MAX = 2    /* of a misspelt word */
};

typedef enum Place {
    PLACE_NOWHERE, /* within a text, a comment, a number */
    PLACE_TOKEN,   /* whatever the grammar takes */
    PLACE_LABEL,
    PLACE_TYPE,
    PLACE_PROPERTY, /* behind a dot */
    PLACE_KEY,      /* in the map of a pattern */
    PLACE_INDEX,
    PLACE_SNAPSHOT,      /* as a name */
    PLACE_SNAPSHOT_TEXT, /* ... as a text */
    PLACE_STRATEGY,
    PLACE_PROCEDURE,
    PLACE_OPTION, /* a key of a map of options */
    PLACE_YIELD,
    PLACE_SHOW
} Place;

/* Of equal matches the nearer group goes first. */
typedef enum Group {
    GROUP_VARIABLE,
    GROUP_OWN, /* properties of the entity at hand; labels, types, indexes */
    GROUP_KEYWORD,
    GROUP_FUNCTION,
    GROUP_OTHER,
    GROUP_SIGN
} Group;

typedef struct Candidate {
    const char *text, *kind, *summary;
    int match;
    Group group;
    size_t bytes;    /* of the name; shorter ones first */
    uint64_t weight; /* more often used ones first */
    size_t order;    /* as found */
    size_t from;
} Candidate;

typedef struct Ask {
    contextql *session;
    Arena *arena;
    GraphView view;
    Str text;     /* the statement up to the cursor */
    size_t start; /* of the statement, in the text asked about */
    TokenSpan *tokens;
    size_t token_count; /* before the word */
    Str word;
    size_t from; /* where it begins, in the statement; with its backtick */
    Candidate *items;
    size_t count, capacity;
} Ask;

/* ---- the text before the cursor ---- */

/* The statement that the cursor is in. */
static Str statement_at(Str text, size_t cursor, size_t *start)
{
    *start = 0;
    for (;;) {
        Str rest = {text.data + *start, cursor - *start};
        bool complete;
        size_t end = parser_statement_end_of(rest, &complete);
        if (!complete || end == 0) return rest;
        *start += end;
        if (*start == cursor) return (Str){text.data + cursor, 0};
    }
}

static Str token_text(const Ask *ask, size_t token)
{
    return (Str){ask->text.data + ask->tokens[token].offset, ask->tokens[token].length};
}

/* The token so many before the word (1: the one next to it) is this sign or keyword. */
static bool is_before(const Ask *ask, size_t back, const char *text)
{
    return back <= ask->token_count &&
           str_equal_ignore_case(token_text(ask, ask->token_count - back), str_from(text));
}

static void drop_comments(Ask *ask)
{
    size_t kept = 0;
    for (size_t i = 0; i < ask->token_count; i++)
        if (ask->tokens[i].class != TOKEN_CLASS_COMMENT) ask->tokens[kept++] = ask->tokens[i];
    ask->token_count = kept;
}

/* Takes the tokens, and the word off their end. False: nothing can be completed here. */
static bool read_tokens(Ask *ask)
{
    size_t max = ask->text.bytes + 1;
    ask->tokens = arena_array(ask->arena, TokenSpan, max);
    ask->token_count = parser_tokens(ask->text, ask->tokens, max);
    ask->from = ask->text.bytes;
    ask->word = (Str){"", 0};
    if (ask->token_count == 0) return true;
    TokenSpan last = ask->tokens[ask->token_count - 1];
    char first = ask->text.data[last.offset];
    bool touches = last.offset + last.length == ask->text.bytes;
    bool open_name = last.class == TOKEN_CLASS_BAD && first == '`';
    if (last.class == TOKEN_CLASS_BAD && !open_name) return false;
    if (last.class == TOKEN_CLASS_COMMENT && touches &&
        !(last.length >= 4 && memcmp(ask->text.data + ask->text.bytes - 2, "*/", 2) == 0))
        return false;
    bool word = last.class == TOKEN_CLASS_NAME || last.class == TOKEN_CLASS_KEYWORD ||
                last.class == TOKEN_CLASS_FUNCTION || last.class == TOKEN_CLASS_LABEL || open_name;
    if (touches && !word && (last.class == TOKEN_CLASS_STRING || last.class == TOKEN_CLASS_NUMBER))
        return false;
    if (last.class == TOKEN_CLASS_PARAMETER && touches) return false;
    if (word && touches) {
        ask->from = last.offset;
        ask->word = (Str){ask->text.data + last.offset + open_name, last.length - open_name};
        ask->token_count--;
    }
    drop_comments(ask);
    return true;
}

/* The bracket that is open before the word; SIZE_MAX: none. */
static size_t open_bracket(const Ask *ask)
{
    size_t depth = 0;
    for (size_t i = ask->token_count; i-- > 0;) {
        if (ask->tokens[i].class != TOKEN_CLASS_BRACKET) continue;
        char c = ask->text.data[ask->tokens[i].offset];
        if (strchr(")]}", c) != NULL)
            depth++;
        else if (depth-- == 0)
            return i;
    }
    return SIZE_MAX;
}

static char sign_at(const Ask *ask, size_t token)
{
    bool one = token < ask->token_count && ask->tokens[token].length == 1;
    return one ? ask->text.data[ask->tokens[token].offset] : '\0';
}

/* Is the bracket that of a relationship: -[..] or COPY [..]? */
static bool is_relationship(const Ask *ask, size_t bracket)
{
    if (bracket == SIZE_MAX || bracket == 0 || sign_at(ask, bracket) != '[') return false;
    Str before = token_text(ask, bracket - 1);
    return before.data[before.bytes - 1] == '-' || str_equal_ignore_case(before, STR("COPY"));
}

/* Is the `{` at `bracket` the map of a node or relationship pattern? */
static bool is_pattern_map(const Ask *ask, size_t bracket)
{
    if (bracket == SIZE_MAX || bracket == 0 || sign_at(ask, bracket) != '{') return false;
    TokenClass before = ask->tokens[bracket - 1].class;
    return before == TOKEN_CLASS_LABEL || before == TOKEN_CLASS_NAME ||
           sign_at(ask, bracket - 1) == '(' || sign_at(ask, bracket - 1) == '[';
}

/* The procedure of the CALL whose name ends before `token`; empty: none does. */
static Str called_before(const Ask *ask, size_t token)
{
    for (size_t first = token; first > 0; first--) {
        bool dot = sign_at(ask, first - 1) == '.';
        TokenClass class = ask->tokens[first - 1].class;
        if (str_equal_ignore_case(token_text(ask, first - 1), STR("CALL")) && first < token) {
            size_t begin = ask->tokens[first].offset;
            TokenSpan last = ask->tokens[token - 1];
            return (Str){ask->text.data + begin, last.offset + last.length - begin};
        }
        if (!dot && class != TOKEN_CLASS_NAME && class != TOKEN_CLASS_FUNCTION &&
            class != TOKEN_CLASS_KEYWORD)
            break;
    }
    return STR("");
}

/* Of the map in which the word is: CALL name({. */
static Str options_of(const Ask *ask, size_t bracket)
{
    if (bracket == SIZE_MAX || bracket < 2 || sign_at(ask, bracket) != '{') return STR("");
    return sign_at(ask, bracket - 1) == '(' ? called_before(ask, bracket - 1) : STR("");
}

/* What the map in which the word is tells the options of. */
typedef enum MapOwner { MAP_OTHER, MAP_CALL, MAP_SEARCH, MAP_INDEX, MAP_FILE } MapOwner;

/* The clause before `token`, whose map stands behind USING. */
static MapOwner using_before(const Ask *ask, size_t token)
{
    while (token-- > 0) {
        Str word = token_text(ask, token);
        if (str_equal_ignore_case(word, STR("VECTOR"))) return MAP_SEARCH;
        if (str_equal_ignore_case(word, STR("LOAD")) || str_equal_ignore_case(word, STR("COPY")))
            return MAP_FILE;
    }
    return MAP_OTHER;
}

static MapOwner map_owner(const Ask *ask, size_t bracket)
{
    if (options_of(ask, bracket).bytes > 0) return MAP_CALL;
    if (bracket == SIZE_MAX || bracket < 2 || sign_at(ask, bracket) != '{') return MAP_OTHER;
    Str before = token_text(ask, bracket - 1);
    if (str_equal_ignore_case(before, STR("OPTIONS"))) return MAP_INDEX;
    return str_equal_ignore_case(before, STR("USING")) ? using_before(ask, bracket) : MAP_OTHER;
}

/* The CALL before a YIELD in whose list the word is: CALL name(..) YIELD a, */
static Str yielded_of(const Ask *ask)
{
    size_t at = ask->token_count, depth = 0;
    while (at > 1 && sign_at(ask, at - 1) == ',')
        at -= 2; /* the name before it */
    if (at < 3 || at > ask->token_count ||
        !str_equal_ignore_case(token_text(ask, at - 1), STR("YIELD")))
        return STR("");
    for (size_t i = at - 1; i-- > 0;) {
        char c = sign_at(ask, i);
        if (c == ')') depth++;
        if (c == '(' && --depth == 0) return called_before(ask, i);
        if (depth == 0) break;
    }
    return STR("");
}

static bool is_label_sign(char sign)
{
    return sign == '|' || sign == '&' || sign == '!' || sign == '(';
}

/* Behind a sign of a label expression: n:A| , n:(A&!. In the brackets of a comprehension | ends a part. */
static bool in_labels(const Ask *ask, char inside)
{
    size_t i = ask->token_count;
    char last = i == 0 ? '\0' : sign_at(ask, i - 1);
    if (!is_label_sign(last) || (last == '|' && inside == '[')) return false;
    for (; i > 0; i--) {
        TokenClass class = ask->tokens[i - 1].class;
        bool name = class == TOKEN_CLASS_LABEL || class == TOKEN_CLASS_NAME;
        char sign = sign_at(ask, i - 1);
        if (!name && sign != ')' && !is_label_sign(sign)) break;
    }
    return i > 0 && i < ask->token_count && sign_at(ask, i - 1) == ':' && inside != '{';
}

static Place place_of(const Ask *ask)
{
    size_t bracket = open_bracket(ask);
    char inside = bracket == SIZE_MAX ? '\0' : sign_at(ask, bracket);
    bool relationship = is_relationship(ask, bracket);
    if (is_before(ask, 1, ":")) {
        if (inside == '{') return PLACE_TOKEN;
        return relationship ? PLACE_TYPE : PLACE_LABEL;
    }
    if (is_before(ask, 1, "|") && relationship) return PLACE_TYPE;
    if (in_labels(ask, inside)) return PLACE_LABEL;
    if (is_before(ask, 1, ".")) return PLACE_PROPERTY;
    if ((is_before(ask, 1, "{") || is_before(ask, 1, ",")) && map_owner(ask, bracket) != MAP_OTHER)
        return PLACE_OPTION;
    if (yielded_of(ask).bytes > 0) return PLACE_YIELD;
    if ((is_before(ask, 1, "{") || is_before(ask, 1, ",")) && is_pattern_map(ask, bracket))
        return PLACE_KEY;
    if (is_before(ask, 1, "SHOW")) return PLACE_SHOW;
    if (is_before(ask, 1, "BY") && is_before(ask, 2, "RANK")) return PLACE_STRATEGY;
    if (is_before(ask, 1, "INDEX") &&
        (is_before(ask, 2, "DROP") || is_before(ask, 2, "VECTOR") || is_before(ask, 2, "TEXT")))
        return PLACE_INDEX;
    if (is_before(ask, 1, "SNAPSHOT") && is_before(ask, 2, "DROP")) return PLACE_SNAPSHOT;
    if (is_before(ask, 1, "SNAPSHOT") && is_before(ask, 2, "AT")) return PLACE_SNAPSHOT_TEXT;
    if (is_before(ask, 1, "CALL")) return PLACE_PROCEDURE;
    if (is_before(ask, 1, "AS") || is_before(ask, 1, "$")) return PLACE_NOWHERE; /* a new name */
    return PLACE_TOKEN;
}

/* ---- candidates ---- */

static void offer_at(Ask *ask, Candidate candidate, Str name)
{
    candidate.match = match_word(ask->word, name);
    if (candidate.match == MATCH_NONE) return;
    candidate.bytes = name.bytes;
    candidate.order = ask->count;
    mem_reserve(ask->items, ask->capacity, ask->count + 1);
    ask->items[ask->count++] = candidate;
}

static void offer(Ask *ask, Str name, const char *text, const char *kind, const char *summary,
                  Group group, uint64_t weight)
{
    offer_at(ask,
             (Candidate){.text = text,
                         .kind = kind,
                         .summary = summary,
                         .group = group,
                         .weight = weight,
                         .from = ask->from},
             name);
}

/* A name of the database: in backticks where the language wants them. */
static const char *written(Arena *arena, Str name)
{
    bool plain = name.bytes > 0 && !(name.data[0] >= '0' && name.data[0] <= '9');
    for (size_t i = 0; i < name.bytes && plain; i++) {
        char c = name.data[i];
        plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                c == '_' || (unsigned char)c >= 0x80;
    }
    if (plain) return str_copy(arena, name).data;
    char *quoted = arena_alloc(arena, name.bytes * 2 + 3), *to = quoted;
    *to++ = '`';
    for (size_t i = 0; i < name.bytes; i++) {
        if (name.data[i] == '`') *to++ = '`';
        *to++ = name.data[i];
    }
    *to++ = '`', *to = '\0';
    return quoted;
}

static void offer_name(Ask *ask, Str name, const char *kind, const char *summary, Group group,
                       uint64_t weight)
{
    if (match_word(ask->word, name) == MATCH_NONE) return; /* most names: made no text for */
    offer(ask, name, written(ask->arena, name), kind, summary, group, weight);
}

static void offer_counted(Ask *ask, NameKind kind)
{
    const Graph *graph = ask->view.graph;
    uint32_t names = graph_name_count(graph, kind);
    for (uint32_t i = 0; i < names; i++) {
        Str name = graph_name_text(graph, kind, i);
        if (match_word(ask->word, name) == MATCH_NONE) continue;
        bool label = kind == NAME_LABEL;
        uint64_t count =
            label ? graph_label_count(&ask->view, i) : graph_relationship_count(&ask->view, i);
        const char *summary = arena_printf(ask->arena, "%llu %s%s", (unsigned long long)count,
                                           label ? "node" : "relationship", count == 1 ? "" : "s");
        offer_name(ask, name, label ? "label" : "type", summary, GROUP_OWN, count);
    }
}

/* ---- properties ---- */

typedef struct Owner { /* whose properties are asked for */
    bool known, relationship;
    Str name; /* the label or type */
} Owner;

/* What `(variable:Label` or `[variable:TYPE` says somewhere before. */
static Owner owner_of_variable(const Ask *ask, Str variable)
{
    for (size_t i = 1; i + 2 < ask->token_count; i++) {
        char bracket = sign_at(ask, i - 1);
        if ((bracket != '(' && bracket != '[') || sign_at(ask, i + 1) != ':') continue;
        if (!str_equal(token_text(ask, i), variable)) continue;
        return (Owner){true, bracket == '[', token_text(ask, i + 2)};
    }
    return (Owner){0};
}

/* The label or type in the brackets that begin at `bracket`, or that their variable has. */
static Owner owner_in_brackets(const Ask *ask, size_t bracket)
{
    bool relationship = sign_at(ask, bracket) == '[';
    for (size_t i = bracket + 1; i + 1 < ask->token_count && i < bracket + 3; i++)
        if (sign_at(ask, i) == ':') return (Owner){true, relationship, token_text(ask, i + 1)};
    if (bracket + 1 >= ask->token_count) return (Owner){0};
    return owner_of_variable(ask, token_text(ask, bracket + 1));
}

static Owner find_owner(const Ask *ask, Place place)
{
    if (place == PLACE_PROPERTY)
        return ask->token_count < 2 ? (Owner){0}
                                    : owner_of_variable(ask, token_text(ask, ask->token_count - 2));
    size_t depth = 0; /* the bracket around the map */
    for (size_t i = open_bracket(ask); i-- > 0;) {
        if (ask->tokens[i].class != TOKEN_CLASS_BRACKET) continue;
        char c = sign_at(ask, i);
        if (strchr(")]}", c) != NULL)
            depth++;
        else if (depth-- == 0)
            return owner_in_brackets(ask, i);
    }
    return (Owner){0};
}

static uint32_t sample(const Ask *ask, Owner owner, uint64_t *ids)
{
    uint64_t cursor = 0;
    const GraphView *view = &ask->view;
    if (!owner.known) return 0;
    if (owner.name.bytes >= 2 && owner.name.data[0] == '`')
        owner.name = (Str){owner.name.data + 1, owner.name.bytes - 2};
    uint32_t id =
        graph_name_find(view->graph, owner.relationship ? NAME_TYPE : NAME_LABEL, owner.name);
    if (id == GRAPH_NAME_UNKNOWN) return 0;
    return owner.relationship ? graph_scan_relationships(view, id, &cursor, ids, SAMPLE_MAX)
                              : graph_scan(view, &id, 1, &cursor, ids, SAMPLE_MAX);
}

static bool any_has(const Ask *ask, Owner owner, uint32_t key, const uint64_t *ids, uint32_t count)
{
    ValueKind kind = owner.relationship ? VALUE_RELATIONSHIP : VALUE_NODE;
    for (uint32_t i = 0; i < count; i++)
        if (graph_property(&ask->view, kind, ids[i], key).kind != VALUE_NULL) return true;
    return false;
}

static void offer_properties(Ask *ask, Place place)
{
    uint64_t ids[SAMPLE_MAX];
    const Graph *graph = ask->view.graph;
    Owner owner = find_owner(ask, place);
    uint32_t keys = graph_name_count(graph, NAME_KEY), count = sample(ask, owner, ids);
    const char *own = arena_printf(ask->arena, "of %.*s", STR_ARG(owner.name));
    for (uint32_t key = 0; key < keys; key++) {
        Str name = graph_name_text(graph, NAME_KEY, key);
        if (match_word(ask->word, name) == MATCH_NONE) continue;
        bool has = any_has(ask, owner, key, ids, count);
        if (!has && count > 0 && ask->word.bytes == 0) continue; /* it has others */
        offer_name(ask, name, "property", has ? own : "", has ? GROUP_OWN : GROUP_OTHER, 0);
    }
}

/* ---- functions and other tables ---- */

static void offer_function(Ask *ask, Str name, const char *signature, const char *summary,
                           size_t from)
{
    Str typed = ask->word;
    ask->word = (Str){ask->text.data + from, ask->text.bytes - from};
    if (match_word(ask->word, name) != MATCH_NONE) {
        const char *end = strncmp(signature, "()", 2) == 0 ? "()" : "(";
        Candidate candidate = {.text = arena_printf(ask->arena, "%.*s%s", STR_ARG(name), end),
                               .kind = "function",
                               .summary = arena_printf(ask->arena, "%s  %s", signature, summary),
                               .group = GROUP_FUNCTION,
                               .from = from};
        offer_at(ask, candidate, name);
    }
    ask->word = typed;
}

/* From `from` on: a name with dots begins before the word. */
static void offer_functions(Ask *ask, size_t from)
{
    FunctionText function;
    for (size_t i = 0; function_text(i, &function); i++)
        offer_function(ask, str_from(function.name), function.signature, function.summary, from);
    for (size_t i = 0; i < ask->session->function_count; i++)
        offer_function(ask, ask->session->functions[i]->name, "", "defined by this session", from);
}

static void offer_strategies(Ask *ask)
{
    const StrategyRegistry *strategies = ask->session->strategies;
    for (size_t i = 0; i < strategy_count(strategies); i++) {
        const Strategy *strategy = strategy_at(strategies, i);
        offer(ask, str_from(strategy->name), arena_printf(ask->arena, "%s(", strategy->name),
              "strategy", arena_printf(ask->arena, "%s", strategy->summary), GROUP_OWN, 0);
    }
}

static void offer_procedures(Ask *ask)
{
    contextql_procedure_info procedure;
    for (size_t i = 0; contextql_procedure_at(ask->session, i, &procedure); i++)
        offer(ask, str_from(procedure.name),
              arena_printf(ask->arena, "%s(%s", procedure.name,
                           strstr(procedure.signature, "(options = {}") == NULL ? "" : "{"),
              "procedure", procedure.meaning, GROUP_OWN, 0);
}

static bool find_procedure(const Ask *ask, Str name, contextql_procedure_info *out)
{
    for (size_t i = 0; contextql_procedure_at(ask->session, i, out); i++)
        if (str_equal_ignore_case(name, str_from(out->name))) return true;
    return false;
}

static void offer_option(Ask *ask, Str name, const char *summary)
{
    offer(ask, name, arena_printf(ask->arena, "%.*s: ", STR_ARG(name)), "option", summary,
          GROUP_OWN, 0);
}

static void offer_option_words(Ask *ask, const char *words, const char *owner)
{
    for (const char *at = words; *at != '\0';) {
        size_t bytes = strcspn(at, " ");
        offer_option(ask, (Str){at, bytes}, arena_printf(ask->arena, "of %s", owner));
        at += bytes + (at[bytes] == ' ');
    }
}

static bool has_word(const Ask *ask, const char *word)
{
    for (size_t i = 0; i < ask->token_count; i++)
        if (str_equal_ignore_case(token_text(ask, i), str_from(word))) return true;
    return false;
}

static void offer_file_options(Ask *ask)
{
    enum { LOAD = 1, NODES = 2, ENDS = 4, WRITE = 8 };
    static const struct {
        const char *name, *meaning;
        unsigned uses;
    } rows[] = {
#define FILE_OPTION(name, kind, least, most, words, uses, meaning) {#name, meaning, uses},
#include "contextql/file_options.def"
#undef FILE_OPTION
    };
    unsigned use = has_word(ask, "LOAD") ? LOAD
                   : has_word(ask, "TO") ? WRITE
                   : has_word(ask, "[")  ? ENDS
                                         : NODES;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].uses & use) offer_option(ask, str_from(rows[i].name), rows[i].meaning);
}

static void offer_options(Ask *ask)
{
    contextql_procedure_info procedure;
    size_t bracket = open_bracket(ask);
    switch (map_owner(ask, bracket)) {
    case MAP_CALL:
        if (find_procedure(ask, options_of(ask, bracket), &procedure))
            offer_option_words(ask, procedure.options, procedure.name);
        break;
    case MAP_SEARCH: offer_option_words(ask, "exact ef metric", "VECTOR"); break;
    case MAP_INDEX:
        offer_option_words(ask, "dimensions metric type ef ef_construction", "a vector index");
        break;
    case MAP_FILE: offer_file_options(ask); break;
    case MAP_OTHER: break;
    }
}

/* The columns stand at the end of the signature: name(..) :: (node :: NODE, score :: FLOAT). */
static void offer_yields(Ask *ask)
{
    contextql_procedure_info procedure;
    if (!find_procedure(ask, yielded_of(ask), &procedure)) return;
    const char *at = strrchr(procedure.signature, '(');
    while (at != NULL && *at != '\0' && *at != ')') {
        at += 1 + strspn(at + 1, " ");
        Str name = {at, strcspn(at, " :,)")};
        const char *type = at + name.bytes + strspn(at + name.bytes, " :");
        if (name.bytes > 0)
            offer_name(ask, name, "column",
                       arena_printf(ask->arena, "%.*s", (int)strcspn(type, ",)"), type), GROUP_OWN,
                       0);
        at += strcspn(at, ",)");
    }
}

static void offer_indexes(Ask *ask)
{
    const Graph *graph = ask->view.graph;
    for (uint32_t i = 0; i < graph_index_count(graph); i++) {
        const GraphIndex *index = graph_index_at(&ask->view, i);
        if (index == NULL) continue;
        Str label = graph_name_text(graph, NAME_LABEL, index->label);
        const char *keys = "";
        for (uint32_t k = 0; k < index->key_count; k++)
            keys = arena_printf(ask->arena, "%s%s%.*s", keys, k > 0 ? ", " : "",
                                STR_ARG(graph_name_text(graph, NAME_KEY, index->keys[k])));
        offer_name(ask, index->name, "index",
                   arena_printf(ask->arena, "%s:%.*s(%s)", index->vector ? "vectors of " : "",
                                STR_ARG(label), keys),
                   GROUP_OWN, 0);
    }
}

/* The newest first. One without a name is known by its number. */
static void offer_snapshots(Ask *ask, bool as_text)
{
    SnapshotInfo *infos;
    size_t count;
    Error *error = database_snapshots(ask->session->database, ask->arena, &infos, &count);
    if (error != NULL) count = 0;
    error_drop(error); /* who completes is not told of errors */
    for (size_t i = count; i-- > 0;) {
        Str name = infos[i].name,
            number = str_from(arena_printf(ask->arena, "%llu", (unsigned long long)infos[i].id));
        const char *text = as_text ? arena_printf(ask->arena, "'%.*s'", STR_ARG(name))
                                   : written(ask->arena, name.bytes == 0 ? number : name);
        if (name.bytes == 0 && as_text) text = number.data;
        offer(ask, name.bytes == 0 ? number : name, text, "snapshot", "", GROUP_OWN, 0);
    }
}

static void offer_shows(Ask *ask)
{
    const PlanShow *show;
    for (size_t i = 0; (show = plan_show_at(i)) != NULL; i++)
        offer(ask, str_from(show->what), show->what, "keyword", show->meaning, GROUP_KEYWORD, 0);
}

/* ---- variables ---- */

static bool makes_variable(const Ask *ask, size_t token)
{
    char before = token == 0 ? '\0' : sign_at(ask, token - 1), after = sign_at(ask, token + 1);
    if (ask->tokens[token].class != TOKEN_CLASS_NAME || before == '.' || before == '$')
        return false;
    if (token > 0 && str_equal_ignore_case(token_text(ask, token - 1), STR("AS"))) return true;
    if ((before == '(' || before == '[') && after != '\0' && strchr(":){]*", after) != NULL)
        return true;
    if (after == '=' && sign_at(ask, token + 2) == '(') return true; /* a path */
    return before == '[' && token + 1 < ask->token_count &&
           str_equal_ignore_case(token_text(ask, token + 1), STR("IN"));
}

/* The last WITH that begins a clause: what it does not name is not seen behind it. */
static size_t last_with(const Ask *ask)
{
    for (size_t i = ask->token_count; i-- > 0;) {
        bool with = ask->tokens[i].class == TOKEN_CLASS_KEYWORD &&
                    str_equal_ignore_case(token_text(ask, i), STR("WITH"));
        Str before = with && i > 0 ? token_text(ask, i - 1) : STR("");
        if (with && !str_equal_ignore_case(before, STR("STARTS")) &&
            !str_equal_ignore_case(before, STR("ENDS")))
            return i;
    }
    return 0;
}

/* Is it an item of its own behind the WITH at `with`, or is there a `*`? */
static bool carried_over(const Ask *ask, size_t with, Str name)
{
    for (size_t i = with + 1; i < ask->token_count; i++) {
        char before = sign_at(ask, i - 1), after = sign_at(ask, i + 1);
        bool item = i == with + 1 || before == ',';
        bool renamed =
            i + 1 < ask->token_count && str_equal_ignore_case(token_text(ask, i + 1), STR("AS"));
        if (item && sign_at(ask, i) == '*') return true;
        if (item && after != '.' && after != '(' && !renamed && str_equal(token_text(ask, i), name))
            return true;
    }
    return false;
}

static void offer_variables(Ask *ask)
{
    StrMap *seen = strmap_create();
    size_t with = last_with(ask);
    for (size_t i = 0; i < ask->token_count; i++) {
        Str name = token_text(ask, i);
        if (!makes_variable(ask, i)) continue;
        if (i < with && !carried_over(ask, with, name)) continue;
        if (!strmap_put(seen, name, 0)) continue;
        Owner owner = owner_of_variable(ask, name);
        const char *summary =
            owner.known ? arena_printf(ask->arena, ":%.*s", STR_ARG(owner.name)) : "";
        offer(ask, name, str_copy(ask->arena, name).data, "variable", summary, GROUP_VARIABLE, 0);
    }
    strmap_destroy(seen);
}

/* ---- what the grammar takes ---- */

static const char *meaning_of(const char *keyword)
{
    const char *meaning;
    for (size_t i = 0; i < parser_keyword_count(); i++)
        if (strcmp(parser_keyword(i, &meaning), keyword) == 0) return meaning;
    return "";
}

/* As the person writes keywords: small if the word is small. */
static const char *in_case_of(Arena *arena, Str word, const char *keyword)
{
    bool small = word.bytes > 0;
    for (size_t i = 0; i < word.bytes; i++)
        small = small && !(word.data[i] >= 'A' && word.data[i] <= 'Z');
    if (!small) return keyword;
    char *copy = arena_copy(arena, keyword, strlen(keyword));
    for (char *c = copy; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c + 32);
    return copy;
}

/* Where the function's name begins: `vector.co` is one name to a function. */
static size_t dotted_from(const Ask *ask)
{
    size_t from = ask->from;
    for (size_t i = ask->token_count; i >= 2 && sign_at(ask, i - 1) == '.'; i -= 2) {
        if (ask->tokens[i - 2].class != TOKEN_CLASS_NAME &&
            ask->tokens[i - 2].class != TOKEN_CLASS_KEYWORD)
            break;
        from = ask->tokens[i - 2].offset;
    }
    return from;
}

static void offer_expected(Ask *ask)
{
    const char *expected[EXPECTED_MAX];
    size_t count = parser_expected(ask->text, ask->from, expected, EXPECTED_MAX);
    for (size_t i = 0; i < count; i++) {
        char first = expected[i][0];
        if (strcmp(expected[i], "a name") == 0) offer_variables(ask);
        if (strcmp(expected[i], "a function") == 0) offer_functions(ask, ask->from);
        if (first >= 'A' && first <= 'Z') {
            const char *text = in_case_of(ask->arena, ask->word, expected[i]);
            offer(ask, str_from(text), text, "keyword", meaning_of(expected[i]), GROUP_KEYWORD, 0);
        } else if (!(first >= 'a' && first <= 'z') && ask->word.bytes == 0) {
            offer(ask, STR(""), expected[i], "sign", "", GROUP_SIGN, 0);
        }
    }
}

static void offer_place(Ask *ask, Place place)
{
    switch (place) {
    case PLACE_NOWHERE: break;
    case PLACE_TOKEN: offer_expected(ask); break;
    case PLACE_LABEL: offer_counted(ask, NAME_LABEL); break;
    case PLACE_TYPE: offer_counted(ask, NAME_TYPE); break;
    case PLACE_PROPERTY:
        offer_functions(ask, dotted_from(ask));
        offer_properties(ask, place);
        break;
    case PLACE_KEY: offer_properties(ask, place); break;
    case PLACE_INDEX: offer_indexes(ask); break;
    case PLACE_SNAPSHOT: offer_snapshots(ask, false); break;
    case PLACE_SNAPSHOT_TEXT:
        offer_snapshots(ask, true);
        offer_expected(ask);
        break;
    case PLACE_STRATEGY: offer_strategies(ask); break;
    case PLACE_PROCEDURE: offer_procedures(ask); break;
    case PLACE_OPTION: offer_options(ask); break;
    case PLACE_YIELD: offer_yields(ask); break;
    case PLACE_SHOW: offer_shows(ask); break;
    }
}

/* Nothing fits the word: what is nearly written so may be meant. */
static void offer_misspelt(Ask *ask, Place place)
{
    Str word = ask->word;
    if (word.bytes < 3) return;
    ask->word = (Str){"", 0};
    offer_place(ask, place);
    ask->word = word;
    size_t kept = 0;
    for (size_t i = 0; i < ask->count; i++) {
        Candidate candidate = ask->items[i];
        size_t distance = str_distance(word, str_from(candidate.text), DISTANCE_MAX);
        if (distance > DISTANCE_MAX) continue;
        candidate.match = -(int)distance;
        ask->items[kept++] = candidate;
    }
    ask->count = kept;
}

static int compare(const void *left, const void *right)
{
    const Candidate *a = left, *b = right;
    if (a->match != b->match) return a->match > b->match ? -1 : 1;
    if (a->group != b->group) return a->group < b->group ? -1 : 1;
    if (a->weight != b->weight) return a->weight > b->weight ? -1 : 1;
    if (a->match > MATCH_ALL && a->bytes != b->bytes) return a->bytes < b->bytes ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

static void give(const Ask *ask, contextql_suggestion *out, size_t max, size_t *count)
{
    for (size_t i = 0; i < ask->count && *count < max; i++) {
        const Candidate *item = &ask->items[i];
        out[(*count)++] =
            (contextql_suggestion){item->text, item->kind, item->summary, ask->start + item->from};
    }
}

/* The statement around `cursor`, and an arena for what is made of it. */
static void begin(contextql *session, const char *text, size_t cursor, Ask *ask)
{
    if (session->suggestions == NULL) session->suggestions = arena_create();
    arena_reset(session->suggestions);
    *ask = (Ask){.session = session, .arena = session->suggestions};
    ask->text = statement_at((Str){text, cursor}, cursor, &ask->start);
}

int contextql_suggest(contextql *session, const char *text, size_t cursor,
                      contextql_suggestion *out, size_t max, size_t *count)
{
    Ask ask;
    *count = 0;
    begin(session, text, cursor, &ask);
    if (session->database == NULL || !read_tokens(&ask)) return CONTEXTQL_OK;
    Transaction *transaction = session->transaction;
    if (transaction == NULL || transaction_is_busy(transaction)) {
        Error *error = transaction_begin(session->database, &transaction);
        if (error != NULL) return session_fail(session, error, CONTEXTQL_RUNTIME);
    }
    ask.view = transaction_view(transaction);
    Place place = place_of(&ask);
    offer_place(&ask, place);
    if (ask.count == 0) offer_misspelt(&ask, place);
    if (ask.count > 0) qsort(ask.items, ask.count, sizeof *ask.items, compare);
    give(&ask, out, max, count);
    mem_free(ask.items);
    if (transaction != session->transaction) transaction_rollback(transaction);
    return CONTEXTQL_OK;
}

/* ---- calls ---- */

/* The argument with this number in "(a :: T, b :: T) :: R". */
static void find_argument(const char *signature, size_t argument, contextql_called *out)
{
    size_t at = 1, depth = 0;
    for (; signature[at] != '\0' && argument > 0; at++) {
        if (strchr("(<[", signature[at]) != NULL) depth++;
        if (strchr(">]", signature[at]) != NULL) depth--;
        if (signature[at] == ')' && depth-- == 0) return;
        if (signature[at] == ',' && depth == 0) argument--;
    }
    while (signature[at] == ' ')
        at++;
    size_t bytes = strcspn(signature + at, ",)");
    out->argument_offset = at;
    out->argument_length = bytes;
}

static bool find_called(const Ask *ask, Str name, contextql_called *out)
{
    FunctionText function;
    for (size_t i = 0; function_text(i, &function); i++) {
        if (!str_equal_ignore_case(name, str_from(function.name))) continue;
        out->name = str_copy(ask->arena, name).data;
        out->signature = function.signature, out->summary = function.summary;
        return true;
    }
    return false;
}

bool contextql_explain_call(contextql *session, const char *text, size_t cursor,
                            contextql_called *out)
{
    Ask ask;
    size_t argument = 0, depth = 0;
    begin(session, text, cursor, &ask);
    *out = (contextql_called){0};
    read_tokens(&ask);
    size_t bracket = open_bracket(&ask);
    if (bracket == SIZE_MAX || bracket == 0 || sign_at(&ask, bracket) != '(') return false;
    for (size_t i = bracket + 1; i < ask.token_count; i++) {
        char c = sign_at(&ask, i);
        if (c != '\0' && strchr("([{", c) != NULL) depth++;
        if (c != '\0' && strchr(")]}", c) != NULL) depth--;
        argument += c == ',' && depth == 0;
    }
    TokenSpan last = ask.tokens[bracket - 1];
    size_t kept = ask.token_count, from = last.offset;
    ask.token_count = bracket - 1, ask.from = last.offset;
    from = dotted_from(&ask);
    ask.token_count = kept;
    Str name = {ask.text.data + from, last.offset + last.length - from};
    if (!find_called(&ask, name, out)) return false;
    find_argument(out->signature, argument, out);
    return true;
}
