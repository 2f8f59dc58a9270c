src_libengine_la_SOURCES += %D%/memory.c %D%/memory.h %D%/error.c %D%/error.h %D%/str.c %D%/str.h %D%/number.c %D%/map.c %D%/map.h \
    %D%/bits.h %D%/bytes.c %D%/bytes.h %D%/tell.c %D%/tell.h %D%/json.c %D%/json.h %D%/csv.c %D%/csv.h %D%/match.c %D%/match.h %D%/meant.c %D%/meant.h %D%/script.h %D%/clock.c %D%/clock.h
EXTRA_DIST += %D%/README.md
