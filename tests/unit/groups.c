/* Grouping against its definition: value_equivalent on every pair of rows. */
#include "config.h"

#include "test.h"
#include "value/groups.h"
#include <math.h>
#include <stdio.h>

enum { KEYS = 3, BATCHES = 6, ROWS = 500 };

/* Nobody told it to stop. */
#define EXPECT_FOUND(found) not_found += !(found)
static int not_found;

static uint64_t random_state = 88172645463325252u;

static uint32_t below(uint32_t limit)
{
    random_state ^= random_state << 13, random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % limit;
}

/* Few values of many kinds: numbers that are one, texts of all lengths, NaN and null. */
static Value some_value(Arena *arena, uint32_t kinds)
{
    static const char text[] = "abcdefghijklmnopqrstuvwxyz";
    switch (below(kinds)) {
    case 0: return value_string(str_copy(arena, (Str){text, below(27)}));
    case 1: return value_integer(below(4));
    case 2: return value_float(below(8) / 2.0);
    case 3: return value_float(NAN);
    case 4: return value_boolean(below(2) == 0);
    default: return value_null();
    }
}

/* Numbers that ascend, some in many rows, for `straight` batches, then any; of one kind a batch, and
 * in the end of several. */
static void numbers(uint32_t straight)
{
    static const ColumnType types[BATCHES] = {COLUMN_NODE, COLUMN_NODE,    COLUMN_NODE,
                                              COLUMN_NODE, COLUMN_INTEGER, COLUMN_RELATIONSHIP};
    static Value rows[BATCHES * ROWS];
    static uint32_t found[BATCHES * ROWS];
    Arena *arena = arena_create();
    Groups *groups = groups_create(1);
    size_t count = 0;
    uint64_t next = 0;
    bool right = true;
    for (uint32_t b = 0; b < BATCHES; b++) {
        Column column = *column_create(arena, types[b], ROWS);
        for (uint32_t i = 0; i < ROWS; i++, count++) {
            next = b < straight ? next + (below(4) == 0) : below(300);
            rows[count] = types[b] == COLUMN_NODE      ? value_node(next)
                          : types[b] == COLUMN_INTEGER ? value_integer((int64_t)next)
                                                       : value_relationship(next);
            column_set(arena, &column, i, rows[count], ROWS);
        }
        Batch batch = {.row_count = ROWS, .selected_count = ROWS};
        EXPECT_FOUND(groups_find(groups, &column, &batch, found + count - ROWS));
    }
    for (size_t i = 0; i < count; i++) {
        right = right && value_equivalent(groups_key(groups, found[i], 0), rows[i]);
        for (size_t k = i > 700 ? i - 700 : 0; k < i; k++)
            right = right && (found[k] == found[i]) == value_equivalent(rows[k], rows[i]);
    }
    EXPECT(right && groups_count(groups) > 300);
    groups_destroy(groups);
    arena_destroy(arena);
}

static bool same_row(const Value *a, const Value *b, uint32_t keys)
{
    for (uint32_t k = 0; k < keys; k++)
        if (!value_equivalent(a[k], b[k])) return false;
    return true;
}

/* Every other row is selected; `kinds` 1 makes columns of text. */
static void against_pairs(uint32_t keys, uint32_t kinds)
{
    static Value rows[BATCHES * ROWS][KEYS];
    static uint32_t found[BATCHES * ROWS];
    Arena *arena = arena_create();
    Groups *groups = groups_create(keys);
    size_t count = 0, fresh = 0;
    for (uint32_t b = 0; b < BATCHES; b++) {
        Column columns[KEYS];
        uint16_t selection[ROWS];
        for (uint32_t k = 0; k < keys; k++)
            columns[k] = *column_create(arena, kinds == 1 ? COLUMN_STRING : COLUMN_ANY, 2 * ROWS);
        for (uint32_t i = 0; i < ROWS; i++) {
            selection[i] = (uint16_t)(2 * i + 1);
            for (uint32_t k = 0; k < keys; k++) {
                rows[count + i][k] = some_value(arena, kinds);
                column_set(arena, &columns[k], selection[i], rows[count + i][k], 2 * ROWS);
            }
        }
        Batch batch = {.row_count = 2 * ROWS, .selected_count = ROWS, .selection = selection};
        EXPECT_FOUND(groups_find(groups, columns, &batch, found + count));
        count += ROWS;
    }
    bool right = true;
    for (size_t i = 0; i < count; i++) {
        size_t first = 0;
        while (!same_row(rows[first], rows[i], keys))
            first++;
        right = right && found[i] == found[first] && (first < i || found[i] == fresh++);
        for (uint32_t k = 0; k < keys; k++)
            right = right && value_equivalent(groups_key(groups, found[i], k), rows[i][k]);
    }
    EXPECT(right && fresh == groups_count(groups) && fresh > 4);
    groups_destroy(groups);
    arena_destroy(arena);
}

