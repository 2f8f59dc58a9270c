/* The ground floor: text, numbers, maps, checksums, JSON. */
#include "config.h"

#include "base/bytes.h"
#include "base/csv.h"
#include "base/json.h"
#include "base/map.h"
#include "test.h"
#include <math.h>

static int printed(double value, const char *text)
{
    char out[FLOAT_TEXT_MAX];
    float_print(out, value);
    return strcmp(out, text) == 0;
}

/* By trying: the fewest digits that bring it back. */
static void tried(char *out, double value, bool single)
{
    double back;
    for (int digits = single ? 6 : 15; digits <= (single ? 9 : 17); digits++) {
        snprintf(out, FLOAT_TEXT_MAX, "%.*g", digits, value);
        if (float_parse(str_from(out), &back) &&
            (single ? (float)back == (float)value : back == value))
            break;
    }
    if (strpbrk(out, ".e") == NULL) strcat(out, ".0");
}

static bool as_tried(double value)
{
    char out[FLOAT_TEXT_MAX], expected[FLOAT_TEXT_MAX];
    tried(expected, value, false);
    size_t bytes = float_print(out, value);
    bool good =
        strpbrk(expected, "e") != NULL || (strcmp(out, expected) == 0 && bytes == strlen(out));
    tried(expected, (double)(float)value, true);
    float32_print(out, (float)value);
    if (good && strcmp(out, expected) == 0) return true;
    printf("# %.17g: %s is not %s\n", value, out, expected);
    return false;
}

/* Of all sizes that are written without an exponent, random ones, short decimals, and all that stand beside a
 * power of two or of ten. */
static void decimals(void)
{
    enum { TRIES = 20000 };
    uint64_t state = 1;
    int good = 1;
    for (double size = 1e-6; size < 1e17; size *= 10)
        for (int i = 0; i < TRIES / 23; i++) {
            state = state * 6364136223846793005 + 1442695040888963407;
            double random = (double)(state >> 11) / 9007199254740992.0 * size;
            double rounded = rint(random / size * 1000) * size / 1000;
            good = good && as_tried(random) && as_tried(-rounded);
        }
    for (int exponent = -20; exponent < 56; exponent++) {
        double two = ldexp(1, exponent), ten = pow(10, exponent / 3.0);
        good = good && as_tried(two) && as_tried(ten);
        for (int way = 0; way < 2; way++) {
            double far = way == 0 ? 0 : INFINITY;
            good = good && as_tried(nextafter(two, far)) && as_tried(nextafter(ten, far)) &&
                   as_tried((double)nextafterf((float)two, (float)far));
        }
    }
    EXPECT(good && as_tried(0) && as_tried(-0.0));
}

static void numbers(void)
{
    int64_t integer;
    double number;
    EXPECT(printed(1.0, "1.0") && printed(0.1, "0.1") && printed(1e300, "1e300") &&
           printed(-0.0, "-0.0"));
    EXPECT(printed(1.0 / 3, "0.3333333333333333") && printed(5e-324, "5e-324") &&
           printed(123456789012345.0, "123456789012345.0"));
    Buffer text = {0};
    buffer_integer(&text, INT64_MIN);
    buffer_integer(&text, INT64_MAX);
    buffer_integer(&text, 0);
    EXPECT(str_equal(buffer_view(&text), STR("-922337203685477580892233720368547758070")));
    buffer_free(&text);
    EXPECT(integer_parse(STR("-9223372036854775808"), &integer) && integer == INT64_MIN);
    EXPECT(!integer_parse(STR("9223372036854775808"), &integer) &&
           !integer_parse(STR("1 "), &integer) && !integer_parse(STR(""), &integer));
    EXPECT(float_parse(STR("1e5"), &number) && number == 1e5);
    EXPECT(!float_parse(STR("0x10"), &number) && !float_parse(STR("nan"), &number) &&
           !float_parse(STR("."), &number));
}

