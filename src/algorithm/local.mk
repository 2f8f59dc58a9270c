src_libengine_la_SOURCES += %D%/algorithm.h %D%/algorithm_internal.h %D%/algorithm.c %D%/rank.c %D%/community.c %D%/path.c
EXTRA_DIST += %D%/README.md
