/*
 * history.c - an array of texts, and the end of a file.
 *
 * Ten thousand texts are looked through in well below a millisecond, so there is no index. Writers
 * lock the file, append an entry with one write and unlock; readers take whole entries only and
 * remember how far they have read. A file that was cut is another inode: then it is read anew. A
 * writer that waited for the lock of a file that was cut meanwhile opens again.
 */
#include "config.h"

#include "base/map.h"
#include "editor/history.h"
#include "editor/secret.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Entry {
    Buffer text;
    HistoryRun run; /* its database is one of Past.databases */
} Entry;

struct Past {
    Entry *entries;
    size_t count, capacity;
    char **databases; /* a person has few: each name stands here once */
    size_t database_count, database_capacity;
    char *path; /* NULL: no file */
    ino_t file; /* what we read, and how far */
    size_t read_bytes;
};

/* ---- the entries ---- */

static void forget(Past *history, size_t i)
{
    buffer_free(&history->entries[i].text);
    history->count--;
    memmove(history->entries + i, history->entries + i + 1,
            (history->count - i) * sizeof *history->entries);
}

static Str trimmed(Str text)
{
    while (text.bytes > 0 && strchr(" \t\n", text.data[text.bytes - 1]) != NULL)
        text.bytes--;
    return text;
}

static Str keep_database(Past *history, Str name)
{
    if (name.bytes == 0) return STR("");
    for (size_t i = history->database_count; i-- > 0;)
        if (str_equal(str_from(history->databases[i]), name))
            return str_from(history->databases[i]);
    mem_reserve(history->databases, history->database_capacity, history->database_count + 1);
    char *kept = mem_alloc(name.bytes + 1);
    memcpy(kept, name.data, name.bytes);
    kept[name.bytes] = '\0';
    return str_from(history->databases[history->database_count++] = kept);
}

static void add(Past *history, Str statement, HistoryRun run)
{
    Entry entry = {.run = run};
    Str text = trimmed(statement);
    if (text.bytes == 0) return;
    buffer_str(&entry.text, text);
    for (size_t i = history->count; i-- > 0;)
        if (str_equal(buffer_view(&history->entries[i].text), text)) forget(history, i);
    if (history->count == HISTORY_ENTRIES_MAX) forget(history, 0);
    mem_reserve(history->entries, history->capacity, history->count + 1);
    history->entries[history->count++] = entry;
}

void history_add(Past *history, Str statement)
{
    add(history, statement, (HistoryRun){.database = {"", 0}});
}

size_t history_count(const Past *history)
{
    return history->count;
}

Str history_at(const Past *history, size_t i)
{
    return buffer_view(&history->entries[i].text);
}

HistoryRun history_run(const Past *history, size_t i)
{
    return history->entries[i].run;
}

static bool holds(Str text, Str pattern)
{
    for (size_t i = 0; i + pattern.bytes <= text.bytes; i++)
        if (str_equal_ignore_case((Str){text.data + i, pattern.bytes}, pattern)) return true;
    return false;
}

size_t history_find(const Past *history, Str pattern, size_t before)
{
    for (size_t i = before < history->count ? before : history->count; i-- > 0;)
        if (holds(history_at(history, i), pattern)) return i;
    return SIZE_MAX;
}

/* ---- entries as text ---- */

static void print_escaped(Buffer *out, Str text, bool semicolons)
{
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.data[i];
        if (c == '\\' || c == '\n' || (c == ';' && semicolons)) buffer_char(out, '\\');
        buffer_char(out, c);
    }
}

static void print_entry(Buffer *out, Str text, const HistoryRun *run)
{
    buffer_printf(out, ": %lld:%.3f", (long long)run->time_s, run->seconds);
    if (run->database.bytes > 0) buffer_char(out, ':');
    print_escaped(out, run->database, true);
    buffer_char(out, ';');
    print_escaped(out, text, false);
    buffer_char(out, '\n');
}

static size_t read_digits(Str text, size_t *at, double *out)
{
    size_t from = *at;
    for (*out = 0; *at < text.bytes && text.data[*at] >= '0' && text.data[*at] <= '9'; (*at)++)
        *out = *out * 10 + (text.data[*at] - '0');
    return *at - from;
}

static bool read_char(Str text, size_t *at, char wanted)
{
    bool good = *at < text.bytes && text.data[*at] == wanted;
    *at += good;
    return good;
}

