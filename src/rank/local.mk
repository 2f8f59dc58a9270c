src_libengine_la_SOURCES += %D%/strategy.c %D%/strategy.h %D%/column.c %D%/column.h %D%/nearest.c %D%/nearest.h
EXTRA_DIST += %D%/README.md
