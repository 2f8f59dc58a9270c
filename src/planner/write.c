/* write.c - CREATE, MERGE, SET, REMOVE, DELETE. A writing operator keeps every variable in scope
 * (`slots`). */
#include "config.h"

#include "planner/planner_internal.h"

/* ---- patterns that are written ---- */

typedef struct Writing {
    Binder *binder;
    bool merge;
    PlanCreateNode *nodes;
    uint32_t node_count;
    PlanCreateRelationship *relationships;
    uint32_t relationship_count;
    PlanItem *paths;
    uint32_t path_count;
} Writing;

static size_t parts(const AstPaths *paths)
{
    size_t count = 0;
    for (size_t i = 0; i < paths->count; i++)
        count += paths->items[i]->node_count;
    return count;
}

static bool runs_subquery(const Expr *expr)
{
    if (expr == NULL) return false;
    if (expr->kind == EXPR_SUBQUERY) return true;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (runs_subquery(expr->args[i])) return true;
    return false;
}

/* A value for a writing operator. One that runs a sub-query is reckoned before it, on the chain: the
 * sub-query is to see the graph as the clause found it, not what its own rows have written. */
static Error *bind_written(Binder *binder, const AstExpr *ast, Expr **out)
{
    TRY(bind(binder, ast, out));
    if (binder->run_subqueries || !runs_subquery(*out)) return NULL;
    PlanNode *project = plan_node(binder, PLAN_PROJECT, ast->offset, ast->length);
    project->items = arena_array(binder->arena, PlanItem, 1);
    project->item_count = 1;
    project->items[0] = (PlanItem){.slot = new_slot(binder, STR("")), .expr = *out};
    *out = expr_slot(binder->arena, project->items[0].slot, (*out)->type, true);
    (*out)->offset = ast->offset, (*out)->length = ast->length;
    return NULL;
}

static Error *bind_properties(Binder *binder, const AstExpr *ast, PlanProperty **properties,
                              uint32_t *count, Expr **map)
{
    if (ast == NULL) return NULL;
    if (ast->kind == AST_PARAMETER) return bind(binder, ast, map);
    *properties = arena_array(binder->arena, PlanProperty, ast->list.count + 1);
    for (size_t i = 0; i < ast->list.count; i++) {
        (*properties)[i].key = name_ref(binder, NAME_KEY, ast->names.items[i], false);
        TRY(bind_written(binder, ast->list.items[i], &(*properties)[i].expr));
    }
    *count = (uint32_t)ast->list.count;
    return NULL;
}

static Error *write_node(Writing *writing, const AstNode *ast, bool alone, uint32_t *slot)
{
    Binder *binder = writing->binder;
    Str name = ast->variable.text;
    Variable *known = name.bytes == 0 ? NULL : scope_find(&binder->scope, name);
    if (known != NULL) {
        bool described = ast->labels.count > 0 || ast->properties != NULL || alone;
        if (described)
            return fail_at(ERROR_VARIABLE_ALREADY_BOUND, ast->variable.offset, ast->variable.length,
                           "`%.*s` is there already", STR_ARG(name));
        bool fits = known->kind == VARIABLE_NODE ||
                    (known->kind == VARIABLE_VALUE && known->type == EXPR_TYPE_ANY);
        if (!fits)
            return fail_at(ERROR_VARIABLE_TYPE_CONFLICT, ast->variable.offset, ast->variable.length,
                           "`%.*s` is not a node", STR_ARG(name));
        *slot = known->slot;
        return NULL;
    }
    PlanCreateNode *node = &writing->nodes[writing->node_count++];
    TRY(bind_properties(binder, ast->properties, &node->properties, &node->property_count,
                        &node->map));
    node->labels = name_refs(binder, NAME_LABEL, &ast->labels, false);
    node->label_count = (uint32_t)ast->labels.count;
    if (name.bytes == 0)
        node->slot = new_slot(binder, name);
    else
        node->slot = scope_add(binder, name, VARIABLE_NODE, VALUE_NODE)->slot;
    *slot = node->slot;
    return NULL;
}

