/*
 * match.c - patterns become chains of scans and expansions.
 *
 * The patterns of one clause make a graph of nodes and relationships. Planning starts from what is
 * bound, else from the cheapest node (an index, an id, the rarest label, any), and goes on over
 * relationships that touch what is bound, those between two bound nodes first. A filter is put on
 * the chain as soon as every variable it names is bound; conditions that hold sub-queries come
 * last, because they are planned on the chain themselves.
 *
 * Relationships of one clause are different from one another: each expansion is told the slots of
 * those planned before it that could be the same.
 */
#include "config.h"

#include "planner/estimate.h"
#include "planner/order.h"

typedef struct PatternNode {
    Str name; /* empty: anonymous */
    uint32_t slot;
    bool bound;
    const AstNode *ast; /* the first that names labels or properties */
    NameRef *labels;
    uint32_t label_count, label_capacity;
} PatternNode;

typedef struct PatternRelationship {
    const AstRelationship *ast;
    uint32_t from, to; /* pattern nodes */
    uint32_t slot;
    bool bound; /* in an earlier clause */
    bool done;
    uint32_t clause; /* of the clauses planned together: only within one they must differ */
    NameRef *types;
    Expr *step;
    uint32_t step_local;
    AstShortest shortest;
    uint32_t path_slot;
} PatternRelationship;

typedef struct Filter {
    Expr *expr;
    bool done;
    bool safe;  /* no row makes it fail */
    bool tried; /* one that rows make fail stands on the chain already, leniently */
    uint32_t clause;
} Filter;

/* A property whose value asks the graph: its sub-query goes on the chain when the pattern's
 * variables are there. */
typedef struct LateProperty {
    Expr *entity;
    const AstName *key;
    const AstExpr *value;
} LateProperty;

typedef struct Pattern {
    PatternNode *nodes;
    size_t node_count, node_capacity;
    PatternRelationship *relationships;
    size_t relationship_count, relationship_capacity;
    Filter *filters;
    size_t filter_count, filter_capacity;
    LateProperty *late;
    size_t late_count, late_capacity;
    uint32_t *slots; /* bound now, by slot */
    size_t slot_count, slot_capacity;
    size_t scope_before; /* variables up to here existed before the clause, */
    size_t slots_before; /* ... and so many of `slots` were bound */
    uint32_t clause;
} Pattern;

/* ---- collecting ---- */

static Error *conflict(const AstName *name, const char *is, const char *wanted)
{
    return fail_at(ERROR_VARIABLE_TYPE_CONFLICT, name->offset, name->length,
                   "`%.*s` is a %s, not a %s", STR_ARG(name->text), is, wanted);
}

static const char *kind_name(const Variable *variable)
{
    static const char *const names[] = {"value", "node", "relationship", "list of relationships",
                                        "path"};
    return names[variable->kind];
}

static void mark_bound(Pattern *pattern, uint32_t slot)
{
    mem_reserve(pattern->slots, pattern->slot_capacity, pattern->slot_count + 1);
    pattern->slots[pattern->slot_count++] = slot;
}

static bool is_bound(const Pattern *pattern, uint32_t slot)
{
    for (size_t i = 0; i < pattern->slot_count; i++)
        if (pattern->slots[i] == slot) return true;
    return false;
}

static Error *find_node(Binder *binder, Pattern *pattern, const AstNode *ast, uint32_t *out)
{
    Str name = ast->variable.text;
    for (size_t i = 0; i < pattern->node_count && name.bytes > 0; i++)
        if (str_equal(pattern->nodes[i].name, name)) return *out = (uint32_t)i, NULL;
    PatternNode node = {.name = name};
    Variable *known = name.bytes == 0 ? NULL : scope_find(&binder->scope, name);
    if (known != NULL) {
        bool fits = known->kind == VARIABLE_NODE ||
                    (known->kind == VARIABLE_VALUE && known->type == EXPR_TYPE_ANY);
        if (!fits) return conflict(&ast->variable, kind_name(known), "node");
        node.slot = known->slot;
        node.bound = true;
    } else {
        node.slot = name.bytes == 0 ? new_slot(binder, name)
                                    : scope_add(binder, name, VARIABLE_NODE, VALUE_NODE)->slot;
    }
    mem_reserve(pattern->nodes, pattern->node_capacity, pattern->node_count + 1);
    *out = (uint32_t)pattern->node_count;
    pattern->nodes[pattern->node_count++] = node;
    return NULL;
}

static void add_filter(Pattern *pattern, Expr *expr)
{
    mem_reserve(pattern->filters, pattern->filter_capacity, pattern->filter_count + 1);
    pattern->filters[pattern->filter_count++] =
        (Filter){.expr = expr,
                 .clause = pattern->clause,
                 .safe = expr->type == VALUE_BOOLEAN && expr_never_fails(expr)};
}

static Error *refuse_parameter(const AstExpr *properties, bool merge)
{
    if (properties == NULL || properties->kind != AST_PARAMETER) return NULL;
    return error_hint(fail_at(ERROR_INVALID_PARAMETER_USE, properties->offset, properties->length,
                              "a parameter cannot stand for all properties in %s",
                              merge ? "MERGE" : "MATCH"),
                      "name the properties: {key: $%.*s.key}", STR_ARG(properties->text));
}

static void add_labels(Binder *binder, Pattern *pattern, uint32_t index, const AstNode *ast)
{
    PatternNode *node = &pattern->nodes[index];
    NameRef *refs = name_refs(binder, NAME_LABEL, &ast->labels, true);
    for (size_t i = 0; i < ast->labels.count; i++) {
        if (node->label_count == node->label_capacity) {
            uint32_t capacity = node->label_capacity < 4 ? 4 : node->label_capacity * 2;
            NameRef *larger = arena_array(binder->arena, NameRef, capacity);
            if (node->label_count > 0)
                memcpy(larger, node->labels, node->label_count * sizeof *larger);
            node->labels = larger;
            node->label_capacity = capacity;
        }
        node->labels[node->label_count++] = refs[i];
    }
    Variable *variable = node->name.bytes == 0 ? NULL : scope_find(&binder->scope, node->name);
    if (variable != NULL && node->label_count > 0)
        variable->labels = node->labels, variable->label_count = node->label_count;
    if (ast->rule != NULL) add_filter(pattern, labels_rule(binder, node->slot, ast->rule));
    if (!node->bound || ast->labels.count == 0) return;
    Expr *has = expr_new(binder->arena, EXPR_HAS_LABELS, 1);
    has->args[0] = expr_slot(binder->arena, node->slot, VALUE_NODE, true);
    has->names = refs;
    has->name_count = (uint32_t)ast->labels.count;
    has->type = VALUE_BOOLEAN;
    has->offset = ast->offset, has->length = ast->length;
    add_filter(pattern, has);
}

