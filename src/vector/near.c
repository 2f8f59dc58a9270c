/*
 * near.c - the index as it lies there: searching it, and its form in a file.
 *
 * One level of rows and links, no hierarchy: where a search begins is found by looking at some hundred
 * rows in order, which is faster than descending through levels. (Malkov and Yashunin, HNSW, 2018, for
 * the search within a level.) Of one row in 48, 4096 at most, the groups whose first rows are
 * nearest are looked at; they come before all others, so that they lie together (near_build.c).
 *
 * A search needs a bit a row, a list of the bits it set, and a pool of the nearest. That memory is lent
 * by the index and given back to it, so a query allocates nothing; who finds none idle makes one.
 *
 * Where it lies on a file that is mapped, what a search read is held against the file's checksums when
 * the search is over, a piece at a time and each once: opening reads nothing for it, and a search that
 * came upon damage gives nothing. When most pieces were looked at, the rest are, too, and searches ask
 * no more.
 *
 * The parameters in a file, little-endian: u32 format (2), metric (0 dot, 1 l2, 2 cosine), dimensions,
 * extra components, rows, ef_construction, NEAR_EFFORTS counts; f32 scale, longest, a minimum for each
 * dimension; u32 groups, the first row of each, and the one behind the last. Format 1, of before there were
 * groups, ends with the minima; so does an index too small for them. The other parts are arrays (near.h).
 */
#include "config.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "vector/near_internal.h"
#include <assert.h>
#include <math.h>
#include <string.h>

enum {
    FORMAT_WITHOUT_GROUPS = 1,
    FORMAT = 2,
    /* To begin from: twice as many cost more than they save. Products are the harder search: what is
     * largest lies in corners that links do not lead to. */
    SPREAD_ROWS = 256,
    SPREAD_ROWS_DOT = 512,
    SPREAD_STEP_MIN = 16,
    EFFORT_EF_FIRST = 32,
    /* A row found along links costs so many times what a row of a list costs: 38 ns against 6. */
    LOOK_FACTOR = 6,
    CHECK_BYTES = 64 << 10, /* a piece */
    CHECK_REST = 4          /* of a quarter of the pieces: all at once */
};

/* ---- is it as it was written? ---- */

static size_t parameters_bytes(const NearIndex *index)
{
    size_t numbers = 6 + NEAR_EFFORTS + 2 + (size_t)index->quantizer.dimensions;
    if (index->group_count > 0) numbers += 1 + (size_t)index->group_count + 1;
    return numbers * sizeof(uint32_t);
}

static size_t part_bytes(const NearIndex *index, NearPart part)
{
    size_t rows = index->count;
    switch (part) {
    case NEAR_CODES: return rows * index->quantizer.stride;
    case NEAR_CONSTANTS: return rows * sizeof *index->constants;
    case NEAR_LINK_TABLE: return rows * NEAR_LINKS * sizeof *index->links;
    case NEAR_IDS: return rows * sizeof *index->ids;
    default: return parameters_bytes(index);
    }
}

static const char *part_data(const NearIndex *index, NearPart part)
{
    switch (part) {
    case NEAR_CODES: return (const char *)index->codes;
    case NEAR_CONSTANTS: return (const char *)index->constants;
    case NEAR_LINK_TABLE: return (const char *)index->links;
    case NEAR_IDS: return (const char *)index->ids;
    default: return NULL; /* the parameters were read when it was attached */
    }
}

static void checked_begin(NearIndex *index, const NearParts *parts)
{
    NearChecked *checked = &index->checked;
    size_t count = 0;
    checked->is_sound = parts->is_sound, checked->user = parts->user;
    for (int part = NEAR_CODES; part < NEAR_PART_COUNT; part++) {
        checked->first[part] = count;
        count += (parts->bytes[part] + CHECK_BYTES - 1) / CHECK_BYTES;
    }
    checked->first[NEAR_PART_COUNT] = count;
    checked->words = mem_calloc(count / 64 + 1, sizeof *checked->words);
    atomic_store(&checked->left, count);
}