static Error *check_relationship(const AstRelationship *ast, bool merge)
{
    if (ast->variable_length)
        return fail_at(ERROR_CREATING_VAR_LENGTH, ast->offset, ast->length,
                       "a written relationship has no variable length");
    if (ast->types.count != 1)
        return fail_at(ERROR_NO_SINGLE_RELATIONSHIP_TYPE, ast->offset, ast->length,
                       "a written relationship has exactly one type");
    if (ast->direction == AST_BOTH && !merge)
        return error_hint(fail_at(ERROR_REQUIRES_DIRECTED_RELATIONSHIP, ast->offset, ast->length,
                                  "a written relationship has a direction"),
                          "write --> or <--");
    return NULL;
}

static Error *write_relationship(Writing *writing, const AstRelationship *ast, uint32_t from,
                                 uint32_t to, uint32_t *slot)
{
    Binder *binder = writing->binder;
    Str name = ast->variable.text;
    if (name.bytes > 0 && scope_find(&binder->scope, name) != NULL)
        return fail_at(ERROR_VARIABLE_ALREADY_BOUND, ast->variable.offset, ast->variable.length,
                       "`%.*s` is there already", STR_ARG(name));
    TRY(check_relationship(ast, writing->merge));
    PlanCreateRelationship *relationship = &writing->relationships[writing->relationship_count++];
    TRY(bind_properties(binder, ast->properties, &relationship->properties,
                        &relationship->property_count, &relationship->map));
    relationship->type = name_ref(binder, NAME_TYPE, ast->types.items[0], false);
    bool in = ast->direction == AST_IN_DIRECTION;
    relationship->from_slot = in ? to : from;
    relationship->to_slot = in ? from : to;
    if (name.bytes == 0)
        relationship->slot = new_slot(binder, name);
    else
        relationship->slot =
            scope_add(binder, name, VARIABLE_RELATIONSHIP, VALUE_RELATIONSHIP)->slot;
    *slot = relationship->slot;
    return NULL;
}

static Error *write_path(Writing *writing, const AstPath *path)
{
    Binder *binder = writing->binder;
    uint32_t from, to = 0, relationship = 0;
    if (path->shortest != AST_ANY_PATH)
        return fail_at(ERROR_UNEXPECTED_SYNTAX, path->offset, path->length,
                       "a shortest path is found, not written");
    Str name = path->variable.text;
    if (name.bytes > 0 && scope_find(&binder->scope, name) != NULL)
        return fail_at(ERROR_VARIABLE_ALREADY_BOUND, path->variable.offset, path->variable.length,
                       "`%.*s` is there already", STR_ARG(name));
    Expr *value = expr_new(binder->arena, EXPR_PATH, (uint32_t)(2 * path->node_count - 1));
    value->type = VALUE_PATH;
    TRY(write_node(writing, &path->nodes[0], path->node_count == 1, &from));
    value->args[0] = expr_slot(binder->arena, from, VALUE_NODE, true);
    for (size_t i = 1; i < path->node_count; i++) {
        TRY(write_node(writing, &path->nodes[i], false, &to));
        TRY(write_relationship(writing, &path->relationships[i - 1], from, to, &relationship));
        value->args[2 * i - 1] = expr_slot(binder->arena, relationship, VALUE_RELATIONSHIP, true);
        value->args[2 * i] = expr_slot(binder->arena, to, VALUE_NODE, true);
        from = to;
    }
    if (name.bytes == 0) return NULL;
    Variable *added = scope_add(binder, name, VARIABLE_PATH, VALUE_PATH);
    writing->paths[writing->path_count++] = (PlanItem){.slot = added->slot, .expr = value};
    return NULL;
}

