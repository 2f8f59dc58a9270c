/*
 * paint.c - text, tokens and a cursor become rows.
 *
 * One walk over the characters: the style of each is the style of its token, a row ends at a line
 * break or before the character that does not fit. Styles are switched off at the end of a row and
 * on again in the next, so that a row can be sent alone. The last column stays empty (screen.c says
 * why).
 */
#include "config.h"

#include "contextql.h"
#include "editor/glyph.h"
#include "editor/paint.h"

enum {
    COLUMNS_MIN = 8, /* narrower terminals are drawn as if they had so many */
    TAB_COLUMNS = 8
};

/* NAME, OPERATOR and BRACKET are drawn as the rest. */
static const int token_parts[] = {[CONTEXTQL_TOKEN_NAME] = -1,
                                  [CONTEXTQL_TOKEN_KEYWORD] = THEME_KEYWORD,
                                  [CONTEXTQL_TOKEN_STRING] = THEME_STRING,
                                  [CONTEXTQL_TOKEN_NUMBER] = THEME_NUMBER,
                                  [CONTEXTQL_TOKEN_PARAMETER] = THEME_PARAMETER,
                                  [CONTEXTQL_TOKEN_OPERATOR] = -1,
                                  [CONTEXTQL_TOKEN_BRACKET] = -1,
                                  [CONTEXTQL_TOKEN_COMMENT] = THEME_COMMENT,
                                  [CONTEXTQL_TOKEN_FUNCTION] = THEME_FUNCTION,
                                  [CONTEXTQL_TOKEN_LABEL] = THEME_LABEL,
                                  [CONTEXTQL_TOKEN_BAD] = THEME_WRONG};

typedef struct Painter {
    const Picture *picture;
    Frame *frame;
    FrameRow *row;
    size_t columns, indent;
    contextql_token *tokens;
    size_t token_count, token; /* `token`: the first that ends behind where we are */
    size_t bracket[2];         /* offsets of a matched pair; SIZE_MAX: none */
    const char *style;         /* in force */
} Painter;

/* ---- styles ---- */

static const char *style_of(const Painter *painter, int part)
{
    const Theme *theme = painter->picture->theme;
    return theme == NULL || part < 0 ? "" : theme->styles[part];
}

static void set_style(Painter *painter, const char *style)
{
    if (style == painter->style) return;
    if (style[0] == painter->style[0] && strcmp(style, painter->style) == 0) return;
    Buffer *bytes = &painter->row->bytes;
    if (painter->style[0] != '\0') buffer_str(bytes, STR("\033[0m"));
    if (style[0] != '\0') {
        buffer_str(bytes, STR("\033["));
        buffer_text(bytes, style);
        buffer_char(bytes, 'm');
    }
    painter->style = style;
}

/* A text or comment that is still open while it is typed is not wrong yet. */
static int part_of_token(Str text, const contextql_token *token)
{
    char first = text.data[token->offset];
    bool open_text = first == '\'' || first == '"';
    bool open_comment = first == '/' && token->length > 1;
    if (token->kind == CONTEXTQL_TOKEN_BAD && open_text) return THEME_STRING;
    if (token->kind == CONTEXTQL_TOKEN_BAD && open_comment) return THEME_COMMENT;
    return token_parts[token->kind];
}

static const char *style_at(Painter *painter, size_t at)
{
    const Picture *picture = painter->picture;
    if (at == painter->bracket[0] || at == painter->bracket[1])
        return style_of(painter, THEME_BRACKET);
    if (at >= picture->wrong_from && at - picture->wrong_from < picture->wrong_bytes)
        return style_of(painter, THEME_WRONG);
    while (painter->token < painter->token_count &&
           painter->tokens[painter->token].offset + painter->tokens[painter->token].length <= at)
        painter->token++;
    if (painter->token == painter->token_count || painter->tokens[painter->token].offset > at)
        return "";
    return style_of(painter,
                    part_of_token(painter->picture->text, &painter->tokens[painter->token]));
}

/* ---- tokens and brackets ---- */

static void tokenize(Painter *painter)
{
    Str text = painter->picture->text;
    size_t max = text.bytes / 2 + 64; /* tokens and blanks are seldom shorter; else we ask again */
    for (;;) {
        painter->tokens = mem_alloc(max * sizeof *painter->tokens);
        if (contextql_tokenize(text.data, text.bytes, painter->tokens, max,
                               &painter->token_count) != CONTEXTQL_OK)
            painter->token_count = 0;
        if (painter->token_count <= max) return;
        max = painter->token_count;
        mem_free(painter->tokens);
    }
}

/* With the cursor behind a closing bracket, the pair. Quoted brackets are no tokens of this kind.
 */
