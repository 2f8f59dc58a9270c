/*
 * The two evaluators give the same answers: thousands of generated expressions are run over batches
 * by program_run and program_filter, and row by row by expr_evaluate, which defines them.
 *
 * An expression is text, so that it goes the whole way through parser and binder; its variables are
 * columns of every shape: dense, with nulls, constant, mixed, some rows not selected. Where a batch
 * fails, a row must fail with the same code; where it does not, no row may.
 */
#include "config.h"

#include "database/database.h"
#include "planner/plan.h"
#include "test.h"
#include <math.h>
#include <stdlib.h>

enum { EXPRESSIONS = 20000, ROWS = 24, DEPTH = 4, VARIABLES = 13, SHOWN = 10 };

static uint64_t state = 0x2545f4914f6cdd1d;

static uint64_t random_bits(void) /* xorshift64 */
{
    state ^= state << 13, state ^= state >> 7;
    return state ^= state << 17;
}

static uint32_t below(uint32_t n)
{
    return (uint32_t)(random_bits() % n);
}

/* ---- expressions as text ---- */

static const char *const variables[VARIABLES] = {"i", "f", "s", "b", "l", "m", "n",
                                                 "t", "x", "j", "g", "u", "c"};

static uint32_t kind_of(uint32_t variable) /* the last four are again what the first four are */
{
    return variable < 9 ? variable : variable - 9;
}

static void put_expression(Buffer *out, int depth);

static void put_leaf(Buffer *out)
{
    static const char *const leaves[] = {"0",
                                         "1",
                                         "-1",
                                         "2",
                                         "7",
                                         "9223372036854775807",
                                         "1.5",
                                         "0.0",
                                         "-2.25",
                                         "1e300",
                                         "''",
                                         "'a'",
                                         "'abc'",
                                         "'B'",
                                         "true",
                                         "false",
                                         "null",
                                         "[]",
                                         "[1, 2, 3]",
                                         "[1, null, 'a']",
                                         "{a: 1, b: 'x'}",
                                         "date('2024-02-29')",
                                         "duration('P1M2DT3S')",
                                         "localtime('12:30')",
                                         "datetime('2024-03-31T01:30[Europe/Paris]')",
                                         "vector([1, 2])",
                                         "(0.0 / 0.0)"};
    if (below(2) == 0)
        buffer_text(out, variables[below(VARIABLES)]);
    else
        buffer_text(out, leaves[below(sizeof leaves / sizeof *leaves)]);
}

/* Something that the kernels of numbers, texts and booleans are for. */
static void put_fitting(Buffer *out, uint32_t family)
{
    static const char *const families[3][8] = {{"i", "j", "f", "g", "1", "0", "1.5", "-2"},
                                               {"s", "u", "s", "u", "'a'", "'abc'", "''", "null"},
                                               {"b", "c", "b", "c", "true", "false", "null", "b"}};
    buffer_text(out, families[family][below(8)]);
}

static void put_fitting_binary(Buffer *out)
{
    static const char *const families[3][8] = {
        {"+", "-", "*", "<", "<=", ">", ">=", "="},
        {"+", "STARTS WITH", "CONTAINS", "<", "<=", ">", "<>", "="},
        {"AND", "OR", "XOR", "=", "<>", "AND", "OR", "<"}};
    uint32_t family = below(3);
    buffer_char(out, '(');
    put_fitting(out, family);
    buffer_printf(out, " %s ", families[family][below(8)]);
    put_fitting(out, family);
    buffer_char(out, ')');
}

static void put_binary(Buffer *out, int depth)
{
    static const char *const operators[] = {
        "+", "-",  "*",   "/",  "%",   "^",  "=",           "<>",        "<",       "<=",
        ">", ">=", "AND", "OR", "XOR", "IN", "STARTS WITH", "ENDS WITH", "CONTAINS"};
    buffer_char(out, '(');
    put_expression(out, depth - 1);
    buffer_printf(out, " %s ", operators[below(sizeof operators / sizeof *operators)]);
    put_expression(out, depth - 1);
    buffer_char(out, ')');
}

