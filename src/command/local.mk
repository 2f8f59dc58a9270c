src_libengine_la_SOURCES += %D%/command.c %D%/command.h %D%/command_internal.h %D%/export.c \
    %D%/snapshot.c %D%/machine.c %D%/copy.c %D%/copy_rows.c %D%/copy_chunks.c %D%/copy_internal.h
EXTRA_DIST += %D%/README.md