static bool ask(NearIndex *index, NearPart part, size_t piece)
{
    NearChecked *checked = &index->checked;
    size_t number = checked->first[part] + piece, from = piece * CHECK_BYTES,
           bytes = part_bytes(index, part) - from;
    assert(number < checked->first[part + 1]);
    if (bytes > CHECK_BYTES) bytes = CHECK_BYTES;
    if (!checked->is_sound(checked->user, part_data(index, part) + from, bytes)) return false;
    uint64_t bit = UINT64_C(1) << number % 64;
    if (!(atomic_fetch_or(&checked->words[number / 64], bit) & bit))
        atomic_fetch_sub(&checked->left, 1);
    return true;
}

static inline bool is_piece_sound(NearIndex *index, NearPart part, size_t piece)
{
    size_t number = index->checked.first[part] + piece;
    uint64_t word = atomic_load_explicit(&index->checked.words[number / 64], memory_order_relaxed);
    return (word >> number % 64 & 1) != 0 || ask(index, part, piece);
}

static inline bool is_row_sound(NearIndex *index, NearPart part, size_t row, size_t row_bytes)
{
    size_t piece = row * row_bytes / CHECK_BYTES, last = ((row + 1) * row_bytes - 1) / CHECK_BYTES;
    bool sound = true;
    for (; piece <= last && sound; piece++)
        sound = is_piece_sound(index, part, piece);
    return sound;
}

static inline bool is_place_sound(NearIndex *index, size_t place)
{
    return is_row_sound(index, NEAR_CODES, place, index->quantizer.stride) &&
           is_row_sound(index, NEAR_CONSTANTS, place, sizeof *index->constants);
}

static bool must_ask(const NearIndex *index)
{
    return index->checked.is_sound != NULL &&
           atomic_load_explicit(&index->checked.left, memory_order_relaxed) > 0;
}

bool near_is_sound(const NearIndex *lent)
{
    NearIndex *index =
        (NearIndex *)(uintptr_t)lent; /* what was looked at is no part of its value */
    bool sound = true;
    if (!must_ask(index)) return true;
    for (int part = NEAR_CODES; part < NEAR_PART_COUNT && sound; part++) {
        size_t count = index->checked.first[part + 1] - index->checked.first[part];
        for (size_t piece = 0; piece < count && sound; piece++)
            sound = is_piece_sound(index, (NearPart)part, piece);
    }
    return sound;
}

/* Those of the groups it looked at, and what it may have looked at behind them. */
static bool are_groups_sound(NearIndex *index, const NearWalk *walk)
{
    bool sound = true;
    for (uint32_t i = 0; i < NEAR_GROUPS_ASKED && walk->starts != NULL; i++) {
        uint32_t group = walk->nearest[i].place, end = walk->starts[group + 1] + NEAR_GROUP_OVER;
        for (uint32_t place = walk->starts[group]; place < end && sound; place++)
            sound = is_place_sound(index, place);
    }
    return sound;
}

/* All that a search read: the rows it began from, those it came by, and the ids of what it found. */
static bool is_walk_sound(NearIndex *index, const NearWalk *walk)
{
    bool sound = true;
    if (!must_ask(index)) return true;
    for (uint32_t i = 0; i < walk->entry_count && sound; i++)
        sound = is_place_sound(index, walk->entries[i]);
    sound = sound && are_groups_sound(index, walk);
    for (size_t i = 0; i < walk->touched_count && sound; i++)
        sound = is_place_sound(index, walk->touched[i]) &&
                is_row_sound(index, NEAR_LINK_TABLE, walk->touched[i],
                             NEAR_LINKS * sizeof *index->links);
    for (uint32_t i = 0; i < walk->pool_count && sound; i++)
        sound = is_row_sound(index, NEAR_IDS, walk->pool[i].place, sizeof *index->ids);
    size_t left = atomic_load_explicit(&index->checked.left, memory_order_relaxed);
    if (sound && left < index->checked.first[NEAR_PART_COUNT] / CHECK_REST) near_is_sound(index);
    return sound;
}