static Error *write_paths(Binder *binder, const AstPaths *paths, bool merge, Writing *writing)
{
    size_t count = parts(paths) + 1;
    *writing = (Writing){.binder = binder, .merge = merge};
    writing->nodes = arena_array(binder->arena, PlanCreateNode, count);
    writing->relationships = arena_array(binder->arena, PlanCreateRelationship, count);
    writing->paths = arena_array(binder->arena, PlanItem, paths->count + 1);
    for (size_t i = 0; i < paths->count; i++)
        TRY(write_path(writing, paths->items[i]));
    return NULL;
}

static void set_created(PlanNode *plan, const Writing *writing)
{
    plan->create_nodes = writing->nodes;
    plan->create_node_count = writing->node_count;
    plan->create_relationships = writing->relationships;
    plan->create_relationship_count = writing->relationship_count;
    plan->path_items = writing->paths;
    plan->path_item_count = writing->path_count;
}

/* What a writing operator keeps of its input rows: `slots`, and the answers of the sub-queries that
 * its expressions put on the chain above `before`: an Apply or a Project each. */
static void keep_slots(Binder *binder, PlanNode *plan, const PlanNode *before,
                       const uint32_t *slots, uint32_t count)
{
    uint32_t answers = 0;
    for (const PlanNode *node = plan->input; node != before; node = node->input)
        answers++;
    plan->slots = arena_array(binder->arena, uint32_t, count + answers + 1);
    if (count > 0) memcpy(plan->slots, slots, count * sizeof *slots);
    plan->slot_count = count;
    for (const PlanNode *node = plan->input; node != before; node = node->input)
        plan->slots[plan->slot_count++] =
            node->kind == PLAN_APPLY ? node->out_slot : node->items[0].slot;
}

/* ---- CREATE after CREATE ---- */

/* Does it look at a slot from `first` on, or at the graph? */
static bool looks_at(const Expr *expr, uint32_t first)
{
    if (expr == NULL) return false;
    if (expr->kind == EXPR_SUBQUERY || (expr->kind == EXPR_SLOT && expr->index >= first))
        return true;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (looks_at(expr->args[i], first)) return true;
    return false;
}

static bool properties_look_at(const PlanProperty *properties, uint32_t count, const Expr *map,
                               uint32_t first)
{
    for (uint32_t i = 0; i < count; i++)
        if (looks_at(properties[i].expr, first)) return true;
    return looks_at(map, first);
}

/* What a CREATE writes may be written by the CREATE right before it, unless a value depends on what
 * that one makes. */
static bool may_join(const PlanNode *plan, const Writing *writing)
{
    for (uint32_t i = 0; i < writing->node_count; i++) {
        const PlanCreateNode *node = &writing->nodes[i];
        if (properties_look_at(node->properties, node->property_count, node->map, plan->slot))
            return false;
    }
    for (uint32_t i = 0; i < writing->relationship_count; i++) {
        const PlanCreateRelationship *made = &writing->relationships[i];
        if (properties_look_at(made->properties, made->property_count, made->map, plan->slot))
            return false;
    }
    return true;
}

/* `array` with `more` behind its `*count` elements; it grows by doubling. */
static void *joined(Arena *arena, void *array, uint32_t *count, uint32_t *capacity,
                    const void *more, uint32_t more_count, size_t element_bytes)
{
    if (*count + more_count > *capacity) {
        *capacity = (*count + more_count) * 2;
        char *larger = arena_calloc(arena, *capacity, element_bytes);
        if (*count > 0) memcpy(larger, array, *count * element_bytes);
        array = larger;
    }
    if (more_count > 0)
        memcpy((char *)array + *count * element_bytes, more, more_count * element_bytes);
    *count += more_count;
    return array;
}

static void join(Binder *binder, PlanNode *plan, const Writing *writing, const AstClause *clause)
{
    plan->create_nodes =
        joined(binder->arena, plan->create_nodes, &plan->create_node_count, &plan->create_room[0],
               writing->nodes, writing->node_count, sizeof *writing->nodes);
    plan->create_relationships =
        joined(binder->arena, plan->create_relationships, &plan->create_relationship_count,
               &plan->create_room[1], writing->relationships, writing->relationship_count,
               sizeof *writing->relationships);
    plan->path_items =
        joined(binder->arena, plan->path_items, &plan->path_item_count, &plan->create_room[2],
               writing->paths, writing->path_count, sizeof *writing->paths);
    plan->length = clause->offset + clause->length - plan->offset;
}

