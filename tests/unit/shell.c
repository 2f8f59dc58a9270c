/* What the shell draws with and reads from: characters and their widths, keys, pictures. */
#include "config.h"

#include "editor/glyph.c"
#include "editor/history.c"
#include "editor/keys.c"
#include "editor/paint.c"
#include "editor/screen.c"
#include "editor/secret.c"
#include "editor/terminal.c"
#include "editor/theme.c"
#include "format/word.c"
#include "shell/progress.c"
#include "test.h"

static void glyphs(void)
{
    Str family = STR("\U0001f468\u200d\U0001f469\u200d\U0001f467x"),
        flag = STR("\U0001f1e9\U0001f1eay");
    size_t at = 0;
    EXPECT(glyph_width(STR("abc")) == 3 && glyph_width(STR("")) == 0);
    EXPECT(glyph_width(STR("\u65e5\u672c")) == 4);
    EXPECT(glyph_width(STR("e\u0301a\u0308\u0323")) == 2);
    EXPECT(glyph_next(family, &at) == 2 && at == family.bytes - 1);
    EXPECT(glyph_before(family, family.bytes - 1) == 0);
    at = 0;
    EXPECT(glyph_next(flag, &at) == 2 && at == flag.bytes - 1);
    at = 0;
    EXPECT(glyph_next(STR("\u2764\ufe0f!"), &at) == 2 && at == 6);
    at = 0;
    EXPECT(glyph_next(STR("\U0001f44d\U0001f3fd!"), &at) == 2 && at == 8);
    EXPECT(glyph_width(STR("\xff"
                           "a")) == 2);
    EXPECT(glyph_before(STR("ab\n\u65e5"), 6) == 3 && glyph_before(STR("ab\n\u65e5"), 3) == 2);
    EXPECT(glyph_before(STR("a"), 0) == 0);
}

static Keys *keys_of(const void *bytes, size_t count)
{
    FILE *file = tmpfile(); /* left open: ends with the program */
    int fd = file == NULL ? -1 : dup(fileno(file));
    if (fd < 0 || write(fd, bytes, count) != (ssize_t)count || lseek(fd, 0, SEEK_SET) != 0)
        return NULL;
    return keys_open(fd);
}

static void end_keys(Keys *keys)
{
    close(keys->fd);
    keys_close(keys);
}

static int32_t read_one(Keys *keys)
{
    int32_t key, follow;
    return keys_read(keys, &key, &follow) ? key + (follow << 24) : -1;
}

static void keys(void)
{
    static const char typed[] = "a\u65e5\xff\xc2\x85\033[A\033OB\033[1;5C\033[99~z\033b\033\r";
    Keys *keys = keys_of(typed, sizeof typed - 1);
    EXPECT(read_one(keys) == 'a' && read_one(keys) == 0x65e5);
    EXPECT(read_one(keys) == 0xfffd && read_one(keys) == 0xfffd);
    EXPECT(read_one(keys) == KEY_UP && read_one(keys) == KEY_DOWN &&
           read_one(keys) == KEY_WORD_RIGHT);
    EXPECT(read_one(keys) == KEY_NOTHING && read_one(keys) == 'z');
    EXPECT(read_one(keys) == KEY_ESCAPE + ('b' << 24) && read_one(keys) == KEY_NEWLINE);
    EXPECT(read_one(keys) == -1 && keys_taken(keys) == sizeof typed - 1);
    end_keys(keys);
}

static size_t pasted(size_t bytes)
{
    Buffer typed = {0}, text = {0};
    buffer_text(&typed, "\033[200~");
    for (size_t i = 0; i < bytes; i++)
        buffer_char(&typed, 'x');
    buffer_text(&typed, "\033[201~q");
    Keys *keys = keys_of(typed.data, typed.bytes);
    EXPECT(read_one(keys) == KEY_PASTE);
    keys_paste(keys, &text);
    EXPECT(read_one(keys) == 'q');
    end_keys(keys);
    size_t kept = text.bytes;
    buffer_free(&typed);
    buffer_free(&text);
    return kept;
}

static void pastes(void)
{
    static const char typed[] = "a\r\nb\rc\nd\n\n\001\te\033[201~";
    Keys *keys = keys_of(typed, sizeof typed - 1);
    Buffer text = {0};
    keys_paste(keys, &text);
    EXPECT(str_equal(buffer_view(&text), STR("a\nb\nc\nd\n\n\te")));
    buffer_free(&text);
    end_keys(keys);
    EXPECT(pasted(0) == 0 && pasted(1000) == 1000);
    EXPECT(pasted(PASTE_BYTES_MAX) == PASTE_BYTES_MAX);
    EXPECT(pasted(PASTE_BYTES_MAX + 1) == PASTE_BYTES_MAX);
}