/* "DATABASE;" at *at; false: it does not end. */
static bool read_database(Past *history, Str file, size_t *at, Str *out)
{
    Buffer name = {0};
    for (; *at < file.bytes && file.data[*at] != ';' && file.data[*at] != '\n'; (*at)++) {
        *at += file.data[*at] == '\\' && *at + 1 < file.bytes;
        buffer_char(&name, file.data[*at]);
    }
    *out = keep_database(history, buffer_view(&name));
    buffer_free(&name);
    return read_char(file, at, ';');
}

/* ": TIME:SECONDS:DATABASE;" at `from`: its bytes, 0 if something else stands there. By hand:
 * thousands are read before the first prompt. */
static size_t read_head(Past *history, Str file, size_t from, HistoryRun *out)
{
    size_t at = from, digits;
    double time_s, whole, fraction = 0;
    if (!read_char(file, &at, ':') || !read_char(file, &at, ' ')) return 0;
    if (read_digits(file, &at, &time_s) == 0 || time_s > 1e15 || !read_char(file, &at, ':'))
        return 0;
    if (read_digits(file, &at, &whole) == 0) return 0;
    if (read_char(file, &at, '.'))
        for (digits = read_digits(file, &at, &fraction); digits > 0; digits--)
            fraction /= 10;
    *out = (HistoryRun){(int64_t)time_s, whole + fraction, {"", 0}};
    bool named = read_char(file, &at, ':');
    bool good =
        named ? read_database(history, file, &at, &out->database) : read_char(file, &at, ';');
    return good ? at - from : 0;
}

static size_t plain_bytes(Str file, size_t at)
{
    size_t from = at;
    while (at < file.bytes && file.data[at] != '\n' && file.data[at] != '\\')
        at++;
    return at - from;
}

/* Reads the entry at *at and moves behind it; false: it is not whole yet. A line that is no entry
 * gives an empty text. */
static bool parse_entry(Past *history, Str file, size_t *at, Entry *out)
{
    *out = (Entry){0};
    size_t head = read_head(history, file, *at, &out->run), i = *at + head;
    while (i < file.bytes) {
        size_t bytes = plain_bytes(file, i);
        buffer_append(&out->text, file.data + i, bytes);
        i += bytes;
        if (i < file.bytes && file.data[i] == '\n') {
            *at = i + 1;
            if (head == 0) buffer_clear(&out->text);
            return true;
        }
        if (i + 1 >= file.bytes) break;
        buffer_char(&out->text, file.data[i + 1]); /* behind a backslash: as it stands */
        i += 2;
    }
    buffer_free(&out->text);
    return false;
}

/* ---- the file ---- */

Past *history_open(const char *path)
{
    Past *history = mem_calloc(1, sizeof *history);
    if (path != NULL) history->path = mem_strdup(path);
    history_refresh(history);
    return history;
}

void history_close(Past *history)
{
    if (history == NULL) return;
    for (size_t i = 0; i < history->count; i++)
        buffer_free(&history->entries[i].text);
    for (size_t i = 0; i < history->database_count; i++)
        mem_free(history->databases[i]);
    mem_free(history->databases);
    mem_free(history->entries);
    mem_free(history->path);
    mem_free(history);
}

/* Of entries with the same text the newest stays, and no more than may be; one pass over a whole
 * file. */
static void drop_duplicates(Past *history)
{
    StrMap *seen = strmap_create();
    size_t kept = history->count;
    for (size_t i = history->count; i-- > 0;) {
        bool room = strmap_count(seen) < HISTORY_ENTRIES_MAX;
        if (room && strmap_put(seen, history_at(history, i), 0))
            history->entries[--kept] = history->entries[i];
        else
            buffer_free(&history->entries[i].text);
    }
    history->count -= kept;
    memmove(history->entries, history->entries + kept, history->count * sizeof *history->entries);
    strmap_destroy(seen);
}

static void take_entries(Past *history, Str file)
{
    size_t at = 0;
    bool first = history->count == 0;
    Entry entry;
    while (at < file.bytes && parse_entry(history, file, &at, &entry)) {
        if (!first || entry.text.bytes == 0) {
            add(history, buffer_view(&entry.text), entry.run);
            buffer_free(&entry.text);
            continue;
        }
        mem_reserve(history->entries, history->capacity, history->count + 1);
        history->entries[history->count++] = entry;
    }
    history->read_bytes += at;
    if (first) drop_duplicates(history);
}

/* What the file has behind `from`. */
static void read_rest(int fd, size_t from, Buffer *out)
{
    char chunk[1 << 16];
    ssize_t bytes;
    while ((bytes = pread(fd, chunk, sizeof chunk, (off_t)(from + out->bytes))) > 0)
        buffer_append(out, chunk, (size_t)bytes);
}

