/*
 * history.c - an array of texts. Ten thousand are looked through in well below a millisecond, so
 * there is no index.
 */
#include "config.h"

#include "shell/history.h"

struct Past {
    Buffer *entries;
    size_t count, capacity;
};

Past *history_open(void)
{
    return mem_calloc(1, sizeof(Past));
}

void history_close(Past *history)
{
    if (history == NULL) return;
    for (size_t i = 0; i < history->count; i++)
        buffer_free(&history->entries[i]);
    mem_free(history->entries);
    mem_free(history);
}

static void forget(Past *history, size_t i)
{
    buffer_free(&history->entries[i]);
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

void history_add(Past *history, Str statement)
{
    Str text = trimmed(statement);
    Buffer entry = {0};
    if (text.bytes == 0) return;
    buffer_str(&entry, text);
    for (size_t i = history->count; i-- > 0;)
        if (str_equal(buffer_view(&history->entries[i]), text)) forget(history, i);
    if (history->count == HISTORY_ENTRIES_MAX) forget(history, 0);
    mem_reserve(history->entries, history->capacity, history->count + 1);
    history->entries[history->count++] = entry;
}

size_t history_count(const Past *history)
{
    return history->count;
}

Str history_at(const Past *history, size_t i)
{
    return buffer_view(&history->entries[i]);
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
        if (holds(buffer_view(&history->entries[i]), pattern)) return i;
    return SIZE_MAX;
}