static void match_brackets(Painter *painter)
{
    Str text = painter->picture->text;
    size_t depth = 0, cursor = painter->picture->cursor;
    painter->bracket[0] = painter->bracket[1] = SIZE_MAX;
    if (cursor == 0 || cursor > text.bytes || strchr(")]}", text.data[cursor - 1]) == NULL) return;
    for (size_t i = painter->token_count; i-- > 0;) {
        const contextql_token *token = &painter->tokens[i];
        if (token->kind != CONTEXTQL_TOKEN_BRACKET || token->offset >= cursor) continue;
        if (depth == 0 && token->offset != cursor - 1) return;
        bool closing = strchr(")]}", text.data[token->offset]) != NULL;
        depth = closing ? depth + 1 : depth - 1;
        if (depth > 0) continue;
        painter->bracket[0] = token->offset;
        painter->bracket[1] = cursor - 1;
        return;
    }
}

/* ---- rows ---- */

static void put(Painter *painter, Str bytes, size_t width)
{
    buffer_str(&painter->row->bytes, bytes);
    painter->row->width += width;
}

static void put_blanks(Painter *painter, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put(painter, STR(" "), 1);
}

static void next_row(Painter *painter)
{
    set_style(painter, "");
    painter->row = frame_add(painter->frame);
}

static void next_line(Painter *painter)
{
    next_row(painter);
    put_blanks(painter, painter->indent - 2);
    set_style(painter, style_of(painter, THEME_MARK));
    put(painter, STR("\u2506"), 1);
    set_style(painter, "");
    put_blanks(painter, 1);
}

static void make_room(Painter *painter, size_t width)
{
    if (painter->row->width + width < painter->columns) return;
    next_row(painter);
    put_blanks(painter, painter->indent);
}

static void here_is_cursor(Painter *painter)
{
    painter->frame->cursor_row = painter->frame->count - 1;
    painter->frame->cursor_column = painter->row->width;
}

/* As much of `text` as fits into the row. */
static void put_clipped(Painter *painter, Str text)
{
    for (size_t at = 0; at < text.bytes;) {
        size_t from = at, width = glyph_next(text, &at);
        if (painter->row->width + width >= painter->columns) return;
        bool control = (unsigned char)text.data[from] < 0x20;
        put(painter, control ? STR(" ") : (Str){text.data + from, at - from}, control ? 1 : width);
    }
}

/* A text with styles in it, as sequences of a terminal: "\033[31m"; the one that ends them brings
 * back that of `part`. */
static void put_styled(Painter *painter, Str text, ThemePart part)
{
    const char *own = style_of(painter, part);
    set_style(painter, own);
    while (text.bytes > 0) {
        size_t plain = 0, end;
        while (plain < text.bytes && text.data[plain] != '\033')
            plain++;
        put_clipped(painter, (Str){text.data, plain});
        for (end = plain; end < text.bytes && text.data[end] != 'm';)
            end++;
        end += end < text.bytes;
        if (painter->picture->theme != NULL && end > plain) {
            buffer_append(&painter->row->bytes, text.data + plain, end - plain);
            bool off = end - plain <= 4 && memchr(text.data + plain, '0', end - plain) != NULL;
            painter->style = off ? "" : "?"; /* no theme's; it must be ended */
            if (off) set_style(painter, own);
        }
        text = (Str){text.data + end, text.bytes - end};
    }
    set_style(painter, "");
}

/* How wide a text with styles in it is. */
static size_t styled_width(Str text)
{
    size_t width = 0;
    while (text.bytes > 0) {
        size_t plain = 0, end;
        while (plain < text.bytes && text.data[plain] != '\033')
            plain++;
        width += glyph_width((Str){text.data, plain});
        for (end = plain; end < text.bytes && text.data[end] != 'm';)
            end++;
        end += end < text.bytes;
        text = (Str){text.data + end, text.bytes - end};
    }
    return width;
}

/* At the end of the first row, if a blank is left before it. */
static void put_right(Painter *painter)
{
    Str right = painter->picture->right;
    size_t width = styled_width(right);
    FrameRow *row = painter->row;
    painter->row = &painter->frame->rows[0];
    if (width > 0 && painter->row->width + width + 2 < painter->columns) {
        put_blanks(painter, painter->columns - 1 - width - painter->row->width);
        put_styled(painter, right, THEME_STATUS);
    }
    painter->row = row;
}

static void put_prompt(Painter *painter)
{
    Str prompt = painter->picture->prompt;
    painter->row = frame_add(painter->frame);
    while (prompt.bytes > 0 && prompt.data[prompt.bytes - 1] == ' ')
        prompt.bytes--;
    put_styled(painter, prompt, THEME_PROMPT);
    put_blanks(painter, 1);
    size_t width = painter->row->width;
    painter->indent = width < 2 || width > painter->columns / 2 ? 2 : width;
}