/* `head`, an expression, and so on: the pieces stand around them. */
static void put_pieces(Buffer *out, int depth, const char *const *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buffer_text(out, pieces[i]);
        if (i + 1 < count) put_expression(out, depth - 1);
    }
}
#define PUT(out, depth, ...)                                                                       \
    put_pieces(out, depth, (const char *const[]){__VA_ARGS__},                                     \
               sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* A function, but those whose answer is another each time, or a list without an end. */
static void put_call(Buffer *out, int depth)
{
    const Function *function;
    do
        function = function_at(below((uint32_t)function_count()));
    while (str_equal(function->name, STR("rand")) || str_equal(function->name, STR("range")) ||
           memmem(function->name.data, function->name.bytes, ".real", 5) != NULL);
    uint32_t span = function->args_max - function->args_min;
    uint32_t count = function->args_min + below((span > 2 ? 2 : span) + 1);
    buffer_printf(out, "%.*s(", STR_ARG(function->name));
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) buffer_text(out, ", ");
        put_expression(out, depth - 1);
    }
    buffer_char(out, ')');
}

static void put_expression(Buffer *out, int depth)
{
    if (depth == 0) {
        put_leaf(out);
        return;
    }
    if (below(3) == 0) {
        put_fitting_binary(out);
        return;
    }
    switch (below(20)) {
    case 0: PUT(out, depth, "NOT (", ")"); break;
    case 1: PUT(out, depth, "-(", ")"); break;
    case 2: PUT(out, depth, "(", " IS NULL)"); break;
    case 3: PUT(out, depth, "(", " IS NOT NULL)"); break;
    case 4: PUT(out, depth, "CASE WHEN ", " THEN ", " ELSE ", " END"); break;
    case 5: PUT(out, depth, "CASE ", " WHEN ", " THEN ", " END"); break;
    case 6: PUT(out, depth, "[", ", ", "]"); break;
    case 7: PUT(out, depth, "(", ")[", "]"); break;
    case 8: PUT(out, depth, "(", ")[", "..", "]"); break;
    case 9: PUT(out, depth, "[q IN ", " WHERE q = ", " | [q, ", "]]"); break;
    case 10: PUT(out, depth, "any(q IN ", " WHERE q > ", ")"); break;
    case 11: PUT(out, depth, "all(q IN ", " WHERE q <> ", ")"); break;
    case 12: PUT(out, depth, "reduce(q = ", ", r IN ", " | q + r)"); break;
    case 13: PUT(out, depth, "{a: ", ", b: ", "}"); break;
    case 14: PUT(out, depth, "(", ").a"); break;
    case 15: buffer_text(out, below(2) ? "n.a" : "(n:A)"); break;
    case 16:
    case 17: put_call(out, depth); break;
    default: put_binary(out, depth);
    }
}

/* ---- columns ---- */

static Value any_value(Arena *arena, uint32_t variable)
{
    static const int64_t integers[] = {0, 1, -1, 2, 7, INT64_MAX, INT64_MIN, 1000000};
    static const double floats[] = {0.0, -0.0, 1.5, -2.25, 1e300, NAN, INFINITY, 7.0};
    static const char *const texts[] = {"", "a", "abc", "B", "x\xc3\xa4z", "2024-01-01"};
    Value *items;
    ValueEntry *entries;
    switch (kind_of(variable)) {
    case 0: return value_integer(integers[below(8)]);
    case 1: return value_float(floats[below(8)]);
    case 2: return value_string(str_from(texts[below(6)]));
    case 3: return value_boolean(below(2));
    case 4:
        items = arena_alloc(arena, 3 * sizeof *items);
        for (int i = 0; i < 3; i++)
            items[i] = below(4) == 0 ? value_null() : any_value(arena, below(4));
        return value_list(items, below(4));
    case 5:
        entries = arena_alloc(arena, 2 * sizeof *entries);
        entries[0] = (ValueEntry){STR("a"), any_value(arena, below(4))};
        entries[1] = (ValueEntry){STR("b"), any_value(arena, below(4))};
        return value_map(entries, below(3));
    case 6: return value_node(below(4));
    case 7: return (Value){.kind = VALUE_DATE, .as.integer = (int64_t)below(40000) - 20000};
    default: return below(4) == 0 ? value_null() : any_value(arena, below(8));
    }
}

static void fill_column(Arena *arena, Column *out, uint32_t variable)
{
    ColumnType type = column_type_of((ValueKind)any_value(arena, variable).kind);
    bool nulls = below(2) == 0;
    if (kind_of(variable) == 8 || below(4) == 0) type = COLUMN_ANY;
    bool constant = below(6) == 0;
    *out = *column_create(arena, type, ROWS);
    for (uint32_t i = 0; i < (constant ? 1 : ROWS); i++) {
        Value value = nulls && below(3) == 0 ? value_null() : any_value(arena, variable);
        column_set(arena, out, i, value, ROWS);
    }
    out->constant = constant;
}

