src_libengine_la_SOURCES += %D%/strategy.c %D%/strategy.h
EXTRA_DIST += %D%/README.md
