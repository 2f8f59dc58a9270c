src_contextql_SOURCES += \
    %D%/command.c %D%/command.h %D%/complete.c %D%/complete.h %D%/drawing.c %D%/editor.c %D%/editor.h %D%/external.c %D%/external.h %D%/format.c %D%/format.h %D%/format_internal.h \
    %D%/helper.h %D%/menu.c %D%/menu.h %D%/glyph.c %D%/glyph.h %D%/history.c %D%/history.h %D%/jsonl.c %D%/jsonl.h %D%/keys.c %D%/keys.h %D%/literal.c %D%/literal.h \
    %D%/markup.c %D%/options.c %D%/options.h %D%/options_internal.h %D%/paint.c %D%/paint.h %D%/paths.c %D%/paths.h \
    %D%/progress.c %D%/progress.h %D%/prompt.c %D%/prompt.h %D%/records.c %D%/records.h %D%/report.c %D%/report.h %D%/run.c \
    %D%/screen.c %D%/screen.h %D%/separated.c %D%/shell.c %D%/shell.h %D%/shell_internal.h %D%/table.c %D%/terminal.c %D%/terminal.h \
    %D%/usage.c %D%/value_text.c %D%/value_text.h
EXTRA_DIST += %D%/README.md
