/* load.c - LOAD FROM: one row a row of a file, for each input row. */
#include "config.h"

#include "execution/operator_internal.h"
#include "rowfile/rowfile.h"

typedef struct Load {
    Batch *in;
    uint32_t at;
    RowFile *file;
    bool ended; /* its last rows were given out: they may point into it until the next call */
    EvalContext context;
} Load;

Error *execution_path(const ExecutionEnvironment *environment, Arena *arena, Value source,
                      const char **out)
{
    if (source.kind != VALUE_STRING)
        return error_new(ERROR_ARGUMENT_TYPE, "a file is named by text, not %s",
                         value_kind_name((ValueKind)source.kind));
    if (!environment->files_allowed)
        return error_new(ERROR_READ_ONLY, "files are not allowed in this session");
    Str name = value_text(source);
    if (memchr(name.data, '\0', name.bytes) != NULL)
        return error_new(ERROR_ARGUMENT_VALUE, "a file name has no zero byte");
    bool relative = environment->directory != NULL && name.bytes > 0 && name.data[0] != '/';
    *out = relative ? arena_printf(arena, "%s/%.*s", environment->directory, STR_ARG(name))
                    : str_copy(arena, name).data;
    return NULL;
}

static Error *open_file(Operator *self, Load *load, uint32_t position)
{
    Value source, options = value_null();
    const char *path;
    operator_context(self, self->state_arena, &load->context);
    TRY(expr_evaluate(self->plan->expr, &load->context, load->in, position, &source));
    if (self->plan->options != NULL)
        TRY(expr_evaluate(self->plan->options, &load->context, load->in, position, &options));
    TRY(execution_path(&self->execution->environment, self->state_arena, source, &path));
    return rowfile_open(path, options, &load->file);
}

static void report(Operator *self, const Load *load)
{
    const ExecutionEnvironment *environment = &self->execution->environment;
    if (environment->progress != NULL)
        environment->progress(environment->session, rowfile_done(load->file),
                              self->execution->stats.rows_read);
}

static Error *next_load(Operator *self, Batch **out)
{
    Load *load = self->state;
    *out = NULL;
    for (;;) {
        if (load->ended) {
            rowfile_close(load->file);
            load->file = NULL;
            load->ended = false;
            load->at++;
        }
        if (load->file == NULL) {
            while (load->in == NULL || load->at == load->in->selected_count) {
                TRY(operator_next(self->input, &load->in));
                load->at = 0;
                if (load->in == NULL) return NULL;
            }
            TRY(open_file(self, load, batch_position(load->in, load->at)));
        }
        uint16_t positions[BATCH_ROWS_MAX];
        Value rows[BATCH_ROWS_MAX];
        uint32_t count = 0, cap = operator_cap(self);
        arena_reset(self->arena);
        for (; count < cap; count++) {
            TRY(rowfile_next(load->file, self->arena, &rows[count]));
            if (rows[count].kind == VALUE_NULL) break;
            positions[count] = (uint16_t)batch_position(load->in, load->at);
        }
        self->execution->stats.rows_read += count;
        report(self, load);
        load->ended = count < cap;
        if (count == 0) continue;
        *out = batch_extend(self, load->in, positions, count);
        Column *column = batch_column(self->arena, *out, self->plan->slot, COLUMN_ANY);
        memcpy(column->values, rows, count * sizeof *rows);
        return NULL;
    }
}

static void reset_load(Operator *self)
{
    Load *load = self->state;
    rowfile_close(load->file);
    load->file = NULL;
    load->ended = false;
    load->in = NULL;
    load->at = 0;
}

void open_load(Operator *self)
{
    self->state = arena_new(self->state_arena, Load);
    self->next = next_load;
    self->reset = reset_load;
    self->close = reset_load;
}