static void texts(void)
{
    size_t at = 0;
    EXPECT(str_distance(STR("cosin"), STR("cosine"), 3) == 1);
    EXPECT(str_distance(STR("teh"), STR("the"), 3) == 1);
    EXPECT(str_distance(STR("abc"), STR("xyz"), 2) == 3);
    EXPECT(utf8_count(STR("a\xc3\xa4\xe2\x82\xac")) == 3 && utf8_valid(STR("\xf0\x9f\x98\x80")));
    char ascii[65];
    memset(ascii, 'a', sizeof ascii - 1);
    ascii[64] = '\xff'; /* behind the text: nobody looks */
    int good = 1;
    for (size_t bytes = 0; bytes <= 64; bytes++)
        good = good && utf8_valid((Str){ascii + 64 - bytes, bytes});
    EXPECT(good && !utf8_valid((Str){ascii, 65}) && !utf8_valid((Str){ascii + 32, 33}));
    EXPECT(!utf8_valid(STR("\xc0\x80")) && !utf8_valid(STR("\xed\xa0\x80")) &&
           !utf8_valid(STR("\xf5\x80\x80\x80")));
    EXPECT(utf8_next(STR("\xe2\x82\xac"), &at) == 0x20ac && at == 3);
}

static bool comes_out(Buffer *out, const char *before, Str text, const char *behind)
{
    bool good = out->bytes == strlen(before) + text.bytes + strlen(behind) &&
                memcmp(out->data, before, strlen(before)) == 0 &&
                memcmp(out->data + strlen(before), text.data, text.bytes) == 0 &&
                strcmp(out->data + strlen(before) + text.bytes, behind) == 0;
    buffer_clear(out);
    return good;
}

/* What needs quotes, or an escape, is found wherever it stands: texts are looked at eight bytes at a time. */
static void special_bytes(void)
{
    enum { BYTES_MAX = 27 };
    static const char special[] = {',', '"', '\n', '\r', '\\', '\t', '\x1f', '+', '!', '\x7f'};
    Buffer out = {0};
    bool good = true;
    for (size_t bytes = 1; bytes <= BYTES_MAX; bytes++)
        for (size_t at = 0; at < bytes; at++)
            for (size_t i = 0; i < sizeof special; i++) {
                char text[BYTES_MAX];
                memset(text, 'a' + (int)(at % 20), sizeof text);
                text[at] = special[i];
                Str whole = {text, bytes}, head = {text, at};
                csv_put_field(&out, whole, ',', '"');
                size_t quotes = out.bytes - bytes;
                good = good && quotes == (i == 1 ? 3 : i < 4 ? 2 : 0);
                if (i != 1)
                    good = good && comes_out(&out, i < 4 ? "\"" : "", whole, i < 4 ? "\"" : "");
                buffer_clear(&out);
                json_put_string(&out, whole);
                good = good && out.bytes >= at + 1 && memcmp(out.data + 1, head.data, at) == 0;
                good = good && (out.data[at + 1] == '\\') == (i >= 1 && i <= 6);
                buffer_clear(&out);
            }
    json_put_string(&out, STR("abcdefgh\xc3\xa4xxxxxxxx\xff-"));
    EXPECT(good && comes_out(&out, "\"abcdefgh\xc3\xa4xxxxxxxx", STR("\xef\xbf\xbd"), "-\""));
    buffer_free(&out);
}

static void maps(void)
{
    enum { MANY = 5000 };
    IntMap *map = intmap_create();
    StrMap *names = strmap_create();
    uint64_t value;
    for (uint64_t i = 0; i < MANY; i++)
        intmap_put(map, i * 7919, i);
    int good = 1;
    for (uint64_t i = 0; i < MANY; i++)
        good = good && intmap_get(map, i * 7919, &value) && value == i;
    EXPECT(good && intmap_count(map) == MANY && !intmap_get(map, 3, NULL));
    EXPECT(strmap_put(names, STR("a"), 1) && !strmap_put(names, STR("a"), 2) &&
           strmap_get(names, STR("a"), &value) && value == 2);
    EXPECT(str_equal(strmap_key(names, 0, NULL), STR("a")));
    intmap_destroy(map);
    strmap_destroy(names);
}

static void bytes(void)
{
    Buffer out = {0};
    put_varint(&out, UINT64_MAX);
    put_str(&out, STR("hello"));
    Reader reader = reader_of(out.data, out.bytes);
    EXPECT(get_varint(&reader) == UINT64_MAX && str_equal(get_str(&reader), STR("hello")) &&
           !reader.failed);
    EXPECT(get_u32(&reader) == 0 && reader.failed);
    EXPECT(crc32c(0, "123456789", 9) == 0xe3069283u); /* RFC 3720, B.4 and the usual check value */
    EXPECT(crc32c(crc32c(0, "1234", 4), "56789", 5) == 0xe3069283u);
    buffer_free(&out);
}

static int refused(Arena *arena, const char *text)
{
    const Json *json;
    Error *error = json_parse(arena, str_from(text), &json);
    int was = error != NULL;
    error_drop(error);
    return was;
}