/* The character at `from`, `bytes` long: as it is, or in a form that shows what it is. */
static void put_glyph(Painter *painter, size_t from, size_t bytes, size_t width)
{
    unsigned char byte = (unsigned char)painter->picture->text.data[from];
    bool control = byte < 0x20 || byte == 0x7f, tab = byte == '\t';
    size_t shown = tab ? TAB_COLUMNS - painter->row->width % TAB_COLUMNS : control ? 2 : width;
    bool had_cursor = painter->picture->cursor == from;
    make_room(painter, shown);
    if (had_cursor || (painter->picture->cursor > from && painter->picture->cursor < from + bytes))
        here_is_cursor(painter);
    set_style(painter, style_at(painter, from));
    if (tab) {
        put_blanks(painter, shown);
    } else if (control) {
        char name[2] = {'^', (char)(byte ^ 0x40)};
        put(painter, (Str){name, 2}, 2);
    } else {
        put(painter, (Str){painter->picture->text.data + from, bytes}, width);
    }
}

static size_t nearer(size_t at, size_t border, size_t so_far)
{
    return border > at && border < so_far ? border : so_far;
}

/* Up to where the style of `at` and nothing else holds. */
static size_t style_end(Painter *painter, size_t at)
{
    const Picture *picture = painter->picture;
    size_t end = picture->text.bytes;
    if (painter->token < painter->token_count) {
        const contextql_token *token = &painter->tokens[painter->token];
        end = nearer(at, token->offset, end);
        end = nearer(at, token->offset + token->length, end);
    }
    end = nearer(at, painter->bracket[0], end);
    end = nearer(at, painter->bracket[1], end);
    end = nearer(at, picture->wrong_from, end);
    end = nearer(at, picture->wrong_from + picture->wrong_bytes, end);
    end = nearer(at, picture->cursor, end);
    if (at == painter->bracket[0] || at == painter->bracket[1]) end = at + 1;
    return end;
}

/* Printable ASCII from `at` to `end`; the last one not, if something may cling to it. */
static size_t plain_run(Str text, size_t at, size_t end)
{
    size_t from = at;
    while (at < end && text.data[at] >= 0x20 && text.data[at] < 0x7f)
        at++;
    bool clings = at < text.bytes && (unsigned char)text.data[at] >= 0x80;
    return at - from - (clings && at > from);
}

/* Most text is plain: as much of one style as the row takes, at once. 0: not here. */
static size_t put_run(Painter *painter, size_t at)
{
    if (painter->row->width + 1 >= painter->columns || painter->picture->cursor == at) return 0;
    const char *style = style_at(painter, at);
    size_t bytes = plain_run(painter->picture->text, at, style_end(painter, at)),
           room = painter->columns - 1 - painter->row->width;
    if (bytes > room) bytes = room;
    if (bytes == 0) return 0;
    set_style(painter, style);
    put(painter, (Str){painter->picture->text.data + at, bytes}, bytes);
    return bytes;
}

static void put_text(Painter *painter)
{
    Str text = painter->picture->text;
    for (size_t at = 0; at < text.bytes;) {
        size_t from = at, width;
        if (text.data[at] == '\n') {
            if (painter->picture->cursor == at) here_is_cursor(painter);
            next_line(painter);
            at++;
            continue;
        }
        size_t run = put_run(painter, at);
        at += run;
        if (run > 0) continue;
        width = glyph_next(text, &at);
        put_glyph(painter, from, at - from, width);
    }
    set_style(painter, "");
    if (painter->picture->cursor >= text.bytes) here_is_cursor(painter);
}

/* Its first line, as much of it as the row has room for. */
static void put_ghost(Painter *painter)
{
    Str ghost = painter->picture->ghost;
    const char *end = memchr(ghost.data, '\n', ghost.bytes);
    if (end != NULL) ghost.bytes = (size_t)(end - ghost.data);
    set_style(painter, style_of(painter, THEME_GHOST));
    put_clipped(painter, ghost);
    set_style(painter, "");
}

static void put_status(Painter *painter)
{
    const Picture *picture = painter->picture;
    Str status = picture->status;
    size_t from = picture->strong_from, to = from + picture->strong_bytes;
    if (to > status.bytes || from == to) from = to = status.bytes;
    next_row(painter);
    set_style(painter, style_of(painter, THEME_STATUS));
    put_clipped(painter, (Str){status.data, from});
    if (from < to) set_style(painter, style_of(painter, THEME_STRONG));
    put_clipped(painter, (Str){status.data + from, to - from});
    if (to < status.bytes) set_style(painter, style_of(painter, THEME_STATUS));
    put_clipped(painter, (Str){status.data + to, status.bytes - to});
    set_style(painter, "");
}

void paint(const Picture *picture, Frame *out)
{
    Painter painter = {.picture = picture, .frame = out, .style = ""};
    painter.columns = picture->columns < COLUMNS_MIN ? COLUMNS_MIN : picture->columns;
    painter.bracket[0] = painter.bracket[1] = SIZE_MAX;
    frame_clear(out);
    if (picture->theme != NULL) {
        tokenize(&painter);
        match_brackets(&painter);
    }
    put_prompt(&painter);
    put_text(&painter);
    put_clipped(&painter, picture->tail);
    if (picture->ghost.bytes > 0) put_ghost(&painter);
    if (picture->status.bytes > 0) put_status(&painter);
    if (picture->right.bytes > 0) put_right(&painter);
    mem_free(painter.tokens);
}
