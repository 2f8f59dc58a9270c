src_contextql_SOURCES += %D%/shell.c %D%/shell.h %D%/shell_internal.h %D%/run.c %D%/command.c %D%/command.h %D%/command_internal.h %D%/command_session.c %D%/command_time.c %D%/command_look.c %D%/care.c %D%/last.c %D%/tutorial.c %D%/expand.c %D%/command_work.c %D%/complete.c %D%/complete.h \
    %D%/jsonl.c %D%/jsonl.h \
    %D%/dump.c %D%/dump.h %D%/import.c %D%/progress.c %D%/progress.h
EXTRA_DIST += %D%/README.md
