/*
 * program.c - expressions flattened to steps and run over a batch at a time.
 *
 * A step fills one register, a Column over the batch's positions, from others. Comparisons and
 * arithmetic over typed columns without nulls run as plain loops; over anything else they apply the
 * scalar operator row by row, so that there is one meaning. The right side of AND and OR runs under
 * a selection narrowed to the rows that the left side left open (STEP_NARROW .. STEP_COMBINE), so
 * that it fails only where it is needed. What has no step of its own (comprehensions, CASE, calls)
 * is one STEP_SCALAR.
 */
#include "config.h"

#include "expression/functions.h"
#include "expression/operators.h"
#include <assert.h>

typedef enum StepKind {
    STEP_COLUMN,
    STEP_CONSTANT,
    STEP_PARAMETER,
    STEP_PROPERTY,
    STEP_LABELS,
    STEP_TYPE,
    STEP_ID,
    STEP_COMPARE,
    STEP_ARITHMETIC,
    STEP_UNARY,
    STEP_NARROW,
    STEP_COMBINE,
    STEP_SCALAR
} StepKind;

typedef struct Step {
    StepKind kind;
    const Expr *expr;
    uint32_t a, b, out; /* registers */
    bool words;         /* STEP_PROPERTY: whoever asks for it takes words, too */
} Step;

struct Program {
    Step *steps;
    uint32_t step_count, register_count, result;
};

/* ---- compile ---- */

typedef struct Compiler {
    Arena *arena;
    Step *steps;
    size_t count, capacity;
    uint32_t registers;
} Compiler;

static uint32_t emit(Compiler *compiler, StepKind kind, const Expr *expr, uint32_t a, uint32_t b)
{
    mem_reserve(compiler->steps, compiler->capacity, compiler->count + 1);
    compiler->steps[compiler->count++] = (Step){kind, expr, a, b, compiler->registers, false};
    return compiler->registers++;
}

/* What was compiled last may give words. */
static void allow_words(Compiler *compiler)
{
    compiler->steps[compiler->count - 1].words = true;
}

static bool is_given(const Expr *expr)
{
    return expr->kind == EXPR_CONSTANT || expr->kind == EXPR_PARAMETER;
}

static uint32_t compile(Compiler *compiler, const Expr *expr)
{
    uint32_t a, b;
    bool id;
    switch ((ExprKind)expr->kind) {
    case EXPR_SLOT: return emit(compiler, STEP_COLUMN, expr, 0, 0);
    case EXPR_CONSTANT: return emit(compiler, STEP_CONSTANT, expr, 0, 0);
    case EXPR_PARAMETER: return emit(compiler, STEP_PARAMETER, expr, 0, 0);
    case EXPR_PROPERTY:
        if (expr->args[0]->kind != EXPR_SLOT) break;
        a = compile(compiler, expr->args[0]);
        return emit(compiler, STEP_PROPERTY, expr, a, 0);
    case EXPR_HAS_LABELS:
        if (expr->args[0]->kind != EXPR_SLOT) break;
        a = compile(compiler, expr->args[0]);
        return emit(compiler, STEP_LABELS, expr, a, 0);
    case EXPR_CALL:
        id = str_equal(expr->function->name, STR("id"));
        if (!(id || str_equal(expr->function->name, STR("type"))) ||
            expr->args[0]->kind != EXPR_SLOT)
            break;
        a = compile(compiler, expr->args[0]);
        return emit(compiler, id ? STEP_ID : STEP_TYPE, expr, a, 0);
    case EXPR_AND:
    case EXPR_OR:
        a = compile(compiler, expr->args[0]);
        emit(compiler, STEP_NARROW, expr, a, 0);
        b = compile(compiler, expr->args[1]);
        return emit(compiler, STEP_COMBINE, expr, a, b);
    case EXPR_NOT:
    case EXPR_IS_NULL:
    case EXPR_IS_NOT_NULL:
        a = compile(compiler, expr->args[0]);
        return emit(compiler, STEP_UNARY, expr, a, 0);
    case EXPR_EQUAL:
    case EXPR_NOT_EQUAL:
    case EXPR_LESS:
    case EXPR_LESS_EQUAL:
    case EXPR_GREATER:
    case EXPR_GREATER_EQUAL:
    case EXPR_STARTS_WITH:
    case EXPR_ENDS_WITH:
    case EXPR_CONTAINS:
        a = compile(compiler, expr->args[0]);
        if (is_given(expr->args[1])) allow_words(compiler);
        b = compile(compiler, expr->args[1]);
        return emit(compiler, STEP_COMPARE, expr, a, b);
    case EXPR_ADD:
    case EXPR_SUBTRACT:
    case EXPR_MULTIPLY:
    case EXPR_DIVIDE:
    case EXPR_MODULO:
        a = compile(compiler, expr->args[0]);
        b = compile(compiler, expr->args[1]);
        return emit(compiler, STEP_ARITHMETIC, expr, a, b);
    default: break;
    }
    return emit(compiler, STEP_SCALAR, expr, 0, 0);
}

