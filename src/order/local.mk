src_libengine_la_SOURCES += %D%/ordered.c %D%/ordered.h
EXTRA_DIST += %D%/README.md