static void json(void)
{
    Arena *arena = arena_create();
    const Json *value = NULL;
    Error *error =
        json_parse(arena, STR("{\"a\": [1, -2.5e3, \"x\\u00e4\\n\", true, null]}"), &value);
    EXPECT(error == NULL && value->kind == JSON_OBJECT);
    const Json *list = json_get(value, "a");
    EXPECT(list != NULL && list->count == 5 && str_equal(list->items[2].text, STR("x\xc3\xa4\n")));
    EXPECT(refused(arena, "{") && refused(arena, "[1,]") && refused(arena, "01") &&
           refused(arena, "\"\\x\"") && refused(arena, "1 2"));
    char deep[JSON_DEPTH_MAX + 2];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    EXPECT(refused(arena, deep));
    arena_destroy(arena);
}

/* Texts that were made are not touched by what is added to them, whichever is added to. */
static void joins(void)
{
    enum { ROUNDS = 3000, KEPT = 50 };
    Arena *arena = arena_create();
    Buffer whole = {0};
    const char *grown = "", *kept[KEPT];
    size_t lengths[KEPT], moved = 0;
    bool same = true;
    for (size_t i = 0; i < ROUNDS; i++) {
        char piece[32];
        int bytes = snprintf(piece, sizeof piece, "<%zu>", i * i);
        const char *before = grown;
        grown = arena_join(arena, grown, whole.bytes, piece, (size_t)bytes);
        moved += grown != before && whole.bytes > 1024;
        buffer_append(&whole, piece, (size_t)bytes);
        kept[i % KEPT] = grown;
        lengths[i % KEPT] = whole.bytes;
        if (i % 7 == 0) arena_alloc(arena, i % 100);
        if (i % 5 == 0) { /* an older one, a piece of one, and the text itself */
            const char *other = kept[(i / 2) % KEPT];
            size_t other_bytes = i < KEPT ? 0 : lengths[(i / 2) % KEPT];
            const char *fork = arena_join(arena, other, other_bytes, "fork", 4);
            same = same && memcmp(fork, whole.data, other_bytes) == 0 &&
                   memcmp(fork + other_bytes, "fork", 4) == 0;
        }
    }
    for (size_t k = 0; k < KEPT; k++)
        same = same && memcmp(kept[k], whole.data, lengths[k]) == 0;
    EXPECT(same && whole.bytes > 20000 && moved < ROUNDS);
    const char *twice = arena_join(arena, grown, whole.bytes, grown, whole.bytes);
    EXPECT(memcmp(twice, whole.data, whole.bytes) == 0 &&
           memcmp(twice + whole.bytes, whole.data, whole.bytes) == 0);
    arena_reset(arena);
    EXPECT(memcmp(arena_join(arena, "", 0, "a", 1), "a", 1) == 0);
    buffer_free(&whole);
    arena_destroy(arena);
    arena = arena_create();
    grown = "";
    for (size_t i = 0; i < 200000; i++)
        grown = arena_join(arena, grown, 8 * i, "abcdefgh", 8);
    EXPECT(arena_bytes(arena) < 10 * 200000 * 8); /* and not 160 GB */
    arena_destroy(arena);
}

/* What is taken and given back between enter and leave, and the most of it; by several in turn. */
static void tallies(void)
{
    enum { SMALL = 1000, LARGE = 10 << 20 };
    MemTally outer = {0}, inner = {0};
    void *before = mem_alloc(SMALL);
    EXPECT(mem_tally_enter(&outer) == NULL);
    void *small = mem_alloc(SMALL);
    EXPECT(mem_tally_enter(&inner) == &outer);
    mem_free(mem_alloc(LARGE));
    EXPECT(mem_tally_enter(&outer) == &inner);
    mem_free(before); /* another's: less than nothing */
    void *large = mem_alloc(LARGE);
    EXPECT(mem_tally_enter(NULL) == &outer);
    void *others = mem_alloc(LARGE);
    EXPECT(inner.held == 0 && inner.most >= LARGE && inner.most < 2 * LARGE);
    EXPECT(outer.held >= LARGE && outer.held < LARGE + LARGE / 2 && outer.most == outer.held);
    mem_tally_enter(&outer);
    mem_free(small);
    mem_free(large);
    mem_tally_enter(NULL);
    EXPECT(outer.held <= 0 && outer.most >= LARGE && outer.most < LARGE + LARGE / 2);
    mem_free(others);
}

int main(void)
{
    numbers();
    decimals();
    special_bytes();
    texts();
    maps();
    bytes();
    json();
    joins();
    tallies();
    return DONE();
}