void history_refresh(Past *history)
{
    struct stat state;
    Buffer rest = {0};
    if (history->path == NULL) return;
    int fd = open(history->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    if (fstat(fd, &state) == 0 && S_ISREG(state.st_mode)) {
        bool other = state.st_ino != history->file || (size_t)state.st_size < history->read_bytes;
        if (other) history->read_bytes = 0;
        history->file = state.st_ino;
        if ((size_t)state.st_size > history->read_bytes) {
            read_rest(fd, history->read_bytes, &rest);
            take_entries(history, buffer_view(&rest));
        }
    }
    buffer_free(&rest);
    close(fd);
}

static Error *failed(const Past *history)
{
    return error_hint(error_errno(ERROR_IO, errno, "the history file %s", history->path),
                      "CONTEXTQL_HISTORY names another; empty: none");
}

static void make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700); /* if it fails, so does opening the file, and that is told */
        *slash = '/';
    }
}

/* Opens and locks the file that now has the name. */
static Error *open_locked(Past *history, int *out)
{
    struct stat opened, named;
    for (;;) {
        int fd = open(history->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0) return failed(history);
        while (flock(fd, LOCK_EX) != 0)
            if (errno != EINTR) return close(fd), failed(history);
        if (fstat(fd, &opened) != 0) return close(fd), failed(history);
        *out = fd;
        if (stat(history->path, &named) == 0 && named.st_ino == opened.st_ino) return NULL;
        close(fd);
    }
}

static Error *write_all(const Past *history, int fd, Str text)
{
    while (text.bytes > 0) {
        ssize_t bytes = write(fd, text.data, text.bytes);
        if (bytes < 0 && errno == EINTR) continue;
        if (bytes <= 0) return failed(history);
        text.data += bytes;
        text.bytes -= (size_t)bytes;
    }
    return NULL;
}

/* The newest entries, half of what a file may have, become the file. Its lock is held. */
static Error *cut_file(Past *history)
{
    Buffer text = {0}, path = {0};
    size_t first = history->count, bytes = 0;
    while (first > 0 && bytes + history->entries[first - 1].text.bytes < HISTORY_FILE_BYTES_MAX / 2)
        bytes += history->entries[--first].text.bytes;
    for (size_t i = first; i < history->count; i++) {
        const Entry *entry = &history->entries[i];
        if (entry->text.bytes <= HISTORY_STATEMENT_BYTES_MAX)
            print_entry(&text, buffer_view(&entry->text), &entry->run);
    }
    buffer_printf(&path, "%s.new", history->path);
    int fd = open(path.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    Error *error = fd < 0 ? failed(history) : write_all(history, fd, buffer_view(&text));
    if (fd >= 0 && close(fd) != 0 && error == NULL) error = failed(history);
    if (error == NULL && rename(path.data, history->path) != 0) error = failed(history);
    buffer_free(&text);
    buffer_free(&path);
    return error;
}

/* Does the file end within a line? Somebody's disk was full. */
static bool is_cut_off(int fd)
{
    char last = '\n';
    off_t end = lseek(fd, 0, SEEK_END);
    return end > 0 && pread(fd, &last, 1, end - 1) == 1 && last != '\n';
}

static Error *append(Past *history, Str text)
{
    int fd = -1;
    struct stat state;
    TRY(open_locked(history, &fd));
    Error *error = is_cut_off(fd) ? write_all(history, fd, STR("\n")) : NULL;
    if (error == NULL) error = write_all(history, fd, text);
    history_refresh(history);
    if (error == NULL && fstat(fd, &state) == 0 && state.st_size > HISTORY_FILE_BYTES_MAX)
        error = cut_file(history);
    close(fd); /* and the lock goes */
    return error;
}

bool history_hides(const Past *history, Str statement)
{
    Str text = trimmed(statement);
    return history->path != NULL && text.bytes > 0 && text.data[0] != ' ' && secret_in(text);
}

Error *history_save(Past *history, Str statement, const HistoryRun *run)
{
    Buffer entry = {0};
    Str text = trimmed(statement);
    if (history->path == NULL || text.bytes == 0 || text.bytes > HISTORY_STATEMENT_BYTES_MAX)
        return NULL;
    if (text.data[0] == ' ') return NULL; /* as in other shells: for this session only */
    if (secret_in(text)) return NULL;
    make_folders(history->path);
    print_entry(&entry, text, run);
    Error *error = append(history, buffer_view(&entry));
    buffer_free(&entry);
    if (error == NULL) return NULL;
    mem_free(history->path);
    history->path = NULL;
    return error;
}