Error *plan_create(Binder *binder, const AstClause *clause)
{
    Writing writing;
    uint32_t count, first = binder->plan->slot_count;
    PlanNode *before = binder->chain;
    uint32_t *slots = scope_slots(binder, &count); /* what comes in; what is created is added */
    TRY(write_paths(binder, &clause->patterns, false, &writing));
    if (before->kind == PLAN_CREATE && binder->chain == before && may_join(before, &writing))
        return join(binder, before, &writing, clause), NULL;
    PlanNode *plan = plan_node(binder, PLAN_CREATE, clause->offset, clause->length);
    plan->slot = first; /* what it makes stands in slots from here on */
    set_created(plan, &writing);
    keep_slots(binder, plan, before, slots, count);
    binder->plan->writes = true;
    return NULL;
}

/* ---- SET and REMOVE ---- */

static Error *bind_set(Binder *binder, const AstSet *ast, PlanSetItem *item)
{
    static const PlanSetKind kinds[] = {[AST_SET_PROPERTY] = SET_PROPERTY,
                                        [AST_SET_REPLACE] = SET_REPLACE_MAP,
                                        [AST_SET_ADD] = SET_ADD_MAP,
                                        [AST_SET_LABELS] = SET_LABELS,
                                        [AST_REMOVE_PROPERTY] = REMOVE_PROPERTY,
                                        [AST_REMOVE_LABELS] = REMOVE_LABELS};
    bool property = ast->kind == AST_SET_PROPERTY || ast->kind == AST_REMOVE_PROPERTY;
    const AstExpr *target = property ? ast->target->a : ast->target;
    item->kind = kinds[ast->kind];
    TRY(bind_written(binder, target, &item->target));
    if (property)
        item->key =
            name_ref(binder, NAME_KEY,
                     (AstName){ast->target->text, ast->target->offset, ast->target->length}, false);
    item->labels = name_refs(binder, NAME_LABEL, &ast->labels, false);
    item->label_count = (uint32_t)ast->labels.count;
    if (ast->value != NULL) TRY(bind_written(binder, ast->value, &item->expr));
    uint8_t type = item->target->type;
    bool entity = type == VALUE_NODE || type == VALUE_RELATIONSHIP || type == EXPR_TYPE_ANY;
    if (!entity)
        return fail_at(ERROR_INVALID_ARGUMENT_TYPE, target->offset, target->length,
                       "only nodes and relationships can be changed, not %s",
                       value_kind_name((ValueKind)type));
    return NULL;
}

static Error *bind_sets(Binder *binder, const AstSets *sets, PlanSetItem **items, uint32_t *count)
{
    *items = arena_array(binder->arena, PlanSetItem, sets->count + 1);
    for (size_t i = 0; i < sets->count; i++)
        TRY(bind_set(binder, &sets->items[i], &(*items)[i]));
    *count = (uint32_t)sets->count;
    return NULL;
}

Error *plan_set(Binder *binder, const AstClause *clause)
{
    PlanSetItem *items;
    uint32_t count, slot_count;
    const PlanNode *before = binder->chain;
    TRY(bind_sets(binder, &clause->sets, &items, &count));
    PlanNode *plan = plan_node(binder, clause->kind == CLAUSE_SET ? PLAN_SET : PLAN_REMOVE,
                               clause->offset, clause->length);
    plan->set_items = items;
    plan->set_item_count = count;
    const uint32_t *slots = scope_slots(binder, &slot_count);
    keep_slots(binder, plan, before, slots, slot_count);
    binder->plan->writes = true;
    return NULL;
}

/* ---- MERGE ---- */

