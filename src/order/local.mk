src_libengine_la_SOURCES += %D%/ordered.c %D%/ordered.h %D%/spill.c %D%/spill.h %D%/sorter.c %D%/sorter.h
EXTRA_DIST += %D%/README.md
