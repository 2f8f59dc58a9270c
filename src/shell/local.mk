src_contextql_SOURCES += %D%/records.c %D%/records.h %D%/jsonl.c %D%/jsonl.h %D%/options.c %D%/options.h %D%/format.c %D%/format.h %D%/shell.c %D%/shell.h \
    %D%/prompt.c %D%/prompt.h %D%/editor.c %D%/editor.h %D%/history.c %D%/history.h %D%/keys.c %D%/keys.h %D%/paint.c %D%/paint.h %D%/screen.c %D%/screen.h \
    %D%/glyph.c %D%/glyph.h %D%/progress.c %D%/progress.h %D%/command.c %D%/command.h %D%/shell_internal.h