static Expr *property_equals(Binder *binder, Expr *entity, const AstName *key, Expr *value,
                             NameKind kind, bool entity_known)
{
    (void)kind;
    Expr *property = expr_new(binder->arena, EXPR_PROPERTY, 1);
    property->args[0] = entity;
    property->name = name_ref(binder, NAME_KEY, *key, entity_known);
    property->offset = key->offset, property->length = key->length;
    return expr_binary(binder, EXPR_EQUAL, property, value);
}

/* entity.key = value, as a filter. */
static Error *add_property(Binder *binder, Pattern *pattern, Expr *entity, const AstName *key,
                           const AstExpr *value)
{
    Expr *expr;
    if (ast_has_subquery(value)) {
        mem_reserve(pattern->late, pattern->late_capacity, pattern->late_count + 1);
        pattern->late[pattern->late_count++] = (LateProperty){entity, key, value};
        return NULL;
    }
    TRY(bind(binder, value, &expr));
    add_filter(pattern, property_equals(binder, entity, key, expr, NAME_KEY, true));
    return NULL;
}

static Error *filter_late(Binder *binder, const Pattern *pattern)
{
    for (size_t i = 0; i < pattern->late_count; i++) {
        const LateProperty *late = &pattern->late[i];
        Expr *value;
        TRY(bind(binder, late->value, &value));
        plan_node(binder, PLAN_FILTER, late->key->offset, late->key->length)->expr =
            property_equals(binder, late->entity, late->key, value, NAME_KEY, true);
    }
    return NULL;
}

static Error *add_node_properties(Binder *binder, Pattern *pattern, uint32_t slot,
                                  const AstExpr *map)
{
    for (size_t i = 0; map != NULL && i < map->list.count; i++)
        TRY(add_property(binder, pattern, expr_slot(binder->arena, slot, VALUE_NODE, true),
                         &map->names.items[i], map->list.items[i]));
    return NULL;
}

static Error *add_relationship_properties(Binder *binder, Pattern *pattern,
                                          PatternRelationship *relationship, bool variable)
{
    const AstExpr *map = relationship->ast->properties;
    if (variable && map != NULL && map->list.count > 0) {
        TRY(room_for_locals(binder, relationship->ast->offset, relationship->ast->length));
        relationship->step_local = push_local(binder, STR(""), VALUE_RELATIONSHIP);
        pop_local(binder, 1);
    }
    for (size_t i = 0; map != NULL && i < map->list.count; i++) {
        Expr *value, *entity;
        if (variable) {
            TRY(bind(binder, map->list.items[i], &value));
            entity = expr_new(binder->arena, EXPR_LOCAL, 0);
            entity->index = relationship->step_local;
            entity->type = VALUE_RELATIONSHIP;
            relationship->step = expr_and(
                binder, relationship->step,
                property_equals(binder, entity, &map->names.items[i], value, NAME_KEY, true));
        } else {
            entity = expr_slot(binder->arena, relationship->slot, VALUE_RELATIONSHIP, true);
            TRY(add_property(binder, pattern, entity, &map->names.items[i], map->list.items[i]));
        }
    }
    return NULL;
}

static Error *relationship_variable(Binder *binder, Pattern *pattern,
                                    PatternRelationship *relationship)
{
    const AstName *name = &relationship->ast->variable;
    bool many = relationship->ast->variable_length;
    VariableKind kind = many ? VARIABLE_RELATIONSHIPS : VARIABLE_RELATIONSHIP;
    if (name->text.bytes == 0) return relationship->slot = new_slot(binder, name->text), NULL;
    for (size_t i = 0; i < pattern->relationship_count; i++)
        if (str_equal(pattern->relationships[i].ast->variable.text, name->text))
            return fail_at(ERROR_RELATIONSHIP_UNIQUENESS, name->offset, name->length,
                           "relationship `%.*s` stands twice in the pattern", STR_ARG(name->text));
    Variable *known = scope_find(&binder->scope, name->text);
    if (known == NULL)
        return relationship->slot = scope_add(binder, name->text, kind, EXPR_TYPE_ANY)->slot, NULL;
    bool fits = known->kind == kind ||
                (known->kind == VARIABLE_VALUE &&
                 (known->type == EXPR_TYPE_ANY || (many && known->type == VALUE_LIST)));
    if (!fits)
        return conflict(name, kind_name(known), many ? "list of relationships" : "relationship");
    relationship->slot = known->slot;
    relationship->bound = true;
    return NULL;
}

static Error *add_relationship(Binder *binder, Pattern *pattern, const AstPath *path, size_t i,
                               uint32_t from, uint32_t to, bool merge)
{
    const AstRelationship *ast = &path->relationships[i];
    PatternRelationship relationship = {.ast = ast,
                                        .from = from,
                                        .to = to,
                                        .clause = pattern->clause,
                                        .shortest = path->shortest,
                                        .path_slot = SLOT_NONE};
    TRY(refuse_parameter(ast->properties, merge));
    relationship.types = name_refs(binder, NAME_TYPE, &ast->types, true);
    TRY(relationship_variable(binder, pattern, &relationship));
    bool many = ast->variable_length || path->shortest != AST_ANY_PATH;
    TRY(add_relationship_properties(binder, pattern, &relationship, many));
    mem_reserve(pattern->relationships, pattern->relationship_capacity,
                pattern->relationship_count + 1);
    pattern->relationships[pattern->relationship_count++] = relationship;
    return NULL;
}

