/* A dump brings back every value: random ones of all kinds, and names that are words of the
 * language. What stands in the transcript repl-tests/dump.repl is the rest. */
#include "config.h"

#include "format/value_text.c"
#include "shell/dump.c"
#include "test.h"

enum { ROUNDS = 2000, TEXT_CHARACTERS_MAX = 12 };

void run_stoppable(contextql *session)
{
    (void)session;
}

/* xorshift64*: the same numbers everywhere */
static uint64_t state = 88172645463325252u;
static uint64_t draw(uint64_t below)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (state * 2685821657736338717u >> 11) % below;
}

static void run(contextql *session, const char *text, size_t bytes)
{
    const char *end = text + bytes;
    while (text < end) {
        contextql_statement *statement = NULL;
        int code = contextql_prepare(session, text, (size_t)(end - text), &statement, &text);
        while (statement != NULL && (code = contextql_step(statement)) == CONTEXTQL_ROW)
            continue;
        contextql_finalize(statement);
        if (code == CONTEXTQL_DONE || code == CONTEXTQL_OK) continue;
        contextql_error_info info;
        contextql_error(session, &info);
        printf("# %s\n", info.message);
        EXPECT(!"a statement of a dump fails");
        return;
    }
}

static contextql_value *random_text(void)
{
    static const char *const pieces[] = {"a",    "'", "\\", "\n", "\r",     "\t",
                                         "\x01", "`", "\"", "$",  "\u00e9", "\U0001f600",
                                         "\x7f", " ", "{",  "//", "*/"};
    Buffer text = {0};
    for (uint64_t i = draw(TEXT_CHARACTERS_MAX); i > 0; i--)
        buffer_text(&text, pieces[draw(sizeof pieces / sizeof *pieces)]);
    if (draw(8) == 0) buffer_char(&text, '\0');
    contextql_value *value = contextql_value_new_string(buffer_view(&text).data, text.bytes);
    buffer_free(&text);
    return value;
}

static double random_float(void)
{
    double number;
    uint64_t bits = draw(UINT64_MAX) << 11 ^ draw(UINT64_MAX);
    memcpy(&number, &bits, sizeof number);
    return number;
}

static contextql_value *random_temporal(void)
{
    contextql_temporal temporal = {.kind = (contextql_temporal_kind)draw(6)};
    bool duration = temporal.kind == CONTEXTQL_DURATION;
    int64_t sign = draw(2) == 0 ? 1 : -1;
    temporal.days = sign * (int64_t)draw(1000000);
    temporal.nanoseconds = draw(2) == 0 ? 0 : (int64_t)draw(1000000000);
    temporal.seconds = (int64_t)draw(86400);
    if (duration) temporal.months = -sign * (int64_t)draw(100000);
    if (temporal.kind == CONTEXTQL_TIME || temporal.kind == CONTEXTQL_DATETIME)
        temporal.offset_seconds = ((int32_t)draw(37 * 4) - 18 * 4) * 900;
    if (temporal.kind == CONTEXTQL_DATETIME && draw(2) == 0)
        temporal.zone = (contextql_text){"Europe/Berlin", 13};
    return contextql_value_new_temporal(&temporal);
}

static contextql_value *random_vector(void)
{
    float components[9];
    size_t dimensions = 1 + draw(9);
    for (size_t i = 0; i < dimensions; i++) {
        uint32_t bits = (uint32_t)draw(UINT32_MAX);
        memcpy(&components[i], &bits, sizeof bits);
        if (!isfinite(components[i])) components[i] = -0.0f;
    }
    return contextql_value_new_vector(components, dimensions);
}

static contextql_value *random_simple(void)
{
    uint64_t bits = draw(UINT64_MAX);
    switch (draw(6)) {
    case 0: return contextql_value_new_boolean(draw(2) == 0);
    case 1: return contextql_value_new_integer(draw(9) == 0 ? INT64_MIN : (int64_t)(bits << 11));
    case 2: return contextql_value_new_float(draw(9) == 0 ? -0.0 : random_float());
    case 3: return contextql_value_new_bytes(&bits, draw(sizeof bits + 1));
    case 4: return random_text();
    default: return random_temporal();
    }
}