static Program *compile_whole(Arena *arena, const Expr *expr, bool words)
{
    Compiler compiler = {.arena = arena};
    Program *program = arena_new(arena, Program);
    program->result = compile(&compiler, expr);
    if (words) allow_words(&compiler);
    program->step_count = (uint32_t)compiler.count;
    program->register_count = compiler.registers;
    program->steps =
        (Step *)(void *)arena_copy(arena, compiler.steps, compiler.count * sizeof *compiler.steps);
    mem_free(compiler.steps);
    return program;
}

Program *program_compile(Arena *arena, const Expr *expr)
{
    return compile_whole(arena, expr, false);
}

Program *program_compile_words(Arena *arena, const Expr *expr)
{
    return compile_whole(arena, expr, true);
}

/* ---- run ---- */

enum { NARROW_DEPTH_MAX = 1024 }; /* ANDs within ANDs: the parser's depth limit and then some */

typedef struct Selection {
    const uint16_t *positions; /* NULL: 0, 1, 2, .. */
    uint32_t count;
} Selection;

typedef struct Run {
    EvalContext *context;
    const Batch *batch;
    Column *registers;
    Selection selection;
    Selection outer[NARROW_DEPTH_MAX];
    uint32_t depth;
} Run;

static inline uint32_t at(Selection selection, uint32_t i)
{
    return selection.positions == NULL ? i : selection.positions[i];
}

static bool dense(const Column *column, ColumnType type)
{
    return column->type == type && column->valid == NULL;
}

/* Element of a column that may be constant: stride 0 or 1. */
static inline uint32_t stride(const Column *column)
{
    return column->constant ? 0 : 1;
}

static Column result_column(Run *run, ColumnType type)
{
    return *column_create(run->context->arena, type, run->batch->row_count);
}

/* What is written is bytes, which may lie anywhere as far as the compiler knows: what a loop reads of
 * the run stands in locals. */
#define COMPARE_LOOP(type, member, operation)                                                      \
    {                                                                                              \
        const type *x = a->member, *y = b->member, bound = y[0];                                   \
        for (uint32_t i = 0; plain && i < count; i++)                                              \
            truths[i] = x[i] operation bound;                                                      \
        for (uint32_t i = 0; !plain && i < count; i++) {                                           \
            uint32_t p = at(selection, i);                                                         \
            truths[p] = x[p * sa] operation y[p * sb];                                             \
        }                                                                                          \
        break;                                                                                     \
    }

#define COMPARE_NUMBERS(type, member)                                                              \
    switch ((ExprKind)expr->kind) {                                                                \
    case EXPR_EQUAL: COMPARE_LOOP(type, member, ==)                                                \
    case EXPR_NOT_EQUAL: COMPARE_LOOP(type, member, !=)                                            \
    case EXPR_LESS: COMPARE_LOOP(type, member, <)                                                  \
    case EXPR_LESS_EQUAL: COMPARE_LOOP(type, member, <=)                                           \
    case EXPR_GREATER: COMPARE_LOOP(type, member, >)                                               \
    default: COMPARE_LOOP(type, member, >=)                                                        \
    }

