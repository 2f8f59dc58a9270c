/* Any bytes as a temporal text of each kind, as a zone's file, and as an encoded value; the first byte
 * says which. What is read must print, and read back as the same. Built with --enable-fuzzing (clang,
 * libFuzzer). */
#include "config.h"

#include "value/encode.h"
#include "value/temporal.h"
#include "value/zone.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_zone(Str bytes)
{
    Zone *zone = NULL;
    Error *error = zone_decode(STR("Fuzz/Zone"), bytes.data, bytes.bytes, &zone);
    for (int64_t utc = -31000000000000000; error == NULL && utc < 31000000000000000;
         utc += 1234567890123456) {
        zone_instant(zone, utc, zone_offset(zone, utc));
        zone_instant(zone, utc / 1000000, 3600);
    }
    error_drop(error);
    zone_free(zone);
}

static void printed(Arena *arena, Value value)
{
    Value back = value_null();
    Buffer text = {0};
    temporal_print(&text, value);
    Error *error = temporal_parse(arena, (ValueKind)value.kind, buffer_view(&text), &back);
    if (error != NULL || !value_equivalent(value, back)) abort();
    buffer_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { TEXTS = VALUE_DURATION - VALUE_DATE + 1 };
    if (size == 0) return 0;
    Str bytes = {(const char *)data + 1, size - 1};
    unsigned which = data[0] % (TEXTS + 2);
    Arena *arena = arena_create();
    Value value;
    if (which == TEXTS) as_zone(bytes);
    if (which == TEXTS + 1) {
        Reader reader = reader_of(bytes.data, bytes.bytes);
        Buffer text = {0};
        value_print(&text, value_decode(&reader, arena), true);
        buffer_free(&text);
    }
    if (which < TEXTS) {
        Error *error = temporal_parse(arena, (ValueKind)(VALUE_DATE + which), bytes, &value);
        if (error == NULL) printed(arena, value);
        error_drop(error);
    }
    arena_destroy(arena);
    return 0;
}
