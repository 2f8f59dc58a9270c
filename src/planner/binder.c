/* binder.c - scopes, slots, names, and how the binder says that something is wrong. */
#include "config.h"

#include "planner/planner_internal.h"
#include <stdarg.h>
#include <stdio.h>

PlanNode *plan_node(Binder *binder, PlanKind kind, size_t offset, size_t length)
{
    PlanNode *node = arena_new(binder->arena, PlanNode);
    node->kind = kind;
    node->input = binder->chain;
    node->offset = offset;
    node->length = length;
    node->estimated_rows = -1;
    node->id = binder->plan->node_count++;
    node->slot = node->from_slot = node->to_slot = node->relationship_slot = SLOT_NONE;
    node->path_slot = node->row_slot = node->out_slot = node->collect_slot = node->per_slot =
        SLOT_NONE;
    binder->chain = node;
    return node;
}

uint32_t new_slot(Binder *binder, Str name)
{
    Plan *plan = binder->plan;
    enum { NAMES_STEP = 16 };
    if (plan->slot_count % NAMES_STEP == 0) {
        const char **larger =
            arena_array(binder->arena, const char *, plan->slot_count + NAMES_STEP);
        if (plan->slot_count > 0)
            memcpy(larger, plan->slot_names, plan->slot_count * sizeof *larger);
        plan->slot_names = larger;
    }
    plan->slot_names[plan->slot_count] =
        name.bytes == 0 ? NULL : str_copy(binder->arena, name).data;
    return plan->slot_count++;
}

Variable *scope_find(Scope *scope, Str name)
{
    for (size_t i = scope->count; i > 0; i--)
        if (str_equal(scope->items[i - 1].name, name)) return &scope->items[i - 1];
    return NULL;
}

static void scope_append(Binder *binder, Scope *scope, Variable variable)
{
    if (scope->count == scope->capacity) {
        size_t capacity = scope->capacity < 8 ? 8 : scope->capacity * 2;
        Variable *larger = arena_array(binder->arena, Variable, capacity);
        if (scope->count > 0) memcpy(larger, scope->items, scope->count * sizeof *larger);
        scope->items = larger;
        scope->capacity = capacity;
    }
    scope->items[scope->count++] = variable;
}

static uint8_t type_of_kind(VariableKind kind, uint8_t type)
{
    if (kind == VARIABLE_NODE) return VALUE_NODE;
    if (kind == VARIABLE_RELATIONSHIP) return VALUE_RELATIONSHIP;
    if (kind == VARIABLE_RELATIONSHIPS) return VALUE_LIST;
    return kind == VARIABLE_PATH ? VALUE_PATH : type;
}

Variable *scope_add(Binder *binder, Str name, VariableKind kind, uint8_t type)
{
    Variable variable = {.name = name,
                         .kind = kind,
                         .slot = new_slot(binder, name),
                         .type = type_of_kind(kind, type),
                         .nullable = true};
    scope_append(binder, &binder->scope, variable);
    return &binder->scope.items[binder->scope.count - 1];
}

Scope scope_copy(Binder *binder)
{
    Scope copy = {0};
    for (size_t i = 0; i < binder->scope.count; i++)
        scope_append(binder, &copy, binder->scope.items[i]);
    return copy;
}

uint32_t *scope_slots(Binder *binder, uint32_t *count)
{
    uint32_t *slots = arena_array(binder->arena, uint32_t, binder->scope.count + 1);
    *count = 0;
    for (size_t i = 0; i < binder->scope.count; i++)
        slots[(*count)++] = binder->scope.items[i].slot;
    return slots;
}

/* ---- errors and warnings ---- */

Error *fail_at(ErrorCode code, size_t offset, size_t length, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return error_at(error_new(code, "%s", text), offset, length);
}

Error *not_executed(const char *what, size_t offset, size_t length)
{
    return fail_at(ERROR_NOT_EXECUTED_YET, offset, length,
                   "%s is part of the language, but this version does not execute it", what);
}

/* Was there a variable of that name somewhere before? */
static bool was_there(const Binder *binder, Str name)
{
    const char **names = binder->plan->slot_names;
    for (uint32_t i = binder->part_slot; i < binder->plan->slot_count; i++)
        if (names[i] != NULL && str_equal(str_from(names[i]), name)) return true;
    return false;
}

