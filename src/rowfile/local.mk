src_libengine_la_SOURCES += %D%/rowfile.c %D%/rowfile.h %D%/rowfile_internal.h %D%/text.c %D%/json.c %D%/matrix.c \
    %D%/cell.c %D%/cell.h
EXTRA_DIST += %D%/README.md