Error *plan_merge(Binder *binder, const AstClause *clause)
{
    Writing writing;
    const PlanNode *below = binder->chain;
    Scope before = scope_copy(binder), after;
    uint32_t count;
    uint32_t *slots = scope_slots(binder, &count);
    const AstPath *path = clause->patterns.items[0];
    for (size_t i = 0; i < path->node_count; i++)
        if (path->nodes[i].properties != NULL && path->nodes[i].properties->kind == AST_PARAMETER)
            return fail_at(ERROR_INVALID_PARAMETER_USE, path->nodes[i].properties->offset,
                           path->nodes[i].properties->length,
                           "a parameter cannot stand for all properties in MERGE");
    TRY(write_paths(binder, &clause->patterns, true, &writing));
    PlanNode *outer = binder->chain;
    after = binder->scope;
    binder->scope = before;
    binder->chain = NULL;
    PlanNode *argument = plan_node(binder, PLAN_ARGUMENT, clause->offset, clause->length);
    argument->row_slot = new_slot(binder, STR(""));
    bool writing_before = binder->writing;
    binder->writing = true; /* what is not there yet will be made: nothing to warn about */
    TRY(plan_patterns(binder, &clause->patterns, NULL, true));
    binder->writing = writing_before;
    PlanNode *inner = binder->chain;
    binder->chain = outer;
    Scope matched = binder->scope;
    binder->scope = after;
    PlanNode *plan = plan_node(binder, PLAN_MERGE, clause->offset, clause->length);
    set_created(plan, &writing);
    plan->inner = inner;
    plan->row_slot = argument->row_slot;
    keep_slots(binder, plan, below, slots, count);
    /* What the match found goes to the slots of what would have been created: items[i].slot from
     * expr's slot. */
    plan->items = arena_array(binder->arena, PlanItem, matched.count + 1);
    for (size_t i = before.count; i < matched.count; i++) {
        const Variable *variable = scope_find(&binder->scope, matched.items[i].name);
        if (variable == NULL) continue;
        plan->items[plan->item_count++] = (PlanItem){
            .slot = variable->slot,
            .expr = expr_slot(binder->arena, matched.items[i].slot, variable->type, true)};
    }
    binder->run_subqueries = true; /* they look at what was just made */
    Error *error = bind_sets(binder, &clause->sets, &plan->set_items, &plan->set_item_count);
    if (error == NULL)
        error = bind_sets(binder, &clause->match_sets, &plan->match_items, &plan->match_item_count);
    binder->run_subqueries = false;
    TRY(error);
    binder->plan->writes = true;
    return NULL;
}

/* ---- DELETE ---- */

Error *plan_delete(Binder *binder, const AstClause *clause)
{
    Expr **exprs = arena_array(binder->arena, Expr *, clause->exprs.count + 1);
    const PlanNode *before = binder->chain;
    uint32_t slot_count;
    for (size_t i = 0; i < clause->exprs.count; i++) {
        const AstExpr *ast = clause->exprs.items[i];
        if (ast->kind == AST_LABELS)
            return error_hint(
                fail_at(ERROR_INVALID_DELETE, ast->offset, ast->length, "labels cannot be deleted"),
                "REMOVE takes labels away");
        TRY(bind_written(binder, ast, &exprs[i]));
        uint8_t type = exprs[i]->type;
        bool entity = type == VALUE_NODE || type == VALUE_RELATIONSHIP || type == VALUE_PATH ||
                      type == EXPR_TYPE_ANY;
        if (!entity)
            return fail_at(ERROR_INVALID_ARGUMENT_TYPE, ast->offset, ast->length,
                           "only nodes, relationships and paths can be deleted, not %s",
                           value_kind_name((ValueKind)type));
    }
    PlanNode *plan = plan_node(binder, PLAN_DELETE, clause->offset, clause->length);
    plan->exprs = exprs;
    plan->expr_count = (uint32_t)clause->exprs.count;
    plan->detach = clause->detach;
    const uint32_t *slots = scope_slots(binder, &slot_count);
    keep_slots(binder, plan, before, slots, slot_count);
    binder->plan->writes = true;
    return NULL;
}