static void take_nearer(Str name, Str known, size_t *best, Str *nearest)
{
    size_t distance = str_distance(name, known, 2);
    if (distance < *best && distance < name.bytes) *best = distance, *nearest = known;
}

Error *undefined_variable(Binder *binder, Str name, size_t offset, size_t length)
{
    Error *error = fail_at(ERROR_UNDEFINED_VARIABLE, offset, length,
                           "variable `%.*s` is not defined", STR_ARG(name));
    size_t best = 3;
    Str nearest = {"", 0};
    if (was_there(binder, name))
        return error_hint(error, "it was not passed on to here: name it in the WITH before");
    for (size_t i = 0; i < binder->scope.count; i++)
        take_nearer(name, binder->scope.items[i].name, &best, &nearest);
    for (uint32_t i = binder->local_floor; i < binder->local_count; i++)
        take_nearer(name, binder->locals[i].name, &best, &nearest);
    return nearest.bytes == 0 ? error : error_hint(error, "did you mean `%.*s`?", STR_ARG(nearest));
}

static Str nearest_name(Binder *binder, NameKind kind, Str text)
{
    size_t best = 3;
    Str nearest = {"", 0};
    for (uint32_t i = 0; i < graph_name_count(binder->view->graph, kind); i++) {
        Str known = graph_name_text(binder->view->graph, kind, i);
        size_t distance = str_distance(text, known, 2);
        if (distance < best && distance < text.bytes) best = distance, nearest = known;
    }
    return nearest;
}

static void warn_unknown(Binder *binder, NameKind kind, AstName name)
{
    static const char *const what[] = {
        [NAME_LABEL] = "label", [NAME_TYPE] = "relationship type", [NAME_KEY] = "property"};
    static const ErrorCode codes[] = {[NAME_LABEL] = ERROR_UNKNOWN_LABEL,
                                      [NAME_TYPE] = ERROR_UNKNOWN_TYPE,
                                      [NAME_KEY] = ERROR_UNKNOWN_PROPERTY};
    enum { WARNINGS_MAX = 100, WARNINGS_STEP = 8 };
    Plan *plan = binder->plan;
    for (uint32_t i = 0; i < plan->warning_count; i++)
        if (plan->warnings[i].offset == name.offset) return;
    if (plan->warning_count == WARNINGS_MAX) return;
    if (plan->warning_count % WARNINGS_STEP == 0) {
        PlanWarning *larger =
            arena_array(binder->arena, PlanWarning, plan->warning_count + WARNINGS_STEP);
        if (plan->warning_count > 0)
            memcpy(larger, plan->warnings, plan->warning_count * sizeof *larger);
        plan->warnings = larger;
    }
    Str nearest = nearest_name(binder, kind, name.text);
    const char *hint = nearest.bytes == 0
                           ? ""
                           : arena_printf(binder->arena, "did you mean %.*s?", STR_ARG(nearest));
    const char *message =
        arena_printf(binder->arena, "unknown %s: %.*s", what[kind], STR_ARG(name.text));
    plan->warnings[plan->warning_count++] =
        (PlanWarning){codes[kind], message, hint, name.offset, name.length};
}

static bool is_made(const Binder *binder, NameKind kind, Str text)
{
    for (const MadeName *made = binder->made; made != NULL; made = made->next)
        if (made->kind == kind && str_equal(made->text, text)) return true;
    return false;
}

NameRef name_ref(Binder *binder, NameKind kind, AstName name, bool reading)
{
    NameRef ref = {name.text, graph_name_find(binder->view->graph, kind, name.text)};
    bool empty = graph_name_count(binder->view->graph, NAME_KEY) == 0 &&
                 graph_name_count(binder->view->graph, NAME_LABEL) == 0;
    if (ref.id != GRAPH_NAME_UNKNOWN || is_made(binder, kind, name.text)) return ref;
    if (reading && !binder->writing && !empty) warn_unknown(binder, kind, name);
    if (!reading) {
        MadeName *made = arena_new(binder->arena, MadeName);
        *made = (MadeName){name.text, kind, binder->made};
        binder->made = made;
    }
    return ref;
}

NameRef *name_refs(Binder *binder, NameKind kind, const AstNames *names, bool reading)
{
    NameRef *refs = arena_array(binder->arena, NameRef, names->count + 1);
    for (size_t i = 0; i < names->count; i++)
        refs[i] = name_ref(binder, kind, names->items[i], reading);
    return refs;
}