/* ---- searching ---- */

static uint32_t entries_of(const NearIndex *index, uint32_t entries[NEAR_ENTRIES_MAX])
{
    memcpy(entries, index->starts, index->group_count * sizeof *entries);
    if (index->group_count > 0) return index->group_count;
    uint32_t spread = index->quantizer.metric == VECTOR_DOT ? SPREAD_ROWS_DOT : SPREAD_ROWS;
    uint32_t made = 0, count = index->count, step = count / spread;
    if (step < SPREAD_STEP_MIN) step = SPREAD_STEP_MIN;
    for (uint64_t place = 0; place < count && made < NEAR_ENTRIES_MAX; place += step)
        entries[made++] = (uint32_t)place;
    return made & ~UINT32_C(3);
}

void near_entry_codes(NearIndex *index)
{
    size_t stride = index->quantizer.stride;
    index->entry_count = entries_of(index, index->entries);
    mem_free(index->entry_codes);
    index->entry_codes = mem_alloc_aligned((index->entry_count + 1) * stride, QUANTIZE_LINE_BYTES);
    for (uint32_t i = 0; i < index->entry_count; i++)
        memcpy(index->entry_codes + i * stride, index->codes + index->entries[i] * stride, stride);
}

NearWalk *near_walk_create(size_t rows, size_t stride)
{
    NearWalk *walk = mem_alloc_aligned(sizeof *walk, _Alignof(NearWalk));
    *walk = (NearWalk){0};
    walk->seen = mem_calloc(rows / 64 + 1, sizeof *walk->seen);
    walk->touched = mem_alloc((rows + NEAR_SPARE) * sizeof *walk->touched);
    walk->pool = mem_alloc((NEAR_EF_MAX + NEAR_SPARE) * sizeof *walk->pool);
    walk->own_query = mem_alloc_aligned(stride, QUANTIZE_LINE_BYTES);
    return walk;
}

void near_walk_free(NearWalk *walk)
{
    if (walk == NULL) return;
    mem_free(walk->seen);
    mem_free(walk->touched);
    mem_free(walk->pool);
    mem_free(walk->own_query);
    mem_free(walk);
}

void near_walk_aim(NearWalk *walk, const NearIndex *index)
{
    walk->codes = index->codes;
    walk->constants = index->constants;
    walk->links = index->links;
    walk->stride = index->quantizer.stride;
    walk->count = index->count;
    walk->entries = index->entries;
    walk->entry_codes = index->entry_codes;
    walk->entry_count = index->entry_count;
    walk->starts = index->group_count > 0 ? index->starts : NULL;
    walk->query = walk->own_query;
}

static NearWalk *take_walk(const NearIndex *index)
{
    NearIndex *lender = (NearIndex *)(uintptr_t)index; /* what it lends is no part of its value */
    for (size_t i = 0; i < NEAR_IDLE; i++) {
        NearWalk *walk = atomic_exchange(&lender->idle[i], NULL);
        if (walk != NULL) return walk;
    }
    NearWalk *walk = near_walk_create(index->count, index->quantizer.stride);
    near_walk_aim(walk, index);
    if (index->quantizer.metric == VECTOR_DOT) walk->constants = NULL;
    return walk;
}

static void give_walk(const NearIndex *index, NearWalk *walk)
{
    NearIndex *lender = (NearIndex *)(uintptr_t)index;
    for (size_t i = 0; walk != NULL && i < NEAR_IDLE; i++) {
        NearWalk *none = NULL;
        if (atomic_compare_exchange_strong(&lender->idle[i], &none, walk)) walk = NULL;
    }
    near_walk_free(walk);
}

