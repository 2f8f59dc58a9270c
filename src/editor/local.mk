src_contextql_SOURCES += %D%/prompt.c %D%/prompt.h %D%/editor.c %D%/editor.h %D%/editor_internal.h %D%/edit.c %D%/recall.c %D%/show.c %D%/helper.h %D%/external.c %D%/external.h \
    %D%/keys.c %D%/keys.h %D%/glyph.c %D%/glyph.h %D%/paint.c %D%/paint.h %D%/screen.c %D%/screen.h %D%/pager.c %D%/pager.h %D%/theme.c %D%/theme.h %D%/menu.c %D%/menu.h \
    %D%/history.c %D%/history.h %D%/secret.c %D%/secret.h %D%/terminal.c %D%/terminal.h
EXTRA_DIST += %D%/README.md
