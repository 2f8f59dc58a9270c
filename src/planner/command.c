/* command.c - statements that are no queries. */
#include "config.h"

#include "planner/planner_internal.h"

static void columns(Binder *binder, const char *const *names, uint32_t count)
{
    Plan *plan = binder->plan;
    plan->columns = arena_array(binder->arena, Str, count + 1);
    plan->column_count = count;
    plan->gives_rows = count > 0;
    for (uint32_t i = 0; i < count; i++)
        plan->columns[i] = str_from(names[i]);
}

static Error *one_property(const char *what, const AstStatement *statement)
{
    const AstName *second = &statement->properties.items[1];
    return fail_at(ERROR_LIMIT, second->offset, second->length, "%s one property", what);
}

/* ON (n.a, n.b), REQUIRE (n.a, n.b). */
static Error *plan_index_keys(Binder *binder, const AstStatement *statement)
{
    PlanIndex *index = &binder->plan->index;
    const AstNames *names = &statement->properties;
    if (names->count > GRAPH_INDEX_KEYS_MAX)
        return fail_at(ERROR_LIMIT, names->items[GRAPH_INDEX_KEYS_MAX].offset,
                       names->items[GRAPH_INDEX_KEYS_MAX].length,
                       "an index is on %d properties at most", GRAPH_INDEX_KEYS_MAX);
    index->label = statement->label.text;
    index->properties = arena_array(binder->arena, Str, names->count);
    for (size_t i = 0; i < names->count; i++) {
        const AstName *name = &names->items[i];
        for (size_t before = 0; before < i; before++)
            if (str_equal(names->items[before].text, name->text))
                return fail_at(ERROR_NAME_EXISTS, name->offset, name->length,
                               "%.*s stands here already", STR_ARG(name->text));
        index->properties[index->property_count++] = name->text;
    }
    return NULL;
}

static Error *plan_index(Binder *binder, const AstStatement *statement)
{
    Plan *plan = binder->plan;
    bool create = statement->kind == COMMAND_CREATE_INDEX;
    plan->statement = create ? STATEMENT_CREATE_INDEX : STATEMENT_DROP_INDEX;
    plan->writes = true;
    plan->index.name = statement->name.text;
    plan->index.tolerant = statement->tolerant;
    if (!create) return NULL;
    if (statement->index_kind == AST_INDEX_TEXT)
        return not_executed("a text index", statement->offset, statement->length);
    if (statement->on_relationship)
        return not_executed("an index on relationships", statement->offset, statement->length);
    plan->index.vector = statement->index_kind == AST_INDEX_VECTOR;
    if (plan->index.vector && statement->properties.count != 1)
        return one_property("a vector index is on", statement);
    TRY(plan_index_keys(binder, statement));
    if (statement->options != NULL)
        TRY(bind_alone(binder, statement->options, "OPTIONS", &plan->index.options));
    return NULL;
}

static Error *plan_constraint(Binder *binder, const AstStatement *statement)
{
    PlanIndex *index = &binder->plan->index;
    bool create = statement->kind == COMMAND_CREATE_CONSTRAINT;
    binder->plan->statement = create ? STATEMENT_CREATE_INDEX : STATEMENT_DROP_INDEX;
    binder->plan->writes = true;
    index->is_constraint = true;
    index->name = statement->name.text;
    index->tolerant = statement->tolerant;
    if (!create) return NULL;
    if (statement->not_null && statement->properties.count != 1)
        return error_hint(one_property("IS NOT NULL is for", statement),
                          "a constraint for each says it of all");
    index->constraint = statement->not_null ? GRAPH_REQUIRED : GRAPH_UNIQUE;
    return plan_index_keys(binder, statement);
}

static Error *plan_copy_from(Binder *binder, const AstStatement *statement)
{
    static const char *const names[] = {"read", "created", "matched", "skipped", "columns"};
    Plan *plan = binder->plan;
    plan->statement =
        statement->kind == COMMAND_COPY_NODES ? STATEMENT_COPY_NODES : STATEMENT_COPY_RELATIONSHIPS;
    plan->writes = true;
    plan->name = statement->label.text;
    TRY(bind_alone(binder, statement->expr, "a file", &plan->source));
    if (statement->options != NULL)
        TRY(bind_alone(binder, statement->options, "USING", &plan->options));
    columns(binder, names, 5);
    return NULL;
}

static Error *plan_copy_to(Binder *binder, const AstStatement *statement)
{
    static const char *const names[] = {"written"};
    Plan *plan = binder->plan;
    QueryResult result = {0};
    plan_node(binder, PLAN_UNIT, statement->offset, 0);
    TRY(plan_query(binder, statement->query, &result));
    if (!result.gives_rows)
        return error_hint(fail_at(ERROR_INVALID_CLAUSE_COMPOSITION, statement->offset,
                                  statement->length, "COPY .. TO wants a query that gives rows"),
                          "end it with RETURN");
    PlanNode *produce = plan_node(binder, PLAN_PRODUCE, statement->offset, 0);
    produce->slots = result.slots;
    produce->slot_count = result.count;
    plan->root = produce;
    plan->copied = result.columns;
    plan->statement = STATEMENT_COPY_TO;
    binder->scope.count = 0; /* the file's name knows no variable of the query */
    TRY(bind_alone(binder, statement->expr, "a file", &plan->source));
    if (statement->options != NULL)
        TRY(bind_alone(binder, statement->options, "USING", &plan->options));
    columns(binder, names, 1);
    return NULL;
}