static contextql_value *random_value(void)
{
    uint64_t kind = draw(8);
    if (kind == 0) return random_vector();
    if (kind > 1) return random_simple();
    contextql_value *list = contextql_value_new_list();
    for (uint64_t i = draw(5); i > 0; i--) {
        contextql_value *element = random_simple();
        if (element != NULL) contextql_value_append(list, element);
        contextql_value_free(element);
    }
    return list;
}

static void add_values(contextql *session)
{
    static const char create[] = "CREATE ({i: $i, v: $v})";
    contextql_statement *statement = NULL;
    contextql_prepare(session, create, sizeof create - 1, &statement, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        contextql_value *value = random_value();
        contextql_bind_integer(statement, "i", i);
        if (value != NULL) contextql_bind(statement, "v", value);
        while (contextql_step(statement) == CONTEXTQL_ROW)
            continue;
        contextql_reset(statement);
        contextql_value_free(value);
    }
    contextql_finalize(statement);
}

/* Every keyword as a label, a type and a property. */
static void add_words(contextql *session)
{
    contextql_keyword keyword;
    for (size_t i = 0; contextql_keyword_at(i, &keyword); i++) {
        Buffer text = {0};
        buffer_printf(&text, "CREATE (a:`%s` {`%s`: 1})-[:`%s` {`%s`: 2}]->(a);", keyword.word,
                      keyword.word, keyword.word, keyword.word);
        run(session, text.data, text.bytes);
        buffer_free(&text);
    }
}

/* Values as the protocol writes them, with their kinds; bits of floats show in the dump below. */
static void read_values(contextql *session, const char *query, Buffer *out)
{
    contextql_statement *statement = NULL;
    contextql_prepare(session, query, strlen(query), &statement, NULL);
    while (contextql_step(statement) == CONTEXTQL_ROW)
        for (int c = 0; c < contextql_column_count(statement); c++) {
            contextql_text json = contextql_value_json(contextql_column(statement, c));
            buffer_append(out, json.data, json.size);
            buffer_char(out, '\n');
        }
    contextql_finalize(statement);
}

static void come_back(contextql *session, contextql *copy)
{
    static const char *const queries[] = {
        "MATCH (n) WHERE n.i IS NOT NULL RETURN n.i, n.v ORDER BY n.i",
        "MATCH (n)-[r]->(n) RETURN labels(n), keys(n), type(r), r{.*} ORDER BY type(r)",
        "MATCH (n) WHERE n.i IS NOT NULL AND n.v IS NULL RETURN count(n)"};
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        Buffer left = {0}, right = {0};
        read_values(session, queries[i], &left);
        read_values(copy, queries[i], &right);
        EXPECT(left.bytes > 0 && str_equal(buffer_view(&left), buffer_view(&right)));
        buffer_free(&left);
        buffer_free(&right);
    }
}

int main(void)
{
    contextql *session = NULL, *copy = NULL;
    contextql_options options = {.create = true};
    DumpCounts counts = {0};
    char *text = NULL;
    size_t bytes = 0;
    EXPECT(contextql_open(":memory:", &options, &session) == CONTEXTQL_OK);
    EXPECT(contextql_open(":memory:", &options, &copy) == CONTEXTQL_OK);
    add_values(session);
    add_words(session);
    FILE *file = open_memstream(&text, &bytes);
    Error *error = dump_write(session, file, NULL, NULL, &counts);
    EXPECT(error == NULL && counts.nodes > ROUNDS && counts.relationships > 50);
    error_drop(error);
    fclose(file);
    run(copy, text, bytes);
    come_back(session, copy);
    mem_free(text);
    contextql_close(session);
    contextql_close(copy);
    return DONE();
}