static Error *check_path_name(Binder *binder, const Pattern *pattern, const AstPath *path)
{
    Str name = path->variable.text;
    for (size_t i = 0; i < pattern->scope_before; i++)
        if (str_equal(binder->scope.items[i].name, name))
            return fail_at(ERROR_VARIABLE_ALREADY_BOUND, path->variable.offset,
                           path->variable.length, "`%.*s` is there already", STR_ARG(name));
    return NULL;
}

static Error *collect_path(Binder *binder, Pattern *pattern, const AstPath *path, bool merge)
{
    uint32_t from, to;
    if (path->variable.text.bytes > 0) TRY(check_path_name(binder, pattern, path));
    TRY(find_node(binder, pattern, &path->nodes[0], &from));
    for (size_t i = 0;; i++) {
        const AstNode *node = &path->nodes[i];
        TRY(refuse_parameter(node->properties, merge));
        add_labels(binder, pattern, from, node);
        if (i + 1 == path->node_count) return NULL;
        TRY(find_node(binder, pattern, &path->nodes[i + 1], &to));
        TRY(add_relationship(binder, pattern, path, i, from, to, merge));
        from = to;
    }
}

static Error *collect_properties(Binder *binder, Pattern *pattern, const AstPaths *paths)
{
    for (size_t p = 0; p < paths->count; p++)
        for (size_t i = 0; i < paths->items[p]->node_count; i++) {
            const AstNode *node = &paths->items[p]->nodes[i];
            uint32_t index = 0;
            if (node->properties == NULL) continue;
            if (node->variable.text.bytes > 0) {
                TRY(find_node(binder, pattern, node, &index));
                TRY(add_node_properties(binder, pattern, pattern->nodes[index].slot,
                                        node->properties));
            }
        }
    return NULL;
}

/* ---- planning ---- */

static bool expr_bound(const Pattern *pattern, const Expr *expr)
{
    if (expr == NULL) return true;
    if (expr->kind == EXPR_SLOT) return is_bound(pattern, expr->index);
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (!expr_bound(pattern, expr->args[i])) return false;
    return true;
}

/* Values that nodes are looked up by are reckoned while some of the pattern is to come: they cannot fail,
 * or are of rows from before it. */
static bool may_be_key(const Pattern *pattern, const Expr *expr)
{
    Pattern before = *pattern;
    before.slot_count = pattern->slots_before;
    return expr_bound(pattern, expr) && (expr_never_fails(expr) || expr_bound(&before, expr));
}

/* ... or will be, once the node is. */
static bool expr_bound_but(const Pattern *pattern, const Expr *expr, const PatternNode *node)
{
    if (expr == NULL) return true;
    if (expr->kind == EXPR_SLOT) return expr->index == node->slot || is_bound(pattern, expr->index);
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (!expr_bound_but(pattern, expr->args[i], node)) return false;
    return true;
}

/* Is all of it planned? Then every row matches but for what filters say. */
static bool is_whole(const Pattern *pattern)
{
    bool whole = true;
    for (size_t i = 0; i < pattern->node_count && whole; i++)
        whole = pattern->nodes[i].bound;
    for (size_t i = 0; i < pattern->relationship_count && whole; i++)
        whole = pattern->relationships[i].done;
    return whole;
}

/* Does it say the same when it is asked again? */
static bool repeats(const Expr *expr)
{
    if (expr == NULL) return true;
    if (expr->kind == EXPR_CALL && !function_repeats(expr->function)) return false;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (!repeats(expr->args[i])) return false;
    return true;
}

static void place_some(Binder *binder, Pattern *pattern, uint32_t clause, bool safe, bool lenient)
{
    Expr *all = NULL;
    bool again = !lenient;
    for (size_t i = 0; i < pattern->filter_count; i++) {
        Filter *filter = &pattern->filters[i];
        bool other = filter->safe != safe || (!safe && filter->clause != clause);
        if (filter->done || other || (lenient && (filter->tried || !repeats(filter->expr))) ||
            !expr_bound(pattern, filter->expr))
            continue;
        again = again && filter->tried;
        filter->done = !lenient;
        filter->tried = lenient;
        all = expr_and(binder, all, filter->expr);
    }
    if (all == NULL) return;
    PlanNode *node = plan_node(binder, PLAN_FILTER, all->offset, all->length);
    node->expr = all;
    node->lenient = lenient;
    node->again = again;
}

/* Those that cannot fail first: rows they leave out, also for a null, make no other one fail. Rows that do
 * not match in the end must not either: while some of the pattern is to come, a filter that can fail leaves
 * out only what it is false or null for, and is asked again behind all of it. What a clause leaves out is
 * not asked about by the next. */
static void place_filters(Binder *binder, Pattern *pattern)
{
    bool whole = is_whole(pattern);
    place_some(binder, pattern, 0, true, false);
    for (uint32_t clause = 0; clause <= pattern->clause; clause++)
        if (whole || !binder->environment->plain)
            place_some(binder, pattern, clause, false, !whole);
}

typedef struct Start { /* how a node may be found without a relationship */
    PlanKind kind;
    double cost;
    uint32_t label; /* of the node's labels, for SEEK */
    const Expr *key;
    NameRef property;
    size_t filter;     /* the one that the start answers */
    PlanSeek *several; /* SEEK by an index on several properties; NULL: on one */
} Start;

static EstimateLabels labels_of(const PatternNode *node)
{
    return (EstimateLabels){node->labels, node->label_count};
}

static bool is_property_of(const Expr *expr, uint32_t slot)
{
    return expr->kind == EXPR_PROPERTY && expr->args[0]->kind == EXPR_SLOT &&
           expr->args[0]->index == slot;
}

static bool is_id_of(const Expr *expr, uint32_t slot)
{
    return expr->kind == EXPR_CALL && str_equal(expr->function->name, STR("id")) &&
           expr->args[0]->kind == EXPR_SLOT && expr->args[0]->index == slot;
}

static bool is_unique_seek(const Binder *binder, const PatternNode *node, const Start *start)
{
    if (start->several != NULL) return start->several->unique;
    const GraphIndex *index =
        graph_index_on(binder->view, node->labels[start->label].id, start->property.id, false);
    return index->constraint == GRAPH_UNIQUE;
}

static double rows_of_seek(const Binder *binder, const PatternNode *node, const Start *start)
{
    return start->several != NULL ? start->several->rows
                                  : estimate_equal(binder->view, start->property, labels_of(node));
}

