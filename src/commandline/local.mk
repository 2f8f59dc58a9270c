src_contextql_SOURCES += %D%/options.c %D%/options.h %D%/options_internal.h %D%/usage.c %D%/literal.c %D%/literal.h %D%/paths.c %D%/paths.h
EXTRA_DIST += %D%/README.md