size_t near_search(const NearIndex *index, const CodesKernel *kernel, const VectorQuery *query,
                   size_t ef, uint32_t *ids)
{
    assert(ef > 0 && ef <= NEAR_EF_MAX);
    assert(query->metric == index->quantizer.metric);
    if (index->count == 0) return 0;
    NearWalk *walk = take_walk(index);
    quantize_query(&index->quantizer, query->query, query->factor, walk->own_query);
    walk->ef = (uint32_t)ef;
    kernel->near_walk(walk);
    NearIndex *asked = (NearIndex *)(uintptr_t)index;
    size_t count = is_walk_sound(asked, walk) ? walk->pool_count : 0;
    for (size_t i = 0; i < count; i++)
        ids[i] = index->ids[walk->pool[i].place];
    give_walk(index, walk);
    return count;
}

/* Rows looked at by a search of `ef`: between two that were counted in proportion. */
static uint64_t effort(const NearIndex *index, uint64_t ef)
{
    uint64_t low = EFFORT_EF_FIRST;
    if (ef <= low) return index->efforts[0];
    for (size_t i = 0; i + 1 < NEAR_EFFORTS; i++, low *= 2) {
        uint64_t here = index->efforts[i], more = index->efforts[i + 1];
        if (more < here) more = here; /* of a damaged file */
        if (ef <= 2 * low) return here + (more - here) * (ef - low) / low;
    }
    return index->efforts[NEAR_EFFORTS - 1];
}

/* So that as many of those that count are found as without others between them. */
static uint64_t ef_among(const NearIndex *index, size_t ef, size_t wanted)
{
    if (wanted == 0 || wanted >= index->count) return ef;
    return (uint64_t)ef * index->count / wanted;
}

size_t near_ef(const NearIndex *index, size_t ef, size_t wanted)
{
    uint64_t among = ef_among(index, ef, wanted);
    return among > NEAR_EF_MAX ? NEAR_EF_MAX : (size_t)among;
}

bool near_exact_is_cheaper(const NearIndex *index, size_t ef, size_t wanted)
{
    return wanted < LOOK_FACTOR * effort(index, ef_among(index, ef, wanted));
}

/* ---- what it is ---- */

NearIndex *near_share(const NearIndex *index)
{
    NearIndex *shared = (NearIndex *)(uintptr_t)index;
    if (shared != NULL) atomic_fetch_add(&shared->more_owners, 1);
    return shared;
}

void near_free(NearIndex *index)
{
    if (index == NULL || atomic_fetch_sub(&index->more_owners, 1) > 0) return;
    for (size_t i = 0; i < NEAR_IDLE; i++)
        near_walk_free(index->idle[i]);
    mem_free(index->entry_codes);
    mem_free(index->checked.words);
    mem_free(index->quantizer.minima);
    if (index->owned) {
        mem_free((void *)(uintptr_t)index->codes);
        mem_free((void *)(uintptr_t)index->constants);
        mem_free((void *)(uintptr_t)index->links);
        mem_free((void *)(uintptr_t)index->ids);
    }
    mem_free(index);
}

size_t near_count(const NearIndex *index)
{
    return index->count;
}

const uint32_t *near_ids(const NearIndex *index)
{
    return index->ids;
}

VectorMetric near_metric(const NearIndex *index)
{
    return index->quantizer.metric;
}

uint32_t near_dimensions(const NearIndex *index)
{
    return index->quantizer.dimensions;
}

uint32_t near_ef_construction(const NearIndex *index)
{
    return index->ef_construction;
}

size_t near_bytes(const NearIndex *index)
{
    size_t bytes = 0;
    for (int part = 0; part < NEAR_PART_COUNT; part++)
        bytes += part_bytes(index, (NearPart)part);
    return bytes;
}

uint64_t near_hash(const NearIndex *index)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < (size_t)index->count * NEAR_LINKS; i++)
        hash = (hash ^ index->links[i]) * UINT64_C(1099511628211);
    return hash;
}

bool near_is_lent(const NearIndex *index)
{
    return !index->owned;
}

void near_set_built_ns(NearIndex *index, int64_t built_ns)
{
    index->built_ns = built_ns;
}

int64_t near_built_ns(const NearIndex *index)
{
    return index->built_ns;
}