/* Of two seeks. */
static bool finds_less(const Binder *binder, const PatternNode *node, const Start *start,
                       const Start *than)
{
    if (is_unique_seek(binder, node, than)) return false;
    if (is_unique_seek(binder, node, start)) return true;
    double rows = rows_of_seek(binder, node, start), others = rows_of_seek(binder, node, than);
    uint32_t keys = start->several == NULL ? 1 : start->several->count,
             other_keys = than->several == NULL ? 1 : than->several->count;
    return rows < others || (rows == others && keys > other_keys); /* samples are small */
}

static void consider(Binder *binder, const Pattern *pattern, const PatternNode *node, size_t filter,
                     int side, Start *best)
{
    const Expr *equal = pattern->filters[filter].expr, *a = equal->args[side],
               *b = equal->args[1 - side];
    if (!may_be_key(pattern, b)) return;
    if (is_id_of(a, node->slot) && best->cost > 0.5)
        *best = (Start){PLAN_NODE_BY_ID, 0.5, 0, b, {{"", 0}, 0}, filter, NULL};
    if (!is_property_of(a, node->slot) || a->name.id == GRAPH_NAME_UNKNOWN) return;
    for (uint32_t l = 0; l < node->label_count; l++) {
        if (node->labels[l].id == GRAPH_NAME_UNKNOWN) continue;
        if (graph_index_on(binder->view, node->labels[l].id, a->name.id, false) == NULL) continue;
        Start seek = {PLAN_NODE_SEEK, 1, l, b, a->name, filter, NULL};
        if (best->cost > 1 ||
            (best->kind == PLAN_NODE_SEEK && finds_less(binder, node, &seek, best)))
            *best = seek;
    }
}

/* Of a scan that conditions of the pattern, and an index, leave little of. */
static double range_cost(Binder *binder, const Pattern *pattern, const PatternNode *node,
                         double cost)
{
    PlanNode scan = {.slot = node->slot, .labels = node->labels, .label_count = node->label_count};
    for (size_t i = 0; i < pattern->filter_count; i++)
        if (!pattern->filters[i].done && expr_bound_but(pattern, pattern->filters[i].expr, node))
            plan_ranges(binder, &scan, pattern->filters[i].expr);
    return scan.by_index && scan.range_rows + 2 < cost ? scan.range_rows + 2 : cost;
}

static bool has_index_on_several(const Binder *binder, const PatternNode *node)
{
    for (uint32_t i = 0; i < graph_index_count(binder->view->graph); i++) {
        const GraphIndex *index = graph_index_at(binder->view, i);
        for (uint32_t l = 0; index != NULL && index->key_count > 1 && l < node->label_count; l++)
            if (node->labels[l].id == index->label) return true;
    }
    return false;
}

/* The equal values that are known when the node is looked for. */
static PlanEqual *equals_of(Binder *binder, const Pattern *pattern, const PatternNode *node,
                            size_t *count)
{
    PlanEqual *equals = arena_array(binder->arena, PlanEqual, 2 * pattern->filter_count + 1);
    *count = 0;
    for (size_t i = 0; i < 2 * pattern->filter_count; i++) {
        const Filter *filter = &pattern->filters[i / 2];
        if (filter->done || filter->expr->kind != EXPR_EQUAL) continue;
        const Expr *property = filter->expr->args[i % 2], *value = filter->expr->args[1 - i % 2];
        if (is_property_of(property, node->slot) && may_be_key(pattern, value))
            equals[(*count)++] = (PlanEqual){property->name, value, i / 2};
    }
    return equals;
}

/* A range is asked for where it gives so many times fewer nodes than a seek, which is done sooner. */
static const double SCAN_FOR_SEEK = 8;

/* By an index on several properties, where it leaves less than what was found so far. */
static void consider_several(Binder *binder, const Pattern *pattern, const PatternNode *node,
                             Start *best)
{
    PlanSeek seek;
    Start start = {.kind = PLAN_NODE_SEEK, .cost = 1};
    size_t count;
    const PlanEqual *equals = equals_of(binder, pattern, node, &count);
    if (plan_seek_several(binder, node->labels, node->label_count, equals, count, &seek)) {
        start.label = seek.label;
        start.several = arena_new(binder->arena, PlanSeek);
        *start.several = seek;
        bool less = best->kind == PLAN_NODE_SCAN ? seek.rows < best->cost
                                                 : finds_less(binder, node, &start, best);
        if (less) *best = start;
    }
    if (best->kind != PLAN_NODE_SEEK || binder->environment->plain ||
        is_unique_seek(binder, node, best))
        return;
    double rows = rows_of_seek(binder, node, best) / SCAN_FOR_SEEK;
    if (rows < 1) return;
    double scan = range_cost(binder, pattern, node, rows + 2);
    if (scan < rows + 2) *best = (Start){.kind = PLAN_NODE_SCAN, .cost = scan};
}

static Start best_start(Binder *binder, const Pattern *pattern, const PatternNode *node)
{
    Start best = {PLAN_NODE_SCAN,
                  estimate_nodes(binder->view, labels_of(node)) + 2,
                  0,
                  NULL,
                  {{"", 0}, 0},
                  0,
                  NULL};
    for (size_t i = 0; i < pattern->filter_count; i++) {
        const Expr *filter = pattern->filters[i].expr;
        if (pattern->filters[i].done || filter->kind != EXPR_EQUAL) continue;
        consider(binder, pattern, node, i, 0, &best);
        consider(binder, pattern, node, i, 1, &best);
    }
    if (best.kind != PLAN_NODE_BY_ID && has_index_on_several(binder, node))
        consider_several(binder, pattern, node, &best);
    if (best.kind == PLAN_NODE_SCAN && !binder->environment->plain)
        best.cost = range_cost(binder, pattern, node, best.cost);
    return best;
}

static void bind_node(Pattern *pattern, PatternNode *node)
{
    node->bound = true;
    mark_bound(pattern, node->slot);
}

static void seek_several(Binder *binder, Pattern *pattern, PlanSeek *seek, PlanNode *plan)
{
    plan->keys = seek->keys;
    plan->key_count = seek->count;
    plan->range_rows = seek->rows;
    plan->expr = expr_new(binder->arena, EXPR_LIST, seek->count);
    plan->expr->type = VALUE_LIST;
    for (uint32_t k = 0; k < seek->count; k++) {
        plan->expr->args[k] = seek->values[k];
        pattern->filters[seek->filters[k]].done = true;
    }
}