static bool is_comparison(const Expr *expr)
{
    return expr->kind >= EXPR_EQUAL && expr->kind <= EXPR_GREATER_EQUAL;
}

/* Row by row through the scalar operator. */
static Error *apply_rows(Run *run, const Step *step, bool binary, Column *out)
{
    uint32_t rows = run->batch->row_count;
    *out = result_column(run, COLUMN_ANY);
    for (uint32_t i = 0; i < run->selection.count; i++) {
        uint32_t p = at(run->selection, i);
        Value args[2] = {column_value(&run->registers[step->a], p), value_null()};
        if (binary) args[1] = column_value(&run->registers[step->b], p);
        TRY(operator_apply(step->expr, run->context, args, &out->values[p]));
    }
    (void)rows;
    return NULL;
}

static bool compare_texts(ExprKind kind, Str a, Str b)
{
    if (kind == EXPR_EQUAL || kind == EXPR_NOT_EQUAL)
        return str_equal(a, b) == (kind == EXPR_EQUAL);
    return operator_text(kind, a, b);
}

/* Each word is compared once. */
static Error *compare_words(Run *run, const Step *step, Column *out)
{
    const Column *a = &run->registers[step->a], *b = &run->registers[step->b];
    ExprKind kind = (ExprKind)step->expr->kind;
    bool ordered = is_comparison(step->expr) && kind != EXPR_EQUAL && kind != EXPR_NOT_EQUAL;
    if (ordered || !b->constant || !dense(b, COLUMN_STRING))
        return apply_rows(run, step, true, out);
    uint8_t *fits = arena_alloc(run->context->arena, a->word_count + 1);
    for (uint32_t w = 0; w < a->word_count; w++)
        fits[w] = compare_texts(kind, a->words[w], b->strings[0]);
    *out = result_column(run, COLUMN_BOOLEAN);
    Selection selection = run->selection;
    const uint16_t *numbers = a->numbers;
    uint8_t *truths = out->booleans;
    for (uint32_t i = 0; selection.positions == NULL && i < selection.count; i++)
        truths[i] = fits[numbers[i]];
    for (uint32_t i = 0; selection.positions != NULL && i < selection.count; i++) {
        uint32_t p = selection.positions[i];
        truths[p] = fits[numbers[p]];
    }
    return NULL;
}

static void compare_numbers(const Run *run, const Expr *expr, const Column *a, const Column *b,
                            uint8_t *truths)
{
    Selection selection = run->selection;
    uint32_t sa = stride(a), sb = stride(b), count = selection.count;
    bool plain = selection.positions == NULL && sa == 1 && sb == 0;
    if (a->type == COLUMN_INTEGER)
        COMPARE_NUMBERS(int64_t, integers)
    else
        COMPARE_NUMBERS(double, floats)
}

static Error *compare_step(Run *run, const Step *step, Column *result)
{
    const Column *a = &run->registers[step->a], *b = &run->registers[step->b];
    const Expr *expr = step->expr;
    uint32_t sa = stride(a), sb = stride(b);
    bool numbers = is_comparison(expr);
    if (dense(a, COLUMN_WORD)) return compare_words(run, step, result);
    if (numbers && ((dense(a, COLUMN_INTEGER) && dense(b, COLUMN_INTEGER)) ||
                    (dense(a, COLUMN_FLOAT) && dense(b, COLUMN_FLOAT)))) {
        Column out = result_column(run, COLUMN_BOOLEAN);
        if (run->selection.count > 0) compare_numbers(run, expr, a, b, out.booleans);
        *result = out;
        return NULL;
    }
    bool equality = expr->kind == EXPR_EQUAL || expr->kind == EXPR_NOT_EQUAL;
    if ((equality || !numbers) && dense(a, COLUMN_STRING) && dense(b, COLUMN_STRING)) {
        Column out = result_column(run, COLUMN_BOOLEAN);
        for (uint32_t i = 0; i < run->selection.count; i++) {
            uint32_t p = at(run->selection, i);
            out.booleans[p] =
                compare_texts((ExprKind)expr->kind, a->strings[p * sa], b->strings[p * sb]);
        }
        *result = out;
        return NULL;
    }
    return apply_rows(run, step, true, result);
}