static uint32_t slot_of(const Plan *plan, const char *name)
{
    for (uint32_t i = 0; i < plan->slot_count; i++)
        if (plan->slot_names[i] != NULL && strcmp(plan->slot_names[i], name) == 0) return i;
    return SLOT_NONE;
}

static Batch *make_batch(Arena *arena, const Plan *plan)
{
    Batch *batch = batch_create(arena, plan->slot_count);
    batch->row_count = batch->selected_count = ROWS;
    for (uint32_t v = 0; v < VARIABLES; v++) {
        uint32_t slot = slot_of(plan, variables[v]);
        if (slot != SLOT_NONE) fill_column(arena, &batch->columns[slot], v);
    }
    if (below(2) == 0) return batch;
    batch->selection = arena_alloc(arena, ROWS * sizeof *batch->selection);
    batch->selected_count = 0;
    for (uint16_t i = 0; i < ROWS; i++)
        if (below(3) > 0) batch->selection[batch->selected_count++] = i;
    return batch;
}

/* ---- entities: four nodes; node i has a = i but the last, and is an A if i is even ---- */

static Error *read_property(void *user, ValueKind kind, NameRef key, const uint64_t *ids,
                            uint32_t how, uint32_t count, Arena *arena, Column *out)
{
    (void)user, (void)kind, (void)how;
    *out = *column_create(arena, COLUMN_INTEGER, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        bool there = ids[i] < 3 && str_equal(key.text, STR("a"));
        column_set(arena, out, i, there ? value_integer((int64_t)ids[i]) : value_null(), count + 1);
    }
    return NULL;
}

static Error *read_properties(void *user, Value entity, Arena *arena, Value *out)
{
    (void)user;
    ValueEntry *entry = arena_new(arena, ValueEntry);
    *entry = (ValueEntry){STR("a"), value_integer((int64_t)entity.as.id)};
    return *out = value_map(entry, entity.as.id < 3), NULL;
}

static Error *read_labels(void *user, uint64_t node, Arena *arena, Value *out)
{
    (void)user;
    Value *label = arena_new(arena, Value);
    *label = value_string(STR("A"));
    return *out = value_list(label, node % 2 == 0), NULL;
}

static Error *has_label(void *user, NameRef label, const uint64_t *ids, uint32_t count,
                        uint8_t *out)
{
    (void)user;
    for (uint32_t i = 0; i < count; i++)
        out[i] = ids[i] % 2 == 0 && str_equal(label.text, STR("A"));
    return NULL;
}

static Error *read_type(void *user, uint64_t relationship, Str *out)
{
    (void)user, (void)relationship;
    return *out = STR("T"), NULL;
}

static Error *read_ends(void *user, uint64_t relationship, uint64_t *start, uint64_t *end)
{
    (void)user;
    return *start = relationship, *end = relationship + 1, NULL;
}

static Error *read_degree(void *user, uint64_t node, const NameRef *type, int direction,
                          uint64_t *out)
{
    (void)user, (void)type, (void)direction;
    return *out = node, NULL;
}

static const EntityReader reader = {NULL,      read_property, read_properties, read_labels,
                                    has_label, read_type,     read_ends,       read_degree};

/* ---- comparing ---- */

static void context_init(EvalContext *context, Arena *arena)
{
    *context = (EvalContext){.arena = arena, .reader = &reader, .now_ns = 1700000000000000000};
    context->transaction_ns = context->now_ns;
}

static bool same(Value a, Value b)
{
    return a.kind == b.kind && value_equivalent(a, b);
}

static void tell(const char *text, uint32_t row, const char *what)
{
    static int told;
    if (told++ < SHOWN) printf("# %s: row %u of %s\n", what, row, text);
}

/* NULL in *code: the row has a value. */
static Value scalar(const Expr *expr, Arena *arena, const Batch *batch, uint32_t row,
                    ErrorCode *code)
{
    EvalContext context;
    Value value = value_null();
    context_init(&context, arena);
    Error *error = expr_evaluate(expr, &context, batch, row, &value);
    *code = error == NULL ? ERROR_NONE : error_code(error);
    error_drop(error);
    return value;
}