static void plan_start(Binder *binder, Pattern *pattern, PatternNode *node, size_t offset,
                       size_t length)
{
    Start start = best_start(binder, pattern, node);
    PlanNode *plan = plan_node(binder, start.kind, offset, length);
    plan->slot = node->slot;
    plan->labels = node->labels;
    plan->label_count = node->label_count;
    plan->estimated_rows = start.cost > 2 ? start.cost - 2 : 1;
    plan->expr = (Expr *)start.key;
    plan->key = start.property;
    if (start.kind == PLAN_NODE_SEEK && start.label > 0) { /* the index's label stands first */
        plan->labels = arena_array(binder->arena, NameRef, node->label_count);
        memcpy(plan->labels, node->labels, node->label_count * sizeof *plan->labels);
        NameRef first = plan->labels[0];
        plan->labels[0] = plan->labels[start.label];
        plan->labels[start.label] = first;
    }
    /* An index gives nodes whose property is equal by the language's own rule: nothing is left of
     * the condition. */
    if (start.kind == PLAN_NODE_SEEK && start.several == NULL)
        pattern->filters[start.filter].done = true;
    if (start.several != NULL) seek_several(binder, pattern, start.several, plan);
    bind_node(pattern, node);
    place_filters(binder, pattern);
    if (plan->kind != PLAN_NODE_SCAN || binder->environment->plain) return;
    for (const PlanNode *above = binder->chain; above != plan; above = above->input)
        if (above->kind == PLAN_FILTER && !above->lenient) plan_ranges(binder, plan, above->expr);
}

static bool types_overlap(const PatternRelationship *a, const PatternRelationship *b)
{
    if (a->ast->types.count == 0 || b->ast->types.count == 0) return true;
    for (size_t i = 0; i < a->ast->types.count; i++)
        for (size_t j = 0; j < b->ast->types.count; j++)
            if (str_equal(a->types[i].text, b->types[j].text)) return true;
    return false;
}

static void set_different(Binder *binder, const Pattern *pattern,
                          const PatternRelationship *relationship, PlanNode *plan)
{
    plan->different = arena_array(binder->arena, uint32_t, pattern->relationship_count);
    for (size_t i = 0; i < pattern->relationship_count; i++) {
        const PatternRelationship *other = &pattern->relationships[i];
        if (other == relationship || !other->done || other->clause != relationship->clause ||
            !types_overlap(other, relationship))
            continue;
        plan->different[plan->different_count++] = other->slot;
    }
}

static PlanDirection direction_of(const AstRelationship *ast, bool reversed)
{
    if (ast->direction == AST_BOTH) return PLAN_BOTH;
    return (ast->direction == AST_OUT) != reversed ? PLAN_OUT : PLAN_IN;
}

/* Labels of a node that an expansion reached are a filter; those of a scan were looked at by the
 * scan. */
static void filter_labels(Binder *binder, Pattern *pattern, const PatternNode *node)
{
    if (node->label_count == 0) return;
    Expr *has = expr_new(binder->arena, EXPR_HAS_LABELS, 1);
    has->args[0] = expr_slot(binder->arena, node->slot, VALUE_NODE, true);
    has->names = node->labels;
    has->name_count = node->label_count;
    has->type = VALUE_BOOLEAN;
    add_filter(pattern, has);
}

static void set_hops(const AstRelationship *ast, PlanNode *plan)
{
    plan->hops_min = ast->has_min ? ast->min : 1;
    plan->hops_max = ast->has_max ? ast->max : -1;
}

static Error *plan_relationship(Binder *binder, Pattern *pattern, PatternRelationship *relationship)
{
    const AstRelationship *ast = relationship->ast;
    PatternNode *from = &pattern->nodes[relationship->from],
                *to = &pattern->nodes[relationship->to];
    bool walk = relationship->bound && ast->variable_length;
    bool reversed = !from->bound && to->bound && !walk;
    if (reversed) {
        PatternNode *other = from;
        from = to, to = other;
    }
    bool shortest = relationship->shortest != AST_ANY_PATH;
    PlanKind kind = shortest               ? PLAN_SHORTEST
                    : ast->variable_length ? PLAN_EXPAND_VARIABLE
                                           : PLAN_EXPAND;
    if (relationship->bound && kind == PLAN_EXPAND_VARIABLE) kind = PLAN_WALK;
    if (relationship->bound && kind == PLAN_EXPAND) kind = PLAN_RELATIONSHIP_ENDS;
    PlanNode *plan = plan_node(binder, kind, ast->offset, ast->length);
    plan->from_slot = from->slot;
    plan->to_slot = to->slot;
    plan->from_bound = from->bound;
    plan->to_bound = to->bound;
    plan->relationship_slot = relationship->slot;
    plan->direction = direction_of(ast, reversed);
    plan->types = relationship->types;
    plan->type_count = (uint32_t)ast->types.count;
    plan->step = relationship->step;
    plan->step_local = relationship->step_local;
    plan->all_shortest = relationship->shortest == AST_SHORTEST_ALL;
    plan->path_slot = relationship->path_slot;
    set_hops(ast, plan);
    if (shortest && !ast->variable_length) plan->hops_min = plan->hops_max = 1;
    plan->streaming = reversed; /* the list of a reversed walk is given the other way round */
    set_different(binder, pattern, relationship, plan);
    relationship->done = true;
    mark_bound(pattern, relationship->slot);
    PatternNode *ends[] = {from, to};
    for (int i = 0; i < 2; i++) {
        if (ends[i]->bound) continue;
        bind_node(pattern, ends[i]);
        filter_labels(binder, pattern, ends[i]);
    }
    place_filters(binder, pattern);
    return NULL;
}

