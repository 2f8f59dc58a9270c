src_contextql_SOURCES += %D%/records.c %D%/records.h %D%/jsonl.c %D%/jsonl.h
