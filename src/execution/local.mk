src_libengine_la_SOURCES += %D%/execution.h %D%/operator_internal.h %D%/execution.c %D%/reader.c %D%/scan.c %D%/expand.c %D%/rows.c %D%/group.c \
    %D%/apply.c %D%/write.c %D%/score.c %D%/score_leg.c %D%/score_device.c %D%/score_internal.h \
    %D%/command.c %D%/load.c %D%/export.c %D%/files.h \
    %D%/cell.c %D%/cell.h %D%/copy.c %D%/copy_rows.c %D%/copy_chunks.c %D%/copy_internal.h \
    %D%/rowfile.c %D%/rowfile.h %D%/rowfile_internal.h %D%/rowfile_text.c %D%/rowfile_vector.c