/* The same texts as words, by numbers that differ from batch to batch or not, and as texts. */
static void words(void)
{
    enum { WORDS = 40 };
    static const char *texts[] = {"", "a", "b", "a word", "a word that is long", "b", "an other"};
    static uint32_t found[BATCHES * ROWS], plain[BATCHES * ROWS];
    Arena *arena = arena_create();
    Groups *groups = groups_create(1), *others = groups_create(1);
    for (uint32_t b = 0; b < BATCHES; b++) {
        Str known[WORDS];
        Column column = *column_create(arena, COLUMN_WORD, ROWS);
        for (uint32_t w = 0; w < WORDS; w++)
            known[w] = str_from(texts[(w + b / 2) % 7]);
        column.words = known, column.word_count = WORDS;
        Batch batch = {.row_count = ROWS, .selected_count = ROWS};
        for (uint32_t i = 0; i < ROWS; i++)
            column.numbers[i] = (uint16_t)below(b % 2 == 0 ? 4 : WORDS);
        EXPECT_FOUND(groups_find(groups, &column, &batch, found + b * ROWS));
        column_spell(arena, &column, &batch);
        EXPECT_FOUND(groups_find(others, &column, &batch, plain + b * ROWS));
    }
    EXPECT(memcmp(found, plain, sizeof found) == 0 && groups_count(groups) == 6);
    groups_destroy(groups);
    groups_destroy(others);
    arena_destroy(arena);
}

static bool stop_third(void *state)
{
    return ++*(int *)state == 3;
}

/* Ascending keys, then one that is not: all that came go into the table. */
static void is_stopped(void)
{
    enum { BATCHES_MANY = 60 };
    Arena *arena = arena_create();
    Groups *groups = groups_create(1);
    uint32_t found[BATCH_ROWS_MAX];
    int asked = 0;
    bool stopped = false;
    Batch batch = {.row_count = BATCH_ROWS_MAX, .selected_count = BATCH_ROWS_MAX};
    groups_ask(groups, stop_third, &asked);
    for (int64_t b = 0; b <= BATCHES_MANY; b++) {
        Column column = *column_create(arena, COLUMN_INTEGER, BATCH_ROWS_MAX);
        for (int64_t i = 0; i < BATCH_ROWS_MAX; i++)
            column.integers[i] = (b == BATCHES_MANY ? -1 : b) * BATCH_ROWS_MAX + i;
        stopped = !groups_find(groups, &column, &batch, found);
        EXPECT(stopped == (b == BATCHES_MANY));
    }
    EXPECT(asked == 3);
    groups_destroy(groups);
    arena_destroy(arena);
}

/* What is gathered in order ascends as it did; what comes twice, or turns back, does not. */
static void gathered(void)
{
    static const uint16_t in_order[] = {0, 2, 3}, twice[] = {0, 2, 2, 4}, back[] = {1, 3, 2};
    Arena *arena = arena_create();
    Column ids = *column_create(arena, COLUMN_NODE, 5), out;
    for (uint32_t i = 0; i < 5; i++)
        ids.ids[i] = 10 * i;
    ids.ascending = true;
    column_gather(arena, &out, &ids, in_order, 3);
    EXPECT(out.ascending && out.ids[2] == 30);
    column_gather(arena, &out, &ids, twice, 4);
    EXPECT(!out.ascending && out.ids[2] == 20);
    column_gather(arena, &out, &ids, back, 3);
    EXPECT(!out.ascending);
    arena_destroy(arena);
}

static void without_keys(void)
{
    Groups *groups = groups_create(0);
    uint32_t found[3] = {7, 7, 7};
    EXPECT(groups_count(groups) == 0);
    EXPECT_FOUND(groups_find(groups, NULL, &(Batch){.row_count = 3, .selected_count = 3}, found));
    EXPECT(groups_count(groups) == 1 && found[0] == 0 && found[2] == 0);
    groups_destroy(groups);
}

int main(void)
{
    for (uint32_t keys = 1; keys <= KEYS; keys++) {
        against_pairs(keys, 1);
        against_pairs(keys, 6);
    }
    for (uint32_t straight = 0; straight <= BATCHES; straight++)
        numbers(straight);
    words();
    without_keys();
    gathered();
    is_stopped();
    EXPECT(not_found == 0);
    return DONE();
}