static void histories(void)
{
    Past *history = history_open(NULL);
    history_add(history, STR("RETURN 1;\n"));
    history_add(history, STR("MATCH (n)\nRETURN n;"));
    history_add(history, STR(" \n"));
    history_add(history, STR("RETURN 1;"));
    EXPECT(history_count(history) == 2 && str_equal(history_at(history, 1), STR("RETURN 1;")));
    EXPECT(history_find(history, STR("match"), SIZE_MAX) == 0);
    EXPECT(history_find(history, STR("return"), 1) == 0);
    EXPECT(history_find(history, STR("nowhere"), SIZE_MAX) == SIZE_MAX);
    for (int i = 0; i < HISTORY_ENTRIES_MAX; i++) {
        char text[40];
        snprintf(text, sizeof text, "RETURN %d AS x;", i);
        history_add(history, str_from(text));
    }
    EXPECT(history_count(history) == HISTORY_ENTRIES_MAX);
    EXPECT(str_equal(history_at(history, 0), STR("RETURN 0 AS x;")));
    history_close(history);
}

static bool saved(Past *history, Str text)
{
    HistoryRun run = {1, 0.25, STR("/data;base\\1")};
    Error *error = history_save(history, text, &run);
    bool good = error == NULL;
    error_drop(error);
    return good;
}

static long file_bytes(const char *path)
{
    struct stat state;
    return stat(path, &state) == 0 ? (long)state.st_size : -1;
}

/* As it was written before entries had a database, and what is no entry. */
static void history_of_before(void)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/contextql-history-old-%ld", (long)getpid());
    FILE *file = fopen(path, "w");
    EXPECT(file != NULL &&
           fputs(": 5:0.500;RETURN 1;\nnothing\n: 6:0.1:/a\n: 7:1.0:/a;RETURN 2;\n", file) >= 0 &&
           fclose(file) == 0);
    Past *history = history_open(path);
    EXPECT(history_count(history) == 2);
    EXPECT(history_run(history, 0).time_s == 5 && history_run(history, 0).database.bytes == 0);
    EXPECT(str_equal(history_at(history, 1), STR("RETURN 2;")));
    EXPECT(str_equal(history_run(history, 1).database, STR("/a")));
    history_close(history);
    unlink(path);
}

/* The file's limits: at the bound and one past it. */
static void history_files(void)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/contextql-history-%ld", (long)getpid());
    Past *one = history_open(path), *two = history_open(path);
    char *text = mem_alloc(HISTORY_STATEMENT_BYTES_MAX + 1);
    memset(text, 'x', HISTORY_STATEMENT_BYTES_MAX + 1);
    EXPECT(saved(one, STR("a\\\nb\\")) && saved(two, STR("c")));
    history_refresh(one);
    EXPECT(history_count(one) == 2 && str_equal(history_at(one, 0), STR("a\\\nb\\")));
    EXPECT(history_count(two) == 2);
    EXPECT(history_run(one, 0).time_s == 1 && history_run(one, 0).seconds == 0.25);
    EXPECT(str_equal(history_run(one, 1).database, STR("/data;base\\1")));
    long before = file_bytes(path);
    EXPECT(saved(one, (Str){text, HISTORY_STATEMENT_BYTES_MAX + 1}) && file_bytes(path) == before);
    EXPECT(saved(one, (Str){text, HISTORY_STATEMENT_BYTES_MAX}) && file_bytes(path) > before);
    bool good = true;
    for (int i = 0; i < HISTORY_FILE_BYTES_MAX / HISTORY_STATEMENT_BYTES_MAX; i++) {
        text[0] = (char)('A' + i % 50), text[1] = (char)('A' + i / 50);
        good = good && saved(one, (Str){text, HISTORY_STATEMENT_BYTES_MAX - 64});
    }
    EXPECT(good && file_bytes(path) <= HISTORY_FILE_BYTES_MAX &&
           file_bytes(path) > HISTORY_FILE_BYTES_MAX / 3);
    EXPECT(saved(two, STR("the last")));
    history_refresh(one);
    EXPECT(str_equal(history_at(one, history_count(one) - 1), STR("the last")));
    mem_free(text);
    history_close(one);
    history_close(two);
    unlink(path);
}

static void pictures(void)
{
    Theme theme;
    theme_find("dark", &theme);
    Frame frame = {0};
    Picture picture = {.prompt = STR("p> "),
                       .text = STR("RETURN\n\u65e5\u672c\u65e5\u672c"),
                       .cursor = 16,
                       .columns = 10};
    paint(&picture, &frame);
    EXPECT(frame.count == 3 && frame.cursor_row == 2 && frame.cursor_column == 3);
    EXPECT(str_equal(buffer_view(&frame.rows[0].bytes), STR("p> RETURN")));
    EXPECT(str_equal(buffer_view(&frame.rows[1].bytes), STR(" \u2506 \u65e5\u672c\u65e5")));
    EXPECT(str_equal(buffer_view(&frame.rows[2].bytes), STR("   \u672c")));
    picture.columns = 1; /* drawn as if it had eight */
    paint(&picture, &frame);
    EXPECT(frame.count == 4);
    picture = (Picture){
        .prompt = STR("p> "), .text = STR("(')')"), .cursor = 5, .columns = 80, .theme = &theme};
    paint(&picture, &frame);
    EXPECT(strstr(frame.rows[0].bytes.data, "\033[1;7m(") != NULL);
    frame_free(&frame);
}