/* Relationships of which the id is known come first: each is one row at most, and has its ends. */
static void plan_by_id(Binder *binder, Pattern *pattern)
{
    for (size_t i = 0; i < pattern->filter_count; i++) {
        const Expr *equal = pattern->filters[i].expr;
        for (size_t k = 0; k < 2 * pattern->relationship_count; k++) {
            PatternRelationship *relationship = &pattern->relationships[k / 2];
            if (pattern->filters[i].done || equal->kind != EXPR_EQUAL || relationship->bound ||
                relationship->ast->variable_length || relationship->shortest != AST_ANY_PATH ||
                !is_id_of(equal->args[k % 2], relationship->slot) ||
                !may_be_key(pattern, equal->args[1 - k % 2]))
                continue;
            PlanNode *plan = plan_node(binder, PLAN_RELATIONSHIP_BY_ID, relationship->ast->offset,
                                       relationship->ast->length);
            plan->slot = relationship->slot;
            plan->expr = equal->args[1 - k % 2];
            relationship->bound = true;
            mark_bound(pattern, relationship->slot);
        }
    }
    place_filters(binder, pattern);
}

/* An empty list of relationships says nothing about the node it stands at. */
static bool may_be_empty(const AstRelationship *ast)
{
    return ast->variable_length && ast->has_min && ast->min == 0;
}

/* The relationship to plan next: between bound nodes, else from one; NULL: none touches what is
 * bound. */
static PatternRelationship *next_relationship(const Pattern *pattern)
{
    PatternRelationship *best = NULL;
    for (size_t i = 0; i < pattern->relationship_count; i++) {
        PatternRelationship *relationship = &pattern->relationships[i];
        bool from = pattern->nodes[relationship->from].bound,
             to = pattern->nodes[relationship->to].bound;
        if (relationship->done) continue;
        bool shortest = relationship->shortest != AST_ANY_PATH;
        if (from && to) return relationship;
        if (relationship->bound && !shortest && !may_be_empty(relationship->ast))
            return relationship;
        if (!shortest && (from || to) && best == NULL) best = relationship;
    }
    return best;
}

static PatternNode *next_start(Binder *binder, const Pattern *pattern)
{
    PatternNode *best = NULL;
    double least = 0;
    for (size_t i = 0; i < pattern->node_count; i++) {
        PatternNode *node = &pattern->nodes[i];
        if (node->bound) continue;
        double cost = best_start(binder, pattern, node).cost;
        if (best == NULL || cost < least) best = node, least = cost;
    }
    return best;
}

/* ---- the order by what it costs ---- */

static EstimateHop hop_over(const PatternRelationship *relationship, int end)
{
    return (EstimateHop){relationship->types, (uint32_t)relationship->ast->types.count,
                         direction_of(relationship->ast, end == 1)};
}

/* Which part of the nodes the conditions leave that look at this one alone. */
static double kept_of(Binder *binder, const Pattern *pattern, const PatternNode *node)
{
    double keep = 1;
    for (size_t i = 0; i < pattern->filter_count; i++) {
        const Filter *filter = &pattern->filters[i];
        if (filter->done || !expr_uses_slot(filter->expr, node->slot)) continue;
        bool alone = true;
        for (size_t n = 0; n < pattern->node_count; n++)
            alone = alone && (&pattern->nodes[n] == node ||
                              !expr_uses_slot(filter->expr, pattern->nodes[n].slot));
        if (alone)
            keep *= estimate_condition(binder->view, filter->expr, node->slot, labels_of(node));
    }
    return keep;
}

static OrderNode order_node(Binder *binder, const Pattern *pattern, const PatternNode *node)
{
    OrderNode out = {.bound = node->bound, .keep = 1, .rows = 1};
    if (node->bound) return out;
    Start start = best_start(binder, pattern, node);
    double nodes = estimate_nodes(binder->view, labels_of(node));
    out.keep = kept_of(binder, pattern, node);
    out.cost = start.cost;
    out.rows = start.kind == PLAN_NODE_SCAN ? nodes * out.keep : 1;
    if (start.kind == PLAN_NODE_SEEK)
        out.cost = out.rows = start.several != NULL
                                  ? start.several->rows
                                  : estimate_equal(binder->view, start.property, labels_of(node));
    return out;
}

/* As many as trails of so many hops have, three at most: beyond, a number says nothing. */
static double trail_fan(const AstRelationship *ast, double fan)
{
    enum { HOPS_SEEN = 3 };
    int64_t least = ast->has_min ? ast->min : 1, most = ast->has_max ? ast->max : HOPS_SEEN;
    double sum = least == 0, step = 1;
    if (!ast->variable_length) return fan;
    for (int64_t i = 1; i <= most && i <= HOPS_SEEN; i++) {
        step *= fan;
        if (i >= least || i == HOPS_SEEN) sum += step;
    }
    return sum;
}

static void order_relationship(Binder *binder, const Pattern *pattern, uint32_t count,
                               PatternRelationship *const *of, uint32_t r, OrderRelationship *out)
{
    enum { MANY = 256 }; /* relationships: below, a mistake costs less than a look at them */
    const PatternRelationship *relationship = of[r];
    out->ends[0] = relationship->from, out->ends[1] = relationship->to;
    for (int end = 0; end < 2; end++) {
        const PatternNode *near = &pattern->nodes[out->ends[end]],
                          *far = &pattern->nodes[out->ends[1 - end]];
        EstimateHop hop = hop_over(relationship, end);
        double share = estimate_share(binder->view, &hop, labels_of(far)),
               nodes = estimate_nodes(binder->view, labels_of(far));
        double all = estimate_relationships(binder->view, &hop);
        out->fan[end] =
            trail_fan(relationship->ast, estimate_fan(binder->view, &hop, labels_of(near))) * share;
        out->link[end] = nodes < 1 ? 0 : out->fan[end] / nodes;
        for (uint32_t other = 0; other < count; other++) {
            bool from = of[other]->from == out->ends[end], to = of[other]->to == out->ends[end];
            out->via[end][other] = -1;
            if (other == r || from == to || all < MANY) continue;
            EstimateHop before = hop_over(of[other], from);
            out->via[end][other] =
                trail_fan(relationship->ast, estimate_fan_via(binder->view, &before, &hop)) * share;
        }
    }
}

/* Relationships left to plan of which the order is free. */
static uint32_t free_relationships(Pattern *pattern, PatternRelationship **out)
{
    uint32_t count = 0;
    for (size_t i = 0; i < pattern->relationship_count; i++) {
        PatternRelationship *relationship = &pattern->relationships[i];
        if (relationship->done || relationship->shortest != AST_ANY_PATH) continue;
        if (count == ORDER_RELATIONSHIPS_MAX) return UINT32_MAX;
        out[count++] = relationship;
    }
    return count;
}