static Error *arithmetic_integers(Run *run, const Step *step, Column *out)
{
    const Column *a = &run->registers[step->a], *b = &run->registers[step->b];
    uint32_t sa = stride(a), sb = stride(b);
    ExprKind kind = (ExprKind)step->expr->kind;
    bool over = false;
    *out = result_column(run, COLUMN_INTEGER);
    for (uint32_t i = 0; i < run->selection.count; i++) {
        uint32_t p = at(run->selection, i);
        int64_t x = a->integers[p * sa], y = b->integers[p * sb], *z = &out->integers[p];
        if (kind == EXPR_ADD)
            over |= __builtin_add_overflow(x, y, z);
        else if (kind == EXPR_SUBTRACT)
            over |= __builtin_sub_overflow(x, y, z);
        else if (kind == EXPR_MULTIPLY)
            over |= __builtin_mul_overflow(x, y, z);
        else if (y == 0 || y == -1) /* no quotient, or perhaps one too large */
            over = true;
        else
            *z = kind == EXPR_DIVIDE ? x / y : x % y;
    }
    return over ? apply_rows(run, step, true, out) : NULL; /* which says where */
}

static void arithmetic_floats(Run *run, const Step *step, Column *out)
{
    const Column *a = &run->registers[step->a], *b = &run->registers[step->b];
    uint32_t sa = stride(a), sb = stride(b);
    ExprKind kind = (ExprKind)step->expr->kind;
    *out = result_column(run, COLUMN_FLOAT);
    for (uint32_t i = 0; i < run->selection.count; i++) {
        uint32_t p = at(run->selection, i);
        double x = a->floats[p * sa], y = b->floats[p * sb];
        out->floats[p] = kind == EXPR_ADD        ? x + y
                         : kind == EXPR_SUBTRACT ? x - y
                         : kind == EXPR_MULTIPLY ? x * y
                                                 : x / y;
    }
}

static Error *arithmetic_step(Run *run, const Step *step, Column *out)
{
    const Column *a = &run->registers[step->a], *b = &run->registers[step->b];
    ExprKind kind = (ExprKind)step->expr->kind;
    if (dense(a, COLUMN_INTEGER) && dense(b, COLUMN_INTEGER))
        return arithmetic_integers(run, step, out);
    if (dense(a, COLUMN_FLOAT) && dense(b, COLUMN_FLOAT) && kind != EXPR_MODULO)
        return arithmetic_floats(run, step, out), NULL;
    return apply_rows(run, step, true, out);
}

/* The ids of entities at the selected positions, side by side, and which of them are not null. */
static uint32_t collect_ids(Run *run, const Column *column, uint64_t *ids, uint16_t *positions)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < run->selection.count; i++) {
        uint32_t p = at(run->selection, i);
        if (!column_valid(column, p)) continue;
        positions[count] = (uint16_t)p;
        ids[count++] = column->ids[column->constant ? 0 : p];
    }
    return count;
}

