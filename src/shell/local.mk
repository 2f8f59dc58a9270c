src_contextql_SOURCES += %D%/records.c %D%/records.h %D%/jsonl.c %D%/jsonl.h %D%/options.c %D%/options.h %D%/format.c %D%/format.h %D%/shell.c %D%/shell.h \
    %D%/prompt.c %D%/prompt.h
