/* suggest.c - what contextql_suggest proposes where, and what contextql_refuses refuses. The last `|`
 * stands for the cursor; of the proposals the first few are compared. */
#include "config.h"

#include "base/str.h"
#include "contextql.h"
#include "test.h"
#include <stdio.h>
#include <stdlib.h>

static contextql *session;

/* A test that is named by the text it asks about. */
static void ok(bool good, const char *text)
{
    test_failed_ += !good;
    printf("%sok %d - %s\n", good ? "" : "not ", ++test_count_, text);
}

static void run(const char *text)
{
    contextql_statement *statement = NULL;
    ok(contextql_prepare(session, text, strlen(text), &statement, NULL) == CONTEXTQL_OK, text);
    while (contextql_step(statement) == CONTEXTQL_ROW)
        continue;
    contextql_finalize(statement);
}

/* The first proposals for a text, each as text/kind, up to `max`. */
static void propose(const char *text, size_t max, Buffer *out)
{
    contextql_suggestion found[400];
    size_t count = 0, cursor = (size_t)(strrchr(text, '|') - text);
    buffer_clear(out);
    contextql_suggest(session, text, cursor, found, 400, &count);
    for (size_t i = 0; i < count && i < max; i++)
        buffer_printf(out, "%s%s/%s", i == 0 ? "" : " ", found[i].text, found[i].kind);
    if (out->data == NULL) buffer_text(out, "");
}

static void expect(const char *text, size_t max, const char *wanted)
{
    Buffer got = {0};
    propose(text, max, &got);
    bool good = strcmp(got.data, wanted) == 0;
    ok(good, text);
    if (!good) printf("#   wanted: %s\n#   got:    %s\n", wanted, got.data);
    buffer_free(&got);
}

static void test_places(void)
{
    expect("MAT|", 1, "MATCH/keyword");
    expect("mat|", 1, "match/keyword");
    expect("MATCH (p:|", 9, "Person/label Paper/label `odd label`/label");
    expect("MATCH (p:Pe|", 9, "Person/label Paper/label");
    expect("MATCH (p:Paper||", 2, "Person/label Paper/label");
    expect("MATCH (p:Person|Pa|", 9, "Paper/label");
    expect("MATCH (p:!|", 3, "Person/label Paper/label `odd label`/label");
    expect("MATCH (p:Person&!(Pa|", 9, "Paper/label");
    expect("MATCH (p) WHERE p:Person|Pap|", 9, "Paper/label");
    expect("MATCH (p) RETURN [x IN [p] WHERE x:Person | p|", 1, "p/variable");
    expect("MATCH (p:Person WHERE p.na|", 1, "name/property");
    expect("MATCH (p:Person) CALL (p|", 1, "p/variable");
    expect("MATCH (p:`od|", 9, "`odd label`/label");
    expect("MATCH (p)-[:|", 9, "WROTE/type KNOWS/type");
    expect("MATCH (p)-[k:KNOWS|", 9, "KNOWS/type");
    expect("MATCH (p:Person) RETURN p.|", 2, "name/property born/property");
    expect("MATCH (p:Person) RETURN p.na|", 1, "name/property");
    expect("MATCH (p:Person {|", 2, "name/property born/property");
    expect("MATCH (p:Person {name: 'x', bo|", 1, "born/property");
    expect("MATCH ()-[k:KNOWS]->() RETURN k.|", 1, "since/property");
    expect("MATCH (person:Person) RETURN per|", 2, "person/variable permutations(/function");
    expect("MATCH (p:Person) WITH p.name AS name RETURN |", 1, "name/variable");
    expect("RETURN vector.co|", 1, "vector.cosine(/function");
    expect("RETURN 'text |", 9, "");
    expect("RETURN 1 // |", 9, "");
    expect("RETURN 12|", 9, "");
    expect("RETURN 1; MAT|", 1, "MATCH/keyword");
    expect("SHOW L|", 1, "LABELS/keyword");
    expect("DROP INDEX |", 1, "names/index");
    expect("MATCH (p:Person) RANK BY rr|", 1, "rrf(/strategy");
    expect("MATCH (n) ORDER |", 0, "");
    expect("MATCH (n) RETURN n ORDER |", 1, "BY/keyword");
    expect("MATCH (n) RETRUN|", 1, "RETURN/keyword");
    expect("MATCH (p:Preson|", 1, "Person/label");
    expect("MATCH (n) RETURN n AS |", 9, "");
}