static Error *plan_ordered(Binder *binder, Pattern *pattern, size_t offset, size_t length)
{
    PatternRelationship *free[ORDER_RELATIONSHIPS_MAX];
    OrderRelationship relationships[ORDER_RELATIONSHIPS_MAX];
    OrderStep steps[ORDER_RELATIONSHIPS_MAX];
    uint32_t count = free_relationships(pattern, free);
    if (binder->environment->plain || count < 2 || count > ORDER_RELATIONSHIPS_MAX ||
        pattern->node_count > ORDER_NODES_MAX)
        return NULL;
    OrderNode *nodes = arena_array(binder->arena, OrderNode, pattern->node_count);
    for (size_t n = 0; n < pattern->node_count; n++)
        nodes[n] = order_node(binder, pattern, &pattern->nodes[n]);
    for (uint32_t r = 0; r < count; r++)
        order_relationship(binder, pattern, count, free, r, &relationships[r]);
    uint32_t found = order_find(binder->arena, nodes, (uint32_t)pattern->node_count, relationships,
                                count, steps);
    for (uint32_t i = 0; i < found; i++) {
        PatternRelationship *next = free[steps[i].relationship];
        if (steps[i].node != ORDER_NONE)
            plan_start(binder, pattern, &pattern->nodes[steps[i].node], offset, length);
        TRY(plan_relationship(binder, pattern, next));
    }
    return NULL;
}

/* A relationship that is there already, or lies between two nodes that are, is never worth waiting
 * for: it makes no rows more. */
static PatternRelationship *closed_relationship(const Pattern *pattern)
{
    PatternRelationship *next = next_relationship(pattern);
    if (next == NULL) return NULL;
    bool ends = pattern->nodes[next->from].bound && pattern->nodes[next->to].bound;
    return ends || next->bound ? next : NULL;
}

static Error *plan_steps(Binder *binder, Pattern *pattern, size_t offset, size_t length)
{
    PatternRelationship *relationship;
    place_filters(binder, pattern);
    plan_by_id(binder, pattern);
    while ((relationship = closed_relationship(pattern)) != NULL)
        TRY(plan_relationship(binder, pattern, relationship));
    TRY(plan_ordered(binder, pattern, offset, length));
    for (;;) {
        relationship = next_relationship(pattern);
        if (relationship != NULL) {
            TRY(plan_relationship(binder, pattern, relationship));
            continue;
        }
        PatternNode *node = next_start(binder, pattern);
        if (node == NULL) break;
        plan_start(binder, pattern, node, offset, length);
    }
    place_filters(binder, pattern);
    return NULL;
}

/* ---- paths ---- */

static Expr *path_expr(Binder *binder, const Pattern *pattern, const AstPath *path,
                       size_t first_relationship, uint32_t first_node)
{
    Expr *expr = expr_new(binder->arena, EXPR_PATH, (uint32_t)(2 * path->node_count - 1));
    expr->type = VALUE_PATH;
    expr->args[0] = expr_slot(binder->arena, pattern->nodes[first_node].slot, VALUE_NODE, true);
    for (size_t i = 0; i + 1 < path->node_count; i++) {
        const PatternRelationship *relationship = &pattern->relationships[first_relationship + i];
        uint8_t type = relationship->ast->variable_length || path->shortest != AST_ANY_PATH
                           ? VALUE_LIST
                           : VALUE_RELATIONSHIP;
        expr->args[2 * i + 1] = expr_slot(binder->arena, relationship->slot, type, true);
        expr->args[2 * i + 2] =
            expr_slot(binder->arena, pattern->nodes[relationship->to].slot, VALUE_NODE, true);
    }
    return expr;
}

static Error *plan_paths(Binder *binder, Pattern *pattern, const AstPaths *paths)
{
    size_t relationship = 0;
    for (size_t p = 0; p < paths->count; p++) {
        const AstPath *path = paths->items[p];
        size_t first = relationship;
        relationship += path->node_count - 1;
        if (path->variable.text.bytes == 0) continue;
        /* A path's own name is bound after its nodes and relationships: those of the last are asked
         * too. */
        for (size_t i = pattern->scope_before; i < binder->scope.count; i++)
            if (str_equal(binder->scope.items[i].name, path->variable.text))
                return fail_at(pattern_names(paths, p + 1, path->variable.text)
                                   ? ERROR_VARIABLE_ALREADY_BOUND
                                   : ERROR_VARIABLE_TYPE_CONFLICT,
                               path->variable.offset, path->variable.length,
                               "`%.*s` stands for a %s in the same pattern",
                               STR_ARG(path->variable.text), kind_name(&binder->scope.items[i]));
        uint32_t first_node = 0;
        if (path->node_count > 1)
            first_node = pattern->relationships[first].from;
        else
            TRY(find_node(binder, pattern, &path->nodes[0], &first_node));
        PlanNode *project = plan_node(binder, PLAN_PROJECT, path->offset, path->length);
        project->items = arena_array(binder->arena, PlanItem, 1);
        project->item_count = 1;
        project->items[0].expr = path_expr(binder, pattern, path, first, first_node);
        project->items[0].slot =
            scope_add(binder, path->variable.text, VARIABLE_PATH, VALUE_PATH)->slot;
    }
    return NULL;
}

/* ---- WHERE ---- */

static Error *split_where(Binder *binder, Pattern *pattern, const AstExpr *where, bool paths_named)
{
    if (where == NULL || paths_named) return NULL;
    if (where->kind ==
        AST_AND) { /* parts without a sub-query leave those with one to filter_rest */
        TRY(split_where(binder, pattern, where->a, false));
        return split_where(binder, pattern, where->b, false);
    }
    if (ast_has_subquery(where)) return NULL;
    Expr *expr;
    TRY(bind_condition(binder, where, &expr));
    add_filter(pattern, expr);
    return NULL;
}

