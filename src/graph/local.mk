src_libengine_la_SOURCES += %D%/graph.c %D%/graph.h %D%/graph_internal.h %D%/table.c %D%/scan.c %D%/adjacency.c \
    %D%/lists.c %D%/lists.h %D%/index.c %D%/hash_table.c %D%/range.c \
    %D%/csr.c %D%/bulk.c %D%/writer.c \
    %D%/save.c %D%/save_column.c %D%/save_internal.h %D%/load.c %D%/verify.c %D%/salvage.c %D%/stored.h
EXTRA_DIST += %D%/README.md