static void test_refuses(void)
{
    static const struct {
        const char *text;
        size_t at; /* SIZE_MAX: it does not refuse */
    } texts[] = {{"", SIZE_MAX},
                 {"MATCH (n", SIZE_MAX},
                 {"MATCH (n) RETRUN", SIZE_MAX},
                 {"MATCH (n) RETRUN ", 10},
                 {"MATCH (n RETURN n", 9},
                 {"MATCH (n) WHERE (n)-[:KN", SIZE_MAX},
                 {"MATCH (n) WHERE (n)-[:KNOWS]", SIZE_MAX},
                 {"RETURN [(a)-[:T", SIZE_MAX},
                 {"RETURN [x IN xs | x", SIZE_MAX},
                 {"RETURN 1 +)", 10},
                 {"RETURN 'open", SIZE_MAX},
                 {"RETURN 1 2 ", 9},
                 {"RETURN count(", SIZE_MAX},
                 {"RETURN CASE WHEN", SIZE_MAX}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t at = SIZE_MAX, bytes;
        if (!contextql_refuses(texts[i].text, strlen(texts[i].text), &at, &bytes)) at = SIZE_MAX;
        ok(at == texts[i].at, texts[i].text);
        if (at != texts[i].at) printf("#   wanted: %zu, got %zu\n", texts[i].at, at);
    }
}

static void expect_call(const char *text, const char *name, const char *argument)
{
    contextql_called called;
    bool found = contextql_explain_call(session, text, strlen(text), &called);
    if (!found || name[0] == '\0') {
        ok(found == (name[0] != '\0'), text);
        return;
    }
    Str got = {called.signature + called.argument_offset, called.argument_length};
    ok(strcmp(called.name, name) == 0 && str_equal(got, str_from(argument)), text);
}

static void test_calls(void)
{
    expect_call("RETURN vector.cosine(", "vector.cosine", "a :: VECTOR");
    expect_call("RETURN vector.cosine([1, 2], ", "vector.cosine", "b :: VECTOR");
    expect_call("RETURN vector.cosine([1, 2], abs(", "abs", "x :: NUMBER");
    expect_call("RETURN vector.cosine([1, 2], [1])", "", "");
    expect_call("MATCH (", "", "");
    expect_call("RETURN (", "", "");
}

/* Snapshots are of a directory. */
static void test_snapshots(void)
{
    contextql *memory = session;
    char folder[] = "/tmp/contextql-suggest.XXXXXX", command[64];
    contextql_options options = {.create = true};
    ok(mkdtemp(folder) != NULL && contextql_open(folder, &options, &session) == CONTEXTQL_OK,
       "a directory");
    run("CREATE SNAPSHOT before");
    run("CREATE SNAPSHOT");
    run("CREATE SNAPSHOT `odd one`");
    expect("DROP SNAPSHOT |", 3, "`odd one`/snapshot `2`/snapshot before/snapshot");
    expect("AT SNAPSHOT be|", 1, "'before'/snapshot");
    expect("MATCH AT SNAPSHOT |", 3, "'odd one'/snapshot 2/snapshot 'before'/snapshot");
    expect("SHOW SN|", 1, "SNAPSHOTS/keyword");
    contextql_close(session);
    session = memory;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ok(system(command) == 0, "and away with it");
}

int main(void)
{
    ok(contextql_open(":memory:", NULL, &session) == CONTEXTQL_OK, "a scratch database");
    run("CREATE (:Person {name: 'Ada', born: 1815})-[:KNOWS {since: 1833}]->(:Person {name: 'C'}), "
        "(:Paper {title: 't'}), (:`odd label`), (:Person)-[:WROTE]->(:Paper)<-[:WROTE]-(:Person)");
    run("CREATE INDEX names FOR (p:Person) ON (p.name)");
    test_places();
    test_refuses();
    test_calls();
    test_snapshots();
    contextql_close(session);
    return DONE();
}