static Error *filter_rest(Binder *binder, const AstExpr *where, bool paths_named)
{
    if (where == NULL || (!paths_named && !ast_has_subquery(where))) return NULL;
    if (where->kind == AST_AND && !paths_named) {
        TRY(filter_rest(binder, where->a, false));
        return filter_rest(binder, where->b, false);
    }
    Expr *expr;
    TRY(bind_condition(binder, where, &expr));
    plan_node(binder, PLAN_FILTER, where->offset, where->length)->expr = expr;
    return NULL;
}

/* An anonymous node's properties are bound here: its slot is known by its place in the pattern
 * only. */
static Error *anonymous_properties(Binder *binder, Pattern *pattern, const AstPaths *paths)
{
    size_t relationship = 0;
    for (size_t p = 0; p < paths->count; p++) {
        const AstPath *path = paths->items[p];
        for (size_t i = 0; i < path->node_count; i++) {
            const AstNode *node = &path->nodes[i];
            if (node->properties == NULL || node->variable.text.bytes > 0) continue;
            uint32_t index = 0;
            if (i > 0)
                index = pattern->relationships[relationship + i - 1].to;
            else if (path->node_count > 1)
                index = pattern->relationships[relationship].from;
            else {
                /* a path of one anonymous node: the n-th such node in order */
                size_t lone = 0;
                for (size_t q = 0; q < p; q++)
                    lone += paths->items[q]->node_count == 1 &&
                            paths->items[q]->nodes[0].variable.text.bytes == 0;
                for (size_t n = 0; n < pattern->node_count; n++) {
                    bool used = pattern->nodes[n].name.bytes > 0;
                    for (size_t r = 0; r < pattern->relationship_count && !used; r++)
                        used = pattern->relationships[r].from == n ||
                               pattern->relationships[r].to == n;
                    if (!used && lone-- == 0) index = (uint32_t)n;
                    if (!used && lone == SIZE_MAX) break;
                }
            }
            TRY(add_node_properties(binder, pattern, pattern->nodes[index].slot, node->properties));
        }
        relationship += path->node_count - 1;
    }
    return NULL;
}

static void mark_scope(Binder *binder, Pattern *pattern)
{
    for (size_t i = 0; i < binder->scope.count; i++)
        mark_bound(pattern, binder->scope.items[i].slot);
    for (uint32_t slot = 0; slot < binder->plan->slot_count; slot++)
        if (binder->plan->slot_names[slot] == NULL)
            mark_bound(pattern, slot); /* hidden ones filled earlier */
    pattern->slots_before = pattern->slot_count;
}

static Error *plan_pattern(Binder *binder, Pattern *pattern, const AstPaths *paths,
                           const AstExpr *where, bool merge)
{
    bool named = false;
    pattern->scope_before = binder->scope.count;
    mark_scope(binder, pattern);
    for (size_t p = 0; p < paths->count; p++) {
        TRY(collect_path(binder, pattern, paths->items[p], merge));
        named = named || paths->items[p]->variable.text.bytes > 0;
    }
    TRY(collect_properties(binder, pattern, paths));
    TRY(anonymous_properties(binder, pattern, paths));
    TRY(split_where(binder, pattern, where, named));
    TRY(plan_steps(binder, pattern, paths->items[0]->offset, paths->items[0]->length));
    TRY(plan_paths(binder, pattern, paths));
    TRY(filter_late(binder, pattern));
    return filter_rest(binder, where, named);
}

static void pattern_free(Pattern *pattern)
{
    mem_free(pattern->nodes);
    mem_free(pattern->relationships);
    mem_free(pattern->filters);
    mem_free(pattern->late);
    mem_free(pattern->slots);
}

Error *plan_patterns(Binder *binder, const AstPaths *paths, const AstExpr *where, bool merge)
{
    Pattern pattern = {0};
    Error *error = plan_pattern(binder, &pattern, paths, where, merge);
    pattern_free(&pattern);
    return error;
}

/* ---- several clauses planned as one ---- */

static Error *collect_clauses(Binder *binder, Pattern *pattern, const AstClauses *clauses,
                              size_t from, size_t count)
{
    mark_scope(binder, pattern);
    for (size_t i = 0; i < count; i++) {
        const AstClause *clause = clauses->items[from + i];
        pattern->clause = (uint32_t)i;
        for (size_t p = 0; p < clause->patterns.count; p++)
            TRY(collect_path(binder, pattern, clause->patterns.items[p], false));
        TRY(collect_properties(binder, pattern, &clause->patterns));
        if (i == 0) TRY(anonymous_properties(binder, pattern, &clause->patterns));
        TRY(split_where(binder, pattern, clause->where, false));
    }
    return NULL;
}

Error *plan_matches(Binder *binder, const AstClauses *clauses, size_t from, size_t count)
{
    Pattern pattern = {0};
    const AstClause *first = clauses->items[from];
    Error *error = collect_clauses(binder, &pattern, clauses, from, count);
    if (error == NULL) error = plan_steps(binder, &pattern, first->offset, first->length);
    pattern_free(&pattern);
    return error;
}

Error *plan_match(Binder *binder, const AstClause *clause)
{
    bool apart = match_is_apart(binder, clause);
    if (!clause->optional && !apart)
        return plan_patterns(binder, &clause->patterns, clause->where, false);
    PlanNode *outer = binder->chain;
    size_t before = binder->scope.count;
    binder->chain = NULL;
    PlanNode *argument = plan_node(binder, PLAN_ARGUMENT, clause->offset, clause->length);
    argument->row_slot = new_slot(binder, STR(""));
    TRY(apart ? plan_match_apart(binder, clause)
              : plan_patterns(binder, &clause->patterns, clause->where, false));
    PlanNode *inner = binder->chain;
    binder->chain = outer;
    PlanNode *apply = plan_node(binder, PLAN_APPLY, clause->offset, clause->length);
    apply->apply = clause->optional ? APPLY_OPTIONAL : APPLY_ROWS;
    apply->inner = inner;
    apply->row_slot = argument->row_slot;
    apply->slots = arena_array(binder->arena, uint32_t, binder->scope.count - before + 1);
    for (size_t i = before; i < binder->scope.count; i++) {
        binder->scope.items[i].nullable = binder->scope.items[i].nullable || clause->optional;
        apply->slots[apply->slot_count++] = binder->scope.items[i].slot;
    }
    return NULL;
}