static bool bar_of(size_t columns, double done, uint64_t rows, double seconds, const char *wanted)
{
    Buffer text = {0};
    progress_print(&text, done, rows, seconds, columns);
    bool same = str_equal(buffer_view(&text), str_from(wanted));
    buffer_free(&text);
    return same;
}

static bool bar_is(double done, uint64_t rows, double seconds, const char *wanted)
{
    return bar_of(80, done, rows, seconds, wanted);
}

static bool stopped;

static bool is_stopped(void)
{
    return stopped;
}

static void bars(void)
{
    FrozenClock frozen = {.monotonic_ns = 1};
    Clock clock;
    Progress progress;
    contextql_stats stats = {
        .nodes_created = 3, .relationships_created = 1, .elapsed_ns = 500000000};
    Buffer text = {0};
    clock_frozen(&clock, &frozen);
    FILE *file = tmpfile();
    EXPECT(bar_is(0.25, 0, 1, " 25 % [#####               ] 3 s left"));
    EXPECT(bar_is(0, 0, 1, "  0 % [                    ]") &&
           bar_is(0.0 / 0.0, 0, 1, "  0 % [                    ]"));
    EXPECT(bar_is(2, 0, 1, "100 % [####################] 0 s left"));
    EXPECT(bar_is(0.5, 3000, 2, " 50 % [##########          ] 1500 rows/s, 2 s left"));
    /* What has no room goes, the row's last column stays free. */
    EXPECT(bar_of(51, 0.5, 3000, 2, " 50 % [##########          ] 1500 rows/s, 2 s left") &&
           bar_of(50, 0.5, 3000, 2, " 50 % [##########          ] 2 s left") &&
           bar_of(38, 0.5, 3000, 2, " 50 % [##########          ] 2 s left") &&
           bar_of(37, 0.5, 3000, 2, " 50 % [##########          ]") &&
           bar_of(28, 0.5, 3000, 2, " 50 % [#########          ]") &&
           bar_of(13, 0.5, 3000, 2, " 50 % [##  ]") && bar_of(12, 0.5, 3000, 2, " 50 %") &&
           bar_of(5, 0.5, 3000, 2, ""));
    progress_begin(&progress, file, &clock, is_stopped);
    frozen.monotonic_ns += first_ns - 1;
    EXPECT(!progress_report(&progress, 0.5, 0) && ftell(file) == 0);
    frozen.monotonic_ns++;
    EXPECT(!progress_report(&progress, 0.5, 0) && ftell(file) > 0);
    long drawn = ftell(file);
    frozen.monotonic_ns += between_ns - 1;
    EXPECT(!progress_report(&progress, 0.6, 0) && ftell(file) == drawn);
    frozen.monotonic_ns++;
    EXPECT(!progress_report(&progress, 0.6, 0) && ftell(file) > drawn);
    drawn = ftell(file);
    stopped = true;
    EXPECT(progress_report(&progress, 0.6, 0) && ftell(file) == drawn);
    progress_end(&progress);
    EXPECT(ftell(file) == drawn + 4);
    fclose(file);
    progress_print_made(&text, &stats);
    EXPECT(str_equal(buffer_view(&text), STR("3 nodes, 1 edge in 0.5 s (6 nodes/s, 2 edges/s)\n")));
    buffer_free(&text);
    EXPECT(progress_is_load(STR("// c\nload FROM 'x'")) && progress_is_load(STR("COPY :N")));
    EXPECT(!progress_is_load(STR("EXPLAIN COPY")) && !progress_is_load(STR("")));
    EXPECT(progress_is_load(STR(
        "/* a comment that is longer than what is looked at first, which has 64 bytes */ COPY")));
    EXPECT(progress_is_load(
        STR("                                                              LOAD FROM 'x' AS r")));
}

static void secrets(void)
{
    static const char *const kept[] = {
        "CREATE (:T {token: 'the', password_changed: 'x', secret: '', n: 'secret'})",
        "MATCH (u) WHERE u.password = $password RETURN u",
        "RETURN 'sk-short', 'https://a.org:80/@'",
        ":param year 3",
        ":param password",
        "SHOW INDEXES",
        ""};
    static const char *const hidden[] = {"CREATE (:U {password: 'x'})",
                                         "MATCH (u) SET u.userPassword = \"x\"",
                                         "CREATE ({`api_key` : 'x'})",
                                         "create ({API_KEY:'x'})",
                                         "  :param auth_token x",
                                         ".param apiKey x",
                                         "RETURN 'sk-0123456789012345678901234'",
                                         "RETURN 'postgres://ada:pw@host/db'",
                                         "RETURN 'Bearer 0123456789abcdef'",
                                         "RETURN '-----BEGIN RSA PRIVATE KEY-----'",
                                         "RETURN 'AKIAIOSFODNN7EXAMPLE'"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        EXPECT(!secret_in(str_from(kept[i])));
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        EXPECT(secret_in(str_from(hidden[i])));
}

int main(void)
{
    glyph_start();
    glyphs();
    keys();
    pastes();
    histories();
    history_of_before();
    history_files();
    pictures();
    bars();
    secrets();
    return DONE();
}