/* Did the batch fail as it should? `failed` is its code, or ERROR_NONE. */
static int rows_agree(const Expr *expr, Arena *arena, const Batch *batch, ErrorCode failed,
                      const Column *column, const char *text)
{
    bool found = failed == ERROR_NONE;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t row = batch_position(batch, i);
        ErrorCode code;
        Value value = scalar(expr, arena, batch, row, &code);
        found = found || code == failed;
        if (failed != ERROR_NONE) continue;
        if (code != ERROR_NONE) return tell(text, row, "a row fails alone"), 0;
        if (!same(value, column_value(column, row))) return tell(text, row, "values differ"), 0;
    }
    if (!found) tell(text, 0, "no row fails so");
    return found;
}

static int filter_agrees(const Expr *expr, Arena *arena, const Batch *batch, const char *text)
{
    EvalContext context;
    Batch narrowed = *batch;
    context_init(&context, arena);
    Error *error = program_filter(program_compile(arena, expr), &context, &narrowed);
    if (error != NULL) return error_drop(error), 1; /* rows_agree looked at that */
    for (uint32_t i = 0, at = 0; i < batch->selected_count; i++) {
        uint32_t row = batch_position(batch, i);
        ErrorCode code;
        Value value = scalar(expr, arena, batch, row, &code);
        bool wanted = value.kind == VALUE_BOOLEAN && value.as.boolean;
        bool kept = at < narrowed.selected_count && batch_position(&narrowed, at) == row;
        if (wanted != kept) return tell(text, row, "a filter differs"), 0;
        at += kept;
    }
    return 1;
}

static const Expr *projected(const Plan *plan)
{
    const PlanNode *node = plan->root;
    while (node != NULL && node->kind != PLAN_PROJECT)
        node = node->input;
    return node == NULL ? NULL : node->items[node->item_count - 1].expr;
}

typedef struct Counts {
    int run, failed, wrong;
} Counts;

static void try_expression(Arena *arena, const GraphView *view, const char *text, Counts *counts)
{
    static const PlanEnvironment environment = {0};
    static const char columns[] = "UNWIND [] AS row WITH row.i AS i, row.f AS f, row.s AS s, row.b "
                                  "AS b, row.l AS l, row.m AS m, row.n AS n, row.t AS t, row.x AS "
                                  "x, row.j AS j, row.g AS g, row.u AS u, row.c AS c "
                                  "RETURN [] AS first, ";
    Plan *plan = NULL;
    const char *whole = arena_printf(arena, "%s%s AS result", columns, text);
    Error *error =
        planner_plan(arena, str_from(whole), (const struct GraphView *)view, &environment, &plan);
    if (error != NULL) { /* what cannot be, seen before running */
        error_drop(error);
        return;
    }
    const Expr *expr = projected(plan);
    Batch *batch = make_batch(arena, plan);
    EvalContext context;
    Column column = {0};
    context_init(&context, arena);
    error = program_run(program_compile(arena, expr), &context, batch, &column);
    ErrorCode failed = error == NULL ? ERROR_NONE : error_code(error);
    error_drop(error);
    counts->run++;
    counts->failed += failed != ERROR_NONE;
    counts->wrong += !rows_agree(expr, arena, batch, failed, &column, text) ||
                     !filter_agrees(expr, arena, batch, text);
}

int main(void)
{
    Database *database;
    Transaction *transaction;
    const DatabaseOptions options = {.create = true};
    Counts counts = {0, 0, 0};
    EXPECT(database_open_memory(&options, clock_system(), &database) == NULL);
    EXPECT(transaction_begin(database, &transaction) == NULL);
    GraphView view = transaction_view(transaction);
    Arena *arena = arena_create();
    for (int i = 0; i < EXPRESSIONS; i++) {
        Buffer text = {0};
        put_expression(&text, 1 + (int)below(DEPTH));
        try_expression(arena, &view, text.data, &counts);
        buffer_free(&text);
        arena_reset(arena);
    }
    arena_destroy(arena);
    printf("# %d expressions ran over batches, %d of them failed as a row does\n", counts.run,
           counts.failed);
    EXPECT(counts.wrong == 0);
    EXPECT(counts.run > EXPRESSIONS / 4 && counts.run - counts.failed > EXPRESSIONS / 10);
    transaction_rollback(transaction);
    EXPECT(database_close(database) == NULL);
    return DONE();
}
