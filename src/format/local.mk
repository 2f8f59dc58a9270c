src_contextql_SOURCES += %D%/format.c %D%/format.h %D%/format_internal.h %D%/plan.c %D%/plot.c %D%/plot.h %D%/table.c %D%/separated.c %D%/markup.c %D%/drawing.c \
    %D%/word.c %D%/value_text.c %D%/value_text.h %D%/records.c %D%/records.h %D%/report.c %D%/report.h
EXTRA_DIST += %D%/README.md