static Error *property_step(Run *run, const Step *step, Column *out)
{
    const Column *of = &run->registers[step->a];
    Arena *arena = run->context->arena;
    uint32_t rows = run->batch->row_count;
    if (of->type != COLUMN_NODE && of->type != COLUMN_RELATIONSHIP) {
        *out = result_column(run, COLUMN_ANY);
        for (uint32_t i = 0; i < run->selection.count; i++) {
            uint32_t p = at(run->selection, i);
            TRY(operator_property(step->expr, run->context, column_value(of, p), &out->values[p]));
        }
        return NULL;
    }
    const EntityReader *reader = run->context->reader;
    ValueKind kind = of->type == COLUMN_NODE ? VALUE_NODE : VALUE_RELATIONSHIP;
    uint32_t how =
        (step->words ? READ_WORDS : 0) | (of->ascending && !of->constant ? READ_ASCENDING : 0);
    bool straight = run->selection.positions == NULL && !of->constant && of->valid == NULL;
    if (straight)
        return error_at(reader->property(reader->state, kind, step->expr->name, of->ids, how,
                                         run->selection.count, arena, out),
                        step->expr->offset, step->expr->length);
    uint64_t *ids = arena_alloc(arena, (run->selection.count + 1) * sizeof *ids);
    uint16_t *positions = arena_alloc(arena, (run->selection.count + 1) * sizeof *positions);
    uint32_t count = collect_ids(run, of, ids, positions);
    Column packed = {0};
    TRY(error_at(
        reader->property(reader->state, kind, step->expr->name, ids, how, count, arena, &packed),
        step->expr->offset, step->expr->length));
    bool nulls = count < run->selection.count;
    if (packed.type == COLUMN_UNSET || count == 0) {
        *out = result_column(run, COLUMN_ANY);
        for (uint32_t i = 0; i < run->selection.count; i++)
            out->values[at(run->selection, i)] = value_null();
        return NULL;
    }
    column_scatter(arena, out, &packed, positions, count, rows, nulls);
    return NULL;
}

static Error *scalar_step(Run *run, const Step *step, Column *out)
{
    *out = result_column(run, COLUMN_ANY);
    for (uint32_t i = 0; i < run->selection.count; i++) {
        uint32_t p = at(run->selection, i);
        TRY(expr_evaluate(step->expr, run->context, run->batch, p, &out->values[p]));
    }
    return NULL;
}

/* type(r) of a column of relationships: few names, many rows. */
static Error *type_step(Run *run, const Step *step, Column *out)
{
    const Column *of = &run->registers[step->a];
    const EntityReader *reader = run->context->reader;
    uint64_t previous = UINT64_MAX;
    Str text = STR("");
    if (of->type != COLUMN_RELATIONSHIP || of->constant || of->valid != NULL)
        return scalar_step(run, step, out);
    *out = result_column(run, COLUMN_STRING);
    for (uint32_t i = 0; i < run->selection.count; i++) {
        uint32_t p = at(run->selection, i);
        if (of->ids[p] >> RELATIONSHIP_TYPE_SHIFT != previous)
            TRY(error_at(reader->type(reader->state, of->ids[p], &text), step->expr->offset,
                         step->expr->length));
        previous = of->ids[p] >> RELATIONSHIP_TYPE_SHIFT;
        out->strings[p] = text;
    }
    return NULL;
}

static Error *id_step(Run *run, const Step *step, Column *out)
{
    const Column *of = &run->registers[step->a];
    bool entities = of->type == COLUMN_NODE || of->type == COLUMN_RELATIONSHIP;
    if (!entities || of->constant || of->valid != NULL) return scalar_step(run, step, out);
    *out = result_column(run, COLUMN_INTEGER);
    for (uint32_t i = 0; i < run->selection.count; i++) {
        uint32_t p = at(run->selection, i);
        out->integers[p] = (int64_t)entity_id(of->ids[p]);
    }
    return NULL;
}

static Error *labels_step(Run *run, const Step *step, Column *out)
{
    const Column *of = &run->registers[step->a];
    Arena *arena = run->context->arena;
    if (of->type != COLUMN_NODE || step->expr->name_count != 1) return scalar_step(run, step, out);
    const EntityReader *reader = run->context->reader;
    uint64_t *ids = arena_alloc(arena, (run->selection.count + 1) * sizeof *ids);
    uint16_t *positions = arena_alloc(arena, (run->selection.count + 1) * sizeof *positions);
    uint32_t count = collect_ids(run, of, ids, positions), rows = run->batch->row_count;
    uint8_t *has = arena_alloc(arena, count + 1);
    TRY(reader->has_label(reader->state, step->expr->names[0], ids, count, has));
    *out = result_column(run, COLUMN_BOOLEAN);
    if (count < run->selection.count)
        for (uint32_t i = 0; i < run->selection.count; i++)
            column_set_null(arena, out, at(run->selection, i), rows);
    for (uint32_t i = 0; i < count; i++) {
        out->booleans[positions[i]] = has[i];
        if (out->valid != NULL) out->valid[positions[i] / 64] |= UINT64_C(1) << positions[i] % 64;
    }
    return NULL;
}