/* Columns as the executing side gives them; what SHOW PROCEDURES and SETTINGS have is the session's. */
static const PlanShow shows[] = {
    {"INDEXES",
     "the indexes",
     {"name", "type", "label", "property", "options", "left_out", "state", "ef", "build_seconds"}},
    {"CONSTRAINTS", "the constraints", {"name", "type", "label", "property"}},
    {"LABELS", "labels and their nodes", {"label", "nodes"}},
    {"TYPES", "relationship types and their relationships", {"type", "relationships"}},
    {"PROPERTIES", "names of properties", {"property"}},
    {"FUNCTIONS", "functions", {"name", "signature", "meaning", "example"}},
    {"PROCEDURES", "what CALL runs", {"name", "signature", "options", "meaning", "example"}},
    {"STRATEGIES", "what RANK BY takes", {"name", "meaning"}},
    {"SNAPSHOTS",
     "what the graph was when it was kept",
     {"snapshot", "name", "made", "last_commit", "bytes"}},
    {"SETTINGS", "settings and their values", {"name", "value", "values", "meaning"}},
    {"HARDWARE", "what the machine has", {"what", "value", "source"}},
    {"WORKERS",
     "threads of large statements",
     {"worker", "state", "processors", "node", "morsels", "why"}}};
enum { SHOW_COUNT = sizeof shows / sizeof *shows };

const PlanShow *plan_show_at(size_t i)
{
    return i < SHOW_COUNT ? &shows[i] : NULL;
}

static Error *nothing_to_show(const AstStatement *statement, const char *nearest)
{
    Error *error = fail_at(ERROR_NAME_UNKNOWN, statement->name.offset, statement->name.length,
                           "nothing to show: %.*s", STR_ARG(statement->name.text));
    if (nearest != NULL) return error_hint(error, "did you mean SHOW %s?", nearest);
    Buffer names = {0};
    for (size_t i = 0; i < SHOW_COUNT; i++)
        buffer_printf(&names, "%s%s",
                      i == 0               ? ""
                      : i + 1 < SHOW_COUNT ? ", "
                                           : " or ",
                      shows[i].what);
    error = error_hint(error, "SHOW %s", names.data);
    buffer_free(&names);
    return error;
}

static Error *plan_show(Binder *binder, const AstStatement *statement)
{
    Plan *plan = binder->plan;
    Str asked = statement->name.text;
    size_t best = 3;
    const char *nearest = NULL;
    if (str_equal_ignore_case(asked, STR("INDEX"))) asked = STR("INDEXES");
    for (size_t i = 0; i < SHOW_COUNT; i++) {
        size_t distance = str_distance(asked, str_from(shows[i].what), 2);
        if (distance < best) best = distance, nearest = shows[i].what;
        if (!str_equal_ignore_case(asked, str_from(shows[i].what))) continue;
        uint32_t count = 0;
        while (count < PLAN_SHOW_COLUMNS && shows[i].columns[count] != NULL)
            count++;
        plan->statement = STATEMENT_SHOW;
        plan->name = str_from(shows[i].what);
        columns(binder, shows[i].columns, count);
        return NULL;
    }
    return nothing_to_show(statement, nearest);
}

/* Neither takes the writer token as a statement does: it is no part of a transaction. */
static void plan_snapshot(Binder *binder, const AstStatement *statement)
{
    static const char *const names[] = {"snapshot", "name"};
    bool create = statement->kind == COMMAND_CREATE_SNAPSHOT;
    binder->plan->statement = create ? STATEMENT_CREATE_SNAPSHOT : STATEMENT_DROP_SNAPSHOT;
    binder->plan->name = statement->name.text;
    if (create) columns(binder, names, 2);
}

Error *plan_command(Binder *binder, const AstStatement *statement)
{
    Plan *plan = binder->plan;
    switch (statement->kind) {
    case COMMAND_CREATE_INDEX:
    case COMMAND_DROP_INDEX: return plan_index(binder, statement);
    case COMMAND_SHOW: return plan_show(binder, statement);
    case COMMAND_BEGIN: plan->statement = STATEMENT_BEGIN; return NULL;
    case COMMAND_COMMIT: plan->statement = STATEMENT_COMMIT; return NULL;
    case COMMAND_ROLLBACK: plan->statement = STATEMENT_ROLLBACK; return NULL;
    case COMMAND_COPY_NODES:
    case COMMAND_COPY_RELATIONSHIPS: return plan_copy_from(binder, statement);
    case COMMAND_COPY_TO: return plan_copy_to(binder, statement);
    case COMMAND_CREATE_CONSTRAINT:
    case COMMAND_DROP_CONSTRAINT: return plan_constraint(binder, statement);
    case COMMAND_CREATE_SNAPSHOT:
    case COMMAND_DROP_SNAPSHOT: return plan_snapshot(binder, statement), NULL;
    case COMMAND_CREATE_TOPIC:
    case COMMAND_DROP_TOPIC: return not_executed("a topic", statement->offset, statement->length);
    case COMMAND_QUERY: break;
    }
    return NULL;
}