/* ---- as parts of a file ---- */

static void put_float(Buffer *out, float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    put_u32(out, bits);
}

static float get_float(Reader *reader)
{
    uint32_t bits = get_u32(reader);
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

void near_parts(const NearIndex *index, Buffer *parameters, NearParts *out)
{
    const Quantizer *quantizer = &index->quantizer;
    put_u32(parameters, index->group_count > 0 ? FORMAT : FORMAT_WITHOUT_GROUPS);
    put_u32(parameters, quantizer->metric);
    put_u32(parameters, quantizer->dimensions);
    put_u32(parameters, quantizer->extra);
    put_u32(parameters, index->count);
    put_u32(parameters, index->ef_construction);
    for (size_t i = 0; i < NEAR_EFFORTS; i++)
        put_u32(parameters, index->efforts[i]);
    put_float(parameters, quantizer->scale);
    put_float(parameters, quantizer->longest);
    for (size_t i = 0; i < quantizer->dimensions; i++)
        put_float(parameters, quantizer->minima[i]);
    if (index->group_count > 0) put_u32(parameters, index->group_count);
    for (size_t i = 0; index->group_count > 0 && i <= index->group_count; i++)
        put_u32(parameters, index->starts[i]);
    *out = (NearParts){
        .data = {parameters->data, index->codes, index->constants, index->links, index->ids}};
    for (int part = 0; part < NEAR_PART_COUNT; part++)
        out->bytes[part] = part_bytes(index, (NearPart)part);
}

static Error *corrupt(const char *what)
{
    return error_new(ERROR_CORRUPT, "a vector index of the segment is damaged: %s", what);
}

/* Where the groups lie: each is of some rows, and behind the last there are more. */
static bool read_groups(Reader *reader, NearIndex *index)
{
    uint32_t count = get_u32(reader);
    bool good = count > 0 && count <= NEAR_GROUPS_MAX && count % 4 == 0;
    for (uint32_t i = 0; good && i <= count; i++) {
        index->starts[i] = get_u32(reader);
        good = i == 0 ? index->starts[0] == 0 : index->starts[i] > index->starts[i - 1];
    }
    if (!good || index->starts[count] + (uint64_t)NEAR_GROUP_OVER > index->count) return false;
    index->group_count = count;
    return true;
}

static Error *read_parameters(Reader *reader, NearIndex *index)
{
    Quantizer *quantizer = &index->quantizer;
    uint32_t format = get_u32(reader), metric = get_u32(reader);
    quantizer->dimensions = get_u32(reader);
    quantizer->extra = get_u32(reader);
    index->count = get_u32(reader);
    index->ef_construction = get_u32(reader);
    for (size_t i = 0; i < NEAR_EFFORTS; i++)
        index->efforts[i] = get_u32(reader);
    quantizer->scale = get_float(reader);
    quantizer->longest = get_float(reader);
    if (format < FORMAT_WITHOUT_GROUPS || format > FORMAT || metric > VECTOR_COSINE)
        return corrupt("its kind");
    if (quantizer->dimensions == 0 || quantizer->dimensions > VECTOR_DIMENSIONS_MAX ||
        quantizer->extra > QUANTIZE_EXTRA_MAX || index->count > NEAR_ROWS_MAX)
        return corrupt("its size");
    if (!(quantizer->scale > 0) || !isfinite(quantizer->scale)) return corrupt("its scale");
    quantizer->metric = (VectorMetric)metric;
    quantizer->stride = quantize_stride(quantizer->dimensions + quantizer->extra);
    quantizer->minima = mem_alloc(quantizer->dimensions * sizeof *quantizer->minima);
    for (size_t i = 0; i < quantizer->dimensions; i++)
        quantizer->minima[i] = get_float(reader);
    if (format == FORMAT && !read_groups(reader, index)) return corrupt("its groups");
    return reader->failed ? corrupt("its parameters") : NULL;
}

Error *near_attach(const NearParts *parts, NearIndex **out)
{
    Reader reader = reader_of(parts->data[NEAR_PARAMETERS], parts->bytes[NEAR_PARAMETERS]);
    NearIndex *index = mem_calloc(1, sizeof *index);
    Error *error = read_parameters(&reader, index);
    for (int part = 0; error == NULL && part < NEAR_PART_COUNT; part++) {
        if (parts->bytes[part] != part_bytes(index, (NearPart)part))
            error = corrupt("a part's size");
        else if ((uintptr_t)parts->data[part] % sizeof(uint32_t) != 0)
            error = corrupt("where a part lies");
    }
    if (error != NULL) {
        near_free(index);
        return error;
    }
    index->codes = parts->data[NEAR_CODES];
    index->constants = parts->data[NEAR_CONSTANTS];
    index->links = parts->data[NEAR_LINK_TABLE];
    index->ids = parts->data[NEAR_IDS];
    checked_begin(index, parts);
    near_entry_codes(index);
    *out = index;
    return NULL;
}

/* ---- what can be reached ---- */

/* Is nobody to look at one more of `count` rows? `to` may be NULL. */
static bool stops(Tell *to, size_t done, size_t count)
{
    enum { ASK_EVERY = 4096 };
    return to != NULL && done % ASK_EVERY == 0 && tell_done(to, done, count);
}

static void reach(uint32_t place, uint64_t *reached, uint32_t *queue, size_t *count)
{
    if (reached[place / 64] >> place % 64 & 1) return;
    reached[place / 64] |= UINT64_C(1) << place % 64;
    queue[(*count)++] = place;
}

/* From the rows in the queue on. */
static size_t reach_on(const NearIndex *index, Tell *to, uint64_t *reached, uint32_t *queue,
                       size_t count)
{
    for (size_t at = 0; at < count && !stops(to, at, index->count); at++)
        for (size_t i = 0; i < NEAR_LINKS; i++) {
            uint32_t next = index->links[(size_t)queue[at] * NEAR_LINKS + i];
            if (next >= index->count) break;
            reach(next, reached, queue, &count);
        }
    return count;
}

size_t near_reach(const NearIndex *index, uint32_t place, uint64_t *reached, uint32_t *queue)
{
    size_t count = 0;
    reach(place, reached, queue, &count);
    return reach_on(index, NULL, reached, queue, count);
}

/* Of one row. */
static const char *links_fault(const NearIndex *index, uint32_t place)
{
    const uint32_t *links = index->links + (size_t)place * NEAR_LINKS;
    for (size_t i = 0; i < NEAR_LINKS; i++) {
        if (links[i] == NEAR_NONE) continue;
        if (links[i] >= index->count) return "a link leads nowhere";
        if (links[i] == place) return "a row is linked to itself";
        if (i > 0 && links[i - 1] == NEAR_NONE) return "a link stands behind the last one";
        for (size_t j = 0; j < i; j++)
            if (links[j] == links[i]) return "a row has a link twice";
    }
    return NULL;
}

static const char *rows_fault(const NearIndex *index, Tell *to)
{
    size_t stride = index->quantizer.stride;
    for (uint32_t place = 0; place < index->count && !stops(to, place, index->count); place++) {
        const char *fault = links_fault(index, place);
        if (fault != NULL) return fault;
        if (index->constants[place] != quantize_constant(index->codes + place * stride, stride))
            return "a row's constant is not that of its codes";
    }
    return NULL;
}

const char *near_fault(const NearIndex *index, Tell *to)
{
    const char *fault = rows_fault(index, to);
    if (fault != NULL || index->count == 0) return fault;
    uint64_t *reached = mem_calloc(index->count / 64 + 1, sizeof *reached);
    uint32_t *queue = mem_alloc((index->count + 1) * sizeof *queue);
    size_t count = 0;
    reach(0, reached, queue, &count);
    count = reach_on(index, to, reached, queue, count);
    mem_free(reached);
    mem_free(queue);
    if (to != NULL && to->stopped) return NULL;
    return count < index->count ? "a row cannot be reached" : NULL;
}