static Error *truth_at(const Column *column, uint32_t position, const Expr *expr, Truth *out)
{
    if (column->type == COLUMN_BOOLEAN) {
        *out = !column_valid(column, position)                     ? TRUTH_NULL
               : column->booleans[column->constant ? 0 : position] ? TRUTH_TRUE
                                                                   : TRUTH_FALSE;
        return NULL;
    }
    return operator_truth(column_value(column, position), expr, out);
}

/* The truths of a column that has no nulls, one a row; NULL: it is no such column. */
static const uint8_t *plain_truths(const Column *column)
{
    return dense(column, COLUMN_BOOLEAN) && !column->constant ? column->booleans : NULL;
}

/* Which of the selected rows have the truth that is wanted. */
static uint32_t select_where(const uint8_t *truths, Selection selection, bool wanted, uint16_t *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; selection.positions == NULL && i < selection.count; i++) {
        out[count] = (uint16_t)i;
        count += (truths[i] != 0) == wanted;
    }
    for (uint32_t i = 0; selection.positions != NULL && i < selection.count; i++) {
        out[count] = selection.positions[i];
        count += (truths[selection.positions[i]] != 0) == wanted;
    }
    return count;
}

static Error *narrow_step(Run *run, const Step *step)
{
    Truth decides = step->expr->kind == EXPR_AND ? TRUTH_FALSE : TRUTH_TRUE;
    uint16_t *positions =
        arena_alloc(run->context->arena, (run->selection.count + 1) * sizeof *positions);
    const uint8_t *truths = plain_truths(&run->registers[step->a]);
    uint32_t count = 0;
    if (truths != NULL)
        count = select_where(truths, run->selection, decides == TRUTH_FALSE, positions);
    for (uint32_t i = 0; truths == NULL && i < run->selection.count; i++) {
        uint32_t p = at(run->selection, i);
        Truth truth;
        TRY(truth_at(&run->registers[step->a], p, step->expr->args[0], &truth));
        if (truth != decides) positions[count++] = (uint16_t)p;
    }
    assert(run->depth < NARROW_DEPTH_MAX);
    run->outer[run->depth++] = run->selection;
    run->selection = (Selection){positions, count};
    return NULL;
}

/* Where the left truth did not decide, it is the right one that both come to. */
static void combine_plain(Selection all, Selection narrowed, const uint8_t *left,
                          const uint8_t *right, uint8_t *out)
{
    for (uint32_t i = 0; i < all.count; i++) {
        uint32_t p = at(all, i);
        out[p] = left[p];
    }
    for (uint32_t i = 0; i < narrowed.count; i++)
        out[narrowed.positions[i]] = right[narrowed.positions[i]];
}

static Error *combine_step(Run *run, const Step *step, Column *out)
{
    Selection narrowed = run->selection;
    const Column *a = &run->registers[step->a], *b = &run->registers[step->b];
    uint32_t next = 0, rows = run->batch->row_count;
    run->selection = run->outer[--run->depth];
    *out = result_column(run, COLUMN_BOOLEAN);
    if (plain_truths(a) != NULL && plain_truths(b) != NULL) {
        combine_plain(run->selection, narrowed, a->booleans, b->booleans, out->booleans);
        return NULL;
    }
    for (uint32_t i = 0; i < run->selection.count; i++) {
        uint32_t p = at(run->selection, i);
        Truth left, right = TRUTH_NULL;
        TRY(truth_at(a, p, step->expr->args[0], &left));
        bool open = next < narrowed.count && narrowed.positions[next] == p;
        if (open) {
            next++;
            TRY(truth_at(b, p, step->expr->args[1], &right));
        }
        Truth both = step->expr->kind == EXPR_AND ? truth_and(left, right) : truth_or(left, right);
        if (!open) both = left;
        if (both == TRUTH_NULL)
            column_set_null(run->context->arena, out, p, rows);
        else
            out->booleans[p] = both == TRUTH_TRUE;
    }
    return NULL;
}

static Error *unary_step(Run *run, const Step *step, Column *out)
{
    const Column *a = &run->registers[step->a];
    if (step->expr->kind == EXPR_NOT) return apply_rows(run, step, false, out);
    bool want = step->expr->kind == EXPR_IS_NOT_NULL;
    *out = result_column(run, COLUMN_BOOLEAN);
    for (uint32_t i = 0; i < run->selection.count; i++) {
        uint32_t p = at(run->selection, i);
        bool there = a->type == COLUMN_ANY ? a->values[a->constant ? 0 : p].kind != VALUE_NULL
                                           : a->type != COLUMN_UNSET && column_valid(a, p);
        out->booleans[p] = there == want;
    }
    return NULL;
}

static Column constant_column(Run *run, Value value)
{
    ColumnType type = column_type_of((ValueKind)value.kind);
    Column *column =
        column_create(run->context->arena, value.kind == VALUE_NULL ? COLUMN_ANY : type, 1);
    column_set(run->context->arena, column, 0, value, 1);
    column->constant = true;
    return *column;
}

static Error *run_step(Run *run, const Step *step)
{
    Column *out = &run->registers[step->out];
    switch (step->kind) {
    case STEP_COLUMN: *out = run->batch->columns[step->expr->index]; return NULL;
    case STEP_CONSTANT: *out = constant_column(run, step->expr->value); return NULL;
    case STEP_PARAMETER:
        *out = constant_column(run, run->context->parameters[step->expr->index]);
        return NULL;
    case STEP_PROPERTY: return property_step(run, step, out);
    case STEP_LABELS: return labels_step(run, step, out);
    case STEP_TYPE: return type_step(run, step, out);
    case STEP_ID: return id_step(run, step, out);
    case STEP_COMPARE: return compare_step(run, step, out);
    case STEP_ARITHMETIC: return arithmetic_step(run, step, out);
    case STEP_UNARY: return unary_step(run, step, out);
    case STEP_NARROW: return narrow_step(run, step);
    case STEP_COMBINE: return combine_step(run, step, out);
    case STEP_SCALAR: return scalar_step(run, step, out);
    }
    return NULL;
}

Error *program_run(const Program *program, EvalContext *context, const Batch *batch, Column *out)
{
    Run run; /* `outer` is filled as it is used: clearing it would cost more than a short query */
    run.context = context;
    run.batch = batch;
    run.selection = (Selection){batch->selection, batch->selected_count};
    run.depth = 0;
    run.registers = arena_array(context->arena, Column, program->register_count);
    for (uint32_t i = 0; i < program->step_count; i++)
        TRY(run_step(&run, &program->steps[i]));
    *out = run.registers[program->result];
    return NULL;
}

static Error *keep_where(const Column *column, const Batch *batch, const Expr *expr, uint16_t *kept,
                         uint32_t *count)
{
    *count = 0;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t position = batch_position(batch, i);
        Truth truth;
        TRY(truth_at(column, position, expr, &truth));
        if (truth == TRUTH_TRUE) kept[(*count)++] = (uint16_t)position;
    }
    return NULL;
}

Error *program_filter(const Program *program, EvalContext *context, Batch *batch)
{
    Column column;
    uint32_t count;
    TRY(program_run(program, context, batch, &column));
    uint16_t *kept = arena_alloc(context->arena, (batch->selected_count + 1) * sizeof *kept);
    const Expr *expr = program->steps[program->step_count - 1].expr;
    const uint8_t *truths = plain_truths(&column);
    if (truths != NULL)
        count =
            select_where(truths, (Selection){batch->selection, batch->selected_count}, true, kept);
    else
        TRY(keep_where(&column, batch, expr, kept, &count));
    if (count == batch->selected_count) return NULL; /* all of them: as it was */
    batch->selection = kept;
    batch->selected_count = count;
    return NULL;
}
